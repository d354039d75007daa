//! Rules about the paths that an execution can take.

use super::{
    rule::{Found, Rule},
    severities::Level,
    subject::{Node, Subject},
};
use crate::studio::{
    definition::Transition,
    widget::{Family, Meaning, meaning},
};

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "unconnected-trigger",
        level: Level::Warning,
        what: "The trigger leads nowhere",
        why: "Whatever comes in, an execution ends where it begins.",
        fix: "Connect the event that starts the flow: `incomingConversationMessage` for a reply in a conversation, \
              `incomingMessage`, `incomingCall`, `incomingRequest` for the REST API, `incomingParent` for a subflow.",
        example: r#"{"description": "", "initial_state": "Trigger", "states": [
  {"name": "Trigger", "type": "trigger", "properties": {}, "transitions": [{"event": "incomingMessage"}]}
]}"#,
        check: unconnected_trigger,
    },
    Rule {
        code: "unreachable-widget",
        level: Level::Warning,
        what: "No path leads to a widget",
        why: "It never runs. Mostly a transition was meant to lead there.",
        fix: "Connect it, or remove it.",
        example: r#"[
  {"name": "set", "type": "set-variables", "properties": {}, "transitions": [{"event": "next"}]},
  {"name": "more", "type": "set-variables", "properties": {}, "transitions": [{"event": "next"}]}
]"#,
        check: unreachable_widgets,
    },
    Rule {
        code: "loop-without-wait",
        level: Level::Warning,
        what: "Widgets lead round in a circle in which none waits",
        why: "Studio stops an execution that is in the same widget ten times in a row (81001), or after 1,000 steps (81000).",
        fix: "Lead the circle through a widget that waits for somebody; or count the rounds in a variable and leave it in time, and \
              switch this rule off.",
        example: r#"[
  {
    "name": "poll", "type": "make-http-request", "properties": {"url": "https://example.com/state", "method": "GET"},
    "transitions": [{"event": "success", "next": "ready"}, {"event": "failed", "next": "poll"}]
  },
  {
    "name": "ready", "type": "split-based-on", "properties": {"input": "{{widgets.poll.parsed.state}}"},
    "transitions": [{"event": "noMatch", "next": "poll"}, {"event": "match", "conditions": [
      {"friendly_name": "ready", "arguments": ["{{widgets.poll.parsed.state}}"], "type": "equal_to", "value": "ready"}
    ]}]
  }
]"#,
        check: loops_without_wait,
    },
    Rule {
        code: "failure-ends",
        level: Level::Off,
        what: "A way out for failure or timeout ends the execution",
        why: "The customer hears nothing more. That is often right, for a reply that never came or a note that nobody waits \
              for, so this is off by default; where nobody may be left standing, switch it on. What becomes of a hand-over \
              that fails is told by `failed-to-enqueue-ends`.",
        fix: "Lead it to a widget that says so, or tries again.",
        example: r#"[{
  "name": "call", "type": "run-function", "properties": {"url": "https://example.com/f"},
  "transitions": [{"event": "success"}, {"event": "fail"}]
}]"#,
        check: failure_ends,
    },
    Rule {
        code: "voice-without-call",
        level: Level::Warning,
        what: "A widget for calls is on a path that no call takes",
        why: "Without a call the widget fails whenever it is entered (81020).",
        fix: "Use a widget for messages, or lead `incomingCall` there.",
        example: r#"[{
  "name": "hello", "type": "say-play", "properties": {"say": "Hello"},
  "transitions": [{"event": "audioComplete"}]
}]"#,
        check: voice_without_call,
    },
];

fn unconnected_trigger(subject: &Subject<'_>, found: &mut Found<'_>) {
    let Some(trigger) = subject.trigger().map(|node| &subject.nodes[node]) else { return };
    if trigger.transitions.iter().all(|transition| transition.next().is_none()) {
        let message = "no event of the trigger leads to a widget: connect the one that starts the flow";
        found.widget(trigger.name(), trigger.at("transitions"), message);
    }
}

fn unreachable_widgets(subject: &Subject<'_>, found: &mut Found<'_>) {
    let Some(trigger) = subject.trigger() else { return };
    let reached = subject.reachable([trigger]);
    for (index, node) in subject.nodes.iter().enumerate() {
        let is_candidate = !node.is("trigger") && node.name().is_some_and(|name| !name.is_empty());
        if is_candidate && !reached[index] {
            let message = "no path from the trigger leads here, so it never runs: connect it, or remove it";
            found.widget(node.name(), format!("/states/{}", node.state.index), message);
        }
    }
}

/// Whether an execution goes through the widget without resting. What is unknown may rest.
fn is_passed(node: &Node<'_>) -> bool {
    node.widget.is_some_and(|widget| !widget.waits && !widget.events.is_empty())
}

fn loops_without_wait(subject: &Subject<'_>, found: &mut Found<'_>) {
    // What can come back to itself through widgets that are passed: one search for each, in a graph of a few hundred.
    let mut told = vec![false; subject.nodes.len()];
    for start in 0..subject.nodes.len() {
        if told[start] || !is_passed(&subject.nodes[start]) {
            continue;
        }
        let forward = passed_from(subject, start);
        if !forward[start] {
            continue;
        }
        let circle: Vec<usize> = (0..subject.nodes.len())
            .filter(|node| *node == start || (forward[*node] && passed_from(subject, *node)[start]))
            .collect();
        for node in &circle {
            told[*node] = true;
        }
        let mut names: Vec<&str> = circle.iter().filter_map(|node| subject.nodes[*node].name()).collect();
        names.sort_unstable();
        // Told of the first by name, so that it does not hang on the order in the document.
        let Some(first) = circle.iter().map(|node| &subject.nodes[*node]).min_by_key(|node| node.name()) else {
            continue;
        };
        let message = format!(
            "the circle through {} has no widget that waits: Studio stops it after ten rounds",
            super::listed(&names, 6)
        );
        found.widget(first.name(), first.at("transitions"), message);
    }
}

/// The nodes that are reached from a node through nodes that are passed; the node itself if it is come back to.
fn passed_from(subject: &Subject<'_>, start: usize) -> Vec<bool> {
    let mut reached = vec![false; subject.nodes.len()];
    let mut open: Vec<usize> = subject.nodes[start].next.clone();
    while let Some(node) = open.pop() {
        if is_passed(&subject.nodes[node]) && !std::mem::replace(&mut reached[node], true) {
            open.extend(&subject.nodes[node].next);
        }
    }
    reached
}

fn failure_ends(subject: &Subject<'_>, found: &mut Found<'_>) {
    for node in &subject.nodes {
        let Some(kind) = node.state.kind() else { continue };
        let known = node.widget.map(|widget| widget.events).unwrap_or_default().iter().map(|event| event.name);
        let mut events: Vec<&str> = known.chain(node.transitions.iter().filter_map(Transition::event)).collect();
        events.sort_unstable();
        events.dedup();
        for event in events {
            if meaning(kind, event) != Meaning::Ordinary && !node.goes_on(event) {
                let message = format!("`{event}` ends the execution: lead it to a widget that says so, or tries again");
                found.widget(node.name(), node.at("transitions"), message);
            }
        }
    }
}

fn voice_without_call(subject: &Subject<'_>, found: &mut Found<'_>) {
    let with_messages = subject.reachable_by(&["incomingMessage", "incomingConversationMessage"]);
    let with_calls = subject.reachable_by(&["incomingCall", "incomingRequest", "incomingParent"]);
    let calling = subject.nodes.iter().enumerate().filter(|(_, node)| node.state.kind().is_some_and(makes_a_call));
    let called = subject.reachable(calling.map(|(index, _)| index));
    for (index, node) in subject.nodes.iter().enumerate() {
        let is_voice = node.widget.is_some_and(|widget| widget.family == Family::Voice);
        if is_voice && with_messages[index] && !with_calls[index] && !called[index] {
            let message = "it needs a call, and only messages lead here: it fails whenever it is entered";
            found.widget(node.name(), node.at("type"), message);
        }
    }
}

fn makes_a_call(kind: &str) -> bool {
    kind.starts_with("make-outgoing-call")
}

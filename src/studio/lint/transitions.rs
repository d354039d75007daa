//! Rules about the ways out of a widget.

use serde_json::Value;

use super::{
    reading::kind_of,
    rule::{Found, Rule},
    severities::Level,
    spelling::nearest,
    subject::Subject,
};
use crate::studio::place::escaped;

/// What a transition has.
const FIELDS: [&str; 3] = ["event", "next", "conditions"];

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "malformed-transition",
        level: Level::Error,
        what: "A transition is not shaped like one",
        why: "A transition is an object with an `event`, and as a rule `next`, the name of a widget. Studio refuses anything else.",
        fix: "Write it as `{\"event\": \"sent\", \"next\": \"ask\"}`; leave `next` out where the branch ends.",
        example: r#"[{"name": "bye", "type": "set-variables", "properties": {}, "transitions": [{"event": "next", "next": 5}]}]"#,
        check: malformed_transitions,
    },
    Rule {
        code: "missing-event",
        level: Level::Error,
        what: "A transition names no event",
        why: "A transition is followed when its event happens. Studio refuses one without.",
        fix: "Name the event, or remove the transition.",
        example: r#"[{"name": "bye", "type": "set-variables", "properties": {}, "transitions": [{"next": ""}]}]"#,
        check: missing_events,
    },
    Rule {
        code: "unknown-event",
        level: Level::Error,
        what: "A widget of this type has no such event",
        why: "Each type of widget has events of its own: Run Function fails with `fail`, an HTTP request with `failed`. Studio \
              refuses an event that the type has not.",
        fix: "Use one of the events that the message lists.",
        example: r#"[{
  "name": "call", "type": "run-function", "properties": {"url": "https://example.com/f"},
  "transitions": [{"event": "success"}, {"event": "failed"}]
}]"#,
        check: unknown_events,
    },
    Rule {
        code: "unknown-next",
        level: Level::Error,
        what: "A transition leads to a widget that is not there",
        why: "Studio refuses the definition. It mostly comes of a widget renamed or removed by hand.",
        fix: "Name a widget that is there, or leave `next` out to end the branch.",
        example: r#"[{"name": "set", "type": "set-variables", "properties": {}, "transitions": [{"event": "next", "next": "by"}]}]"#,
        check: unknown_next,
    },
    Rule {
        code: "unknown-transition-key",
        level: Level::Error,
        what: "A transition has a field that means nothing",
        why: "Studio takes it without a word and ignores it. A transition with `name` where `next` is meant ends the branch: \
              that way the alarm of a hand-over that failed has stayed silent for years, in several published flows.",
        fix: "Write `next`; or remove the field.",
        example: r#"[{"name": "set", "type": "set-variables", "properties": {}, "transitions": [{"event": "next", "name": "ask"}]}]"#,
        check: unknown_keys,
    },
];

fn malformed_transitions(subject: &Subject<'_>, found: &mut Found<'_>) {
    for node in &subject.nodes {
        let transitions = node.state.fields().get("transitions").and_then(Value::as_array);
        for (index, transition) in transitions.into_iter().flatten().enumerate().filter(|(_, it)| !it.is_object()) {
            let message = format!("a transition is a JSON object, and this is {}", kind_of(transition));
            found.widget(node.name(), node.at(&format!("transitions/{index}")), message);
        }
        for transition in &node.transitions {
            for key in ["event", "next"] {
                let Some(value) = transition.fields().get(key) else { continue };
                if !value.is_string() && !value.is_null() {
                    let what = if key == "next" { "the name of a widget" } else { "the name of an event" };
                    let pointer = node.at(&format!("transitions/{}/{key}", transition.index));
                    found.widget(node.name(), pointer, format!("`{key}` is {what}, and this is {}", kind_of(value)));
                }
            }
        }
    }
}

fn missing_events(subject: &Subject<'_>, found: &mut Found<'_>) {
    for node in &subject.nodes {
        for transition in &node.transitions {
            if matches!(transition.fields().get("event"), None | Some(Value::Null)) {
                let pointer = node.at(&format!("transitions/{}", transition.index));
                let message = "`event` is missing: every transition names the event that it follows";
                found.widget(node.name(), pointer, message);
            }
        }
    }
}

fn unknown_events(subject: &Subject<'_>, found: &mut Found<'_>) {
    for node in &subject.nodes {
        let Some(widget) = node.widget.filter(|widget| !widget.events.is_empty()) else { continue };
        for transition in &node.transitions {
            let Some(event) = transition.event().filter(|event| widget.event(event).is_none()) else { continue };
            let known: Vec<&str> = widget.events.iter().map(|event| event.name).collect();
            let message = format!("`{}` has no event `{event}`; it has {}", widget.kind, known.join(", "));
            found.widget(node.name(), node.at(&format!("transitions/{}/event", transition.index)), message);
        }
    }
}

fn unknown_next(subject: &Subject<'_>, found: &mut Found<'_>) {
    for node in &subject.nodes {
        for transition in &node.transitions {
            let Some(next) = transition.next().filter(|next| subject.named(next).is_empty()) else { continue };
            let meant = nearest(next, subject.nodes.iter().filter_map(super::subject::Node::name));
            let meant = meant.map(|meant| format!(", did you mean `{meant}`?")).unwrap_or_default();
            let message = format!("no widget is called `{next}`{meant}");
            found.widget(node.name(), node.at(&format!("transitions/{}/next", transition.index)), message);
        }
    }
}

fn unknown_keys(subject: &Subject<'_>, found: &mut Found<'_>) {
    for node in &subject.nodes {
        for transition in &node.transitions {
            for key in transition.fields().keys().filter(|key| !FIELDS.contains(&key.as_str())) {
                let event = transition.event().unwrap_or_default();
                let message = if key == "name" && transition.next().is_none() {
                    format!(
                        "the transition `{event}` has `name` where `next` is meant: Studio takes it and ends the branch"
                    )
                } else {
                    format!(
                        "the transition `{event}` has a `{key}`, which means nothing: it has event, next and conditions"
                    )
                };
                let pointer = node.at(&format!("transitions/{}/{}", transition.index, escaped(key)));
                found.widget(node.name(), pointer, message);
            }
        }
    }
}

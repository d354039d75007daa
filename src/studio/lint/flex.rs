//! Rules about the hand-over to an agent.

use super::{
    rule::{Found, Rule},
    severities::Level,
    subject::{Node, Subject},
};
use crate::studio::liquid::{can_be_an_object, is_liquid};

/// Most characters of a task's attributes.
const MAX_ATTRIBUTES: usize = 1_024;

/// The widgets that make a task, and the property with its attributes.
const ATTRIBUTES: [(&str, &str); 2] = [("send-to-flex", "attributes"), ("enqueue-call", "task_attributes")];

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "failed-to-enqueue-ends",
        level: Level::Warning,
        what: "A hand-over that fails leaves the customer without a word",
        why: "When no task can be made, the execution ends: the customer was told that an agent comes, and none does. Half of the \
              hand-overs of published flows end like that.",
        fix: "Lead `failedToEnqueue` to a widget that tells the customer.",
        example: r#"[{
  "name": "agent", "type": "send-to-flex",
  "properties": {"workflow": "WW0123456789abcdef0123456789abcdef", "channel": "TC0123456789abcdef0123456789abcdef"},
  "transitions": [{"event": "callComplete"}, {"event": "failedToEnqueue"}, {"event": "callFailure"}]
}]"#,
        check: failed_to_enqueue_ends,
    },
    Rule {
        code: "attributes-not-json",
        level: Level::Warning,
        what: "The attributes of a task cannot be JSON",
        why: "They have to be a JSON object once Liquid is rendered. Otherwise no task is made. Liquid is replaced by values for \
              this check: within quotes by a text, outside of them by a number, null or nothing.",
        fix: "Correct the JSON: quotes around names and texts, commas between members.",
        example: r#"[{
  "name": "agent", "type": "send-to-flex",
  "properties": {
    "workflow": "WW0123456789abcdef0123456789abcdef", "channel": "TC0123456789abcdef0123456789abcdef",
    "attributes": "{\"name\": \"{{contact.channel.address}}\" \"source\": \"flow\"}"
  },
  "transitions": [{"event": "callComplete"}, {"event": "failedToEnqueue", "next": "agent"}]
}]"#,
        check: attributes_not_json,
    },
    Rule {
        code: "attributes-too-long",
        level: Level::Warning,
        what: "The attributes of a task are longer than Studio takes",
        why: "Send to Flex takes at most 1,024 characters.",
        fix: "Leave out what the agent does not need.",
        example: "",
        check: attributes_too_long,
    },
];

fn failed_to_enqueue_ends(subject: &Subject<'_>, found: &mut Found<'_>) {
    for node in subject.of_kind("send-to-flex").filter(|node| !node.goes_on("failedToEnqueue")) {
        let message = "`failedToEnqueue` ends the execution: the customer waits for an agent who never comes. Lead it to a widget that says so";
        found.widget(node.name(), node.at("transitions"), message);
    }
}

/// The attributes of tasks that are written out, with their widget and property.
fn attributes<'s, 'a>(subject: &'s Subject<'a>) -> impl Iterator<Item = (&'s Node<'a>, &'static str, &'a str)> {
    ATTRIBUTES
        .into_iter()
        .flat_map(|(kind, property)| subject.of_kind(kind).map(move |node| (node, property, node.text(property))))
}

fn attributes_not_json(subject: &Subject<'_>, found: &mut Found<'_>) {
    for (node, property, text) in attributes(subject).filter(|(_, _, text)| !text.trim().is_empty()) {
        if can_be_an_object(text) == Some(false) && !subject.is_filled(&node.property(property)) {
            let message = format!("`{property}` cannot be a JSON object, whatever Liquid gives: no task would be made");
            found.widget(node.name(), node.property(property), message);
        }
    }
}

fn attributes_too_long(subject: &Subject<'_>, found: &mut Found<'_>) {
    for (node, property, text) in attributes(subject).filter(|(node, _, _)| node.is("send-to-flex")) {
        let length = text.chars().count();
        if length > MAX_ATTRIBUTES && !is_liquid(text) {
            let message = format!("`{property}` has {length} characters; Studio takes at most 1,024");
            found.widget(node.name(), node.property(property), message);
        }
    }
}

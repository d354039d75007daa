//! Rules about conditions that look for what a customer chose of a content template, where the template was looked up.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    rule::{Found, Rule},
    severities::Level,
    spelling::nearest,
    splits::conditions,
    subject::{Node, Subject},
    templates::sending,
};
use crate::studio::content::Choice;
use crate::studio::liquid::{Tag, is_liquid, tags};

/// The conditions that compare with several texts, with commas between them.
const ANY_OF: [&str; 2] = ["matches_any_of", "does_not_match_any_of"];
/// The conditions that compare with one.
const EQUALS: [&str; 2] = ["equal_to", "not_equal_to"];

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "option-with-comma",
        level: Level::Warning,
        what: "A condition looks for a choice that has a comma in it",
        why: "`matches_any_of` splits its value at each comma, so it looks for the parts, and never for the choice as it is shown.",
        fix: "Give the choice a label without a comma, or compare with it alone by `equal_to`.",
        example: r#"{"contentTemplates": {"HX0123456789abcdef0123456789abcdef": {"types": {
  "twilio/quick-reply": {"body": "Shall we call you?", "actions": [
    {"type": "QUICK_REPLY", "title": "Yes, please"}, {"type": "QUICK_REPLY", "title": "No"}
  ]}
}}}, "widgets": [
  {
    "name": "ask", "type": "send-and-wait-for-reply",
    "properties": {
      "from": "{{flow.channel.address}}", "message_type": "content_template",
      "content_sid": "HX0123456789abcdef0123456789abcdef", "timeout": "3600"
    },
    "transitions": [{"event": "incomingMessage", "next": "answer"}, {"event": "timeout"}, {"event": "deliveryFailure"}]
  },
  {
    "name": "answer", "type": "split-based-on", "properties": {"input": "{{widgets.ask.inbound.Body}}"},
    "transitions": [{"event": "noMatch"}, {"event": "match", "conditions": [{
      "friendly_name": "yes", "arguments": ["{{widgets.ask.inbound.Body}}"],
      "type": "matches_any_of", "value": "Yes, please, stop"
    }]}]
  }
]}"#,
        check: with_comma,
    },
    Rule {
        code: "option-misspelt",
        level: Level::Warning,
        what: "A condition looks for a choice by another spelling than the template has",
        why: "Whoever taps it sends the text as the template has it, or its id, and the condition does not match.",
        fix: "Write it as the template does.",
        example: r#"{"contentTemplates": {"HX0123456789abcdef0123456789abcdef": {"types": {
  "twilio/quick-reply": {"body": "Which day suits you?", "actions": [
    {"type": "QUICK_REPLY", "title": "Tomorrow"}, {"type": "QUICK_REPLY", "title": "Later"}
  ]}
}}}, "widgets": [
  {
    "name": "ask", "type": "send-and-wait-for-reply",
    "properties": {
      "from": "{{flow.channel.address}}", "message_type": "content_template",
      "content_sid": "HX0123456789abcdef0123456789abcdef", "timeout": "3600"
    },
    "transitions": [{"event": "incomingMessage", "next": "answer"}, {"event": "timeout"}, {"event": "deliveryFailure"}]
  },
  {
    "name": "answer", "type": "split-based-on", "properties": {"input": "{{widgets.ask.inbound.Body}}"},
    "transitions": [{"event": "noMatch"}, {"event": "match", "conditions": [{
      "friendly_name": "tomorrow", "arguments": ["{{widgets.ask.inbound.Body}}"],
      "type": "matches_any_of", "value": "Tommorow, stop"
    }]}]
  }
]}"#,
        check: misspelt,
    },
];

/// A condition that compares the reply to a widget with texts that are written out.
struct Compared<'s> {
    split: &'s Node<'s>,
    pointer: String,
    /// The widgets whose reply it looks at.
    reads: BTreeSet<&'s str>,
    value: &'s str,
    alternatives: Vec<&'s str>,
    is_any_of: bool,
}

fn compared<'s>(subject: &'s Subject<'_>) -> Vec<Compared<'s>> {
    let compared = conditions(subject).filter_map(|(split, pointer, condition)| {
        let text = |key: &str| condition.get(key).and_then(Value::as_str);
        let (kind, value) = (text("type")?, text("value").filter(|value| !is_liquid(value))?);
        let is_any_of = ANY_OF.contains(&kind);
        let alternatives = match kind {
            _ if is_any_of => value.split(',').map(str::trim).filter(|it| !it.is_empty()).collect(),
            _ if EQUALS.contains(&kind) => vec![value.trim()],
            _ => return None,
        };
        let arguments = condition.get("arguments").and_then(Value::as_array).into_iter().flatten();
        let read = arguments.filter_map(Value::as_str).chain([split.text("input")]).flat_map(|text| {
            let paths = tags(text).unwrap_or_default().into_iter().flat_map(Tag::paths);
            paths
                .filter_map(|path| match *path.steps() {
                    ["widgets", name, ..] => Some(name),
                    _ => None,
                })
                .collect::<Vec<_>>()
        });
        let reads = read.collect();
        Some(Compared { split, pointer: format!("{pointer}/value"), reads, value, alternatives, is_any_of })
    });
    compared.collect()
}

/// What a customer can choose, and by which words a condition may know it.
fn words(choice: &Choice) -> impl Iterator<Item = &str> {
    [Some(choice.label.as_str()), choice.id.as_deref()].into_iter().flatten()
}

fn is(alternative: &str, word: &str) -> bool {
    alternative.to_lowercase() == word.trim().to_lowercase()
}

fn with_comma(subject: &Subject<'_>, found: &mut Found<'_>) {
    let compared = compared(subject);
    let mut told = BTreeSet::new();
    for (_, node, template) in sending(subject) {
        let words = template.choices().flat_map(words).filter(|word| word.trim().trim_matches(',').contains(','));
        for word in words {
            let looked_for = word.to_lowercase();
            for compared in compared.iter().filter(|it| it.is_any_of && it.value.to_lowercase().contains(&looked_for)) {
                let reads = node.name().is_some_and(|name| compared.reads.contains(name)) || compared.reads.is_empty();
                if reads && told.insert((compared.pointer.clone(), word)) {
                    let message = format!(
                        "`{word}` of template `{}` has a comma, at which this value is split: it is never matched as a whole",
                        template.name
                    );
                    found.widget(compared.split.name(), compared.pointer.clone(), message);
                }
            }
        }
    }
}

fn misspelt(subject: &Subject<'_>, found: &mut Found<'_>) {
    let compared = compared(subject);
    for (_, node, template) in sending(subject) {
        let Some(name) = node.name() else { continue };
        let of_node = || compared.iter().filter(|it| it.reads.contains(name));
        let is_heard = |choice: &Choice| {
            of_node().flat_map(|it| &it.alternatives).any(|it| words(choice).any(|word| is(it, word)))
        };
        // One with a comma is told of by itself.
        let unheard: Vec<&str> = template
            .choices()
            .filter(|choice| !choice.label.contains(',') && !is_heard(choice))
            .map(|choice| choice.label.as_str())
            .collect();
        let is_choice = |alternative: &str| template.choices().flat_map(words).any(|word| is(alternative, word));
        for compared in of_node() {
            for alternative in compared.alternatives.iter().filter(|alternative| !is_choice(alternative)) {
                if let Some(meant) = nearest(alternative, unheard.iter().copied()) {
                    let message = format!(
                        "`{alternative}` is no choice of template `{}`, which `{name}` sends, did you mean `{meant}`?",
                        template.name
                    );
                    found.widget(compared.split.name(), compared.pointer.clone(), message);
                }
            }
        }
    }
}

//! Rules about splits and their conditions.

use serde_json::Value;

use super::{
    pattern,
    rule::{Found, Rule},
    severities::Level,
    spelling::nearest,
    subject::{Node, Subject},
};
use crate::studio::liquid::is_liquid;

/// How a condition can compare.
const CONDITIONS: [&str; 17] = [
    "equal_to",
    "not_equal_to",
    "matches_any_of",
    "does_not_match_any_of",
    "contains",
    "does_not_contain",
    "starts_with",
    "does_not_start_with",
    "is_blank",
    "is_not_blank",
    "regex",
    "less_than",
    "greater_than",
    "is_before_date",
    "is_after_date",
    "is_before_time",
    "is_after_time",
];

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "unknown-condition",
        level: Level::Error,
        what: "A condition compares in a way that Studio does not know",
        why: "Studio refuses the definition.",
        fix: "Use one of Studio's types, such as `equal_to` or `matches_any_of`.",
        example: r#"[{
  "name": "split", "type": "split-based-on", "properties": {"input": "{{trigger.message.Body}}"},
  "transitions": [{"event": "noMatch"}, {"event": "match", "conditions": [
    {"friendly_name": "yes", "arguments": ["{{trigger.message.Body}}"], "type": "equals", "value": "yes"}
  ]}]
}]"#,
        check: unknown_conditions,
    },
    Rule {
        code: "bad-regex",
        level: Level::Error,
        what: "A regular expression cannot be compiled",
        why: "Studio takes it and then never matches.",
        fix: "Correct the pattern. It is matched against the whole text, upper and lower case alike, without slashes around it.",
        example: r#"[{
  "name": "split", "type": "split-based-on", "properties": {"input": "{{trigger.message.Body}}"},
  "transitions": [{"event": "noMatch"}, {"event": "match", "conditions": [
    {"friendly_name": "yes", "arguments": ["{{trigger.message.Body}}"], "type": "regex", "value": "(yes|yep"}
  ]}]
}]"#,
        check: bad_regexes,
    },
    Rule {
        code: "empty-alternative",
        level: Level::Error,
        what: "One of the alternatives is empty",
        why: "`matches_any_of` takes what stands between commas. An empty one matches whoever sends nothing, such as a picture \
              without a text.",
        fix: "Remove the comma that is too many.",
        example: r#"[{
  "name": "split", "type": "split-based-on", "properties": {"input": "{{trigger.message.Body}}"},
  "transitions": [{"event": "noMatch"}, {"event": "match", "conditions": [
    {"friendly_name": "yes", "arguments": ["{{trigger.message.Body}}"], "type": "matches_any_of", "value": "yes, ,y"}
  ]}]
}]"#,
        check: empty_alternatives,
    },
    Rule {
        code: "split-without-no-match",
        level: Level::Warning,
        what: "A split has no way out when nothing matches",
        why: "The execution ends there without a word. Nearly every split has a `noMatch`, be it one that ends the flow on purpose.",
        fix: "Add a transition for `noMatch`.",
        example: r#"[{
  "name": "split", "type": "split-based-on", "properties": {"input": "{{trigger.message.Body}}"},
  "transitions": [{"event": "match", "conditions": [
    {"friendly_name": "yes", "arguments": ["{{trigger.message.Body}}"], "type": "equal_to", "value": "yes"}
  ]}]
}]"#,
        check: without_no_match,
    },
    Rule {
        code: "match-without-condition",
        level: Level::Warning,
        what: "A way out of a split has no condition",
        why: "Whether it is taken always or never is not written anywhere.",
        fix: "Give it a condition, or use `noMatch`.",
        example: r#"[{
  "name": "split", "type": "split-based-on", "properties": {"input": "{{trigger.message.Body}}"},
  "transitions": [{"event": "noMatch"}, {"event": "match", "conditions": []}]
}]"#,
        check: without_condition,
    },
];

const SPLIT: &str = "split-based-on";

/// Every condition that is an object, with its node and place.
pub(super) fn conditions<'s>(subject: &'s Subject<'_>) -> impl Iterator<Item = (&'s Node<'s>, String, &'s Value)> {
    subject.of_kind(SPLIT).flat_map(|node| {
        node.transitions.iter().flat_map(move |transition| {
            let conditions = transition.fields().get("conditions").and_then(Value::as_array);
            conditions.into_iter().flatten().enumerate().map(move |(index, condition)| {
                (node, node.at(&format!("transitions/{}/conditions/{index}", transition.index)), condition)
            })
        })
    })
}

/// The conditions of one type, with the value that they compare with when that is written out.
fn written_out<'s>(
    subject: &'s Subject<'_>,
    kinds: &'static [&'static str],
) -> impl Iterator<Item = (&'s Node<'s>, String, &'s str)> {
    conditions(subject).filter_map(move |(node, pointer, condition)| {
        let kind = condition.get("type").and_then(Value::as_str)?;
        let value = condition.get("value").and_then(Value::as_str)?;
        (kinds.contains(&kind) && !is_liquid(value)).then(|| (node, format!("{pointer}/value"), value))
    })
}

fn unknown_conditions(subject: &Subject<'_>, found: &mut Found<'_>) {
    for (node, pointer, condition) in conditions(subject) {
        let Some(kind) = condition.get("type").and_then(Value::as_str) else {
            found.widget(node.name(), pointer, "`type` is missing: a condition says how it compares, such as equal_to");
            continue;
        };
        if !CONDITIONS.contains(&kind) {
            let meant = nearest(kind, CONDITIONS.into_iter());
            let meant = meant.map_or_else(
                || format!("it knows {}", CONDITIONS.join(", ")),
                |meant| format!("did you mean `{meant}`?"),
            );
            let message = format!("Studio knows no condition `{kind}`; {meant}");
            found.widget(node.name(), format!("{pointer}/type"), message);
        }
    }
}

fn bad_regexes(subject: &Subject<'_>, found: &mut Found<'_>) {
    for (node, pointer, value) in written_out(subject, &["regex"]) {
        if let Some(mistake) = pattern::mistake(value) {
            let message =
                format!("the regular expression `{value}` cannot be compiled, so it never matches: {mistake}");
            found.widget(node.name(), pointer, message);
        }
    }
}

fn empty_alternatives(subject: &Subject<'_>, found: &mut Found<'_>) {
    for (node, pointer, value) in written_out(subject, &["matches_any_of", "does_not_match_any_of"]) {
        if value.split(',').any(|alternative| alternative.trim().is_empty()) {
            let message =
                format!("one of the alternatives `{value}` is empty, and is what a reply without a text matches");
            found.widget(node.name(), pointer, message);
        }
    }
}

fn without_no_match(subject: &Subject<'_>, found: &mut Found<'_>) {
    for node in subject.of_kind(SPLIT).filter(|node| node.on("noMatch").next().is_none()) {
        let message = "there is no transition for `noMatch`: when nothing matches, the execution ends without a word";
        found.widget(node.name(), node.at("transitions"), message);
    }
}

fn without_condition(subject: &Subject<'_>, found: &mut Found<'_>) {
    for node in subject.of_kind(SPLIT) {
        for transition in node.on("match") {
            let conditions = transition.fields().get("conditions").and_then(Value::as_array);
            if conditions.is_none_or(Vec::is_empty) {
                let message = "this `match` has no condition: give it one, or use `noMatch`";
                found.widget(node.name(), node.at(&format!("transitions/{}", transition.index)), message);
            }
        }
    }
}

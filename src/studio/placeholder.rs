//! Places of a definition that still wait for a value of the account: `${name}` in any text, a text that only stands for a SID, and
//! the empty text where a widget cannot work without a SID or an address. An unfilled one would be saved by Studio and fail a customer later, so it is an error here.
//! Liquid stays out of it: in `${{amount}}` the dollar is a dollar.

use serde_json::Value;

use super::{
    definition::FlowDefinition,
    place::escaped,
    problem::{Problem, ProblemKind},
};

/// Widget types and properties that Studio accepts empty although the widget cannot work without them.
const NEEDED: [(&str, &[&str]); 3] =
    [("send-to-flex", &["workflow", "channel"]), ("run-function", &["url"]), ("run-subflow", &["flow_sid"])];

/// Digits of a SID, after the two letters for its kind.
const SID_DIGITS: usize = 32;
/// As many letters X as nobody writes who does not mean "some SID".
const MANY_X: usize = 8;

impl FlowDefinition {
    /// Every placeholder that is left, in the order of the document.
    pub fn unresolved(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (key, value) in self.fields() {
            if key != "states" {
                search(value, None, &format!("/{}", escaped(key)), &mut problems);
            }
        }
        for state in self.states() {
            for (key, value) in state.fields() {
                search(value, state.name(), &format!("/states/{}/{}", state.index, escaped(key)), &mut problems);
            }
            for (_, needed) in NEEDED.iter().filter(|(kind, _)| state.kind() == Some(kind)) {
                for property in *needed {
                    if state.properties().and_then(|properties| properties.get(*property)?.as_str()) == Some("") {
                        let pointer = format!("/states/{}/properties/{property}", state.index);
                        problems.push(Problem::of(state.name(), pointer, ProblemKind::EmptyReference(property)));
                    }
                }
            }
        }
        problems
    }
}

fn search(value: &Value, widget: Option<&str>, pointer: &str, problems: &mut Vec<Problem>) {
    match value {
        Value::String(text) => {
            for placeholder in placeholders(text) {
                let kind = ProblemKind::UnresolvedPlaceholder(placeholder.to_owned());
                problems.push(Problem::of(widget, pointer, kind));
            }
            if stands_for_a_sid(text) {
                let kind = ProblemKind::PlaceholderSid(text.clone());
                problems.push(Problem::of(widget, pointer, kind));
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                search(item, widget, &format!("{pointer}/{index}"), problems);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                search(field, widget, &format!("{pointer}/{}", escaped(key)), problems);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether a text is two letters and then X after X, or one character 32 times, as examples write a SID.
fn stands_for_a_sid(text: &str) -> bool {
    let Some((kind, digits)) = text.split_at_checked(2) else { return false };
    let mut rest = digits.bytes();
    let Some(first) = rest.next() else { return false };
    kind.bytes().all(|letter| letter.is_ascii_uppercase())
        && rest.all(|byte| byte == first)
        && (digits.len() == SID_DIGITS || (first.eq_ignore_ascii_case(&b'x') && digits.len() >= MANY_X))
}

/// The placeholders in a text, with their braces.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("${").filter_map(|(start, _)| {
        let inside = &text[start + 2..];
        let end = inside.find('}')?;
        let name = &inside[..end];
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_-.: ".contains(c));
        is_name.then(|| &text[start..=start + 2 + end])
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_placeholder_is_found_and_liquid_is_left_alone() {
        let found = |text| placeholders(text).collect::<Vec<_>>();
        assert_eq!(found("${workflow}"), ["${workflow}"]);
        assert_eq!(found("a ${one} b ${two.three}"), ["${one}", "${two.three}"]);
        assert_eq!(found("costs ${{flow.variables.amount}} or ${}"), Vec::<&str>::new());
    }

    #[test]
    fn a_text_that_stands_for_a_sid_is_none() {
        let sid = |kind: &str, digit: &str| format!("{kind}{}", digit.repeat(32));
        for text in [sid("WW", "x"), sid("FW", "X"), sid("TC", "0"), sid("MG", "a"), "WWxxxxxxxx".into()] {
            assert!(stands_for_a_sid(&text), "{text}");
        }
        for text in [format!("WW{}1", "0".repeat(31)), "XXXX".into(), sid("ww", "0"), "AC".into(), String::new()] {
            assert!(!stands_for_a_sid(&text), "{text}");
        }
    }

    #[test]
    fn what_is_not_filled_names_its_widget() {
        let flow = FlowDefinition::parse(json!({"initial_state": "Trigger", "states": [
            {"name": "agent", "type": "send-to-flex", "properties": {"workflow": "", "channel": "${task_channel}"}}
        ]}))
        .unwrap();
        let problems: Vec<String> = flow.unresolved().iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "widget `agent`: the placeholder `${task_channel}` is not filled: add an entry to `references` for it, or \
                 write the value (at /states/0/properties/channel)",
                "widget `agent`: `workflow` is empty: add an entry to `references` for it, or write the value \
                 (at /states/0/properties/workflow)",
            ]
        );
    }
}

//! What a definition means, apart from how it is written. Order of keys, white space, the position of widgets on the canvas
//! and the order of widgets do not count; a transition that leads nowhere is one whether its `next` is absent, null or
//! empty. Transitions are ordered by event, and those of the same event keep their order: a split takes its first match.

use std::fmt;

use serde_json::{Map, Number, Value};
use sha2::{Digest, Sha256};

use super::definition::FlowDefinition;

/// SHA-256 of a canonical definition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DefinitionHash(String);

impl DefinitionHash {
    /// 64 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits, enough to tell the definitions of one flow apart.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl fmt::Display for DefinitionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FlowDefinition {
    /// The canonical form. It is for comparing only: Studio is sent what was written.
    pub fn canonical(&self) -> Value {
        let mut fields = sorted(self.fields());
        if let Some(Value::Array(states)) = fields.get_mut("states") {
            states.iter_mut().for_each(canonical_state);
            // The text of the whole decides between widgets of one name, so that their order does not count either.
            states.sort_by_cached_key(|state| (text_of(state, "name"), state.to_string()));
        }
        Value::Object(fields)
    }

    /// The hash of the canonical form.
    pub fn hash(&self) -> DefinitionHash {
        DefinitionHash(hex::encode(Sha256::digest(self.canonical().to_string())))
    }

    /// Whether both mean the same flow.
    pub fn semantically_equal(&self, other: &Self) -> bool {
        self.canonical() == other.canonical()
    }
}

fn canonical_state(state: &mut Value) {
    let Value::Object(state) = state else { return };
    if let Some(Value::Object(properties)) = state.get_mut("properties") {
        properties.shift_remove("offset");
        if properties.is_empty() {
            state.shift_remove("properties");
        }
    }
    if let Some(Value::Array(transitions)) = state.get_mut("transitions") {
        for transition in transitions.iter_mut().filter_map(Value::as_object_mut) {
            if matches!(transition.get("next"), Some(Value::Null))
                || transition.get("next").is_some_and(|next| next == "")
            {
                transition.shift_remove("next");
            }
        }
        transitions.sort_by_cached_key(|transition| text_of(transition, "event"));
    }
}

fn text_of(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A copy with its keys in order, at every depth.
fn sorted(fields: &Map<String, Value>) -> Map<String, Value> {
    let mut keys: Vec<&String> = fields.keys().collect();
    keys.sort();
    keys.into_iter().filter_map(|key| Some((key.clone(), sorted_value(fields.get(key)?)))).collect()
}

fn sorted_value(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(sorted(fields)),
        Value::Array(items) => Value::Array(items.iter().map(sorted_value).collect()),
        Value::Number(number) => Value::Number(whole(number)),
        Value::Null | Value::Bool(_) | Value::String(_) => value.clone(),
    }
}

/// A whole number is the same one as `5` and as `5.0`; JSON libraries on the way rewrite the one as the other.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::float_cmp)]
fn whole(number: &Number) -> Number {
    match number.as_f64() {
        Some(float) if number.is_f64() && float.trunc() == float && float.abs() < (1_i64 << 53) as f64 => {
            Number::from(float as i64)
        }
        _ => number.clone(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn flow(document: Value) -> FlowDefinition {
        FlowDefinition::parse(document).unwrap()
    }

    #[test]
    fn an_absent_an_empty_and_a_null_next_are_the_same() {
        let with = |transition: Value| {
            flow(
                json!({"initial_state": "a", "states": [{"name": "a", "type": "trigger", "transitions": [transition]}]}),
            )
        };
        let absent = with(json!({"event": "sent"}));
        assert!(absent.semantically_equal(&with(json!({"event": "sent", "next": ""}))));
        assert!(absent.semantically_equal(&with(json!({"event": "sent", "next": null}))));
        assert!(!absent.semantically_equal(&with(json!({"event": "sent", "next": "a"}))));
    }

    #[test]
    fn the_order_of_matches_counts_and_that_of_other_transitions_does_not() {
        let split = |transitions: Value| {
            flow(
                json!({"initial_state": "s", "states": [{"name": "s", "type": "split-based-on", "transitions": transitions}]}),
            )
        };
        let (yes, no, other) = (
            json!({"event": "match", "next": "s", "conditions": [{"value": "yes"}]}),
            json!({"event": "match", "conditions": [{"value": "no"}]}),
            json!({"event": "noMatch"}),
        );
        let written = split(json!([yes, no, other]));
        assert!(written.semantically_equal(&split(json!([other, yes, no]))));
        assert!(!written.semantically_equal(&split(json!([no, yes, other]))));
    }

    #[test]
    fn the_hash_is_that_of_the_canonical_text() {
        let definition = flow(json!({"states": [{"type": "trigger", "name": "Trigger"}], "initial_state": "Trigger"}));
        let text = r#"{"initial_state":"Trigger","states":[{"name":"Trigger","type":"trigger"}]}"#;
        assert_eq!(definition.canonical().to_string(), text);
        assert_eq!(definition.hash().short(), "25c4b40cf950");
        assert_eq!(definition.hash().as_str().len(), 64);
    }

    fn leaf() -> impl Strategy<Value = Value> {
        prop_oneof![
            "[a-z{}$ .]{0,8}".prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from)
        ]
    }

    fn property() -> impl Strategy<Value = Value> {
        leaf().prop_recursive(2, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{1,4}", inner, 0..3)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn transition() -> impl Strategy<Value = Value> {
        ("[a-z]{1,6}", prop::option::of("[a-z]{0,4}")).prop_map(|(event, next)| match next {
            Some(next) => json!({"event": event, "next": next}),
            None => json!({"event": event}),
        })
    }

    fn state() -> impl Strategy<Value = Value> {
        (
            "[a-z]{1,6}",
            "[a-z-]{1,6}",
            prop::collection::btree_map("[a-np-z]{1,6}", property(), 0..4),
            any::<(i16, i16)>(),
            prop::collection::vec(transition(), 0..4),
        )
            .prop_map(|(name, kind, properties, (x, y), transitions)| {
                let mut properties: Map<String, Value> = properties.into_iter().collect();
                properties.insert("offset".into(), json!({"x": x, "y": y}));
                json!({"name": name, "type": kind, "properties": properties, "transitions": transitions})
            })
    }

    fn document() -> impl Strategy<Value = Value> {
        (prop::collection::vec(state(), 0..5), "[a-z]{0,6}", any::<bool>()).prop_map(|(states, initial, flag)| {
            json!({"description": "a flow", "states": states, "initial_state": initial, "flags": {"allow_concurrent_calls": flag}})
        })
    }

    /// The same document with keys, states, offsets and spellings of an ended branch moved about as `seed` has it.
    fn rewritten(value: &Value, seed: u64, path: &str) -> Value {
        match value {
            Value::Object(fields) => {
                let mut fields: Vec<(String, Value)> = fields
                    .iter()
                    .filter(|(key, next)| !(*key == "next" && *next == "" && seed.is_multiple_of(2)))
                    .map(|(key, field)| (key.clone(), rewritten(field, seed, key)))
                    .collect();
                let by = usize::try_from(seed).unwrap_or(0) % fields.len().max(1);
                fields.rotate_left(by);
                if path == "offset" {
                    return json!({"y": seed, "x": 3});
                }
                Value::Object(fields.into_iter().collect())
            }
            Value::Array(items) => {
                let mut items: Vec<Value> = items.iter().map(|item| rewritten(item, seed, "")).collect();
                if path == "states" {
                    items.reverse();
                }
                Value::Array(items)
            }
            other => other.clone(),
        }
    }

    /// Pointers of all leaves that count.
    fn leaves(value: &Value, pointer: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                for (key, field) in fields.iter().filter(|(key, _)| *key != "offset") {
                    leaves(field, &format!("{pointer}/{key}"), found);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    leaves(item, &format!("{pointer}/{index}"), found);
                }
            }
            _ => found.push(pointer.to_owned()),
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back_as_it_was(document in document()) {
            let definition = flow(document.clone());
            let printed: Value = serde_json::from_str(&definition.to_string()).unwrap();
            prop_assert_eq!(printed.to_string(), document.to_string());
        }

        #[test]
        fn how_it_is_written_does_not_change_the_hash(document in document(), seed in any::<u64>()) {
            let other = rewritten(&document, seed, "");
            prop_assert_eq!(flow(document).hash(), flow(other).hash());
        }

        #[test]
        fn changing_any_other_leaf_changes_the_hash(document in document(), pick in any::<prop::sample::Index>()) {
            let mut found = Vec::new();
            leaves(&document, "", &mut found);
            let mut changed = document.clone();
            let leaf = changed.pointer_mut(&found[pick.index(found.len())]).unwrap();
            *leaf = match leaf.take() {
                Value::String(text) => Value::from(text + "x"),
                Value::Bool(flag) => Value::from(!flag),
                Value::Number(number) => Value::from(number.as_i64().unwrap() + 1),
                other => other,
            };
            prop_assert_ne!(flow(document).hash(), flow(changed).hash());
        }
    }
}

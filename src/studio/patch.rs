//! How a definition in git has to change to say what the account has, as a JSON Patch (RFC 6902). What means the same in both
//! stays as it is written; so do the places on the canvas, and what a reference fills, where the account has just that.

use std::collections::BTreeMap;

use json_patch::{
    AddOperation, Patch, PatchOperation, RemoveOperation, ReplaceOperation,
    jsonptr::{PointerBuf, Token},
};
use serde_json::{Map, Value};

use super::definition::FlowDefinition;

/// The patch of `written`, which is `filled` once its references are, to what `live` means. Its paths begin at the definition.
pub fn patch(written: &FlowDefinition, filled: &FlowDefinition, live: &FlowDefinition) -> Patch {
    let mut operations = Vec::new();
    of_the_flow(written, filled, live, &mut operations);
    let (ours, theirs) = (by_name(filled), by_name(live));
    let mut gone = Vec::new();
    for (index, state) in states(written).iter().enumerate() {
        let name = name_of(state);
        let Some(their) = raw(live, name) else {
            gone.push(index);
            continue;
        };
        if ours.get(name) != theirs.get(name) {
            let target = as_written(their, state, raw(filled, name).unwrap_or(state));
            let within = json_patch::diff(state, &target).0;
            operations.extend(within.into_iter().map(|operation| below(operation, &["states", &index.to_string()])));
        }
    }
    // From the last, so that each index is still that of its widget.
    let removed = gone.into_iter().rev().map(|index| RemoveOperation { path: path(&["states", &index.to_string()]) });
    operations.extend(removed.map(PatchOperation::Remove));
    for state in states(live).iter().filter(|state| raw(written, name_of(state)).is_none()) {
        let (path, value) = (path(&["states", "-"]), state.clone());
        operations.push(PatchOperation::Add(AddOperation { path, value }));
    }
    Patch(operations)
}

/// The same patch of a document that has what it is for at `tokens`.
#[must_use]
pub fn within(patch: Patch, tokens: &[&str]) -> Patch {
    Patch(patch.0.into_iter().map(|operation| below(operation, tokens)).collect())
}

/// What is not within a widget.
fn of_the_flow(
    written: &FlowDefinition,
    filled: &FlowDefinition,
    live: &FlowDefinition,
    operations: &mut Vec<PatchOperation>,
) {
    let (ours, theirs) = (filled.canonical(), live.canonical());
    let differs = |key: &&String| *key != "states" && ours.get(key) != theirs.get(key);
    for key in written.fields().keys().filter(differs) {
        let path = path(&[key]);
        operations.push(match live.fields().get(key) {
            Some(value) => PatchOperation::Replace(ReplaceOperation { path, value: value.clone() }),
            None => PatchOperation::Remove(RemoveOperation { path }),
        });
    }
    for (key, value) in live.fields().iter().filter(|(key, _)| !written.fields().contains_key(*key)) {
        operations.push(PatchOperation::Add(AddOperation { path: path(&[key]), value: value.clone() }));
    }
}

/// A value of the account as git would write it: with the placeholder where it has what a reference fills in, and where its widget
/// stands on the canvas.
fn as_written(live: &Value, written: &Value, filled: &Value) -> Value {
    match (live, written, filled) {
        (Value::Object(live), Value::Object(written), Value::Object(filled)) => {
            let one = |(key, value): (&String, &Value)| {
                let value = match (key.as_str(), written.get(key), filled.get(key)) {
                    ("offset", Some(written), _) => written.clone(),
                    (_, Some(written), Some(filled)) => as_written(value, written, filled),
                    // A reference to a Function also fills in what is not written at all.
                    (_, None, Some(filled)) if filled == value => return None,
                    _ => value.clone(),
                };
                Some((key.clone(), value))
            };
            Value::Object(live.iter().filter_map(one).collect::<Map<_, _>>())
        }
        (Value::Array(live), Value::Array(written), Value::Array(filled)) => {
            let one = |(index, value): (usize, &Value)| match (written.get(index), filled.get(index)) {
                (Some(written), Some(filled)) => as_written(value, written, filled),
                _ => value.clone(),
            };
            Value::Array(live.iter().enumerate().map(one).collect())
        }
        _ if live == filled => written.clone(),
        _ => live.clone(),
    }
}

fn states(definition: &FlowDefinition) -> &[Value] {
    definition.fields().get("states").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn name_of(state: &Value) -> &str {
    state.get("name").and_then(Value::as_str).unwrap_or_default()
}

fn raw<'a>(definition: &'a FlowDefinition, name: &str) -> Option<&'a Value> {
    states(definition).iter().find(|state| name_of(state) == name)
}

/// The canonical widgets.
fn by_name(definition: &FlowDefinition) -> BTreeMap<String, Value> {
    let Value::Object(mut canonical) = definition.canonical() else { return BTreeMap::new() };
    let Some(Value::Array(states)) = canonical.shift_remove("states") else { return BTreeMap::new() };
    states.into_iter().map(|state| (name_of(&state).to_owned(), state)).collect()
}

fn path(tokens: &[&str]) -> PointerBuf {
    PointerBuf::from_tokens(tokens.iter().map(|token| Token::new(*token)))
}

fn below(mut operation: PatchOperation, tokens: &[&str]) -> PatchOperation {
    let place = |inner: &mut PointerBuf| {
        let mut whole = path(tokens);
        whole.append(&*inner);
        *inner = whole;
    };
    match &mut operation {
        PatchOperation::Add(AddOperation { path, value: _ })
        | PatchOperation::Remove(RemoveOperation { path })
        | PatchOperation::Replace(ReplaceOperation { path, value: _ }) => place(path),
        PatchOperation::Move(it) => {
            place(&mut it.path);
            place(&mut it.from);
        }
        PatchOperation::Copy(it) => {
            place(&mut it.path);
            place(&mut it.from);
        }
        PatchOperation::Test(it) => place(&mut it.path),
    }
    operation
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn flow(states: &[Value]) -> FlowDefinition {
        FlowDefinition::observed(json!({"initial_state": "Trigger", "states": states}).as_object().unwrap().clone())
    }

    fn applied(patch: &Patch, written: &FlowDefinition) -> FlowDefinition {
        let mut document = Value::Object(written.fields().clone());
        json_patch::patch(&mut document, patch).unwrap();
        FlowDefinition::observed(document.as_object().unwrap().clone())
    }

    #[test]
    fn what_means_the_same_is_left_as_it_is_written() {
        let agent = |workflow: &str, channel: &str, x: i32| {
            json!({"name": "agent", "type": "send-to-flex",
                "properties": {"offset": {"x": x}, "workflow": workflow, "channel": channel}})
        };
        let hello = |body: &str, x: i32| json!({"name": "hello", "type": "send-message", "properties": {"offset": {"x": x}, "body": body}});
        let written = flow(&[agent("${workflow}", "TC1", 0), hello("Hi", 0)]);
        let filled = flow(&[agent("WW1", "TC1", 0), hello("Hi", 0)]);
        let live = flow(&[hello("Hi", 70), agent("WW1", "TC2", 70)]);
        let patch = patch(&written, &filled, &live);
        let expected = json!([{"op": "replace", "path": "/states/0/properties/channel", "value": "TC2"}]);
        assert_eq!(serde_json::to_value(&patch).unwrap(), expected);
        let placed = serde_json::to_value(within(patch, &["spec", "definition"])).unwrap();
        assert_eq!(placed[0]["path"], "/spec/definition/states/0/properties/channel");
    }

    /// Widgets by number, each with a meaning and a place among the others.
    fn widgets() -> impl Strategy<Value = FlowDefinition> {
        let widget = (0..12_u8, 0..4_u8, 0..3_u8, proptest::option::of(0..12_u8));
        proptest::collection::btree_map(0..40_u8, widget, 0..30).prop_flat_map(|widgets| {
            let states: Vec<Value> = widgets
                .into_iter()
                .map(|(name, (body, keys, x, next))| {
                    let mut properties = json!({"offset": {"x": x}, "body": body});
                    for key in 0..keys {
                        properties[format!("k/{key}~")] = json!([key, body, {"deep": [x]}]);
                    }
                    let next = next.map_or_else(|| json!({"event": "sent"}), |next| json!({"event": "sent", "next": format!("w{next}")}));
                    json!({"name": format!("w{name}"), "type": "send-message", "properties": properties, "transitions": [next]})
                })
                .collect();
            Just(states).prop_shuffle().prop_map(|states| flow(&states))
        })
    }

    proptest! {
        #[test]
        fn applied_the_patch_leads_to_what_the_account_means(written in widgets(), live in widgets()) {
            let patch = patch(&written, &written, &live);
            prop_assert!(applied(&patch, &written).semantically_equal(&live));
            prop_assert_eq!(patch.0.is_empty(), written.semantically_equal(&live));
        }
    }
}

//! Which widgets two definitions disagree on.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::definition::FlowDefinition;

impl FlowDefinition {
    /// The names of the widgets that are only in one of the two, or mean something else in the other; sorted, at most
    /// `limit`. None when the two differ only outside of their widgets, as in a flag.
    pub fn widgets_that_differ(&self, other: &Self, limit: usize) -> Vec<String> {
        let (ours, theirs) = (canonical_widgets(self), canonical_widgets(other));
        let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
        names.into_iter().filter(|name| ours.get(*name) != theirs.get(*name)).take(limit).cloned().collect()
    }
}

/// The canonical widgets by name; several of one name are kept together.
fn canonical_widgets(definition: &FlowDefinition) -> BTreeMap<String, Vec<Value>> {
    let mut widgets: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let canonical = definition.canonical();
    for state in canonical.get("states").and_then(Value::as_array).into_iter().flatten() {
        let name = state.get("name").and_then(Value::as_str).unwrap_or_default();
        widgets.entry(name.to_owned()).or_default().push(state.clone());
    }
    widgets
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_widgets_with_another_meaning_are_named() {
        let widget = |name: &str, body: &str, x: i32| json!({"name": name, "type": "send-message", "properties": {"body": body, "offset": {"x": x}}});
        let flow = |states: Value| FlowDefinition::parse(json!({"initial_state": "a", "states": states})).unwrap();
        let git = flow(json!([widget("same", "hi", 0), widget("edited", "hi", 0), widget("removed", "hi", 0)]));
        let live = flow(json!([widget("edited", "bye", 0), widget("same", "hi", 99), widget("added", "hi", 0)]));
        assert_eq!(git.widgets_that_differ(&live, 20), ["added", "edited", "removed"]);
        assert_eq!(git.widgets_that_differ(&live, 2), ["added", "edited"]);
        assert_eq!(git.widgets_that_differ(&git, 20), Vec::<String>::new());
    }
}

//! Places in a definition, from the way Studio points at them to the way a person does.

use super::definition::FlowDefinition;

impl FlowDefinition {
    /// Studio's `#/states/3/properties/timeout` as "widget `ask`, properties/timeout"; a place outside of any widget is
    /// left as it is.
    pub fn describe_place(&self, property_path: &str) -> String {
        let pointer = property_path.trim_start_matches('#').trim_start_matches('/');
        let in_a_state = pointer.strip_prefix("states/").map(|rest| rest.split_once('/').unwrap_or((rest, "")));
        let named = in_a_state.and_then(|(index, rest)| {
            let index: usize = index.parse().ok()?;
            let name = self.states().find(|state| state.index == index)?.name()?;
            Some(if rest.is_empty() { format!("widget `{name}`") } else { format!("widget `{name}`, {rest}") })
        });
        named.unwrap_or_else(|| if pointer.is_empty() { "the flow".to_owned() } else { pointer.to_owned() })
    }
}

/// A key as one step of a JSON pointer.
pub(super) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_place_in_a_widget_is_told_by_its_name() {
        let flow = FlowDefinition::parse(json!({"initial_state": "Trigger", "states": [
            {"name": "Trigger", "type": "trigger"}, {"name": "ask", "type": "send-and-wait-for-reply"}
        ]}))
        .unwrap();
        assert_eq!(flow.describe_place("#/states/1/properties/timeout"), "widget `ask`, properties/timeout");
        assert_eq!(flow.describe_place("#/states/1"), "widget `ask`");
        assert_eq!(flow.describe_place("#/states/7/name"), "states/7/name");
        assert_eq!(flow.describe_place("#/initial_state"), "initial_state");
        assert_eq!(flow.describe_place(""), "the flow");
    }
}

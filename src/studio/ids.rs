//! What a definition has that is another thing in every account: SIDs in the properties of widgets, and the Functions that are called.

use serde_json::Value;

use super::{FunctionAddress, definition::FlowDefinition};

/// What a SID is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdKind {
    Workflow,
    TaskChannel,
    TaskQueue,
    Content,
    MessagingService,
    ConversationService,
    Flow,
}

/// By what a SID begins.
const PREFIXES: [(&str, IdKind); 7] = [
    ("WW", IdKind::Workflow),
    ("TC", IdKind::TaskChannel),
    ("WQ", IdKind::TaskQueue),
    ("HX", IdKind::Content),
    ("MG", IdKind::MessagingService),
    ("IS", IdKind::ConversationService),
    ("FW", IdKind::Flow),
];

/// A property that is a SID and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountId {
    pub widget: String,
    /// Name of the property, or the path to it, such as `parameters.0.value`.
    pub property: String,
    pub kind: IdKind,
    pub sid: String,
}

/// A Run Function widget that says which Function it calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionCall {
    pub widget: String,
    pub address: FunctionAddress,
}

impl FlowDefinition {
    /// Every SID that a reference could fill in, in the order of the document.
    pub fn account_ids(&self) -> Vec<AccountId> {
        let mut found = Vec::new();
        for (widget, properties) in self.named_properties() {
            for (name, value) in properties {
                collect(widget, name.clone(), value, &mut found);
            }
        }
        found
    }

    /// Every Function that is called by its SIDs.
    pub fn function_calls(&self) -> Vec<FunctionCall> {
        let calls = self.named_properties().filter_map(|(widget, properties)| {
            let text = |name: &str| Some(properties.get(name)?.as_str()?.to_owned());
            let address = FunctionAddress {
                url: text("url")?,
                service_sid: text("service_sid")?,
                environment_sid: text("environment_sid")?,
                function_sid: text("function_sid")?,
            };
            self.can_fill_function(widget).ok()?;
            Some(FunctionCall { widget: widget.to_owned(), address })
        });
        calls.collect()
    }

    /// The properties of each widget that its name leads to.
    fn named_properties(&self) -> impl Iterator<Item = (&str, &serde_json::Map<String, Value>)> {
        self.states().filter_map(|state| {
            let name = state.name().filter(|name| self.state(name).is_some_and(|first| first.index == state.index))?;
            Some((name, state.properties()?))
        })
    }
}

fn collect(widget: &str, path: String, value: &Value, found: &mut Vec<AccountId>) {
    match value {
        Value::String(text) => {
            if let Some(kind) = kind_of(text) {
                found.push(AccountId { widget: widget.to_owned(), property: path, kind, sid: text.clone() });
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(widget, format!("{path}.{index}"), item, found);
            }
        }
        // A name with a dot in it is on no path.
        Value::Object(fields) => {
            for (key, field) in fields.iter().filter(|(key, _)| !key.contains('.')) {
                collect(widget, format!("{path}.{key}"), field, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn kind_of(text: &str) -> Option<IdKind> {
    let (prefix, digits) = text.split_at_checked(2)?;
    let is_sid = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    PREFIXES.iter().find(|(known, _)| is_sid && *known == prefix).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sid(prefix: &str) -> String {
        format!("{prefix}{}", "0123456789abcdef".repeat(2))
    }

    #[test]
    fn sids_are_found_wherever_a_reference_can_fill_them_in() {
        let flow = FlowDefinition::parse(json!({"initial_state": "Trigger", "states": [
            {"name": "Trigger", "type": "trigger", "properties": {"offset": {"x": 0}}},
            {"name": "agent", "type": "send-to-flex", "properties": {
                "workflow": sid("WW"), "channel": sid("TC"), "attributes": format!("{{\"to\": \"{}\"}}", sid("WW")),
            }},
            {"name": "other", "type": "run-subflow", "properties": {
                "flow_sid": sid("FW"), "parameters": [{"key": "a", "value": sid("HX")}, {"key": "b", "value": sid("ZZ")}],
            }},
            {"name": "agent", "type": "send-to-flex", "properties": {"workflow": sid("WW")}},
        ]}))
        .unwrap();
        let found: Vec<_> = flow.account_ids().into_iter().map(|id| (id.widget, id.property, id.kind)).collect();
        let at = |widget: &str, property: &str, kind| (widget.to_owned(), property.to_owned(), kind);
        assert_eq!(
            found,
            [
                at("agent", "workflow", IdKind::Workflow),
                at("agent", "channel", IdKind::TaskChannel),
                at("other", "flow_sid", IdKind::Flow),
                at("other", "parameters.0.value", IdKind::Content),
            ]
        );
        for id in flow.account_ids() {
            flow.can_fill(&id.widget, &id.property).unwrap();
        }
    }

    #[test]
    fn a_function_is_known_by_its_sids() {
        let call = |properties: Value| {
            let flow = json!({"initial_state": "call", "states": [{"name": "call", "type": "run-function", "properties": properties}]});
            FlowDefinition::parse(flow).unwrap().function_calls()
        };
        let whole = json!({"url": "https://f-1.twil.io/a", "service_sid": sid("ZS"), "environment_sid": sid("ZE"), "function_sid": sid("ZH")});
        assert_eq!(call(whole)[0].address.function_sid, sid("ZH"));
        assert_eq!(call(json!({"url": "https://f-1.twil.io/a"})), []);
    }
}

//! What Studio's validator refuses, as far as studio.md 2.2–2.4 knows: envelope, names, transitions, required
//! properties and type traps of the known widgets. What real flows prove it lets pass (unknown keys in a transition,
//! unreachable widgets, broken Liquid) passes here too.

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::sids::is_sid;

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What is wrong.
    pub message: String,
    /// Where, e.g. `#/states/3/properties/timeout`.
    pub property_path: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WidgetTable {
    #[expect(dead_code, reason = "the citation, for readers of the table")]
    source: String,
    widgets: BTreeMap<String, WidgetRules>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WidgetRules {
    #[serde(default)]
    required: Vec<String>,
    #[serde(default)]
    string: Vec<String>,
    #[serde(default)]
    boolean: Vec<String>,
    #[serde(default)]
    integer: Vec<String>,
    #[serde(default)]
    array: Vec<String>,
    #[serde(default)]
    flow_sid: Vec<String>,
    #[serde(default)]
    rest_only: bool,
    events: Vec<String>,
}

static WIDGETS: LazyLock<BTreeMap<String, WidgetRules>> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "compiled in, and every validation test loads it")]
    let table: WidgetTable =
        serde_json::from_str(include_str!("../../../tables/widgets.json")).expect("the widget table is well formed");
    table.widgets
});

/// Everything wrong with a definition.
pub fn problems(definition: &Value) -> Vec<Problem> {
    let mut check = Check::default();
    check.envelope(definition);
    check.found
}

#[derive(Default)]
struct Check {
    found: Vec<Problem>,
}

impl Check {
    fn add(&mut self, path: String, message: impl Into<String>) {
        self.found.push(Problem { message: message.into(), property_path: path });
    }

    fn envelope(&mut self, definition: &Value) {
        let Value::Object(fields) = definition else {
            self.add("#".to_owned(), format!("{} found, object expected", kind(definition)));
            return;
        };
        self.flags(fields.get("flags"));
        let states = match fields.get("states") {
            None => return self.add("#/states".to_owned(), MISSING),
            Some(Value::Array(states)) => states,
            Some(other) => return self.add("#/states".to_owned(), format!("{} found, array expected", kind(other))),
        };
        if states.is_empty() || states.len() > 1000 {
            self.add("#/states".to_owned(), format!("there must be 1 to 1000 items, found {}", states.len()));
        }
        let mut names = HashSet::new();
        for (index, state) in states.iter().enumerate() {
            if let Some(name) = state.get("name").and_then(Value::as_str)
                && !names.insert(name)
            {
                self.add(format!("#/states/{index}/name"), format!("widget name {name} is not unique"));
            }
        }
        match fields.get("initial_state") {
            None => self.add("#/initial_state".to_owned(), MISSING),
            Some(Value::String(name)) if names.contains(name.as_str()) => {}
            Some(Value::String(name)) => {
                self.add("#/initial_state".to_owned(), format!("widget {name} does not exist"));
            }
            Some(other) => self.add("#/initial_state".to_owned(), format!("{} found, string expected", kind(other))),
        }
        let only_rest = is_started_only_by_rest(states);
        for (index, state) in states.iter().enumerate() {
            self.state(&format!("#/states/{index}"), state, &names, only_rest);
        }
    }

    fn flags(&mut self, flags: Option<&Value>) {
        let Some(flags) = flags else { return };
        match flags.get("allow_concurrent_calls") {
            Some(Value::Bool(_)) => {}
            None => self.add("#/flags/allow_concurrent_calls".to_owned(), MISSING),
            Some(other) => {
                let message = format!("{} found, boolean expected", kind(other));
                self.add("#/flags/allow_concurrent_calls".to_owned(), message);
            }
        }
    }

    fn state(&mut self, path: &str, state: &Value, names: &HashSet<&str>, only_rest: bool) {
        let kind_of_widget = state.get("type").and_then(Value::as_str);
        if kind_of_widget.is_none() {
            self.add(format!("{path}/type"), MISSING);
        }
        let is_trigger = kind_of_widget == Some("trigger");
        for key in ["name", "properties"].into_iter().filter(|_| !is_trigger).chain(["transitions"]) {
            match state.get(key) {
                None => self.add(format!("{path}/{key}"), MISSING),
                Some(Value::Null) => self.add(format!("{path}/{key}"), "must not be null"),
                Some(_) => {}
            }
        }
        let rules = kind_of_widget.and_then(|kind| WIDGETS.get(kind));
        if let (Some(rules), Some(Value::Object(properties))) = (rules, state.get("properties")) {
            self.properties(path, rules, properties);
            if rules.rest_only && !only_rest {
                self.add(path.to_owned(), "this widget can only be used in flows triggered by the REST API");
            }
        }
        let transitions = state.get("transitions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for (index, transition) in transitions.iter().enumerate() {
            self.transition(&format!("{path}/transitions/{index}"), rules, transition, names);
        }
    }

    fn properties(&mut self, path: &str, rules: &WidgetRules, properties: &serde_json::Map<String, Value>) {
        for key in rules.required.iter().chain(&rules.flow_sid) {
            match properties.get(key) {
                None => self.add(format!("{path}/properties/{key}"), MISSING),
                Some(Value::Null) => self.add(format!("{path}/properties/{key}"), "must not be null"),
                Some(_) => {}
            }
        }
        for (keys, expected) in [
            (&rules.string, "string"),
            (&rules.boolean, "boolean"),
            (&rules.integer, "integer"),
            (&rules.array, "array"),
        ] {
            for key in keys {
                let found = properties.get(key).filter(|value| !value.is_null());
                if let Some(found) = found.map(kind).filter(|found| *found != expected) {
                    self.add(format!("{path}/properties/{key}"), format!("{found} found, {expected} expected"));
                }
            }
        }
        for key in &rules.flow_sid {
            if let Some(Value::String(sid)) = properties.get(key)
                && !is_sid(sid, "FW")
            {
                self.add(format!("{path}/properties/{key}"), "must be a valid, non-liquid flow sid");
            }
        }
    }

    fn transition(&mut self, path: &str, rules: Option<&WidgetRules>, transition: &Value, names: &HashSet<&str>) {
        match transition.get("event").and_then(Value::as_str) {
            None => self.add(format!("{path}/event"), MISSING),
            Some(event) => {
                if let Some(rules) = rules
                    && !rules.events.iter().any(|allowed| allowed == event)
                {
                    let allowed = rules.events.join(", ");
                    self.add(format!("{path}/event"), format!("must be a constant value {allowed}"));
                }
            }
        }
        match transition.get("next") {
            None => {}
            Some(Value::String(next)) if next.is_empty() || names.contains(next.as_str()) => {}
            Some(Value::String(next)) => self.add(format!("{path}/next"), format!("widget {next} does not exist")),
            Some(other) => self.add(format!("{path}/next"), format!("{} found, string expected", kind(other))),
        }
    }
}

const MISSING: &str = "is missing but it is required";

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn is_started_only_by_rest(states: &[Value]) -> bool {
    let triggers = states.iter().filter(|state| state.get("type").and_then(Value::as_str) == Some("trigger"));
    let transitions = triggers.filter_map(|trigger| trigger.get("transitions")?.as_array()).flatten();
    let connected =
        transitions.filter(|one| one.get("next").and_then(Value::as_str).is_some_and(|next| !next.is_empty()));
    connected.filter_map(|one| one.get("event")?.as_str()).all(|event| event == "incomingRequest")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn flow() -> Value {
        json!({
            "initial_state": "Trigger",
            "flags": {"allow_concurrent_calls": true},
            "states": [
                {"name": "Trigger", "type": "trigger", "properties": {},
                 "transitions": [{"event": "incomingConversationMessage", "next": "agent"}, {"event": "incomingMessage"}]},
                {"name": "agent", "type": "send-to-flex",
                 "properties": {"workflow": "WW1", "channel": "TC1", "timeout": "3600"},
                 "transitions": [{"event": "callComplete"}, {"event": "failedToEnqueue", "name": "ignored"}]}
            ]
        })
    }

    fn found(pointer: &str, value: Value) -> Vec<(String, String)> {
        let mut changed = flow();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        match changed.pointer_mut(parent).unwrap() {
            Value::Object(fields) if value == json!("REMOVE") => {
                fields.remove(key);
            }
            Value::Object(fields) => {
                fields.insert(key.to_owned(), value);
            }
            other => other[key.parse::<usize>().unwrap()] = value,
        }
        problems(&changed).into_iter().map(|problem| (problem.property_path, problem.message)).collect()
    }

    fn one(path: &str, message: &str) -> Vec<(String, String)> {
        vec![(path.to_owned(), message.to_owned())]
    }

    #[test]
    fn a_good_flow_has_no_problems_and_unknown_transition_keys_pass() {
        assert_eq!(problems(&flow()), []);
    }

    #[test]
    fn problems_are_named_with_their_place() {
        let timeout = "/states/1/properties/timeout";
        assert_eq!(found(timeout, json!(3600)), one(&format!("#{timeout}"), "integer found, string expected"));
        let workflow = "/states/1/properties/workflow";
        assert_eq!(found(workflow, json!("REMOVE")), one(&format!("#{workflow}"), MISSING));
        assert_eq!(found(workflow, Value::Null), one(&format!("#{workflow}"), "must not be null"));
        let next = "/states/0/transitions/0/next";
        assert_eq!(found(next, json!("nowhere")), one(&format!("#{next}"), "widget nowhere does not exist"));
        assert_eq!(found(next, json!("")), []);
        let event = "/states/1/transitions/0/event";
        let message = "must be a constant value callComplete, failedToEnqueue, callFailure, composerStarted";
        assert_eq!(found(event, json!("completed")), one(&format!("#{event}"), message));
        assert_eq!(found("/initial_state", json!("REMOVE")), one("#/initial_state", MISSING));
        assert_eq!(found("/states", json!("REMOVE")), one("#/states", MISSING));
        let duplicate = found("/states/1/name", json!("Trigger"));
        assert!(duplicate.contains(&("#/states/1/name".to_owned(), "widget name Trigger is not unique".to_owned())));
    }

    #[test]
    fn a_widget_of_an_unknown_type_is_accepted() {
        let widget = json!({"name": "agent", "type": "run-model-inference", "properties": {}, "transitions": []});
        assert_eq!(found("/states/1", widget), []);
    }

    #[test]
    fn a_subflow_needs_a_literal_sid() {
        let widget =
            json!({"name": "agent", "type": "run-subflow", "properties": {"flow_sid": "{{x}}"}, "transitions": []});
        assert_eq!(
            found("/states/1", widget),
            one("#/states/1/properties/flow_sid", "must be a valid, non-liquid flow sid")
        );
    }
}

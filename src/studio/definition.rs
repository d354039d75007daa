//! A flow definition and the parts of it that are asked for. The accessors are tolerant: what is not of the expected
//! shape is passed over here and reported by [`check`](super::check).

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    problem::{Problem, ProblemKind},
    unwrap::{unwrap, unwrap_fields},
};

/// Type of the widget that every execution begins with.
const TRIGGER: &str = "trigger";

/// The JSON of a Studio export, key by key as it was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FlowDefinition(Map<String, Value>);

/// One widget of a flow.
#[derive(Debug, Clone, Copy)]
pub struct State<'a> {
    /// Its place in `states`.
    pub index: usize,
    fields: &'a Map<String, Value>,
}

/// One way out of a widget.
#[derive(Debug, Clone, Copy)]
pub struct Transition<'a> {
    /// Its place in `transitions`.
    pub index: usize,
    fields: &'a Map<String, Value>,
}

impl FlowDefinition {
    /// Takes a document that a person calls a flow definition, out of the answer or file that it [came in](super::unwrap).
    /// An export from before the v2 API is told apart from one, since it looks right at a glance.
    pub fn parse(document: Value) -> Result<Self, Problem> {
        let (fields, _) = unwrap(document)?;
        Self::checked(fields)
    }

    /// As [`FlowDefinition::parse`], for a document that is known to be an object.
    pub fn from_fields(fields: Map<String, Value>) -> Result<Self, Problem> {
        let (fields, _) = unwrap_fields(fields)?;
        Self::checked(fields)
    }

    fn checked(fields: Map<String, Value>) -> Result<Self, Problem> {
        let definition = Self(fields);
        if !definition.0.contains_key("initial_state") && definition.states().any(|state| state.is_legacy()) {
            return Err(Problem::of_the_flow("", ProblemKind::LegacyExport));
        }
        Ok(definition)
    }

    /// Takes what Studio holds, whatever its shape.
    pub const fn observed(fields: Map<String, Value>) -> Self {
        Self(fields)
    }

    /// The document.
    pub const fn fields(&self) -> &Map<String, Value> {
        &self.0
    }

    pub(super) const fn fields_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.0
    }

    /// The widgets, in the order of the document.
    pub fn states(&self) -> impl Iterator<Item = State<'_>> {
        let states = self.0.get("states").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        states.iter().enumerate().filter_map(|(index, state)| Some(State { index, fields: state.as_object()? }))
    }

    /// The widget of that name; the first, if there are several.
    pub fn state(&self, name: &str) -> Option<State<'_>> {
        self.states().find(|state| state.name() == Some(name))
    }

    /// The widget that every execution begins with.
    pub fn trigger(&self) -> Option<State<'_>> {
        let initial = self.0.get("initial_state")?.as_str()?;
        self.state(initial).filter(|state| state.kind() == Some(TRIGGER))
    }

    /// Whether an execution that begins with this event reaches a widget, for example `incomingConversationMessage`.
    pub fn trigger_connects(&self, event: &str) -> bool {
        self.trigger().is_some_and(|trigger| {
            trigger
                .transitions()
                .filter(|transition| transition.event() == Some(event))
                .any(|transition| transition.next().is_some_and(|next| self.state(next).is_some()))
        })
    }
}

/// The definition as JSON text, as it is sent.
impl fmt::Display for FlowDefinition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(&self.0).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

impl<'a> State<'a> {
    pub fn name(&self) -> Option<&'a str> {
        self.fields.get("name")?.as_str()
    }

    /// Its `type`, such as `send-to-flex`.
    pub fn kind(&self) -> Option<&'a str> {
        self.fields.get("type")?.as_str()
    }

    pub fn properties(&self) -> Option<&'a Map<String, Value>> {
        self.fields.get("properties")?.as_object()
    }

    pub fn transitions(&self) -> impl Iterator<Item = Transition<'a>> + use<'a> {
        let transitions =
            self.fields.get("transitions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        transitions
            .iter()
            .enumerate()
            .filter_map(|(index, value)| Some(Transition { index, fields: value.as_object()? }))
    }

    pub(super) const fn fields(&self) -> &'a Map<String, Value> {
        self.fields
    }

    /// Before the v2 API the types of widgets were in camel case: `InitialState`, `MessagePrompt`, `Branch`.
    fn is_legacy(&self) -> bool {
        self.kind().is_some_and(|kind| kind.starts_with(|first: char| first.is_ascii_uppercase()))
    }
}

impl<'a> Transition<'a> {
    pub fn event(&self) -> Option<&'a str> {
        self.fields.get("event")?.as_str()
    }

    /// The widget it leads to; `None` when the branch ends here.
    pub fn next(&self) -> Option<&'a str> {
        self.fields.get("next")?.as_str().filter(|next| !next.is_empty())
    }

    pub(super) const fn fields(&self) -> &'a Map<String, Value> {
        self.fields
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_of_the_api_is_the_definition_in_it() {
        let answer = json!({"sid": "FW1", "definition": {"states": []}});
        assert_eq!(FlowDefinition::parse(answer).unwrap().to_string(), r#"{"states":[]}"#);
    }

    #[test]
    fn an_export_from_before_the_v2_api_is_named_as_one() {
        let old = json!({"description": "", "states": [{"name": "Trigger", "type": "InitialState"}]});
        assert_eq!(FlowDefinition::parse(old).unwrap_err().kind, ProblemKind::LegacyExport);
    }

    #[test]
    fn what_is_not_an_object_is_no_definition() {
        assert_eq!(FlowDefinition::parse(json!([])).unwrap_err().kind, ProblemKind::NotAnObject);
    }

    #[test]
    fn a_trigger_connects_only_what_leads_to_a_widget() {
        let flow = |next: Value| {
            FlowDefinition::parse(json!({
                "initial_state": "Trigger",
                "states": [
                    {"name": "Trigger", "type": "trigger", "transitions": [
                        {"event": "incomingMessage", "next": "hello"},
                        {"event": "incomingConversationMessage", "next": next}
                    ]},
                    {"name": "hello", "type": "send-message", "transitions": []}
                ]
            }))
            .unwrap()
        };
        assert!(flow(json!("hello")).trigger_connects("incomingConversationMessage"));
        for unconnected in [json!(""), Value::Null, json!("gone")] {
            assert!(!flow(unconnected).trigger_connects("incomingConversationMessage"));
        }
    }
}

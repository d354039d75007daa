//! Filling in the ids of an account. A reference points at a property that is there as text, so that a misspelt one is
//! found before anything is written.

use serde_json::Value;

use super::definition::FlowDefinition;

/// A reference that points at nothing that can be filled.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum FillError {
    #[error("no widget is called `{widget}`")]
    UnknownWidget { widget: String },
    #[error("widget `{widget}` has no property `{property}`; it has {}", if known.is_empty() { "none" } else { known })]
    UnknownProperty { widget: String, property: String, known: String },
    #[error("property `{property}` of widget `{widget}` is not a text, so no id can stand in it")]
    NotText { widget: String, property: String },
    #[error(
        "widget `{widget}` is no {RUN_FUNCTION} widget: say which of its properties receives the URL of the function"
    )]
    NotRunFunction { widget: String },
}

/// Type of the widget that calls a Function.
const RUN_FUNCTION: &str = "run-function";

/// What a Function fills of its widget.
pub const FUNCTION_PROPERTIES: [&str; 4] = ["url", "service_sid", "environment_sid", "function_sid"];

/// Where a Function is and how Studio knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionAddress {
    pub url: String,
    /// `ZS…`
    pub service_sid: String,
    /// `ZE…`
    pub environment_sid: String,
    /// `ZH…`
    pub function_sid: String,
}

impl FlowDefinition {
    /// Whether [`FlowDefinition::fill`] would succeed.
    pub fn can_fill(&self, widget: &str, property: &str) -> Result<(), FillError> {
        let mut copy = self.clone();
        copy.fill(widget, property, "")
    }

    /// Whether [`FlowDefinition::fill_function`] would succeed.
    pub fn can_fill_function(&self, widget: &str) -> Result<(), FillError> {
        let state = self.state(widget).ok_or_else(|| FillError::UnknownWidget { widget: widget.to_owned() })?;
        if state.kind() == Some(RUN_FUNCTION) {
            Ok(())
        } else {
            Err(FillError::NotRunFunction { widget: widget.to_owned() })
        }
    }

    /// Has a Run Function widget call `function`. All four properties are written: with a URL of one function and the SID of
    /// another, the Console shows what is not called.
    pub fn fill_function(&mut self, widget: &str, function: &FunctionAddress) -> Result<(), FillError> {
        self.can_fill_function(widget)?;
        let FunctionAddress { url, service_sid, environment_sid, function_sid } = function;
        let unknown_widget = || FillError::UnknownWidget { widget: widget.to_owned() };
        let index = self.state(widget).ok_or_else(unknown_widget)?.index;
        let state = self.fields_mut().get_mut("states").and_then(|states| states.get_mut(index));
        let properties = state
            .and_then(Value::as_object_mut)
            .map(|state| state.entry("properties").or_insert_with(|| Value::Object(serde_json::Map::new())));
        let properties = properties.and_then(Value::as_object_mut).ok_or_else(unknown_widget)?;
        for (name, value) in FUNCTION_PROPERTIES.into_iter().zip([url, service_sid, environment_sid, function_sid]) {
            properties.insert(name.to_owned(), Value::String(value.clone()));
        }
        Ok(())
    }

    /// Puts `value` into a property of a widget. `property` is a name, or a path such as `parameters.0.value`.
    pub fn fill(&mut self, widget: &str, property: &str, value: &str) -> Result<(), FillError> {
        let unknown_widget = || FillError::UnknownWidget { widget: widget.to_owned() };
        let index = self.state(widget).ok_or_else(unknown_widget)?.index;
        let state = self.fields_mut().get_mut("states").and_then(|states| states.get_mut(index));
        let properties = state.and_then(|state| state.get_mut("properties"));
        let known = properties.as_deref().map(names).unwrap_or_default();
        let target = properties.and_then(|properties| {
            property.split('.').try_fold(properties, |value, step| match value {
                Value::Object(fields) => fields.get_mut(step),
                Value::Array(items) => items.get_mut(step.parse::<usize>().ok()?),
                _ => None,
            })
        });
        match target {
            Some(Value::String(text)) => value.clone_into(text),
            Some(_) => return Err(FillError::NotText { widget: widget.to_owned(), property: property.to_owned() }),
            None => {
                let (widget, property) = (widget.to_owned(), property.to_owned());
                return Err(FillError::UnknownProperty { widget, property, known });
            }
        }
        Ok(())
    }
}

/// The names of the properties, for a message.
fn names(properties: &Value) -> String {
    let names = properties.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    names.filter(|name| *name != "offset").collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn flow() -> FlowDefinition {
        FlowDefinition::parse(json!({"initial_state": "Trigger", "states": [
            {"name": "Trigger", "type": "trigger"},
            {"name": "call", "type": "run-function", "properties": {
                "offset": {"x": 1}, "url": "", "timeout": 5, "parameters": [{"key": "a", "value": ""}]
            }}
        ]}))
        .unwrap()
    }

    #[test]
    fn a_property_is_filled_by_name_or_by_path() {
        let mut flow = flow();
        flow.fill("call", "url", "https://example.com").unwrap();
        flow.fill("call", "parameters.0.value", "x").unwrap();
        let properties = flow.state("call").unwrap().properties().unwrap().clone();
        assert_eq!(properties["url"], "https://example.com");
        assert_eq!(properties["parameters"][0]["value"], "x");
    }

    #[test]
    fn a_function_fills_all_that_studio_knows_it_by() {
        let mut flow = flow();
        let function = FunctionAddress {
            url: "https://f-1.twil.io/a".into(),
            service_sid: "ZS1".into(),
            environment_sid: "ZE1".into(),
            function_sid: "ZH1".into(),
        };
        flow.fill_function("call", &function).unwrap();
        let properties = flow.state("call").unwrap().properties().unwrap().clone();
        assert_eq!(properties["url"], "https://f-1.twil.io/a");
        assert_eq!(properties["service_sid"], "ZS1");
        assert_eq!(properties["environment_sid"], "ZE1");
        assert_eq!(properties["function_sid"], "ZH1");
        let error = flow.can_fill_function("Trigger").unwrap_err().to_string();
        assert!(error.contains("`Trigger` is no run-function widget"), "{error}");
    }

    #[test]
    fn what_cannot_be_filled_says_what_is_there() {
        let error = |widget, property| flow().can_fill(widget, property).unwrap_err().to_string();
        assert_eq!(error("cal", "url"), "no widget is called `cal`");
        assert_eq!(error("call", "uri"), "widget `call` has no property `uri`; it has url, timeout, parameters");
        assert_eq!(
            error("call", "parameters.3.value"),
            "widget `call` has no property `parameters.3.value`; it has url, timeout, parameters"
        );
        assert_eq!(error("Trigger", "url"), "widget `Trigger` has no property `url`; it has none");
        assert_eq!(
            error("call", "timeout"),
            "property `timeout` of widget `call` is not a text, so no id can stand in it"
        );
    }
}

//! The examples of the rules, as the tests look at them.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{finding::Finding, known::Known, rule::with_trigger};
use crate::studio::{
    FlowDefinition,
    content::{Body, ContentTemplate, Templates, placeholders},
    subflow::{Ran, Subflows},
};

/// What a rule's example stands for.
#[derive(Debug, Clone)]
pub struct Example {
    pub document: Value,
    pub templates: Templates,
    pub parameters: Option<BTreeSet<String>>,
    pub subflows: Subflows,
}

impl Example {
    /// Reads a definition; or a list of widgets, of which the first is led to by [a trigger](with_trigger); or an object with
    /// either as `flow` or `widgets`, beside the `contentTemplates`, `parameters` and `subflows` that are known.
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        let mut known: Map<String, Value> = match serde_json::from_str(text)? {
            Value::Object(fields) if !fields.contains_key("states") && !fields.contains_key("initial_state") => fields,
            _ => Map::new(),
        };
        let document = match (known.remove("widgets"), known.remove("flow")) {
            (Some(widgets), _) => with_trigger(&widgets.to_string())?,
            (None, Some(flow)) => flow,
            (None, None) => with_trigger(text)?,
        };
        let templates = known.get("contentTemplates").and_then(Value::as_object).into_iter().flatten();
        let templates = templates.map(|(sid, template)| (sid.clone(), template.as_object().map(template_of))).collect();
        let parameters = known.remove("parameters").map(serde_json::from_value).transpose()?;
        let subflows = known.get("subflows").and_then(Value::as_object).into_iter().flatten();
        let subflows = subflows.map(|(widget, ran)| (widget.clone(), ran_of(ran))).collect();
        Ok(Self { document, templates, parameters, subflows })
    }

    /// The definition in it.
    pub fn definition(&self) -> Result<FlowDefinition, Finding> {
        FlowDefinition::parse(self.document.clone())
    }

    /// What is known in it.
    pub fn known(&self) -> Known<'_> {
        Known {
            references: Some(&[]),
            templates: Some(&self.templates),
            parameters: self.parameters.as_ref(),
            subflows: Some(&self.subflows),
        }
    }
}

fn template_of(fields: &Map<String, Value>) -> ContentTemplate {
    let types = || fields.get("types").and_then(Value::as_object).into_iter().flatten();
    ContentTemplate {
        name: "example".to_owned(),
        bodies: types().map(|(kind, body)| Body::read(kind, body)).collect(),
        placeholders: types().flat_map(|(_, body)| placeholders(body)).collect(),
        approval: fields.get("approval").and_then(Value::as_str).map(str::to_owned),
    }
}

fn ran_of(fields: &Value) -> Ran {
    let circle = fields.get("circle").and_then(|circle| serde_json::from_value(circle.clone()).ok());
    Ran {
        name: fields.get("name").and_then(Value::as_str).unwrap_or_default().to_owned(),
        widgets: fields.get("widgets").and_then(Value::as_u64).and_then(|it| it.try_into().ok()).unwrap_or_default(),
        runs_subflows: fields.get("runs") == Some(&Value::Bool(true)),
        circle,
    }
}

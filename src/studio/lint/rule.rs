//! A rule: a stable code, how bad it is by default, why it exists, an example that triggers it and no other, what to do, and
//! the function that looks. `docs/lint.md` is printed from these.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    finding::{Finding, Severity},
    flex, hosts,
    known::Known,
    messages, options, properties, reach, reading, secrets,
    severities::Level,
    splits, structure, subflows,
    subject::Subject,
    templates, templating, transitions,
};
use crate::studio::{
    FlowDefinition,
    content::{Body, ContentTemplate, Templates, placeholders},
    subflow::{Ran, Subflows},
};

/// One rule.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Kebab-case; it never changes its meaning.
    pub code: &'static str,
    /// What applies when nothing else is asked for.
    pub level: Level,
    /// The finding in one line, as a heading.
    pub what: &'static str,
    pub why: &'static str,
    pub fix: &'static str,
    /// What an [`Example`] is read from.
    pub example: &'static str,
    pub(super) check: fn(&Subject<'_>, &mut Found<'_>),
}

/// Rules about the same thing.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    pub name: &'static str,
    pub rules: &'static [Rule],
}

/// All rules, in the order in which they are documented.
pub const GROUPS: &[Group] = &[
    Group { name: "Reading", rules: reading::RULES },
    Group { name: "Structure", rules: structure::RULES },
    Group { name: "Transitions", rules: transitions::RULES },
    Group { name: "Properties", rules: properties::RULES },
    Group { name: "Splits", rules: splits::RULES },
    Group { name: "Liquid", rules: templating::RULES },
    Group { name: "Paths", rules: reach::RULES },
    Group { name: "Messages", rules: messages::RULES },
    Group { name: "Content templates", rules: templates::RULES },
    Group { name: "Choices", rules: options::RULES },
    Group { name: "Subflows", rules: subflows::RULES },
    Group { name: "Functions", rules: hosts::RULES },
    Group { name: "Flex", rules: flex::RULES },
    Group { name: "Secrets and placeholders", rules: secrets::RULES },
];

/// All rules.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    GROUPS.iter().flat_map(|group| group.rules)
}

/// The rule of that code.
pub fn rule(code: &str) -> Option<&'static Rule> {
    rules().find(|rule| rule.code == code)
}

/// Whether the rule looks at what only the account knows.
pub fn asks_the_account(code: &str) -> bool {
    templates::RULES.iter().chain(options::RULES).any(|rule| rule.code == code)
}

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

/// The definition of a list of widgets, or of what is one already.
pub fn with_trigger(example: &str) -> Result<Value, serde_json::Error> {
    let example: Value = serde_json::from_str(example)?;
    let Value::Array(mut widgets) = example else { return Ok(example) };
    let first = widgets.first().and_then(|widget| widget.get("name")).cloned().unwrap_or_default();
    widgets.insert(
        0,
        serde_json::json!({
            "name": "Trigger", "type": "trigger", "properties": {},
            "transitions": [{"event": "incomingMessage", "next": first}]
        }),
    );
    Ok(serde_json::json!({"description": "", "initial_state": "Trigger", "states": widgets}))
}

/// Where one rule puts what it finds.
pub(super) struct Found<'a> {
    pub code: &'static str,
    pub severity: Severity,
    pub findings: &'a mut Vec<Finding>,
}

impl Found<'_> {
    /// Something about the flow as a whole.
    pub fn flow(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.widget(None, pointer, message);
    }

    /// Something about a widget, which may be one without a name.
    pub fn widget(&mut self, widget: Option<&str>, pointer: impl Into<String>, message: impl Into<String>) {
        self.findings.push(Finding {
            code: self.code,
            severity: self.severity,
            widget: widget.map(str::to_owned),
            pointer: pointer.into(),
            message: message.into(),
        });
    }
}

//! A rule: a stable code, how bad it is by default, why it exists, an example that triggers it and no other, what to do, and
//! the function that looks. `docs/lint.md` is printed from these.

use serde_json::Value;

use super::{
    canvas,
    finding::{Finding, Severity},
    flex, hosts, messages, options, properties, reach, reading, secrets,
    severities::Level,
    splits, structure, subflows,
    subject::Subject,
    templates, templating, transitions,
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
    /// A definition; a list of widgets, of which the first is led to by [a trigger](with_trigger); or an object with either as `flow` or
    /// `widgets`, beside the `contentTemplates`, `parameters` and `subflows` that are known.
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
    Group { name: "Canvas", rules: canvas::RULES },
];

/// All rules.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    GROUPS.iter().flat_map(|group| group.rules)
}

/// The rule of that code.
pub fn rule(code: &str) -> Option<&'static Rule> {
    rules().find(|rule| rule.code == code)
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

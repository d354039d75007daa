//! Rules about the document, before it is a definition. They are told by [`FlowDefinition::parse`], which nothing gets by.

use serde_json::Value;

use super::{
    finding::Finding,
    rule::{Found, Rule},
    severities::Level,
    subject::Subject,
};
use crate::studio::FlowDefinition;

const NOT_A_DEFINITION: &str = "not-a-definition";
const SEVERAL_DEFINITIONS: &str = "several-definitions";
const LEGACY_EXPORT: &str = "legacy-export";

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: NOT_A_DEFINITION,
        level: Level::Error,
        what: "The document is no flow definition",
        why: "A definition is a JSON object. An answer of Studio's API and a Terraform file, state or plan are read too: the \
              definition is taken out of them.",
        fix: "Export the flow in Studio (Show Flow JSON), or take what the API gives under `definition`.",
        example: "\"send-message\"",
        check: told_by_reading,
    },
    Rule {
        code: SEVERAL_DEFINITIONS,
        level: Level::Error,
        what: "The document holds several definitions",
        why: "Which of them is meant is not for a program to guess.",
        fix: "Give a document with one.",
        example: r#"{"flows": [
  {"definition": {"initial_state": "Trigger", "states": []}},
  {"definition": {"initial_state": "Start", "states": []}}
]}"#,
        check: told_by_reading,
    },
    Rule {
        code: LEGACY_EXPORT,
        level: Level::Error,
        what: "The document is an export from before Studio's v2 API",
        why: "Such exports are still found in repositories. Their types are other ones (`InitialState`, `Message`, `Branch`), \
              there is no `initial_state`, and Studio no longer takes them.",
        fix: "Open the flow in the Console, save it, and export it again.",
        example: r#"{"description": "", "states": [{"name": "Trigger", "type": "InitialState"}]}"#,
        check: told_by_reading,
    },
];

const fn told_by_reading(_: &Subject<'_>, _: &mut Found<'_>) {}

pub(in crate::studio) fn not_an_object() -> Finding {
    Finding::of_the_document(NOT_A_DEFINITION, "a flow definition is a JSON object, the JSON of a Studio export")
}

pub(in crate::studio) fn several_definitions(places: &[&str]) -> Finding {
    let message = format!("there are several definitions in it, at {}: give one", places.join(", "));
    Finding::of_the_document(SEVERAL_DEFINITIONS, message)
}

/// Whether a definition is one from before the v2 API, whose types of widgets were in camel case.
pub(in crate::studio) fn is_legacy(definition: &FlowDefinition) -> Option<Finding> {
    let in_camel_case = |kind: &str| kind.starts_with(|first: char| first.is_ascii_uppercase());
    let is_old = !definition.fields().contains_key("initial_state")
        && definition.states().any(|state| state.kind().is_some_and(in_camel_case));
    is_old.then(|| {
        Finding::of_the_document(
            LEGACY_EXPORT,
            "this is an export in the format from before Studio's v2 API, which Studio no longer takes: open the flow in the \
             Console, save it, and export it again",
        )
    })
}

/// What a JSON value is, for a message.
pub(super) const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

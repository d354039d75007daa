//! Whether the spec describes one flow, and which. No client: the ids of the account come in as they were found.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::{
    api::{
        StudioFlowSpec,
        flow_lifecycle::{DriftPolicy, FlowAdoption},
        references::FlowReference,
    },
    controller::{
        account::Template,
        studio_flow::{error::FlowError, lint, live::LiveRevision, marker::WrittenBy},
    },
    studio::{DefinitionHash, FillError, FlowDefinition, FunctionAddress},
    twilio::sid::FlowSid,
};

/// The fields in which a definition may be written.
pub const IN_SPEC: &str = "spec.definition";
pub const IN_CONFIG_MAP: &str = "spec.definitionFrom";

/// The flow as it should be in the account, ids filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    pub friendly_name: String,
    pub publish: bool,
    /// It is saved as a draft before it is published.
    pub staged: bool,
    pub definition: FlowDefinition,
    pub hash: DefinitionHash,
    /// By what a revision of ours that says this is known: the first digits of the hash of what it was written from.
    pub mark: String,
    pub drift_policy: DriftPolicy,
    /// Foreign revisions up to this one may be written over.
    pub overwrite: Option<i64>,
    /// The revision of the flow's history that is served instead of the definition.
    pub pin: Option<i64>,
    pub adopt: Option<Adoption>,
    /// In order, each once.
    pub test_users: Option<BTreeSet<String>>,
}

/// The flow of the account that is taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Adoption {
    Sid(FlowSid),
    Named(String),
}

impl Desired {
    /// What follows from a foreign revision of that number.
    pub fn policy_on(&self, number: i64) -> DriftPolicy {
        if self.overwrite.is_some_and(|seen| number <= seen) { DriftPolicy::Correct } else { self.drift_policy }
    }

    /// With the definition of an earlier revision instead.
    #[must_use]
    pub fn pinned_to(self, revision: &LiveRevision) -> Self {
        // One that was written from a definition still stands for it when that is what the spec says again.
        let mark = match &revision.by {
            WrittenBy::Us { hash: Some(mark) } => mark.clone(),
            WrittenBy::Us { hash: None } | WrittenBy::UsRestoring(_) | WrittenBy::SomebodyElse => {
                revision.hash.short().to_owned()
            }
        };
        Self { definition: revision.definition.clone(), hash: revision.hash.clone(), mark, ..self }
    }
}

/// What a reference is filled with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filling {
    /// The property receives this.
    Text(String),
    /// The widget calls this.
    Function(FunctionAddress),
    /// The property receives its SID.
    Template(Box<Template>),
}

impl Filling {
    /// Whether both fill in the same.
    pub fn is_as(&self, other: &Self) -> bool {
        let text = |filling: &Self| match filling {
            Self::Text(text) => Some(text.clone()),
            Self::Template(template) => Some(template.sid.to_string()),
            Self::Function(_) => None,
        };
        self == other || (text(self).is_some() && text(self) == text(other))
    }

    /// Fills it in where `reference` points.
    pub fn fill(&self, definition: &mut FlowDefinition, reference: &FlowReference) -> Result<(), FillError> {
        let property = reference.property.as_deref().unwrap_or_default();
        match self {
            Self::Text(text) => definition.fill(&reference.widget, property, text),
            Self::Template(template) => definition.fill(&reference.widget, property, template.sid.as_str()),
            Self::Function(function) => definition.fill_function(&reference.widget, function),
        }
    }
}

/// A definition as it is written, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    pub field: &'static str,
    pub fields: Map<String, Value>,
}

/// Where the definition is written.
pub const fn field(spec: &StudioFlowSpec) -> &'static str {
    if spec.definition.is_some() { IN_SPEC } else { IN_CONFIG_MAP }
}

/// The definition as it is written, if it is one flow and every reference points into it.
pub fn definition(spec: &StudioFlowSpec, written: Written) -> Result<FlowDefinition, FlowError> {
    let Written { field, fields } = written;
    let wrong = |problems| FlowError::Definition { field, problems };
    let definition = FlowDefinition::from_fields(fields).map_err(|problem| wrong(vec![problem]))?;
    let problems = lint::errors(spec, &definition)?;
    if !problems.is_empty() {
        return Err(wrong(problems));
    }
    let misses: Vec<_> = spec
        .references
        .iter()
        .enumerate()
        .filter_map(|(index, reference)| {
            let widget = &reference.widget;
            let fits = match &reference.property {
                Some(property) => definition.can_fill(widget, property),
                None => definition.can_fill_function(widget),
            };
            Some((index, fits.err()?))
        })
        .collect();
    if misses.is_empty() { Ok(definition) } else { Err(FlowError::Fill(misses)) }
}

/// The definition with `values` filled in, one for each reference in their order. A placeholder that is left is an error.
pub fn desired(
    spec: &StudioFlowSpec,
    mut definition: FlowDefinition,
    values: &[Filling],
) -> Result<Desired, FlowError> {
    for (index, (reference, value)) in spec.references.iter().zip(values).enumerate() {
        value.fill(&mut definition, reference).map_err(|error| FlowError::Fill(vec![(index, error)]))?;
    }
    let unresolved = lint::still_open(spec, &definition)?;
    if !unresolved.is_empty() {
        return Err(FlowError::Definition { field: field(spec), problems: unresolved });
    }
    let hash = definition.hash();
    Ok(Desired {
        friendly_name: spec.friendly_name.clone(),
        publish: spec.publish,
        staged: spec.staged,
        definition,
        mark: hash.short().to_owned(),
        hash,
        drift_policy: spec.drift_policy,
        overwrite: spec.overwrite_revision,
        pin: spec.revision,
        adopt: spec.adopt.as_ref().map(adoption).transpose()?,
        test_users: spec.test_users.as_ref().map(|users| users.iter().cloned().collect()),
    })
}

fn adoption(adopt: &FlowAdoption) -> Result<Adoption, FlowError> {
    match (&adopt.sid, &adopt.friendly_name) {
        (Some(sid), _) => sid.parse().map(Adoption::Sid).map_err(FlowError::AdoptedSid),
        (None, Some(name)) => Ok(Adoption::Named(name.clone())),
        (None, None) => Err(FlowError::NothingAdopted),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec(workflow: &str, references: &serde_json::Value) -> StudioFlowSpec {
        serde_json::from_value(json!({
            "twilio": {"credentialsRef": {"name": "twilio"}},
            "friendlyName": "Agent",
            "definition": {"initial_state": "Trigger", "states": [
                {"name": "Trigger", "type": "trigger", "transitions": [{"event": "incomingMessage", "next": "agent"}]},
                {"name": "agent", "type": "send-to-flex", "properties": {"workflow": workflow, "channel": "TC00000000000000000000000000000001"}}
            ]},
            "references": references
        }))
        .unwrap()
    }

    fn definition(spec: &StudioFlowSpec) -> Result<FlowDefinition, FlowError> {
        super::definition(spec, Written { field: IN_SPEC, fields: spec.definition.clone().unwrap() })
    }

    #[test]
    fn references_are_filled_and_nothing_is_left_open() {
        let reference = json!([{"widget": "agent", "property": "workflow", "workflow": {"friendlyName": "Anyone"}}]);
        let spec = spec("${workflow}", &reference);
        let desired = desired(&spec, definition(&spec).unwrap(), &[Filling::Text("WW1".into())]).unwrap();
        assert_eq!(desired.definition.state("agent").unwrap().properties().unwrap()["workflow"], "WW1");
    }

    #[test]
    fn an_unfilled_placeholder_stops_the_write_however_it_is_spelt() {
        for placeholder in ["", "${workflow}"] {
            let spec = spec(placeholder, &json!([]));
            let error = definition(&spec).unwrap_err();
            assert_eq!(error.reason(), "DefinitionInvalid");
            assert!(error.to_string().contains("add an entry to `references`"), "{error}");
        }
    }

    #[test]
    fn a_reference_to_nothing_is_told_by_its_place_in_the_spec() {
        let spec = spec(
            "{{flow.data.workflow}}",
            &json!([{"widget": "agnet", "property": "workflow", "workflow": {"friendlyName": "Anyone"}}]),
        );
        let error = definition(&spec).unwrap_err();
        assert_eq!(error.reason(), "InvalidSpec");
        assert_eq!(error.to_string(), "spec.references[0]: no widget is called `agnet`");
    }
}

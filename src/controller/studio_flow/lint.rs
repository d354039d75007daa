//! What a look at the definition finds, and how it shows: an error keeps the flow from being written, a warning is told of.
//! No client.

use std::collections::BTreeSet;

use crate::{
    api::{
        StudioFlow, StudioFlowSpec, StudioFlowStatus,
        conditions::{self, Truth},
        reasons::condition as reasons,
        studio_flow::{LintFinding, LintSeverity},
    },
    controller::{
        condition_writer::{ConditionWriter, joined},
        studio_flow::{error::FlowError, journal::Journal, validate::field},
    },
    studio::{
        FUNCTION_PROPERTIES, Finding, FlowDefinition,
        content::Templates,
        lint::{
            self,
            finding::Severity,
            known::Known,
            severities::{Level, Severities, SeverityError},
        },
    },
};

/// Most findings in a status.
const MAX_FINDINGS: usize = 20;
/// Most characters of one in a status.
const MAX_MESSAGE: usize = 512;

/// The errors of a definition as it is written.
pub fn errors(spec: &StudioFlowSpec, definition: &FlowDefinition) -> Result<Vec<Finding>, FlowError> {
    let mut findings = findings(spec, definition, None)?;
    findings.retain(|finding| finding.severity == Severity::Error);
    Ok(findings)
}

/// What the references have left open in a definition that they were filled in.
pub fn still_open(spec: &StudioFlowSpec, definition: &FlowDefinition) -> Result<Vec<Finding>, FlowError> {
    let mut open = lint::still_open(definition, &severities(spec)?);
    open.retain(|finding| finding.severity == Severity::Error);
    Ok(open)
}

/// Notes the warnings of a definition that has no errors. What was found of this generation when everything that it points at
/// was known stays until that is known again.
pub fn note(flow: &StudioFlow, definition: &FlowDefinition, journal: &mut Journal<'_>) -> Result<(), FlowError> {
    let status = journal.status();
    let is_told = status.observed_generation == flow.metadata.generation
        && status.lint.iter().all(|finding| finding.severity == LintSeverity::Warning);
    if !is_told {
        let warnings = findings(&flow.spec, definition, None)?;
        journal.note(|status| status.lint = told(&warnings));
    }
    Ok(())
}

/// Judges a definition whose ids are filled in also by what the account says of its content templates, and notes the warnings.
pub fn judge(
    spec: &StudioFlowSpec,
    definition: &FlowDefinition,
    templates: &Templates,
    journal: &mut Journal<'_>,
) -> Result<(), FlowError> {
    let findings = findings(spec, definition, Some(templates))?;
    let (problems, warnings): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|finding| finding.severity == Severity::Error);
    if !problems.is_empty() {
        return Err(FlowError::Definition { field: field(spec), problems });
    }
    journal.note(|status| status.lint = told(&warnings));
    Ok(())
}

/// Writes the condition `Linted`, and the errors that kept the flow from being written.
pub fn write(error: Option<&FlowError>, status: &mut StudioFlowStatus, writer: &mut ConditionWriter) {
    if let Some(FlowError::Definition { field: _, problems }) = error {
        status.lint = told(problems);
    }
    let warnings = status.lint.iter().filter(|finding| finding.severity == LintSeverity::Warning);
    let said: Vec<String> = warnings.map(line).collect();
    if said.is_empty() {
        writer.remove(conditions::LINTED);
    } else {
        writer.set(conditions::LINTED, Truth::False, reasons::LINT_WARNINGS, joined(said.into_iter()));
    }
}

fn findings(
    spec: &StudioFlowSpec,
    definition: &FlowDefinition,
    templates: Option<&Templates>,
) -> Result<Vec<Finding>, FlowError> {
    let (references, parameters) = (filled(spec), parameters(spec));
    let known = Known { references: Some(&references), templates, parameters: parameters.as_ref(), ..Known::default() };
    Ok(lint::lint(definition, &known, &severities(spec)?))
}

/// The properties that the references of a spec fill, by widget.
pub fn filled(spec: &StudioFlowSpec) -> Vec<(&str, &str)> {
    let references = spec.references.iter().flat_map(|reference| {
        let properties = reference.property.as_deref().map_or_else(|| FUNCTION_PROPERTIES.to_vec(), |it| vec![it]);
        properties.into_iter().map(|property| (reference.widget.as_str(), property))
    });
    references.collect()
}

/// The names of what the flow is given when it is started, where the spec says.
pub fn parameters(spec: &StudioFlowSpec) -> Option<BTreeSet<String>> {
    let parameters = spec.parameters.as_ref()?;
    Some(parameters.iter().map(|parameter| parameter.name.clone()).collect())
}

/// The severities that a spec asks for.
pub fn severities(spec: &StudioFlowSpec) -> Result<Severities, SeverityError> {
    let mut severities = Severities::default();
    for (code, severity) in spec.lint.iter().flat_map(|lint| &lint.severities) {
        let level = match severity {
            LintSeverity::Error => Level::Error,
            LintSeverity::Warning => Level::Warning,
            LintSeverity::Ignore => Level::Off,
        };
        severities.set(code, level)?;
    }
    Ok(severities)
}

fn told(findings: &[Finding]) -> Vec<LintFinding> {
    let told = findings.iter().take(MAX_FINDINGS).map(|finding| LintFinding {
        code: finding.code.to_owned(),
        severity: match finding.severity {
            Severity::Error => LintSeverity::Error,
            Severity::Warning => LintSeverity::Warning,
        },
        widget: finding.widget.clone(),
        pointer: finding.pointer.clone(),
        message: finding.message.chars().take(MAX_MESSAGE).collect(),
    });
    told.collect()
}

fn line(finding: &LintFinding) -> String {
    let widget = finding.widget.as_ref().map(|widget| format!("widget `{widget}`: ")).unwrap_or_default();
    format!("{widget}{} [{}]", finding.message, finding.code)
}

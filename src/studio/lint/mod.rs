//! Says what is wrong with a definition, offline: what Studio would refuse, and what it takes although a customer is let down.
//!
//! A [rule](rule::Rule) is one small function with a stable code. A rule that is in doubt says nothing: what most good flows
//! would be told is no finding. What cannot be judged without an account is [listed](not_run), never guessed.

mod canvas;
pub mod credential;
pub mod document;
#[cfg(test)]
mod example;
pub mod finding;
mod flex;
mod hosts;
pub mod known;
mod messages;
pub mod not_run;
mod options;
mod pattern;
mod properties;
mod reach;
pub(in crate::studio) mod reading;
pub mod rule;
mod secrets;
pub mod severities;
mod spelling;
mod splits;
mod structure;
mod subflows;
mod subject;
mod templates;
mod templating;
#[cfg(test)]
mod tests;
mod transitions;

use self::{
    finding::{Finding, Severity},
    known::Known,
    rule::{Found, rules},
    severities::Severities,
    subject::Subject,
};
use super::FlowDefinition;

/// Everything that the rules find, in the order of the document; of one place the worst first.
pub fn lint(definition: &FlowDefinition, known: &Known<'_>, severities: &Severities) -> Vec<Finding> {
    let subject = Subject::new(definition, known);
    let mut findings = Vec::new();
    for rule in rules() {
        if let Some(severity) = severities.level(rule).severity() {
            (rule.check)(&subject, &mut Found { code: rule.code, severity, findings: &mut findings });
        }
    }
    findings.sort_by_cached_key(|finding| (place(&finding.pointer), std::cmp::Reverse(finding.severity)));
    findings
}

/// What is left open in a definition whose references are filled in: an error of the reference, rather than of the flow.
pub fn still_open(definition: &FlowDefinition, severities: &Severities) -> Vec<Finding> {
    let mut findings = lint(definition, &Known::references(&[]), severities);
    findings.retain(|finding| secrets::OPEN.contains(&finding.code));
    findings
}

/// Of those the errors.
pub fn errors(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    findings.iter().filter(|finding| finding.severity == Severity::Error)
}

/// Of those the warnings.
pub fn warnings(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    findings.iter().filter(|finding| finding.severity == Severity::Warning)
}

/// A pointer so that the tenth widget comes after the second; the flow as a whole comes first.
fn place(pointer: &str) -> Vec<(usize, String)> {
    pointer
        .split('/')
        .skip(1)
        .map(|step| step.parse().map_or_else(|_| (0, step.to_owned()), |n| (n, String::new())))
        .collect()
}

/// Names for a message, at most `most` of them.
fn listed(names: &[&str], most: usize) -> String {
    let mut shown: Vec<String> = names.iter().take(most).map(|name| format!("`{name}`")).collect();
    if names.len() > most {
        shown.push(format!("{} more", names.len() - most));
    }
    shown.join(", ")
}

//! For a script. Fields are added, never renamed.

use serde_json::{Value, json};

use super::Report;
use crate::studio::lint::finding::Severity;

pub fn json(report: &Report) -> Value {
    let checked: Vec<Value> = report
        .checked
        .iter()
        .map(|checked| {
            let findings: Vec<Value> = checked
                .findings
                .iter()
                .map(|finding| {
                    json!({
                        "code": finding.code, "severity": finding.severity.as_str(), "widget": finding.widget,
                        "pointer": finding.pointer, "message": finding.message,
                    })
                })
                .collect();
            json!({
                "file": checked.file, "object": checked.object, "findings": findings, "notRun": checked.not_run,
            })
        })
        .collect();
    json!({
        "checked": checked, "errors": report.count(Severity::Error), "warnings": report.count(Severity::Warning),
    })
}

//! SARIF 2.1.0, the format of code scanning. What could not be checked is a note of the run.

use serde_json::{Value, json};

use super::Report;
use crate::studio::lint::{
    document,
    rule::{Rule, rules},
    severities::Level,
};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

pub fn sarif(report: &Report) -> Value {
    let mut descriptors: Vec<Value> = rules().map(described).collect();
    let mut codes: Vec<&str> = rules().map(|rule| rule.code).collect();
    let mut results = Vec::new();
    for checked in &report.checked {
        for (finding, line) in checked.findings.iter().zip(checked.lines()) {
            // What is no rule of the lint is a code of its own.
            let index = codes.iter().position(|code| *code == finding.code).unwrap_or_else(|| {
                descriptors.push(json!({"id": finding.code}));
                codes.push(finding.code);
                codes.len() - 1
            });
            let mut location = json!({
                "physicalLocation": {
                    "artifactLocation": {"uri": uri(&checked.file())},
                    "region": {"startLine": line},
                },
            });
            let name = finding.widget.as_deref().or(checked.object.as_deref());
            if let Some(name) = name {
                location["logicalLocations"] = json!([{"name": name, "fullyQualifiedName": finding.pointer}]);
            }
            let object = checked.object.as_deref().unwrap_or_default();
            let widget = finding.widget.as_deref().unwrap_or_default();
            results.push(json!({
                "ruleId": finding.code, "ruleIndex": index, "level": finding.severity.as_str(),
                "message": {"text": finding.to_string()}, "locations": [location],
                // The same finding in another place of the file is the same finding.
                "partialFingerprints": {"finding/v1": format!("{object}:{widget}:{}:{}", finding.code, finding.message)},
            }));
        }
    }
    let notes: Vec<Value> = report
        .not_run()
        .into_iter()
        .map(|check| {
            json!({
                "descriptor": {"id": check.check}, "level": "note",
                "message": {"text": format!("not checked: {}; it takes {}", check.what, check.needs)},
            })
        })
        .collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"), "rules": descriptors,
            }},
            "invocations": [{"executionSuccessful": true, "toolExecutionNotifications": notes}],
            "results": results,
        }],
    })
}

fn described(rule: &Rule) -> Value {
    let level = match rule.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Off => "none",
    };
    json!({
        "id": rule.code,
        "shortDescription": {"text": rule.what},
        "fullDescription": {"text": rule.why},
        "help": {"text": rule.fix},
        "helpUri": format!("{}/blob/main/{}", env!("CARGO_PKG_REPOSITORY"), document::address(rule.code)),
        "defaultConfiguration": {"level": level, "enabled": rule.level != Level::Off},
    })
}

/// A path as a relative reference.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.trim_start_matches("./").bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push('%');
            uri.push_str(&hex::encode_upper([byte]));
        }
    }
    uri
}

//! `JUnit` XML: a test for each finding, failed by an error; one that passed where nothing was found; and one that was skipped
//! for each check that could not be made.

use std::fmt::Write;

use super::{Checked, Report};
use crate::studio::lint::finding::Severity;

pub fn junit(report: &Report, what: &str) -> String {
    let mut suites = String::new();
    let (mut all, mut failed, mut skipped) = (0, 0, 0);
    for checked in &report.checked {
        let (cases, tests) = cases(checked);
        let failures = checked.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
        let name = attribute(&checked.place());
        let skips = checked.not_run.len();
        // Writing to a text does not fail.
        let _ =
            writeln!(suites, r#"  <testsuite name="{name}" tests="{tests}" failures="{failures}" skipped="{skips}">"#);
        suites.push_str(&cases);
        suites.push_str("  </testsuite>\n");
        (all, failed, skipped) = (all + tests, failed + failures, skipped + skips);
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"{what}\" tests=\"{all}\" failures=\"{failed}\" \
         skipped=\"{skipped}\">\n{suites}</testsuites>\n"
    )
}

fn cases(checked: &Checked) -> (String, usize) {
    let mut cases = String::new();
    let class = attribute(&checked.file());
    let mut tests = 0;
    let mut case = |name: &str, inner: &str| {
        tests += 1;
        let name = attribute(name);
        let _ = writeln!(cases, r#"    <testcase classname="{class}" name="{name}">{inner}</testcase>"#);
    };
    for finding in &checked.findings {
        let widget = finding.widget.as_ref().map(|widget| format!(" in {widget}")).unwrap_or_default();
        let message = attribute(&finding.to_string());
        let inner = match finding.severity {
            Severity::Error => format!(r#"<failure type="{}" message="{message}"/>"#, finding.code),
            Severity::Warning => format!("<system-out>{message}</system-out>"),
        };
        case(&format!("{}{widget}", finding.code), &inner);
    }
    if checked.findings.is_empty() {
        case("lint", "");
    }
    for check in &checked.not_run {
        case(check.check, &format!(r#"<skipped message="{}"/>"#, attribute(&format!("it takes {}", check.needs))));
    }
    (cases, tests)
}

/// A text as it may stand in XML, in quotes or between tags. What XML cannot hold is left out.
fn attribute(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
            char => escaped.push(char),
        }
    }
    escaped
}

//! For a person: one line for each finding, so that it can be searched, and what was not looked at at the end.

use std::io::{self, Write};

use super::Report;

pub fn print(report: &Report, out: &mut impl Write, what: &str) -> io::Result<()> {
    for checked in &report.checked {
        for finding in &checked.findings {
            writeln!(out, "{}: {}: {finding}", checked.place(), finding.severity)?;
        }
    }
    writeln!(out, "{}", report.summary(what))?;
    let not_run = report.not_run();
    if !not_run.is_empty() {
        writeln!(out, "\nNot checked here:")?;
    }
    for check in not_run {
        writeln!(out, "  {}: {}; it takes {}", check.check, check.what, check.needs)?;
    }
    Ok(())
}

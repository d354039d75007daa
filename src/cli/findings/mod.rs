//! What was found wrong with files, as text for a person, JSON for a script, SARIF for code scanning and JUnit for a test
//! report. All four say the same.

mod json;
mod junit;
mod lines;
mod sarif;
mod text;

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::ValueEnum;

use self::lines::Lines;
use crate::{
    standalone::folder,
    studio::{
        Finding,
        lint::{finding::Severity, not_run::NotRun},
    },
};

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
    /// SARIF 2.1.0, which code scanning takes.
    Sarif,
    /// `JUnit` XML, which test reports take.
    Junit,
}

/// Which severity makes a command fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    Error,
    Warning,
}

/// One thing that was looked at.
#[derive(Debug, Clone)]
pub struct Checked {
    pub file: PathBuf,
    /// Kind and name of the resource in the file, where it is one.
    pub object: Option<String>,
    pub findings: Vec<Finding>,
    /// The checks that could not be made.
    pub not_run: Vec<NotRun>,
}

/// Everything that was looked at.
#[derive(Debug, Clone, Default)]
pub struct Report {
    pub checked: Vec<Checked>,
}

impl Checked {
    /// The file, and the resource in it.
    fn place(&self) -> String {
        let file = self.file();
        self.object.as_ref().map_or_else(|| file.clone(), |object| format!("{file}: {object}"))
    }

    fn file(&self) -> String {
        if self.file.as_os_str() == "-" { "standard input".to_owned() } else { self.file.display().to_string() }
    }

    /// The line of each finding, the first being 1. In JSON it is that of its place; elsewhere that at which its widget has its
    /// name, which is what a person looks for.
    fn lines(&self) -> Vec<usize> {
        let text = folder::text(&self.file).unwrap_or_default();
        if let Some(lines) = Lines::of(&text) {
            return self.findings.iter().map(|finding| lines.line(&finding.pointer).unwrap_or_default() + 1).collect();
        }
        let name = self.object.as_deref().and_then(|object| object.rsplit(['/', ' ']).next());
        let start = name.and_then(|name| line_of(&text, name, 0)).unwrap_or_default();
        let line = |finding: &Finding| finding.widget.as_deref().and_then(|widget| line_of(&text, widget, start));
        self.findings.iter().map(|finding| line(finding).unwrap_or(start) + 1).collect()
    }
}

/// The first line from `start` on that gives something this name, in JSON or YAML.
fn line_of(text: &str, name: &str, start: usize) -> Option<usize> {
    let gives = |line: &str| {
        line.match_indices("name").any(|(at, key)| {
            let after = line[at + key.len()..].trim_start_matches('"').trim_start();
            let value = after.strip_prefix(':').map(str::trim_start).unwrap_or_default();
            let value = value.trim_start_matches(['"', '\'']);
            value.strip_prefix(name).is_some_and(|rest| {
                !rest.starts_with(|char: char| char.is_alphanumeric() || char == '_' || char == '-')
            })
        })
    };
    text.lines().enumerate().skip(start).find(|(_, line)| gives(line)).map(|(index, _)| index)
}

impl Report {
    pub fn count(&self, severity: Severity) -> usize {
        let findings = self.checked.iter().flat_map(|checked| &checked.findings);
        findings.filter(|finding| finding.severity == severity).count()
    }

    /// Whether a command that fails on this has failed.
    pub fn fails(&self, on: FailOn) -> bool {
        self.count(Severity::Error) > 0 || (on == FailOn::Warning && self.count(Severity::Warning) > 0)
    }

    /// `2 flows: 1 error, 3 warnings`
    pub fn summary(&self, what: &str) -> String {
        let counted = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        format!(
            "{}: {}, {}",
            counted(self.checked.len(), what),
            counted(self.count(Severity::Error), "error"),
            counted(self.count(Severity::Warning), "warning")
        )
    }

    /// The checks that could not be made of one or the other, each once.
    fn not_run(&self) -> Vec<&NotRun> {
        let mut not_run: Vec<&NotRun> = Vec::new();
        for check in self.checked.iter().flat_map(|checked| &checked.not_run) {
            if !not_run.contains(&check) {
                not_run.push(check);
            }
        }
        not_run
    }

    /// Prints the report; `what` is what was looked at, in the singular.
    pub fn print(&self, out: &mut impl Write, format: Format, what: &str) -> io::Result<()> {
        let printed = match format {
            Format::Text => text::print(self, out, what),
            Format::Json => writeln!(out, "{:#}", json::json(self)),
            Format::Sarif => writeln!(out, "{:#}", sarif::sarif(self)),
            Format::Junit => out.write_all(junit::junit(self, what).as_bytes()),
        };
        // A closed pipe is the reader's business.
        printed.or_else(|error| if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studio::{
        FlowDefinition,
        lint::{self, known::Known, not_run, rule, severities::Severities},
    };

    /// Two flows of a file: one with an error and a warning, one with nothing.
    fn report() -> Report {
        let checked = |object: &str, example: &str| {
            let definition = FlowDefinition::parse(rule::with_trigger(example).unwrap()).unwrap();
            Checked {
                file: "flows/all & more.yaml".into(),
                object: Some(object.to_owned()),
                findings: lint::lint(&definition, &Known::references(&[]), &Severities::default()),
                not_run: not_run::not_run(&definition, &Known::references(&[])),
            }
        };
        let bad = r#"[{
            "name": "agent", "type": "send-to-flex",
            "properties": {"workflow": "WS0123456789abcdef0123456789abcdef", "channel": "{{trigger.x}}"},
            "transitions": [{"event": "callComplete"}]
        }]"#;
        let good =
            r#"[{"name": "set", "type": "set-variables", "properties": {}, "transitions": [{"event": "next"}]}]"#;
        Report { checked: vec![checked("StudioFlow marketing/agent", bad), checked("StudioFlow marketing/set", good)] }
    }

    fn printed(format: Format) -> String {
        let mut out = Vec::new();
        report().print(&mut out, format, "flow").unwrap();
        // The version is that of the program.
        String::from_utf8(out).unwrap().replace(env!("CARGO_PKG_VERSION"), "VERSION")
    }

    #[test]
    fn each_format_says_the_same() {
        insta::assert_snapshot!("text", printed(Format::Text));
        insta::assert_snapshot!("json", printed(Format::Json));
        insta::assert_snapshot!("junit", printed(Format::Junit));
        // The rules, which are the same for every report, are looked at elsewhere.
        let mut sarif: serde_json::Value = serde_json::from_str(&printed(Format::Sarif)).unwrap();
        let rules = sarif["runs"][0]["tool"]["driver"]["rules"].take();
        insta::assert_snapshot!("sarif", format!("{sarif:#}"));
        for result in sarif["runs"][0]["results"].as_array().unwrap() {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(rules[index]["id"], result["ruleId"]);
        }
    }

    #[test]
    fn a_widget_is_found_by_its_line_in_json_and_in_yaml() {
        let text = "metadata:\n  name: agent\nspec:\n  states:\n  - {\"name\": \"agent_2\"}\n  - name: 'agent'\n";
        assert_eq!(line_of(text, "agent", 0), Some(1));
        assert_eq!(line_of(text, "agent", 2), Some(5));
        assert_eq!(line_of(text, "agent_2", 0), Some(4));
        assert_eq!(line_of(text, "other", 0), None);
    }
}

//! `engage-operator validate`: everything that can be said of manifests before they are applied.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use clap::Args;
use serde_json::Value;

use super::{
    findings::{Checked, FailOn, Format, Report},
    flow::{self, family::Family, lint::look, source},
};
use crate::{
    api::{EngageDestination, GROUP, ObjectKey},
    controller::engage_destination,
    standalone::folder::Objects,
    studio::{Finding, FlowDefinition, lint::finding::Severity},
};

/// The code of what the API server would refuse, or the controller would not accept.
const INVALID_MANIFEST: &str = "invalid-manifest";
/// The code of a destination whose flow would not start.
const FLOW_NOT_STARTED: &str = "flow-not-started";

/// The event by which a reply in a conversation starts a flow.
const REPLY: &str = "incomingConversationMessage";

/// Check manifests offline, for CI: schema and rules of the CRDs, conditions, templates, and the lint of flows.
///
/// Resources of other groups are passed over. Whether the Secrets, names and SIDs in them exist is seen by the controller.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  engage-operator validate -f manifests/
  engage-operator validate -f destination.yaml -f flow.yaml --output sarif > validate.sarif

Exit codes: 0 nothing is wrong that fails the command; 1 something is; 2 a file could not be read, or the command line is wrong.")]
pub struct Validate {
    /// A file with manifests, or a folder of them with its sub-folders. May be given several times.
    #[arg(short = 'f', long = "file", required = true, num_args = 1.., value_name = "PATH")]
    files: Vec<PathBuf>,

    /// Take a rule's findings in flows otherwise: CODE=error, CODE=warning or CODE=off.
    #[arg(long = "severity", value_name = "CODE=LEVEL")]
    severities: Vec<String>,

    /// What makes the command fail.
    #[arg(long, value_enum, default_value_t = FailOn::Error)]
    fail_on: FailOn,

    /// How to print.
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

impl Validate {
    pub fn execute(self) -> anyhow::Result<()> {
        let mut documents = Vec::new();
        for path in &self.files {
            documents.extend(source::documents_of(path).map_err(flow::Failure::Source)?);
        }
        let report = self.check(documents)?;
        report.print(&mut std::io::stdout().lock(), self.output, "resource")?;
        let failed = report.fails(self.fail_on);
        if failed { Err(flow::Failure::Found(report.summary("resource")).into()) } else { Ok(()) }
    }

    fn check(&self, documents: Vec<(PathBuf, Value)>) -> Result<Report, flow::Failure> {
        let beside = source::ConfigMaps::of(documents.iter().map(|(_, document)| document));
        let mut report = Report::default();
        let mut seen = BTreeSet::new();
        let mut destinations = Vec::new();
        let mut flows = BTreeMap::new();
        let mut given_flows = Vec::new();
        for (file, document) in documents {
            let Some(kind) = is_ours(&document) else {
                // A definition may lie beside the manifests that take it in.
                let is_definition = document.get("kind").is_none()
                    && FlowDefinition::parse(document.clone()).is_ok_and(|it| it.fields().contains_key("states"));
                if is_definition {
                    let place = source::Place { file: file.clone(), object: None };
                    given_flows.push((report.checked.len(), source::Given { place, document, resource: None }));
                    report.checked.push(Checked { file, object: None, findings: Vec::new(), not_run: Vec::new() });
                }
                continue;
            };
            let key = source::key_of(&document);
            let object = Some(format!("{kind} {key}"));
            let mut checked = Checked { file: file.clone(), object, findings: Vec::new(), not_run: Vec::new() };
            if !seen.insert((kind.clone(), key.clone())) {
                checked.findings.push(finding(INVALID_MANIFEST, "it is here twice: remove one of the two".into()));
            }
            let mut read = Objects::default();
            read.read_document(&file, document);
            checked
                .findings
                .extend(read.problems.into_iter().map(|problem| finding(INVALID_MANIFEST, problem.message)));
            for (key, destination) in read.destinations {
                checked
                    .findings
                    .extend(accepted(&destination).into_iter().map(|message| finding(INVALID_MANIFEST, message)));
                destinations.push((report.checked.len(), key, destination));
            }
            for (key, resource) in read.flows {
                let given = match source::of_resource(&file, resource, &beside) {
                    Ok(given) => given,
                    Err(error) => {
                        checked.findings.push(finding(INVALID_MANIFEST, error.message));
                        continue;
                    }
                };
                if let Ok(definition) = FlowDefinition::parse(given.document.clone()) {
                    flows.insert(key, definition);
                }
                given_flows.push((report.checked.len(), given));
            }
            report.checked.push(checked);
        }
        let family = Family::of(given_flows.iter().map(|(_, given)| given));
        for (at, (index, given)) in given_flows.iter().enumerate() {
            let looked = look(given, &family.subflows(at), &self.severities)?;
            report.checked[*index].findings.extend(looked.findings);
            report.checked[*index].not_run = looked.not_run;
        }
        for (index, key, destination) in destinations {
            report.checked[index].findings.extend(not_started(&key, &destination, &flows));
        }
        Ok(report)
    }
}

/// The kind of a document that is for us, or for what is ours.
fn is_ours(document: &Value) -> Option<String> {
    let text = |key: &str| document.get(key).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let is_ours = api_version.starts_with(&format!("{GROUP}/"))
        || (api_version == "v1" && matches!(kind, "Secret" | "ConfigMap"));
    is_ours.then(|| kind.to_owned())
}

/// What keeps a destination from being accepted.
fn accepted(destination: &EngageDestination) -> Vec<String> {
    engage_destination::validate::validate(&destination.spec)
        .err()
        .into_iter()
        .flatten()
        .map(|problem| problem.to_string())
        .collect()
}

/// A destination whose flow is here and would not be started by a reply.
fn not_started(
    key: &ObjectKey,
    destination: &EngageDestination,
    flows: &BTreeMap<ObjectKey, FlowDefinition>,
) -> Option<Finding> {
    let name = &destination.spec.conversation.as_ref()?.flow_ref.as_ref()?.name;
    let flow = flows.get(&ObjectKey::new(key.namespace.clone(), name.clone()))?;
    (!flow.trigger_connects(REPLY)).then(|| {
        finding(FLOW_NOT_STARTED, format!("spec.conversation.flowRef: a reply would not start StudioFlow `{name}`: connect `{REPLY}` of its trigger"))
    })
}

fn finding(code: &'static str, message: String) -> Finding {
    Finding { code, severity: Severity::Error, widget: None, pointer: String::new(), message }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn validate(files: &[(&str, String)]) -> Report {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let validate =
            Validate { files: Vec::new(), severities: Vec::new(), fail_on: FailOn::Error, output: Format::Text };
        validate.check(source::documents_of(folder.path()).unwrap()).unwrap()
    }

    fn said(report: &Report) -> Vec<String> {
        let said = report.checked.iter().flat_map(|checked| {
            checked
                .findings
                .iter()
                .map(move |finding| format!("{}: {finding}", checked.object.clone().unwrap_or_default()))
        });
        said.collect()
    }

    fn sample(name: &str) -> String {
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/samples").join(name)).unwrap()
    }

    #[test]
    fn the_samples_are_valid_and_what_is_not_ours_is_passed_over() {
        let report = validate(&[
            ("flow.yaml", sample("studioflow-connect-to-agent.yaml")),
            ("destination.yaml", sample("engagedestination-lead-conversation.yaml")),
            ("other.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n".into()),
            ("kustomization.yaml", "resources: [flow.yaml]\n".into()),
        ]);
        assert_eq!(said(&report), Vec::<String>::new());
        assert_eq!(report.checked.len(), 2);
    }

    #[test]
    fn schema_liquid_lint_and_what_belongs_together_are_looked_at() {
        let flow = sample("studioflow-connect-to-agent.yaml");
        let unconnected = flow.replace(
            r#"{ "event": "incomingConversationMessage", "next": "first_message" }"#,
            r#"{ "event": "incomingMessage", "next": "first_message" }"#,
        );
        let destination = sample("engagedestination-lead-conversation.yaml");
        let report = validate(&[
            ("a.yaml", destination.clone()),
            ("b.yaml", unconnected.replace("\"next\": \"send_to_flex\"", "\"next\": \"agent\"")),
            (
                "c.yaml",
                destination.replace("twilioNumber", "twilioNumbr").replace("name: lead-conversation", "name: misspelt"),
            ),
        ]);
        let said = said(&report);
        let has = |words: &[&str]| said.iter().any(|line| words.iter().all(|word| line.contains(word)));
        assert!(
            has(&["EngageDestination", "a reply would not start StudioFlow `connect-to-agent`", "[flow-not-started]"]),
            "{said:#?}"
        );
        assert!(has(&["StudioFlow", "no widget is called `agent`", "[unknown-next]"]), "{said:#?}");
        assert!(has(&["misspelt", "twilioNumbr: unknown field", "[invalid-manifest]"]), "{said:#?}");
        assert!(report.fails(FailOn::Error));
    }
}

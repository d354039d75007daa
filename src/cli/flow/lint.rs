//! `engage-operator flow lint`.

use std::path::PathBuf;

use clap::Args;

use super::{
    Failure,
    family::Family,
    source::{self, Given},
};
use crate::{
    cli::findings::{Checked, FailOn, Format, Report},
    controller::studio_flow::lint::{filled, parameters, severities},
    studio::{
        FlowDefinition,
        lint::{
            self, document,
            known::Known,
            not_run::not_run,
            severities::{Severities, SeverityError},
        },
        subflow::Subflows,
    },
};

/// Say what is wrong with flows: what Studio would refuse, and what it takes although a customer is let down.
///
/// It is what the controller says before it writes a flow. Nothing is asked of the account: the checks that would take one are
/// listed at the end. Flows that run each other are looked at together. docs/lint.md says of each rule why it is there and what to do.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  engage-operator flow lint flow.json
  engage-operator flow lint manifests/ --severity unreachable-widget=off --output sarif > lint.sarif
  twilio api:studio:v2:flows:fetch --sid FW... -o json | engage-operator flow lint -

Exit codes: 0 nothing is wrong that fails the command; 1 something is; 2 a flow could not be read, or the command line is wrong.")]
pub struct Lint {
    /// Files with flows, or folders of them; `-` is standard input.
    #[arg(required_unless_present = "print_document", value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Take a rule's findings otherwise: CODE=error, CODE=warning or CODE=off. It goes before what a StudioFlow asks for.
    #[arg(long = "severity", value_name = "CODE=LEVEL")]
    severities: Vec<String>,

    /// What makes the command fail.
    #[arg(long, value_enum, default_value_t = FailOn::Error)]
    fail_on: FailOn,

    /// How to print.
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,

    /// Print docs/lint.md instead.
    #[arg(long, hide = true)]
    print_document: bool,
}

impl Lint {
    pub fn execute(self) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        if self.print_document {
            std::io::Write::write_all(&mut out, document::document()?.as_bytes())?;
            return Ok(());
        }
        let mut flows = Vec::new();
        for file in &self.files {
            flows.extend(source::read(file).map_err(Failure::Source)?);
        }
        let family = Family::of(flows.iter());
        let looked =
            flows.iter().enumerate().map(|(index, given)| look(given, &family.subflows(index), &self.severities));
        let report = Report { checked: looked.collect::<Result<_, _>>()? };
        report.print(&mut out, self.output, "flow")?;
        if report.fails(self.fail_on) { Err(Failure::Found(report.summary("flow")).into()) } else { Ok(()) }
    }
}

/// What is found in one flow, given those that it runs. `severities` go before those of its manifest.
pub fn look(given: &Given, subflows: &Subflows, severities: &[String]) -> Result<Checked, Failure> {
    let spec = given.resource.as_ref().map(|resource| &resource.spec);
    let place = || given.place.to_string();
    let mut chosen = spec.map(self::severities).transpose().map_err(|error| Failure::Severity(place(), error))?;
    let chosen = chosen.get_or_insert_with(Severities::default);
    set(chosen, severities)?;
    let (references, parameters) = (spec.map(filled), spec.and_then(parameters));
    let (findings, not_run) = match FlowDefinition::parse(given.document.clone()) {
        Ok(definition) => {
            let known = Known {
                references: references.as_deref(),
                templates: None,
                parameters: parameters.as_ref(),
                subflows: Some(subflows),
            };
            (lint::lint(&definition, &known, chosen), not_run(&definition, &known))
        }
        Err(finding) => (vec![finding], Vec::new()),
    };
    let object = given.place.object.as_ref().map(|object| format!("StudioFlow {object}"));
    Ok(Checked { file: given.place.file.clone(), object, findings, not_run })
}

fn set(severities: &mut Severities, pairs: &[String]) -> Result<(), Failure> {
    let set = pairs.iter().try_for_each(|pair| severities.set_pair(pair));
    set.map_err(|error: SeverityError| Failure::Severity("--severity".into(), error))
}

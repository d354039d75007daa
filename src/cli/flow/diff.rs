//! `engage-operator flow diff`: what changed between two flows, or what a manifest would change in the account, with the exit codes
//! of `diff`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::{
    Failure,
    account::{self, Which},
    compared::Compared,
    print, source,
};
use crate::{
    api::{StudioFlow, reasons::condition as reasons},
    cli::upstream::TwilioFlags,
    controller::studio_flow::{
        error::NameProblem,
        look_up::look_up,
        validate::{self, IN_SPEC, Written},
    },
    studio::{FlowDefinition, Picture, difference::Bounds},
};

/// Say what changed from one flow to another, widget by widget.
///
/// Compared is what the flows mean: the order of keys and of widgets, white space and places on the canvas do not count. A
/// widget that goes by another name is one change, however many others mention it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:

  git show main:flow.json | engage-operator flow diff - flow.json
  engage-operator flow diff old.json new.json --format svg > changes.svg
  engage-operator flow diff -f connect-to-agent.yaml
  engage-operator flow diff -f connect-to-agent.yaml --format patch > console-edit.json

With -f the account is that of TWILIO_ACCOUNT_SID with TWILIO_AUTH_TOKEN, or with TWILIO_API_KEY and TWILIO_API_SECRET. Nothing in
it is changed.

In the text the first column is + for added, - for removed and ! for changed, so that a block of it marked `diff` is coloured
in a comment. In a picture green is added, red and dashed removed, yellow changed, blue renamed.

Exit codes: 0 both mean the same; 1 they differ; 2 an error, such as a file that is no flow.")]
pub struct Diff {
    /// File with the old flow; `-` is standard input.
    #[arg(required_unless_present = "file")]
    old: Option<PathBuf>,

    /// File with the new flow; `-` is standard input.
    #[arg(required_unless_present = "file")]
    new: Option<PathBuf>,

    /// File with a StudioFlow: say what it would change in the account, its references looked up there.
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["old", "new"])]
    file: Option<PathBuf>,

    /// SID of a flow that the manifest names as a subflow. May be given several times.
    #[arg(long = "subflow", value_name = "NAME=SID", requires = "file")]
    subflows: Vec<String>,

    /// Of several StudioFlows in a file, the one of this name.
    #[arg(long)]
    name: Option<String>,

    /// How the difference is shown.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// Draw the whole flow. Of more than 25 widgets a picture has else only those that changed and those next to them.
    #[arg(long)]
    all: bool,

    /// Lines of text; what is beyond them is counted.
    #[arg(long, value_name = "LINES", default_value_t = Bounds::default().lines)]
    max_lines: usize,

    #[command(flatten)]
    twilio: TwilioFlags,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Mermaid,
    Svg,
    Json,
    /// With -f: a JSON Patch (RFC 6902) of the manifest, after which it says what the account has: how an edit that was made in
    /// the Console comes into git, by a patch of Kustomize or `kubectl patch --type json`.
    Patch,
}

impl Diff {
    pub fn execute(self) -> anyhow::Result<()> {
        let (old, new) = match (&self.file, &self.old, &self.new) {
            (Some(file), _, _) => {
                let compared = account::wait(self.against_the_account(file))?;
                if matches!(self.format, Format::Patch) {
                    return compared.print_patch();
                }
                let nothing = || FlowDefinition::observed(serde_json::Map::new());
                (compared.live.unwrap_or_else(nothing), compared.desired)
            }
            (None, Some(old), Some(new)) if old == Path::new("-") && new == Path::new("-") => {
                return Err(Failure::Usage("only one of the two flows can come from standard input").into());
            }
            (None, Some(old), Some(new)) => (self.read(old)?, self.read(new)?),
            (None, _, _) => return Err(Failure::Usage("give two flows, or a manifest with -f").into()),
        };
        let difference = old.difference(&new);
        let picture = || Picture::of_changes(&old, &new, &difference, self.all);
        let shown = match self.format {
            Format::Text => difference.text(Bounds { lines: self.max_lines, ..Bounds::default() }),
            Format::Mermaid => picture().mermaid(),
            Format::Svg => picture().svg(),
            Format::Json => {
                serde_json::to_string_pretty(&difference).map_err(std::io::Error::from).map_err(Failure::Output)? + "\n"
            }
            Format::Patch => return Err(Failure::Usage("a patch is one of a manifest: give it with -f").into()),
        };
        print(&shown)?;
        if difference.is_empty() { Ok(()) } else { Err(Failure::Different.into()) }
    }

    fn read(&self, path: &Path) -> Result<FlowDefinition, Failure> {
        Ok(source::read_one(path, self.name.as_deref())?.definition()?)
    }

    /// The manifest and what serves in the account now.
    async fn against_the_account(&self, file: &Path) -> Result<Compared, Failure> {
        let given = source::read_one(file, self.name.as_deref())?;
        let at = |message: String| Failure::Account(format!("{}: {message}", given.place));
        let Some(StudioFlow { spec, .. }) = given.resource.as_deref() else {
            return Err(at("this is no StudioFlow, which says what of the account belongs into it".to_owned()));
        };
        let account = account::open(&self.twilio)?;
        let written = Written { field: IN_SPEC, fields: given.definition()?.fields().clone() };
        let written = validate::definition(spec, written).map_err(|error| at(error.to_string()))?;
        let mut values = Vec::new();
        for (index, reference) in spec.references.iter().enumerate() {
            let found = look_up(reference, &account, |name| self.subflow(name)).await;
            let found = found.map_err(|error| at(error.to_string()))?;
            values.push(found.map_err(|problem| at(format!("spec.references[{index}]: {}", problem.message)))?);
        }
        let desired = validate::desired(spec, written.clone(), &values).map_err(|error| at(error.to_string()))?;
        let compared = |live| Compared { given: given.clone(), written, values, desired: desired.definition, live };
        let adopted = spec.adopt.as_ref().and_then(|adopt| adopt.sid.as_ref().or(adopt.friendly_name.as_ref()));
        let Some(sid) = account::flow_of(&account, adopted.unwrap_or(&spec.friendly_name)).await? else {
            eprintln!("note: account {} has no flow `{}` yet: all of it is new", account.sid(), spec.friendly_name);
            return Ok(compared(None));
        };
        let which = if spec.publish { Which::Published } else { Which::Latest };
        let Some(live) = account::revision(&account, &sid, which).await? else {
            eprintln!("note: flow {sid} was never published: all of it is new to customers");
            return Ok(compared(None));
        };
        let live = FlowDefinition::parse(live.definition.unwrap_or_default());
        Ok(compared(Some(live.map_err(|finding| at(format!("flow {sid} in the account: {finding}")))?)))
    }

    /// The SID that the command line gives for a subflow.
    fn subflow(&self, name: &str) -> Result<String, NameProblem> {
        let given = self.subflows.iter().filter_map(|given| given.split_once('=')).find(|(given, _)| *given == name);
        given.map(|(_, sid)| sid.to_owned()).ok_or_else(|| NameProblem {
            reason: reasons::REFERENCE_NOT_FOUND,
            message: format!("which flow StudioFlow `{name}` has is known to its cluster: give --subflow {name}=FW…"),
            may_pass: false,
        })
    }
}

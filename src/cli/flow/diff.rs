//! `engage-operator flow diff`: what changed between two flows, with the exit codes of `diff`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::{Failure, print, source};
use crate::studio::{FlowDefinition, Picture, difference::Bounds};

/// Say what changed from one flow to another, widget by widget.
///
/// Compared is what the flows mean: the order of keys and of widgets, white space and places on the canvas do not count. A
/// widget that goes by another name is one change, however many others mention it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:

  git show main:flow.json | engage-operator flow diff - flow.json
  engage-operator flow diff old.json new.json --format svg > changes.svg

In the text the first column is + for added, - for removed and ! for changed, so that a block of it marked `diff` is coloured
in a comment. In a picture green is added, red and dashed removed, yellow changed, blue renamed.

Exit codes: 0 both mean the same; 1 they differ; 2 an error, such as a file that is no flow.")]
pub struct Diff {
    /// File with the old flow; `-` is standard input.
    old: PathBuf,

    /// File with the new flow; `-` is standard input.
    new: PathBuf,

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
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Mermaid,
    Svg,
    Json,
}

impl Diff {
    pub fn execute(self) -> anyhow::Result<()> {
        if self.old == Path::new("-") && self.new == Path::new("-") {
            return Err(Failure::Usage("only one of the two flows can come from standard input").into());
        }
        let (old, new) = (self.read(&self.old)?, self.read(&self.new)?);
        let difference = old.difference(&new);
        let picture = || Picture::of_changes(&old, &new, &difference, self.all);
        let shown = match self.format {
            Format::Text => difference.text(Bounds { lines: self.max_lines, ..Bounds::default() }),
            Format::Mermaid => picture().mermaid(),
            Format::Svg => picture().svg(),
            Format::Json => {
                serde_json::to_string_pretty(&difference).map_err(std::io::Error::from).map_err(Failure::Output)? + "\n"
            }
        };
        print(&shown)?;
        if difference.is_empty() { Ok(()) } else { Err(Failure::Different.into()) }
    }

    fn read(&self, path: &Path) -> Result<FlowDefinition, Failure> {
        Ok(source::read_one(path, self.name.as_deref())?.definition()?)
    }
}

//! `engage-operator flow diagram`: a flow as a picture.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Failure, print, source};
use crate::studio::Picture;

/// Draw a flow.
///
/// Every widget and every transition is in the picture: where a branch ends there is an end, a transition of a failure is
/// red, and a widget that no execution comes to is dashed. Transitions between the same two widgets are one arrow.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:

  engage-operator flow diagram studio/sample_flow.json > flow.svg
  engage-operator flow diagram flow.yaml --format dot | dot -Tpdf > flow.pdf

Exit codes: 0 drawn; 2 the flow could not be read.")]
pub struct Diagram {
    /// File with the flow; `-` is standard input.
    file: PathBuf,

    /// Of several StudioFlows in the file, the one of this name.
    #[arg(long)]
    name: Option<String>,

    /// How it is drawn. GitHub draws Mermaid in a comment, up to 500 arrows: a larger flow is cut there, and says so.
    #[arg(long, value_enum, default_value_t = Format::Svg)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Svg,
    Mermaid,
    Dot,
}

impl Diagram {
    pub fn execute(self) -> anyhow::Result<()> {
        let given = source::read_one(&self.file, self.name.as_deref()).map_err(Failure::Source)?;
        let picture = Picture::of(&given.definition().map_err(Failure::Source)?);
        let drawn = match self.format {
            Format::Svg => picture.svg(),
            Format::Mermaid => picture.mermaid(),
            Format::Dot => picture.dot(),
        };
        print(&drawn)
    }
}

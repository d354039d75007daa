//! `engage-operator flow`: what can be said of a flow from its files, one file for each sub-command.

mod lint;
mod source;

use clap::{Args, Subcommand};

/// Look at Studio flows: what is wrong with them.
///
/// A flow is given as the JSON of a Studio export, an answer of Studio's API, a Terraform file, state or plan that holds one, or a
/// StudioFlow manifest; `-` is standard input.
#[derive(Debug, Args)]
pub struct Flow {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Lint(lint::Lint),
}

impl Flow {
    pub fn execute(self) -> anyhow::Result<()> {
        match self.command {
            Command::Lint(lint) => lint.execute(),
        }
    }
}

/// A command that did not do what it was asked for, and the exit code that says so.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The flow was looked at, and is not as it should be: 1.
    #[error("{0}")]
    Found(String),
    /// The flow could not be looked at: 2.
    #[error(transparent)]
    Source(#[from] source::SourceError),
}

impl Failure {
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Found(_) => 1,
            Self::Source(_) => 2,
        }
    }
}

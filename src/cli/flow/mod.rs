//! `engage-operator flow`: what can be said of a flow from its files and of the one in the account, one file for each sub-command.

mod account;
mod compared;
mod diagram;
mod diff;
pub mod family;
pub mod lint;
mod pull;
pub mod source;

use std::io::Write;

use clap::{Args, Subcommand};

use crate::studio::lint::severities::SeverityError;

/// Look at Studio flows: what is wrong with them, how they look, what changed; and take them out of an account.
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
    Diagram(diagram::Diagram),
    Diff(diff::Diff),
    Lint(lint::Lint),
    Pull(pull::Pull),
}

impl Flow {
    pub fn execute(self) -> anyhow::Result<()> {
        match self.command {
            Command::Diagram(diagram) => diagram.execute(),
            Command::Diff(diff) => diff.execute(),
            Command::Lint(lint) => lint.execute(),
            Command::Pull(pull) => pull.execute(),
        }
    }
}

/// Prints what a command found. That nobody reads it to its end is the reader's business.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::Output(error).into()),
        _ => Ok(()),
    }
}

/// A command that did not do what it was asked for, and the exit code that says so.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The flow was looked at, and is not as it should be: 1.
    #[error("{0}")]
    Found(String),
    /// The two flows differ, and it was said how: 1.
    #[error("")]
    Different,
    /// The flow could not be looked at: 2.
    #[error(transparent)]
    Source(#[from] source::SourceError),
    /// A rule is to be taken in a way that there is not: 2. The first is where that is written.
    #[error("{0}: {1}")]
    Severity(String, #[source] SeverityError),
    /// The command line is wrong: 2.
    #[error("{0}")]
    Usage(&'static str),
    /// The account could not be asked, or lacks what is named: 2.
    #[error("{0}")]
    Account(String),
    /// What was found could not be written: 2.
    #[error("the output cannot be written: {0}")]
    Output(#[source] std::io::Error),
}

impl Failure {
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Found(_) | Self::Different => 1,
            Self::Source(_) | Self::Severity(..) | Self::Usage(_) | Self::Account(_) | Self::Output(_) => 2,
        }
    }
}

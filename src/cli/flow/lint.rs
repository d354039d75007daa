//! `engage-operator flow lint`.

use std::{io::Write, path::PathBuf};

use clap::Args;

use super::{Failure, source};

/// Say what is wrong with flows.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 nothing is wrong; 1 something is; 2 a flow could not be read.")]
pub struct Lint {
    /// Files with flows, or folders of them.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Lint {
    pub fn execute(self) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        let mut found = 0;
        for file in &self.files {
            for given in source::read(file).map_err(Failure::Source)? {
                let problems = given.definition().map_err(Failure::Source)?.problems();
                found += problems.len();
                for problem in problems {
                    writeln!(out, "{}: {problem}", given.place)?;
                }
            }
        }
        if found == 0 { Ok(()) } else { Err(Failure::Found(format!("{found} problems")).into()) }
    }
}

//! The program: reads the command line and does what it says.

use std::process::ExitCode;

use clap::Parser;
use engage_operator::cli::{Cli, exit_code};

fn main() -> ExitCode {
    // One TLS provider for everything that opens a connection; two would clash at run time. It fails only when one is set.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match Cli::parse().execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A command whose output was its answer has no message.
            let message = format!("{error:#}");
            if !message.is_empty() {
                eprintln!("error: {message}");
            }
            ExitCode::from(exit_code(&error))
        }
    }
}

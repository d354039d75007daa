//! The simulator as a program: serve, send events as Segment does, generate load.

mod cli;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match cli::Command::parse() {
        cli::Command::Serve(serve) => cli::serve::run(serve).await,
        cli::Command::Send(send) => cli::send::run(send).await,
        cli::Command::Load(load) => cli::load::run(load).await,
    };
    outcome.unwrap_or_else(|message| {
        eprintln!("engage-simulator: {message}");
        ExitCode::from(2)
    })
}

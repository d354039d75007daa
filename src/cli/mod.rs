//! The command line: one file for each sub-command.

mod controller;
mod crds;
mod deliveries;
mod flow;
mod gateway;
mod get;
mod logging;
mod preview;
mod run;
mod signals;
mod table;
mod upstream;

use clap::{Parser, Subcommand};

/// Segment events become WhatsApp conversations with agents in Twilio Flex.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 120)]
#[command(
    after_help = "Each flag can be given as an environment variable instead: --config-dir is ENGAGE_CONFIG_DIR.\n\
    Logging: ENGAGE_LOG (or RUST_LOG) takes a filter such as `info` or `engage_operator=debug`."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Controller(Box<controller::Controller>),
    Gateway(Box<gateway::Gateway>),
    Run(Box<run::Run>),
    Get(get::Get),
    Deliveries(Box<deliveries::Deliveries>),
    Preview(preview::Preview),
    Flow(flow::Flow),
    Crds(crds::Crds),
}

impl Cli {
    /// Does what the command line says.
    pub fn execute(self) -> anyhow::Result<()> {
        match self.command {
            Command::Controller(controller) => controller.execute(),
            Command::Gateway(gateway) => gateway.execute(),
            Command::Run(run) => run.execute(),
            Command::Get(get) => get.execute(),
            Command::Deliveries(deliveries) => deliveries.execute(),
            Command::Preview(preview) => preview.execute(),
            Command::Flow(flow) => flow.execute(),
            Command::Crds(crds) => crds.execute(),
        }
    }
}

/// The exit code of a command that failed: 1, or what its help says.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    let deliveries = error.downcast_ref::<deliveries::Failure>().map(deliveries::Failure::exit_code);
    let flow = error.downcast_ref::<flow::Failure>().map(flow::Failure::exit_code);
    deliveries.or(flow).unwrap_or(1)
}

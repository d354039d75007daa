//! The command line.

pub mod load;
pub mod send;
pub mod sending;
pub mod serve;

use clap::Parser;

const EXAMPLE: &str = "Try:
  engage-simulator serve --listen 127.0.0.1:4010 &
  curl -u AC00000000000000000000000000000001:demo-auth-token \\
    http://127.0.0.1:4010/twilio/messaging/v1/Services
  curl http://127.0.0.1:4010/_sim/state";

/// Twilio and Segment on loopback: stateful, strict, with faults on demand.
///
/// `serve` runs the simulator; `send` delivers events to a webhook the way Segment does; `load` does so in quantity and
/// measures.
#[derive(Debug, Parser)]
#[command(name = "engage-simulator", version)]
pub enum Command {
    /// Serve Twilio and Segment on one address.
    ///
    /// Prints one line with the addresses when it is ready.
    #[command(after_long_help = EXAMPLE)]
    Serve(serve::Serve),
    /// Send events to a webhook as Segment does: signed, batched, retried.
    ///
    /// Prints one JSON line per event with every attempt. Exit code 0 when all were delivered, 1 when one was dropped or
    /// given up.
    Send(send::Send),
    /// Send many different events and print the figures as JSON.
    Load(load::LoadCommand),
}

//! `engage-simulator load`.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use engage_simulator::segment::load::Load;

use super::sending::Sending;

/// Options of `load`.
#[derive(Debug, Args)]
pub struct LoadCommand {
    #[command(flatten)]
    sending: Sending,
    /// How many events
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    events: usize,
    /// Number of the first event; each number has its own customer
    #[arg(long, default_value_t = 0, value_name = "N")]
    first: usize,
    /// Name of the track events
    #[arg(long, default_value = "Lead Qualified")]
    event_name: String,
    /// Value of `context.personas.space_id`
    #[arg(long, default_value = "spa_demo")]
    space: String,
    /// Leave phone and traits out, so that the receiver has to look the profile up
    #[arg(long)]
    without_phone: bool,
    /// User ids to take in turn; without it every event has its own
    #[arg(long = "user", value_name = "ID")]
    users: Vec<String>,
    /// Start of every messageId; different for each run when absent
    #[arg(long)]
    run: Option<String>,
}

/// Generates the load and prints the figures. Exit code 1 when a request had no 2xx answer.
pub async fn run(command: LoadCommand) -> Result<ExitCode, String> {
    let unique = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let load = Load {
        concurrency: command.sending.concurrency,
        sender: command.sending.sender()?,
        events: command.events,
        first: command.first,
        event_name: command.event_name,
        space: command.space,
        phone_in_event: !command.without_phone,
        users: command.users,
        run: command.run.unwrap_or_else(|| format!("load-{}", unique())),
    };
    let report = load.run().await.map_err(|error| error.to_string())?;
    println!("{}", serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?);
    let is_good = report.statuses.keys().all(|status| status.starts_with('2'));
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

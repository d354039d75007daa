//! `engage-simulator send`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use engage_simulator::segment::events;
use engage_simulator::segment::sender::{Outcome, RetryPolicy};
use serde_json::Value;

use super::sending::Sending;

/// Options of `send`.
#[derive(Debug, Args)]
pub struct Send {
    #[command(flatten)]
    sending: Sending,
    /// Events: a JSON array, one object, or one object a line; `examples` and `edge-cases` are built in
    #[arg(long, value_name = "FILE")]
    events: PathBuf,
    /// Space of the built-in events
    #[arg(long, default_value = "spa_demo")]
    space: String,
    /// Seconds into which Segment's four hours of retries are pressed; 0 is one attempt
    #[arg(long, default_value_t = 14_400, value_name = "SECS")]
    retry_for: u64,
    /// How likely an event is sent twice, 0 to 1
    #[arg(long, default_value_t = 0.0)]
    duplicates: f64,
    /// Send in another order
    #[arg(long)]
    reorder: bool,
    /// Send one event per identifier in context.externalIds
    #[arg(long)]
    one_event_per_identifier: bool,
}

/// Sends, and prints what became of each event.
pub async fn run(send: Send) -> Result<ExitCode, String> {
    let mut sender = send.sending.sender()?;
    sender.retry = match send.retry_for {
        0 => RetryPolicy::never(),
        seconds => RetryPolicy::within(Duration::from_secs(seconds)),
    };
    sender.duplicates = send.duplicates;
    sender.reorder = send.reorder;
    sender.one_event_per_identifier = send.one_event_per_identifier;
    let events = read(&send)?;
    let deliveries = sender.send(&events).await.map_err(|error| error.to_string())?;
    for delivery in &deliveries {
        println!("{}", serde_json::to_string(delivery).map_err(|error| error.to_string())?);
    }
    let all_delivered = deliveries.iter().all(|delivery| delivery.outcome == Outcome::Delivered);
    Ok(if all_delivered { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn read(send: &Send) -> Result<Vec<Value>, String> {
    let named = |events: Vec<(&str, Value)>| events.into_iter().map(|(_, event)| event).collect();
    match send.events.to_str() {
        Some("examples") => return Ok(named(events::examples(&send.space))),
        Some("edge-cases") => return Ok(named(events::edge_cases(&send.space))),
        _ => {}
    }
    let file = send.events.display();
    let text = std::fs::read_to_string(&send.events).map_err(|error| format!("{file}: {error}"))?;
    let parsed: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(&text).into_iter().collect();
    let values = parsed.map_err(|error| format!("{file} is not JSON: {error}"))?;
    Ok(values.into_iter().flat_map(|value| if let Value::Array(items) = value { items } else { vec![value] }).collect())
}

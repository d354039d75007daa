//! What `send` and `load` have in common: where to, how signed, in which shape.

use std::time::Duration;

use clap::{Args, ValueEnum};
use engage_simulator::segment::sender::{Mode, Sender, Sign};

/// Where and how to send.
#[derive(Debug, Args)]
pub struct Sending {
    /// The webhook
    #[arg(long)]
    url: String,
    /// Shared secret for X-Signature; unsigned when absent
    #[arg(long)]
    secret: Option<String>,
    /// The destination to imitate
    #[arg(long, value_enum, default_value_t = Shape::Actions)]
    shape: Shape,
    /// Events in a request; 1 is unbatched
    #[arg(long, default_value_t = 1, value_name = "N")]
    batch_size: usize,
    /// What of a batch is signed
    #[arg(long, value_enum, default_value_t = Covers::First)]
    sign: Covers,
    /// A header of the mapping, `Name: value`; repeatable
    #[arg(long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    /// Seconds until a request is given up; 10, or 5 for classic, when absent
    #[arg(long, value_name = "SECS")]
    timeout: Option<u64>,
    /// Requests at a time
    #[arg(long, default_value_t = 8)]
    pub concurrency: usize,
    /// Seed of waits, order and duplicates
    #[arg(long, default_value_t = 1)]
    rng_seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// Webhooks (Actions)
    Actions,
    /// Extensible Webhook: batches are wrapped
    Extensible,
    /// Classic Webhooks: never batched
    Classic,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Covers {
    /// The first event, as Segment does today
    First,
    /// The whole body
    Whole,
    /// Nothing: no signature
    None,
}

impl Sending {
    /// The sender these options describe.
    pub fn sender(&self) -> Result<Sender, String> {
        let mode = match (self.shape, self.batch_size) {
            (Shape::Classic, 0 | 1) => Mode::Classic,
            (Shape::Classic, _) => return Err("classic webhooks are not batched: leave --batch-size out".to_owned()),
            (_, 0 | 1) => Mode::Single,
            (Shape::Actions, size) => Mode::Batched { size },
            (Shape::Extensible, size) => Mode::Wrapped { size },
        };
        let mut sender = Sender::new(&self.url, self.secret.clone().unwrap_or_default()).mode(mode);
        sender.sign = match (&self.secret, self.sign) {
            (None, _) | (_, Covers::None) => Sign::None,
            (_, Covers::First) => Sign::FirstElement,
            (_, Covers::Whole) => Sign::WholeBody,
        };
        for header in &self.headers {
            let (name, value) = header.split_once(':').ok_or_else(|| format!("'{header}' is not `Name: value`"))?;
            sender.headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        if let Some(seconds) = self.timeout {
            sender.timeout = Duration::from_secs(seconds);
        }
        sender.concurrency = self.concurrency;
        sender.rng_seed = self.rng_seed;
        Ok(sender)
    }
}

//! Segment's delivery to a webhook (segment.md 1): how it writes the request, signs it, batches, retries and gives up.
//! The wire format is documented; the exact retry intervals are not, so they are parameters.

mod body;
mod delivery;
mod report;

pub use body::{Outgoing, outgoing};
pub use report::{Attempt, Delivery, Outcome};

use std::time::Duration;

/// The destination that is imitated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Webhooks (Actions), one event a request.
    Single,
    /// Webhooks (Actions) with batching: a JSON array.
    Batched {
        /// Most events in a request.
        size: usize,
    },
    /// Extensible Webhook with batching: `[{"json": event}, …]`.
    Wrapped {
        /// Most events in a request.
        size: usize,
    },
    /// Classic Webhooks, one event a request, with its own user agent and a shorter time-out.
    Classic,
}

/// What `X-Signature` covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// The first event, as Segment signs today; without batching that is the whole body.
    FirstElement,
    /// The whole body, as proposed for batches.
    WholeBody,
    /// No header.
    None,
}

/// When to try again. All durations are Segment's; `time_scale` shortens them.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// Before the second attempt, on average.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// How long an event is retried in all; four hours at Segment.
    pub give_up: Duration,
    /// What a second of Segment's takes here, e.g. 0.001.
    pub time_scale: f64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(10),
            longest: Duration::from_mins(20),
            give_up: Duration::from_hours(4),
            time_scale: 1.0,
        }
    }
}

impl RetryPolicy {
    /// No second attempt.
    pub fn never() -> Self {
        Self { give_up: Duration::ZERO, ..Self::default() }
    }

    /// Segment's schedule with its four hours in this time.
    pub fn within(whole: Duration) -> Self {
        let policy = Self::default();
        Self { time_scale: whole.as_secs_f64() / policy.give_up.as_secs_f64(), ..policy }
    }

    /// The wait before attempt `number` (from 2): doubled each time, spread by half to one and a half.
    fn wait(&self, number: u32, spread: f64) -> Duration {
        let doubled = self.first.as_secs_f64() * 2_f64.powi(i32::try_from(number).unwrap_or(30).clamp(2, 30) - 2);
        let seconds = doubled.min(self.longest.as_secs_f64()) * (0.5 + spread);
        Duration::from_secs_f64(seconds * self.time_scale)
    }
}

/// A sender.
#[derive(Debug, Clone)]
pub struct Sender {
    /// Where to.
    pub url: String,
    /// Shared secret; the first one signs.
    pub secrets: Vec<String>,
    /// Which destination is imitated.
    pub mode: Mode,
    /// What is signed.
    pub sign: Sign,
    /// Headers of the mapping; they replace the default ones.
    pub headers: Vec<(String, String)>,
    /// Time until the socket is given up: 10 s, classic 5 s.
    pub timeout: Duration,
    /// When to try again.
    pub retry: RetryPolicy,
    /// How likely an event is sent once more after it was delivered.
    pub duplicates: f64,
    /// Send in another order.
    pub reorder: bool,
    /// Send one event per identifier of a type.
    pub one_event_per_identifier: bool,
    /// Requests at a time.
    pub concurrency: usize,
    /// Seed of waits, duplicates and order.
    pub rng_seed: u64,
}

impl Sender {
    /// Webhooks (Actions), unbatched, signed with this secret.
    pub fn new(url: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            secrets: vec![secret.into()],
            mode: Mode::Single,
            sign: Sign::FirstElement,
            headers: Vec::new(),
            timeout: Duration::from_secs(10),
            retry: RetryPolicy::default(),
            duplicates: 0.0,
            reorder: false,
            one_event_per_identifier: false,
            concurrency: 8,
            rng_seed: 1,
        }
    }

    /// Imitates another destination, with its time-out.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self.timeout = Duration::from_secs(if mode == Mode::Classic { 5 } else { 10 });
        self
    }

    /// With another retry policy.
    #[must_use]
    pub const fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }
}

/// Whether Segment tries again after this status (segment.md 1.7).
pub const fn is_retried(status: u16) -> bool {
    matches!(status, 408 | 423 | 429) || (status >= 500 && status != 501)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_retried_statuses_are_those_of_the_reference() {
        for status in [408, 423, 429, 500, 502, 503, 504, 505] {
            assert!(is_retried(status), "{status}");
        }
        for status in [200, 202, 207, 400, 401, 403, 404, 409, 410, 413, 422, 501] {
            assert!(!is_retried(status), "{status}");
        }
    }

    #[test]
    fn waits_double_and_are_capped() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.wait(2, 0.5), Duration::from_secs(10));
        assert_eq!(policy.wait(4, 0.5), Duration::from_secs(40));
        assert_eq!(policy.wait(40, 0.5), Duration::from_mins(20));
        assert_eq!(RetryPolicy::within(Duration::from_secs(4)).wait(2, 0.5).as_millis(), 2);
    }
}

//! What became of each event, attempt by attempt, in Segment's words.

use serde::Serialize;

use super::is_retried;

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// Status; absent when there was no answer.
    pub status: Option<u16>,
    /// Answer body.
    pub body: String,
    /// Why there was no answer.
    pub error: Option<String>,
    /// How long it took.
    pub elapsed_ms: u64,
}

/// The end of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Answered with 2xx.
    Delivered,
    /// Answered with a status that is not retried.
    Dropped,
    /// Retried until the time was over.
    GaveUp,
}

/// One event's way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// Its `messageId`.
    pub message_id: String,
    /// Every attempt, oldest first.
    pub attempts: Vec<Attempt>,
    /// How it ended.
    pub outcome: Outcome,
    /// `successes.attempt.N`, `errors.discarded.422`, `errors.awaiting-retry.5xx`, …
    pub label: String,
}

impl Attempt {
    /// Whether Segment would try again.
    pub const fn is_retried(&self) -> bool {
        match self.status {
            Some(status) => is_retried(status),
            None => true,
        }
    }

    fn is_success(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

impl Delivery {
    /// Judges the attempts of one event.
    pub fn of(message_id: String, attempts: Vec<Attempt>) -> Self {
        let last = attempts.last();
        let outcome = match last {
            Some(last) if last.is_success() => Outcome::Delivered,
            Some(last) if !last.is_retried() => Outcome::Dropped,
            _ => Outcome::GaveUp,
        };
        let label = match (outcome, last.and_then(|last| last.status)) {
            (Outcome::Delivered, _) => format!("successes.attempt.{}", attempts.len()),
            (Outcome::Dropped, status) => format!("errors.discarded.{}", status.unwrap_or_default()),
            (Outcome::GaveUp, Some(status @ 500..)) => format!("errors.awaiting-retry.{}xx", status / 100),
            (Outcome::GaveUp, Some(status)) => format!("errors.awaiting-retry.{status}"),
            (Outcome::GaveUp, None) => "errors.awaiting-retry.NETWORK".to_owned(),
        };
        Self { message_id, attempts, outcome, label }
    }
}

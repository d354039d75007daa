//! Where receipts are kept: beside the journal's entries, with what is waiting to leave for Segment and with what status
//! counts of each destination.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::{
    progress::{Receipt, Status},
    record::{Expected, Record},
};
use crate::delivery::journal::{JournalError, Key, UnixMillis};

/// Most announcements that wait at once. What finds no room is counted and not told.
pub const MAX_WAITING: u64 = 100_000;

/// What came of a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It says something that was not known; `told` is the status, if it is told for the first time.
    Advanced { told: Option<Status>, announced: Announced },
    /// It says nothing new.
    Repeated,
    /// No message of that event is expected, or not any more.
    Unknown,
}

/// Whether Segment will be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announced {
    /// It is not to be told.
    No,
    Yes,
    /// As many wait as may.
    NoRoom,
}

/// An event that waits to leave for Segment.
#[derive(Debug, Clone, PartialEq)]
pub struct Announcement {
    /// Its place among those of its destination.
    pub place: u64,
    pub since: UnixMillis,
    pub event: Value,
}

/// Keeps receipts, announcements and counts.
#[async_trait]
pub trait ReceiptStore: Send + Sync {
    /// A message of this event is about to be made. Not waited for: it is on disk no later than the start that follows.
    fn expect(&self, key: Key, expected: Expected, remember: Duration);

    /// Takes a receipt in. When it returns, what it says and the announcement that follows are both on disk, or neither.
    async fn take(&self, key: Key, receipt: Receipt) -> Result<Taken, JournalError>;

    /// A message that is known to have been made for this event.
    async fn message_of(&self, key: &Key) -> Result<Option<String>, JournalError>;

    /// What is kept of this event.
    async fn record(&self, key: &Key) -> Result<Option<Record>, JournalError>;

    /// Forgets records whose time is over, a bounded number at a time; gives how many.
    async fn forget_receipts(&self) -> Result<usize, JournalError>;

    /// The uids of the destinations for which announcements wait.
    async fn waiting_destinations(&self) -> Result<Vec<String>, JournalError>;

    /// The oldest announcements of a destination from `place` on.
    async fn waiting(&self, destination: &str, place: u64, most: usize) -> Result<Vec<Announcement>, JournalError>;

    /// Takes announcements out: they were told, or will not be.
    async fn told(&self, destination: &str, places: Vec<u64>) -> Result<(), JournalError>;

    /// How many announcements wait.
    async fn waiting_count(&self) -> Result<u64, JournalError>;

    /// What was counted of each destination, by its uid.
    async fn tallies(&self) -> Result<Vec<(String, Value)>, JournalError>;

    /// Keeps what was counted; `None` forgets it.
    async fn keep_tallies(&self, tallies: Vec<(String, Option<Value>)>) -> Result<(), JournalError>;
}

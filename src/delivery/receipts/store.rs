//! Where receipts are kept: beside the journal's entries, with the looks that are still to be taken, with what is waiting to
//! leave for Segment and with what status counts of each destination.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::{
    look::{Look, Then},
    progress::{Receipt, Status},
    record::{Expected, Record},
};
use crate::{
    delivery::journal::{JournalError, Key, UnixMillis},
    twilio::sid::ConversationMessageSid,
};

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

/// A look that is due.
#[derive(Debug, Clone, PartialEq)]
pub struct DueLook {
    pub key: Key,
    pub due: UnixMillis,
    /// At what; `None` when it has been forgotten.
    pub look: Option<Look>,
}

/// What a look has come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Looked {
    /// The message, where it was found.
    pub message: Option<ConversationMessageSid>,
    /// What was seen of it, in order.
    pub receipts: Vec<Receipt>,
    pub then: Then,
}

/// What came of a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookTaken {
    /// What came of each receipt.
    pub receipts: Vec<Taken>,
    /// Whether there is another look to come.
    pub goes_on: bool,
}

/// Keeps receipts, announcements and counts.
///
/// The looks at an event's opening message begin with its end: whoever keeps the journal's entries puts the first one in its
/// place together with the entry that says `sent`.
#[async_trait]
pub trait ReceiptStore: Send + Sync {
    /// A message of this event is about to be made. Not waited for: it is on disk no later than the start that follows.
    fn expect(&self, key: Key, expected: Expected, remember: Duration);

    /// Takes a receipt in. When it returns, what it says and the announcement that follows are both on disk, or neither.
    async fn take(&self, key: Key, receipt: Receipt) -> Result<Taken, JournalError>;

    /// The opening message of this event is this one. Not waited for: it is on disk no later than the end that follows.
    fn opened(&self, key: Key, message: ConversationMessageSid);

    /// The uids of the destinations of which messages are still to be looked at.
    async fn looking_destinations(&self) -> Result<Vec<String>, JournalError>;

    /// The looks of a destination that are due by `now`, the oldest first.
    async fn looks(&self, destination: &str, now: UnixMillis, most: usize) -> Result<Vec<DueLook>, JournalError>;

    /// Takes in what a look has come to. When it returns, what was seen, the announcements that follow and the next look are all
    /// on disk, or none of it.
    async fn looked(&self, key: Key, due: UnixMillis, looked: Looked) -> Result<LookTaken, JournalError>;

    /// How many messages are still to be looked at.
    async fn looks_count(&self) -> Result<u64, JournalError>;

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

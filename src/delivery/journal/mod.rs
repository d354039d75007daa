//! What became of each event, remembered so that a repetition is answered and never repeated.
//!
//! The rules are in [`machine`]; an engine stores entries and applies one operation at a time to each. `file` survives the
//! end of the process at any instruction, `memory` does not and has to be asked for.

pub mod by_hand;
pub mod enrollment;
pub mod file;
pub mod machine;
pub mod memory;
pub mod page;

use std::{
    fmt,
    path::PathBuf,
    str::FromStr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;

use crate::{
    delivery::{
        outcome::{Final, Reason},
        receipts::ReceiptStore,
    },
    segment::MessageId,
    twilio::conversations::ConversationMessage,
};
pub use by_hand::{Act, By};
pub use enrollment::{Enrolled, Enrollment};
pub use machine::{AfterAbsence, Attempt, Entry, Operation, Owner, Reply, State, Trace, UnixMillis};
pub use page::{Page, Query};

/// One event at one destination.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// `metadata.uid` of the destination: one that is deleted and made anew begins anew.
    pub destination: String,
    pub message_id: MessageId,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.destination, self.message_id)
    }
}

/// The journal could not do its part; the event is not acted on.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    #[error("the journal is full ({0} entries)")]
    Full(usize),
    #[error("the journal could not be written: {0}")]
    Failed(String),
    #[error("the journal's entry of this event cannot be read: {0}")]
    Unreadable(String),
    #[error("the journal {path} is in use by another process; one gateway at a time can have it")]
    Locked { path: String },
    #[error("the journal {path} could not be opened: {problem}")]
    Open { path: String, problem: String },
}

/// A store of entries in which each operation is one atomic compare-and-set.
#[async_trait]
pub trait Journal: Send + Sync + fmt::Debug {
    /// Applies `operation` to the entry of `key` by the rules of [`machine::apply`]. When it returns, a start or a finish is
    /// as durable as the engine makes anything.
    async fn apply(&self, key: Key, operation: Operation) -> Result<Reply, JournalError>;

    /// Enrols the event of `key`, which whoever asks has claimed, by the rules of [`enrollment::enroll`]. All of its places are
    /// taken or none.
    async fn enroll(&self, key: &Key, enrollment: Enrollment) -> Result<Enrolled, JournalError>;

    /// The entry of `key`, if there is one.
    async fn find(&self, key: &Key) -> Result<Option<Entry>, JournalError>;

    /// The event to which a message or conversation was attributed.
    async fn attributed_to(&self, sid: &str) -> Result<Option<Key>, JournalError>;

    /// The keys of all entries that have not ended.
    async fn unended(&self) -> Result<Vec<Key>, JournalError>;

    /// The newest entries that a query asks for. Reads as many as it has to, and holds no more than a page of them.
    async fn page(&self, query: Query) -> Result<Page, JournalError>;

    /// Forgets final entries whose time is over, a bounded number at a time; gives how many.
    async fn forget_expired(&self) -> Result<usize, JournalError>;

    /// Whether what it remembers survives the end of the process.
    fn is_durable(&self) -> bool;

    /// What is kept beside the entries of what became of messages.
    fn receipts(&self) -> &dyn ReceiptStore;
}

/// Which engine, as `--journal` says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalChoice {
    File(PathBuf),
    Memory,
}

/// A text that names no journal.
#[derive(Debug, thiserror::Error)]
#[error("write `memory` or `file:PATH`")]
pub struct JournalChoiceError;

impl FromStr for JournalChoice {
    type Err = JournalChoiceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None if text == "memory" => Ok(Self::Memory),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            _ => Err(JournalChoiceError),
        }
    }
}

impl JournalChoice {
    pub fn open(&self) -> Result<Arc<dyn Journal>, JournalError> {
        Ok(match self {
            Self::File(path) => Arc::new(file::FileJournal::open(path)?),
            Self::Memory => Arc::new(memory::MemoryJournal::new(memory::DEFAULT_CAPACITY)),
        })
    }
}

/// The time by the system's clock.
pub fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A claim on one event, in the hand of the only one who may act on it.
#[derive(Debug)]
pub struct Ticket {
    journal: Arc<dyn Journal>,
    key: Key,
    remember: Duration,
    attempts: u32,
}

/// What a claim came to.
#[derive(Debug)]
pub enum Claimed {
    Granted(Ticket),
    InFlight,
    Ended(Final),
}

/// Another owner has the event, or the journal failed.
#[derive(Debug, thiserror::Error)]
pub enum TicketError {
    #[error("the event is in other hands")]
    Lost,
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Ticket {
    /// Claims an event.
    pub async fn claim(
        journal: &Arc<dyn Journal>,
        key: Key,
        give_up: Duration,
        remember: Duration,
    ) -> Result<Claimed, JournalError> {
        Ok(match journal.apply(key.clone(), Operation::Claim { give_up }).await? {
            Reply::Done { attempts } => {
                Claimed::Granted(Self { journal: Arc::clone(journal), key, remember, attempts })
            }
            Reply::Ended(outcome) => Claimed::Ended(outcome),
            Reply::InFlight | Reply::Adopted(_) | Reply::Lost => Claimed::InFlight,
        })
    }

    /// Takes over the attempt of an owner that is gone, to find out what became of it.
    pub async fn adopt(
        journal: &Arc<dyn Journal>,
        key: Key,
        remember: Duration,
    ) -> Result<Option<(Self, Attempt)>, JournalError> {
        let attempts = journal.find(&key).await?.map_or(0, |entry| entry.attempts);
        Ok(match journal.apply(key.clone(), Operation::Adopt).await? {
            Reply::Adopted(attempt) => Some((Self { journal: Arc::clone(journal), key, remember, attempts }, attempt)),
            _ => None,
        })
    }

    pub const fn key(&self) -> &Key {
        &self.key
    }

    pub fn journal(&self) -> &Arc<dyn Journal> {
        &self.journal
    }

    /// Attempts started so far, by anyone.
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Records an attempt, immediately before its first byte. Only after this returns may anything leave.
    pub async fn start(&mut self, attempt: Attempt) -> Result<(), TicketError> {
        self.attempts = self.done(Operation::Start { attempt }).await?;
        Ok(())
    }

    /// Notes the event's opening message, so that it need not be searched for to learn what becomes of it.
    pub fn opened(&self, message: &ConversationMessage) {
        if let Ok(sid) = message.sid.parse() {
            self.journal.receipts().opened(self.key.clone(), sid);
        }
    }

    /// Gives the event back: it had no effect, and may be repeated.
    pub async fn release(self, reason: Reason) -> Result<(), TicketError> {
        self.done(Operation::Release { reason }).await.map(drop)
    }

    /// Records the end of the event.
    pub async fn finish(self, outcome: Final) -> Result<(), TicketError> {
        let remember = self.remember;
        self.done(Operation::Finish { outcome, remember }).await.map(drop)
    }

    async fn done(&self, operation: Operation) -> Result<u32, TicketError> {
        match self.journal.apply(self.key.clone(), operation).await? {
            Reply::Done { attempts } => Ok(attempts),
            _ => Err(TicketError::Lost),
        }
    }
}

#[cfg(test)]
mod tests;

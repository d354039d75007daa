//! The journal as a person on call reads it and decides about it: what is parked, what waits, why, and what to do next.
//!
//! [`list`] and [`show`](Desk::show) read, [`decide`] changes; each works on a journal in a file that no process has, and on
//! that of a running gateway, which can do more ([`live`]). No event is in the journal and no number leaves it whole, so
//! nothing that is shown here holds personal data.

mod decide;
mod list;
mod live;
mod next;
mod show;

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

pub use decide::{As, GIVE_UP, Resolve, Retried, Retry};
pub use list::{List, Listed, MAX_LIMIT, Row};
pub use show::{Shown, When};

use crate::{
    api::ObjectKey,
    delivery::{
        journal::{Entry, Journal, JournalError, Key},
        tally::Tally,
    },
    segment::MessageId,
};

/// How a destination is called whose name is not known any more: by its uid.
const UID: &str = "uid:";

/// One event at one destination, as a person names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Address {
    /// `namespace/name`, or `uid:…`.
    pub destination: String,
    pub message_id: String,
}

/// Why nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// The request makes no sense.
    Invalid,
    UnknownDestination,
    UnknownEvent,
    /// The event is not in a state in which this is done.
    NotAllowed,
    /// It may double a message: to be asked for again by somebody who has said that they know.
    NotConfirmed,
    /// It cannot be done just now.
    Unavailable,
    /// Who asks may not.
    Forbidden,
}

/// What was not done, and what to do instead.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq, Serialize, Deserialize)]
#[error("{detail}")]
pub struct Refusal {
    pub reason: Why,
    pub detail: String,
}

impl Refusal {
    pub fn new(reason: Why, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

impl From<JournalError> for Refusal {
    fn from(error: JournalError) -> Self {
        Self::new(Why::Unavailable, error.to_string())
    }
}

/// The names of destinations, whose uids the journal has.
#[derive(Debug, Clone, Default)]
pub struct Names(BTreeMap<String, ObjectKey>);

impl Names {
    pub fn of(names: impl IntoIterator<Item = (String, ObjectKey)>) -> Self {
        Self(names.into_iter().collect())
    }

    /// As far as the journal knows them: what is counted beside it has both.
    pub async fn counted(journal: &dyn Journal) -> Result<Self, JournalError> {
        let tallies = journal.receipts().tallies().await?;
        let read = tallies.into_iter().filter_map(|(_, tally)| serde_json::from_value::<Tally>(tally).ok());
        Ok(Self::of(read.filter_map(|tally| Some((tally.uid?, tally.destination)))))
    }

    /// Adds those of `others` whose uid has no name here.
    #[must_use]
    pub fn or(mut self, others: Self) -> Self {
        for (uid, name) in others.0 {
            self.0.entry(uid).or_insert(name);
        }
        self
    }

    fn name(&self, uid: &str) -> String {
        self.0.get(uid).map_or_else(|| format!("{UID}{uid}"), ToString::to_string)
    }

    fn uids_in(&self, namespace: &str) -> Vec<String> {
        self.0.iter().filter(|(_, name)| name.namespace == namespace).map(|(uid, _)| uid.clone()).collect()
    }

    fn uid(&self, destination: &str) -> Result<String, Refusal> {
        if let Some(uid) = destination.strip_prefix(UID) {
            return Ok(uid.to_owned());
        }
        if destination.split('/').filter(|part| !part.is_empty()).count() != 2 {
            let detail =
                format!("`{destination}` is no destination: write NAMESPACE/NAME, or uid:UID as `list` prints it");
            return Err(Refusal::new(Why::Invalid, detail));
        }
        let known = self.0.iter().find(|(_, name)| name.to_string() == destination);
        known.map(|(uid, _)| uid.clone()).ok_or_else(|| {
            let detail = format!(
                "there is no EngageDestination `{destination}` here; entries of one that was deleted are listed as uid:…"
            );
            Refusal::new(Why::UnknownDestination, detail)
        })
    }
}

/// A journal, and what its destinations are called.
#[derive(Debug, Clone)]
pub struct Desk {
    pub(super) journal: Arc<dyn Journal>,
    names: Names,
}

impl Desk {
    pub fn new(journal: Arc<dyn Journal>, names: Names) -> Self {
        Self { journal, names }
    }

    async fn find(&self, address: &Address) -> Result<(Key, Entry), Refusal> {
        let Address { destination, message_id } = address;
        let invalid = |error| Refusal::new(Why::Invalid, format!("message id `{message_id}`: {error}"));
        let key = Key {
            destination: self.names.uid(destination)?,
            message_id: MessageId::parse(message_id).map_err(invalid)?,
        };
        let entry = self.journal.find(&key).await?.filter(|entry| !entry.is_forgotten(crate::delivery::journal::now()));
        let entry = entry.ok_or_else(|| {
            let detail = format!(
                "{destination} has no event {message_id} on record: it never came, it ended longer ago than \
                 delivery.dedupeWindow, or it was suppressed without a record; a repetition of it is a new event"
            );
            Refusal::new(Why::UnknownEvent, detail)
        })?;
        Ok((key, entry))
    }
}

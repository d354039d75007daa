//! Reading the journal as a person does: some entries of many, the newest first, a page at a time.
//!
//! What always holds: a page costs the memory of a page, however many entries are looked at; pages that follow each other by
//! [`Query::before`] show no entry twice, and miss none that was there all the time.

use std::{cmp::Reverse, collections::BTreeSet, collections::BinaryHeap, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Entry, Key, State, UnixMillis};
use crate::delivery::outcome::Final;

/// Where an event stands, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It waits to be repeated.
    Open,
    /// It is worked on, and nothing has left.
    Claimed,
    /// An attempt is under way, or being looked for.
    Started,
    Sent,
    Suppressed,
    /// Another event of the same entry was acted on.
    Duplicate,
    Rejected,
    /// It is parked: a person has to decide.
    Unknown,
}

impl Standing {
    pub const ALL: [Self; 8] = [
        Self::Open,
        Self::Claimed,
        Self::Started,
        Self::Sent,
        Self::Suppressed,
        Self::Duplicate,
        Self::Rejected,
        Self::Unknown,
    ];

    pub const fn of(state: &State) -> Self {
        match state {
            State::Open { .. } => Self::Open,
            State::Claimed { .. } => Self::Claimed,
            State::Started { .. } => Self::Started,
            State::Final { outcome: Final::Sent { .. } } => Self::Sent,
            State::Final { outcome: Final::Suppressed { .. } } => Self::Suppressed,
            State::Final { outcome: Final::Duplicate { .. } } => Self::Duplicate,
            State::Final { outcome: Final::Rejected { .. } } => Self::Rejected,
            State::Final { outcome: Final::Unknown { .. } } => Self::Unknown,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Claimed => "claimed",
            Self::Started => "started",
            Self::Sent => "sent",
            Self::Suppressed => "suppressed",
            Self::Duplicate => "duplicate",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
        }
    }

    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Sent | Self::Suppressed | Self::Duplicate | Self::Rejected | Self::Unknown)
    }
}

/// A word that is no standing.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is none of open, claimed, started, sent, suppressed, duplicate, rejected, unknown")]
pub struct StandingError(String);

impl FromStr for Standing {
    type Err = StandingError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|standing| standing.as_str() == word).ok_or_else(|| StandingError(word.to_owned()))
    }
}

/// The place of an entry in the order in which entries are shown.
pub type Place = (UnixMillis, Key);

/// Which entries are wanted.
#[derive(Debug, Clone)]
pub struct Query {
    /// Uids of destinations; all when there are none.
    pub destinations: Option<BTreeSet<String>>,
    pub standings: BTreeSet<Standing>,
    /// Words of reasons; any when there are none.
    pub reasons: BTreeSet<String>,
    /// First seen at this time or later.
    pub since: Option<UnixMillis>,
    /// After this place in the order: what a page before has shown.
    pub before: Option<Place>,
    pub most: usize,
}

impl Query {
    pub fn only_unended(&self) -> bool {
        !self.standings.iter().any(|standing| standing.has_ended())
    }

    fn wants(&self, key: &Key, entry: &Entry) -> bool {
        let reason = match &entry.state {
            State::Open { reason } => Some(reason),
            State::Final { outcome } => outcome.reason(),
            State::Claimed { .. } | State::Started { .. } => None,
        };
        self.standings.contains(&Standing::of(&entry.state))
            && self.since.is_none_or(|since| entry.first_seen >= since)
            && (self.reasons.is_empty() || reason.is_some_and(|reason| self.reasons.contains(&reason.word)))
            && self.destinations.as_ref().is_none_or(|uids| uids.contains(&key.destination))
            && self.before.as_ref().is_none_or(|(at, before)| (entry.first_seen, key) < (*at, before))
    }
}

/// Entries, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub entries: Vec<(Key, Entry)>,
    /// Whether others come after these.
    pub more: bool,
}

/// Keeps the newest of the entries that it is shown.
pub(super) struct Newest {
    query: Query,
    now: UnixMillis,
    /// The oldest of those kept is on top.
    kept: BinaryHeap<Reverse<Kept>>,
    more: bool,
}

struct Kept(Place, Entry);

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Kept {}

impl PartialOrd for Kept {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Kept {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl Newest {
    pub fn of(query: Query, now: UnixMillis) -> Self {
        Self { query, now, kept: BinaryHeap::new(), more: false }
    }

    pub fn take(&mut self, key: &Key, entry: &Entry) {
        if entry.is_forgotten(self.now) || !self.query.wants(key, entry) {
            return;
        }
        self.kept.push(Reverse(Kept((entry.first_seen, key.clone()), entry.clone())));
        if self.kept.len() > self.query.most {
            self.kept.pop();
            self.more = true;
        }
    }

    pub fn page(self) -> Page {
        let entries = self.kept.into_sorted_vec().into_iter().map(|Reverse(Kept((_, key), entry))| (key, entry));
        Page { entries: entries.collect(), more: self.more }
    }
}

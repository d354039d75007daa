//! One entry of a customer into an audience or a step of a journey, of which Segment may send several events, each with an id
//! of its own. Whichever is enrolled first is acted on; the others wait for it and follow from what it comes to.
//!
//! What always holds: of the events of one entry at most one is past its enrolment with something of it under way or sent;
//! one that came to nothing holds nobody back.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::{
    UnixMillis,
    machine::{Asker, Entry, State},
};
use crate::{delivery::outcome::Final, segment::MessageId};

/// A customer and what they entered, as a digest: nobody can be read from it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EnrollmentKey(pub [u8; 20]);

impl fmt::Debug for EnrollmentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl Serialize for EnrollmentKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

impl<'de> Deserialize<'de> for EnrollmentKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut key = [0; 20];
        hex::decode_to_slice(text, &mut key).map_err(D::Error::custom)?;
        Ok(Self(key))
    }
}

/// Where an event is enrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    pub key: EnrollmentKey,
    pub at: UnixMillis,
}

/// The entry that an event tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrollment {
    /// By each of these the customer is known.
    pub keys: Vec<EnrollmentKey>,
    /// When it took place; the same for every event where the entry has an id of its own.
    pub at: UnixMillis,
    /// Events of one customer that lie nearer to each other than this tell of one entry.
    pub cool_down: Duration,
}

impl Enrollment {
    pub fn places(&self) -> impl Iterator<Item = Place> {
        self.keys.iter().map(|key| Place { key: *key, at: self.at })
    }

    /// The moments at which an event under the same key is of the same entry.
    pub fn moments(&self) -> std::ops::RangeInclusive<UnixMillis> {
        let reach = i64::try_from(self.cool_down.as_millis()).unwrap_or(i64::MAX).saturating_sub(1).max(0);
        self.at.saturating_sub(reach)..=self.at.saturating_add(reach)
    }
}

/// What an enrolment came to. `E` names an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enrolled<E = MessageId> {
    /// The event is the one that is acted on.
    Held,
    /// Another event of the same entry is under way.
    Busy(E),
    /// Another event of the same entry was acted on, with this outcome.
    Ended { by: E, outcome: Final },
}

/// Decides over an event, `others` being what is enrolled for the same entry.
pub fn enroll<'a, E>(others: impl IntoIterator<Item = (E, &'a Entry)>, asker: Asker<'_>) -> Enrolled<E> {
    let mut enrolled = Enrolled::Held;
    for (other, entry) in others {
        match (&entry.state, &enrolled) {
            (State::Final { outcome: Final::Sent { .. } | Final::Unknown { .. } }, _) if entry.expires <= asker.now => {
            }
            (State::Final { outcome: outcome @ (Final::Sent { .. } | Final::Unknown { .. }) }, _) => {
                return Enrolled::Ended { by: other, outcome: outcome.clone() };
            }
            (_, Enrolled::Held) if !has_nothing_out(entry, asker) => enrolled = Enrolled::Busy(other),
            _ => {}
        }
    }
    enrolled
}

/// Whether nothing of an event has left, and nothing will before it is enrolled again.
fn has_nothing_out(entry: &Entry, asker: Asker<'_>) -> bool {
    match &entry.state {
        State::Final { .. } => true,
        State::Open { .. } => entry.attempts == 0,
        State::Claimed { owner } => entry.attempts == 0 && owner != asker.owner && asker.alone,
        State::Started { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::{journal::Owner, outcome::Reason};

    fn entry(state: State, attempts: u32) -> Entry {
        Entry {
            state,
            first_seen: 0,
            attempts,
            expires: 1_000,
            parked: None,
            by_hand: Vec::new(),
            enrolled: Vec::new(),
        }
    }

    fn open(attempts: u32) -> Entry {
        entry(State::Open { reason: Reason::new("Throttled", "") }, attempts)
    }

    fn ended(outcome: Final) -> Entry {
        entry(State::Final { outcome }, 1)
    }

    fn sent() -> Final {
        Final::Sent { sid: "SM1".into() }
    }

    fn over(others: &[Entry], now: UnixMillis) -> Enrolled<usize> {
        let owner = Owner("me".into());
        enroll(others.iter().enumerate(), Asker { owner: &owner, now, alone: true })
    }

    #[test]
    fn what_was_acted_on_ends_the_others_and_what_came_to_nothing_does_not() {
        let (reason, unknown) = (Reason::new("X", ""), Final::Unknown { reason: Reason::new("X", "") });
        assert_eq!(over(&[], 0), Enrolled::Held);
        assert_eq!(over(&[ended(sent())], 0), Enrolled::Ended { by: 0, outcome: sent() });
        assert_eq!(over(&[ended(unknown.clone())], 0), Enrolled::Ended { by: 0, outcome: unknown });
        for outcome in [
            Final::Rejected { reason: reason.clone() },
            Final::Suppressed { reason: reason.clone() },
            Final::Duplicate { reason },
        ] {
            assert_eq!(over(&[ended(outcome)], 0), Enrolled::Held);
        }
        // Forgotten, only not yet taken away.
        assert_eq!(over(&[ended(sent())], 1_000), Enrolled::Held);
    }

    #[test]
    fn what_is_under_way_is_waited_for_and_what_nobody_works_on_is_not() {
        let claimed = |by: &str, attempts| entry(State::Claimed { owner: Owner(by.into()) }, attempts);
        assert_eq!(over(&[claimed("me", 0)], 0), Enrolled::Busy(0));
        assert_eq!(over(&[claimed("gone", 0)], 0), Enrolled::Held);
        assert_eq!(over(&[claimed("gone", 1)], 0), Enrolled::Busy(0));
        assert_eq!(over(&[open(0)], 0), Enrolled::Held);
        // It may have left a conversation half-made, and goes on with it.
        assert_eq!(over(&[open(1)], 0), Enrolled::Busy(0));
        assert_eq!(over(&[open(1), ended(sent())], 0), Enrolled::Ended { by: 1, outcome: sent() });
    }

    #[test]
    fn moments_nearer_than_the_cool_down_are_one_entry() {
        let at = |seconds| Enrollment { keys: Vec::new(), at: 100_000, cool_down: Duration::from_secs(seconds) };
        assert_eq!(at(60).moments(), 40_001..=159_999);
        assert_eq!(at(0).moments(), 100_000..=100_000);
    }

    #[test]
    fn a_key_is_written_and_read() {
        let key = EnrollmentKey([7; 20]);
        assert_eq!(serde_json::from_value::<EnrollmentKey>(serde_json::to_value(key).unwrap()).unwrap(), key);
        assert!(serde_json::from_value::<EnrollmentKey>("07".into()).is_err());
    }
}

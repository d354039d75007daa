//! What became of the events and messages of each destination, summed up for its status. It is kept in memory, written beside
//! the journal now and then, and goes on from there after a restart. It names no person.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    api::{
        ObjectKey,
        engage_destination::{DeliveriesStatus, LastFailure},
    },
    delivery::{
        journal::{JournalError, now},
        outcome::{Final, Outcome, Reason},
        receipts::{ReceiptStore, Status},
    },
};

/// Longest detail of a failure that is shown, in characters.
const MAX_DETAIL: usize = 256;

/// The sums of one destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub destination: ObjectKey,
    /// `metadata.uid` of the destination, as soon as it is known: one that is deleted and made anew begins anew.
    #[serde(default)]
    pub uid: Option<String>,
    pub deliveries: DeliveriesStatus,
}

/// Whether a destination is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    There {
        uid: String,
    },
    /// It may be: it cannot be read just now.
    Unclear,
    Gone,
}

/// The sums of all destinations.
#[derive(Debug, Default)]
pub struct Tallies(Mutex<Sums>);

#[derive(Debug)]
struct Sums {
    by_key: BTreeMap<ObjectKey, Sum>,
    run: uuid::Uuid,
    /// Grows with every change.
    changes: u64,
}

impl Default for Sums {
    fn default() -> Self {
        Self { by_key: BTreeMap::new(), run: uuid::Uuid::new_v4(), changes: 0 }
    }
}

impl Sums {
    fn version(&self) -> String {
        format!("{}-{}", self.run, self.changes)
    }
}

#[derive(Debug)]
struct Sum {
    tally: Tally,
    /// Not written beside the journal yet.
    changed: bool,
}

impl Tallies {
    /// Each change is made in place and cannot fail half-way.
    fn lock(&self) -> MutexGuard<'_, Sums> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, destination: &ObjectKey, change: impl FnOnce(&mut DeliveriesStatus) -> bool) {
        let mut sums = self.lock();
        // The key of a destination that is known is not copied: this is on the way of every event.
        if !sums.by_key.contains_key(destination) {
            let deliveries = DeliveriesStatus { since: time(), ..DeliveriesStatus::default() };
            let tally = Tally { destination: destination.clone(), uid: None, deliveries };
            sums.by_key.insert(destination.clone(), Sum { tally, changed: true });
        }
        if let Some(sum) = sums.by_key.get_mut(destination)
            && change(&mut sum.tally.deliveries)
        {
            sum.changed = true;
            sums.changes += 1;
        }
    }

    /// An event was answered, or came to its end afterwards.
    pub fn outcome(&self, destination: &ObjectKey, outcome: &Outcome) {
        self.change(destination, |deliveries| {
            *deliveries.outcomes.entry(outcome.kind().as_str().to_owned()).or_default() += 1;
            match outcome {
                Outcome::Retry(_) => drop(deliveries.refused_since.get_or_insert_with(time)),
                Outcome::Final(_) | Outcome::Duplicate(_) => deliveries.refused_since = None,
            }
            if let Outcome::Final(Final::Rejected { reason } | Final::Unknown { reason }) = outcome {
                deliveries.last_failure = Some(failure(reason));
            }
            true
        });
    }

    /// A request was refused because its destination is not served.
    pub fn refused(&self, destination: &ObjectKey) {
        self.change(destination, |deliveries| {
            let is_new = deliveries.refused_since.is_none();
            deliveries.refused_since.get_or_insert_with(time);
            is_new
        });
    }

    /// Twilio has told of a message for the first time that it is in this status; `failed` says why it failed.
    pub fn message(&self, destination: &ObjectKey, status: Status, failed: Option<&Reason>) {
        self.change(destination, |deliveries| {
            *deliveries.messages.entry(status.as_str().to_owned()).or_default() += 1;
            if let Some(reason) = failed {
                deliveries.last_failure = Some(failure(reason));
            }
            true
        });
    }

    /// Another after each change, and in each run.
    pub fn version(&self) -> String {
        self.lock().version()
    }

    /// The sums as they are, and their version.
    pub fn all(&self) -> (String, Vec<Tally>) {
        let sums = self.lock();
        (sums.version(), sums.by_key.values().map(|sum| sum.tally.clone()).collect())
    }

    /// Goes on from what an earlier run has kept.
    pub async fn restore(&self, store: &dyn ReceiptStore) -> Result<(), JournalError> {
        for (_, kept) in store.tallies().await? {
            // What another version has written otherwise is begun anew.
            let Ok(tally) = serde_json::from_value::<Tally>(kept) else { continue };
            self.lock().by_key.entry(tally.destination.clone()).or_insert(Sum { tally, changed: false });
        }
        Ok(())
    }

    /// Writes what has changed, and forgets destinations that are gone.
    pub async fn keep(
        &self,
        store: &dyn ReceiptStore,
        presence: impl Fn(&ObjectKey) -> Presence,
    ) -> Result<(), JournalError> {
        let mut rows = Vec::new();
        {
            let mut sums = self.lock();
            let before = sums.by_key.len();
            sums.by_key.retain(|key, Sum { tally, changed }| {
                let stays = match presence(key) {
                    Presence::There { uid } => {
                        let same = tally.uid.as_ref().is_none_or(|known| *known == uid);
                        tally.uid = Some(uid);
                        same
                    }
                    Presence::Unclear => true,
                    Presence::Gone => false,
                };
                if !stays {
                    rows.push((key.to_string(), None));
                } else if std::mem::take(changed) {
                    rows.extend(serde_json::to_value(&*tally).ok().map(|tally| (key.to_string(), Some(tally))));
                }
                stays
            });
            sums.changes += u64::from(sums.by_key.len() != before);
        }
        if rows.is_empty() { Ok(()) } else { store.keep_tallies(rows).await }
    }
}

fn failure(Reason { word, detail }: &Reason) -> LastFailure {
    LastFailure { reason: word.clone(), at: time(), detail: detail.chars().take(MAX_DETAIL).collect() }
}

/// Now, to the second.
fn time() -> String {
    let now = Timestamp::from_second(now() / 1_000).unwrap_or_default();
    now.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::receipts::MemoryReceipts;

    fn key() -> ObjectKey {
        ObjectKey::new("ns", "welcome")
    }

    fn only(tallies: &Tallies) -> DeliveriesStatus {
        let (_, mut read) = tallies.all();
        assert_eq!(read.len(), 1);
        read.remove(0).deliveries
    }

    #[test]
    fn events_are_refused_from_the_first_one_that_is_until_one_is_taken() {
        let tallies = Tallies::default();
        tallies.refused(&key());
        let version = tallies.version();
        assert!(only(&tallies).refused_since.is_some());
        tallies.refused(&key());
        assert_eq!(tallies.version(), version, "nothing has changed");
        tallies.outcome(&key(), &Outcome::suppressed("TooOld", ""));
        assert_eq!(only(&tallies).refused_since, None);
        tallies.outcome(&key(), &Outcome::retry("Throttled", ""));
        assert!(only(&tallies).refused_since.is_some());
        assert_eq!(only(&tallies).last_failure, None);
    }

    #[tokio::test]
    async fn the_sums_go_on_after_a_restart_and_end_with_their_destination() {
        let (store, tallies) = (MemoryReceipts::new(10), Tallies::default());
        tallies.outcome(&key(), &Outcome::rejected("NoPhone", "none"));
        tallies.message(&key(), Status::Failed, Some(&Reason::new("OutsideWindow", "code 63016")));
        tallies.keep(&store, |_| Presence::There { uid: "u".into() }).await.unwrap();
        let again = Tallies::default();
        again.restore(&store).await.unwrap();
        assert_eq!(again.all().1, tallies.all().1);
        assert_eq!(only(&again).last_failure.unwrap().reason, "OutsideWindow");
        again.outcome(&key(), &Outcome::rejected("NoPhone", "none"));
        assert_eq!(only(&again).outcomes["rejected"], 2);
        again.keep(&store, |_| Presence::Unclear).await.unwrap();
        assert_eq!(only(&again).outcomes["rejected"], 2);
        again.keep(&store, |_| Presence::There { uid: "another".into() }).await.unwrap();
        assert!(again.all().1.is_empty() && store.tallies().await.unwrap().is_empty());
    }
}

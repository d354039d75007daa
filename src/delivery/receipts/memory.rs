//! Receipts in memory: bounded, and forgotten when the process ends.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use serde_json::Value;

use super::{
    progress::Receipt,
    record::{Expected, Record},
    store::{Announced, Announcement, MAX_WAITING, ReceiptStore, Taken},
};
use crate::delivery::journal::{JournalError, Key, UnixMillis, machine::after, now};

/// Receipts of one process.
#[derive(Debug)]
pub struct MemoryReceipts {
    capacity: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    records: HashMap<Key, Record>,
    next: u64,
    waiting: BTreeMap<(String, u64), (UnixMillis, Value)>,
    tallies: BTreeMap<String, Value>,
}

impl MemoryReceipts {
    /// At most `capacity` events are known; the messages of further ones are not followed.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, kept: Mutex::default() }
    }

    /// Each change is complete before the lock is given back, a panic included: nothing in between can fail.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ReceiptStore for MemoryReceipts {
    fn expect(&self, key: Key, expected: Expected, remember: Duration) {
        let mut kept = self.lock();
        if kept.records.len() < self.capacity || kept.records.contains_key(&key) {
            let before = kept.records.remove(&key);
            kept.records.insert(key, Record::expecting(before, expected, after(now(), remember)));
        }
    }

    async fn take(&self, key: Key, receipt: Receipt) -> Result<Taken, JournalError> {
        let mut kept = self.lock();
        let at = now();
        let Some(record) = kept.records.get_mut(&key).filter(|record| record.expires > at) else {
            return Ok(Taken::Unknown);
        };
        let Some(change) = record.take(&key, &receipt, at) else { return Ok(Taken::Repeated) };
        let announced = match change.announcement {
            None => Announced::No,
            Some(_) if kept.waiting.len() as u64 >= MAX_WAITING => Announced::NoRoom,
            Some(event) => {
                kept.next += 1;
                let place = (key.destination, kept.next);
                kept.waiting.insert(place, (at, event));
                Announced::Yes
            }
        };
        Ok(Taken::Advanced { told: change.told, announced })
    }

    async fn message_of(&self, key: &Key) -> Result<Option<String>, JournalError> {
        Ok(self.lock().records.get(key).and_then(|record| record.messages.keys().next().cloned()))
    }

    async fn record(&self, key: &Key) -> Result<Option<Record>, JournalError> {
        Ok(self.lock().records.get(key).cloned())
    }

    async fn forget_receipts(&self) -> Result<usize, JournalError> {
        let mut kept = self.lock();
        let (at, before) = (now(), kept.records.len());
        kept.records.retain(|_, record| record.expires > at);
        Ok(before - kept.records.len())
    }

    async fn waiting_destinations(&self) -> Result<Vec<String>, JournalError> {
        let mut destinations: Vec<String> = self.lock().waiting.keys().map(|(uid, _)| uid.clone()).collect();
        destinations.dedup();
        Ok(destinations)
    }

    async fn waiting(&self, destination: &str, place: u64, most: usize) -> Result<Vec<Announcement>, JournalError> {
        let kept = self.lock();
        let range = (destination.to_owned(), place)..=(destination.to_owned(), u64::MAX);
        let rows = kept.waiting.range(range).take(most);
        Ok(rows
            .map(|((_, place), (since, event))| Announcement { place: *place, since: *since, event: event.clone() })
            .collect())
    }

    async fn told(&self, destination: &str, places: Vec<u64>) -> Result<(), JournalError> {
        let mut kept = self.lock();
        for place in places {
            kept.waiting.remove(&(destination.to_owned(), place));
        }
        Ok(())
    }

    async fn waiting_count(&self) -> Result<u64, JournalError> {
        Ok(self.lock().waiting.len() as u64)
    }

    async fn tallies(&self) -> Result<Vec<(String, Value)>, JournalError> {
        Ok(self.lock().tallies.clone().into_iter().collect())
    }

    async fn keep_tallies(&self, tallies: Vec<(String, Option<Value>)>) -> Result<(), JournalError> {
        let mut kept = self.lock();
        for (uid, tally) in tallies {
            match tally {
                Some(tally) => drop(kept.tallies.insert(uid, tally)),
                None => drop(kept.tallies.remove(&uid)),
            }
        }
        Ok(())
    }
}

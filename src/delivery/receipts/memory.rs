//! Receipts in memory: bounded, and forgotten when the process ends.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use serde_json::Value;

use super::{
    progress::Receipt,
    record::{Expected, Record},
    store::{Announced, Announcement, DueLook, LookTaken, Looked, MAX_WAITING, ReceiptStore, Taken},
};
use crate::{
    delivery::journal::{JournalError, Key, UnixMillis, machine::after, now},
    segment::MessageId,
    twilio::sid::ConversationMessageSid,
};

/// Receipts of one process.
#[derive(Debug)]
pub struct MemoryReceipts {
    capacity: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    records: HashMap<Key, Record>,
    /// By destination, when they are due, and event.
    looks: BTreeSet<(String, UnixMillis, Option<MessageId>)>,
    next: u64,
    waiting: BTreeMap<(String, u64), (UnixMillis, Value)>,
    tallies: BTreeMap<String, Value>,
}

impl MemoryReceipts {
    /// At most `capacity` events are known; the messages of further ones are not followed.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, kept: Mutex::default() }
    }

    /// An event has ended as sent: the first look at its message is put in its place.
    pub fn sent(&self, key: &Key, sid: &str) {
        let Ok(conversation) = sid.parse() else { return };
        let mut kept = self.lock();
        let at = now();
        let Some(record) = kept.records.get_mut(key).filter(|record| record.expires > at) else { return };
        if let Some(due) = record.sent(conversation, at) {
            kept.looks.insert(place(key, due));
        }
    }

    /// Each change is complete before the lock is given back, a panic included: nothing in between can fail.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(key: &Key, due: UnixMillis) -> (String, UnixMillis, Option<MessageId>) {
    (key.destination.clone(), due, Some(key.message_id.clone()))
}

impl Kept {
    fn take(&mut self, key: &Key, receipt: &Receipt, at: UnixMillis) -> Taken {
        let Some(record) = self.records.get_mut(key).filter(|record| record.expires > at) else {
            return Taken::Unknown;
        };
        let Some(change) = record.take(key, receipt, at) else { return Taken::Repeated };
        let announced = match change.announcement {
            None => Announced::No,
            Some(_) if self.waiting.len() as u64 >= MAX_WAITING => Announced::NoRoom,
            Some(event) => {
                self.next += 1;
                self.waiting.insert((key.destination.clone(), self.next), (at, event));
                Announced::Yes
            }
        };
        Taken::Advanced { told: change.told, announced }
    }
}

#[async_trait]
impl ReceiptStore for MemoryReceipts {
    fn expect(&self, key: Key, expected: Expected, remember: Duration) {
        let mut kept = self.lock();
        if kept.records.len() < self.capacity || kept.records.contains_key(&key) {
            let before = kept.records.remove(&key);
            if let Some(look) = before.as_ref().and_then(|before| before.look.as_ref()) {
                kept.looks.remove(&place(&key, look.due));
            }
            kept.records.insert(key, Record::expecting(before, expected, after(now(), remember)));
        }
    }

    async fn take(&self, key: Key, receipt: Receipt) -> Result<Taken, JournalError> {
        Ok(self.lock().take(&key, &receipt, now()))
    }

    fn opened(&self, key: Key, message: ConversationMessageSid) {
        if let Some(record) = self.lock().records.get_mut(&key) {
            record.opening = Some(message);
        }
    }

    async fn looking_destinations(&self) -> Result<Vec<String>, JournalError> {
        let kept = self.lock();
        let mut destinations: Vec<String> = Vec::new();
        loop {
            // From one destination to the next, however many looks it has.
            let from = destinations.last().map_or_else(String::new, |last| format!("{last}\0"));
            let Some((uid, _, _)) = kept.looks.range((from, UnixMillis::MIN, None)..).next() else {
                return Ok(destinations);
            };
            destinations.push(uid.clone());
        }
    }

    async fn looks(&self, destination: &str, now: UnixMillis, most: usize) -> Result<Vec<DueLook>, JournalError> {
        let kept = self.lock();
        let at = |due| (destination.to_owned(), due, None);
        let due = kept.looks.range(at(UnixMillis::MIN)..at(now.saturating_add(1))).take(most);
        let look_of = |key: &Key, due| {
            let record = kept.records.get(key).filter(|record| record.expires > now)?;
            record.look.clone().filter(|look| look.due == due)
        };
        let found = due.filter_map(|(uid, due, message_id)| {
            let key = Key { destination: uid.clone(), message_id: message_id.clone()? };
            let look = look_of(&key, *due);
            Some(DueLook { key, due: *due, look })
        });
        Ok(found.collect())
    }

    async fn looked(&self, key: Key, due: UnixMillis, looked: Looked) -> Result<LookTaken, JournalError> {
        let mut kept = self.lock();
        let at = now();
        let receipts = looked.receipts.iter().map(|receipt| kept.take(&key, receipt, at)).collect();
        let record = kept.records.get_mut(&key).filter(|record| record.expires > at);
        let next = record.and_then(|record| record.looked(due, looked.message, looked.then, at));
        kept.looks.remove(&place(&key, due));
        if let Some(next) = next {
            kept.looks.insert(place(&key, next));
        }
        Ok(LookTaken { receipts, goes_on: next.is_some() })
    }

    async fn looks_count(&self) -> Result<u64, JournalError> {
        Ok(self.lock().looks.len() as u64)
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

//! A journal in memory: for tests and throw-away demos. It is bounded, and forgets everything when the process ends.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use super::{
    Enrolled, Enrollment, Entry, Journal, JournalError, Key, Operation, Owner, Page, Query, Reply, State,
    enrollment::{self, Place},
    machine::{self, Asker},
    now,
    page::Newest,
};
use crate::delivery::receipts::{MemoryReceipts, ReceiptStore};

/// Entries held when nothing else is said: about 100 MB.
pub const DEFAULT_CAPACITY: usize = 200_000;

/// A bounded map of entries.
#[derive(Debug)]
pub struct MemoryJournal {
    receipts: MemoryReceipts,
    owner: Owner,
    capacity: usize,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    by_key: HashMap<Key, Entry>,
    by_sid: HashMap<String, Key>,
    /// Each event of an entry has a place of its own beside the others.
    enrolled: BTreeMap<Place, Vec<Key>>,
}

impl MemoryJournal {
    pub fn new(capacity: usize) -> Self {
        Self {
            receipts: MemoryReceipts::new(capacity),
            owner: Owner(uuid::Uuid::new_v4().to_string()),
            capacity,
            entries: Mutex::default(),
        }
    }

    /// A panic while the lock was held cannot leave an entry half changed: each change is one insert.
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn forget_expired(&mut self) -> usize {
        let now = now();
        let before = self.by_key.len();
        self.by_key.retain(|_, entry| !(matches!(entry.state, State::Final { .. }) && entry.expires <= now));
        let by_key = &self.by_key;
        self.by_sid.retain(|_, key| by_key.contains_key(key));
        self.enrolled.retain(|_, keys| {
            keys.retain(|key| by_key.contains_key(key));
            !keys.is_empty()
        });
        before - self.by_key.len()
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn apply(&self, key: Key, operation: Operation) -> Result<Reply, JournalError> {
        let mut entries = self.lock();
        if entries.by_key.len() >= self.capacity && !entries.by_key.contains_key(&key) && entries.forget_expired() == 0
        {
            return Err(JournalError::Full(self.capacity));
        }
        let asker = Asker { owner: &self.owner, now: now(), alone: true };
        let (changed, reply) = machine::apply(entries.by_key.get(&key), &operation, asker);
        if let Some(entry) = changed {
            if let State::Final { outcome } = &entry.state
                && let Some(sid) = outcome.sid()
            {
                entries.by_sid.insert(sid.to_owned(), key.clone());
                self.receipts.sent(&key, sid);
            }
            entries.by_key.insert(key, entry);
        }
        Ok(reply)
    }

    async fn enroll(&self, key: &Key, enrollment: Enrollment) -> Result<Enrolled, JournalError> {
        let mut entries = self.lock();
        let moments = enrollment.moments();
        let rows = enrollment.keys.iter().flat_map(|key| {
            let at = |at| Place { key: *key, at };
            entries.enrolled.range(at(*moments.start())..=at(*moments.end()))
        });
        let others = rows.flat_map(|(_, holders)| holders).filter(|holder| *holder != key);
        let others = others.filter_map(|holder| Some((holder.message_id.clone(), entries.by_key.get(holder)?)));
        let reply = enrollment::enroll(others, Asker { owner: &self.owner, now: now(), alone: true });
        if reply == Enrolled::Held {
            for place in enrollment.places() {
                let holders = entries.enrolled.entry(place).or_default();
                if !holders.contains(key) {
                    holders.push(key.clone());
                }
            }
        }
        Ok(reply)
    }

    async fn find(&self, key: &Key) -> Result<Option<Entry>, JournalError> {
        Ok(self.lock().by_key.get(key).cloned())
    }

    async fn attributed_to(&self, sid: &str) -> Result<Option<Key>, JournalError> {
        Ok(self.lock().by_sid.get(sid).cloned())
    }

    async fn unended(&self) -> Result<Vec<Key>, JournalError> {
        let entries = self.lock();
        let unended = entries.by_key.iter().filter(|(_, entry)| !matches!(entry.state, State::Final { .. }));
        Ok(unended.map(|(key, _)| key.clone()).collect())
    }

    async fn page(&self, query: Query) -> Result<Page, JournalError> {
        let mut newest = Newest::of(query, now());
        for (key, entry) in &self.lock().by_key {
            newest.take(key, entry);
        }
        Ok(newest.page())
    }

    async fn forget_expired(&self) -> Result<usize, JournalError> {
        Ok(self.lock().forget_expired())
    }

    fn is_durable(&self) -> bool {
        false
    }

    fn receipts(&self) -> &dyn ReceiptStore {
        &self.receipts
    }
}

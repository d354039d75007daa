//! The request log: what was asked and what became of it, newest last, bounded so that a load test does not fill the
//! memory. The proof that a product did (or did not) call something.

use std::collections::VecDeque;
use std::sync::Mutex;

use serde::Serialize;
use serde_json::Value;

use crate::form::Pairs;
use crate::lock::lock;

/// One request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LogEntry {
    /// Number of the request, from 1; never reused before a reset.
    pub seq: u64,
    /// When it arrived, milliseconds since the epoch.
    pub time_ms: i64,
    /// `api`, `conversations`, … `profiles`, `tracking`; empty for an unknown path.
    pub product: &'static str,
    /// Row of the tables, e.g. `messages.create`; `None` when nothing matched.
    pub operation: Option<&'static str>,
    /// HTTP method.
    pub method: String,
    /// Path below the product, as received.
    pub path: String,
    /// Decoded query parameters, in order.
    pub query: Pairs,
    /// Decoded form parameters, in order.
    pub form: Pairs,
    /// JSON body.
    pub json: Option<Value>,
    /// User name of the Basic credential: account SID, API key SID, or Segment token.
    pub credential: Option<String>,
    /// `X-Twilio-Webhook-Enabled: true` was sent.
    pub webhook_enabled: bool,
    /// Status of the answer; `None` when the connection was closed without one.
    pub status: Option<u16>,
    /// Twilio's error code in the answer.
    pub code: Option<u32>,
    /// Fault rules that applied, joined with `+`.
    pub fault: Option<String>,
    /// SID of what was created or changed.
    pub effect: Option<String>,
}

impl LogEntry {
    /// A request to a path where nothing is simulated.
    pub fn stray(time_ms: i64, method: &str, path: &str) -> Self {
        Self {
            seq: 0,
            time_ms,
            product: "",
            operation: None,
            method: method.to_owned(),
            path: path.to_owned(),
            query: Pairs::new(),
            form: Pairs::new(),
            json: None,
            credential: None,
            webhook_enabled: false,
            status: Some(404),
            code: None,
            fault: None,
            effect: None,
        }
    }

    /// A form parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        crate::form::first(&self.form, name)
    }

    /// A query parameter.
    pub fn query(&self, name: &str) -> Option<&str> {
        crate::form::first(&self.query, name)
    }
}

/// The bounded log.
#[derive(Debug)]
pub struct RequestLog {
    capacity: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    last: u64,
    entries: VecDeque<LogEntry>,
}

impl RequestLog {
    /// An empty log that keeps the newest `capacity` requests.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, inner: Mutex::default() }
    }

    /// Adds an entry and gives it its number.
    pub fn push(&self, mut entry: LogEntry) -> u64 {
        let mut inner = lock(&self.inner);
        inner.last += 1;
        entry.seq = inner.last;
        let dropped = if inner.entries.len() >= self.capacity { inner.entries.pop_front() } else { None };
        if self.capacity > 0 {
            inner.entries.push_back(entry);
        }
        let seq = inner.last;
        drop(inner);
        drop(dropped);
        seq
    }

    /// Notes an effect that came after the entry was written.
    pub fn set_effect(&self, seq: u64, effect: Option<String>) {
        let mut inner = lock(&self.inner);
        if let Some(entry) = inner.entries.iter_mut().rev().find(|entry| entry.seq == seq) {
            entry.effect = effect;
        }
    }

    /// Entries after number `since`, oldest first.
    pub fn since(&self, since: u64) -> Vec<LogEntry> {
        lock(&self.inner).entries.iter().filter(|entry| entry.seq > since).cloned().collect()
    }

    /// Forgets the entries; numbering goes on.
    pub fn clear(&self) {
        lock(&self.inner).entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entries_are_forgotten_first() {
        let log = RequestLog::new(2);
        for path in ["/a", "/b", "/c"] {
            log.push(LogEntry::stray(0, "GET", path));
        }
        let kept: Vec<_> = log.since(0).into_iter().map(|entry| (entry.seq, entry.path)).collect();
        assert_eq!(kept, [(2, "/b".to_owned()), (3, "/c".to_owned())]);
        assert_eq!(log.since(2).len(), 1);
    }
}

//! Status callbacks (twilio.md 2.5): signed forms, from the second status on, best effort. A callback URL's fragment
//! overrides how often and on what it is retried (`#rc=3&rp=5xx`); by default once, and only when connecting failed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Serialize;

use crate::lock::lock;
use crate::twilio::signature::{request_url, sign};
use crate::world::World;

/// One callback as it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallbackRecord {
    /// What it was about: `SM…` or `CH…`.
    pub sid: String,
    /// `MessageStatus` or `EventType`.
    pub status: String,
    /// Where it went, as configured.
    pub url: String,
    /// What was answered last; `None` when nothing was.
    pub answered: Option<u16>,
    /// How often it was tried.
    pub attempts: u32,
}

/// The callbacks sent so far, bounded.
#[derive(Debug)]
pub struct CallbackLog {
    capacity: usize,
    records: Mutex<VecDeque<CallbackRecord>>,
}

impl CallbackLog {
    /// An empty log.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, records: Mutex::default() }
    }

    /// All records, oldest first.
    pub fn all(&self) -> Vec<CallbackRecord> {
        lock(&self.records).iter().cloned().collect()
    }

    /// Forgets all.
    pub fn clear(&self) {
        lock(&self.records).clear();
    }

    fn push(&self, record: CallbackRecord) {
        let mut records = lock(&self.records);
        if records.len() >= self.capacity {
            records.pop_front();
        }
        records.push_back(record);
    }
}

/// How often a callback is repeated, and on what: words of `rp`.
#[derive(Debug, PartialEq, Eq)]
struct RetryPolicy {
    retries: u32,
    on: Vec<String>,
}

impl RetryPolicy {
    fn of_url(url: &str) -> Self {
        let mut policy = Self { retries: 1, on: vec!["ct".to_owned()] };
        let fragment = url.split_once('#').map_or("", |(_, fragment)| fragment);
        for (name, value) in fragment.split('&').filter_map(|piece| piece.split_once('=')) {
            match name {
                "rc" => policy.retries = value.parse().unwrap_or(1).min(5),
                "rp" => policy.on = value.split(',').map(str::to_owned).collect(),
                _ => {}
            }
        }
        policy
    }

    fn repeats(&self, outcome: &Result<u16, reqwest::Error>) -> bool {
        let word = match outcome {
            Ok(400..500) => "4xx",
            Ok(500..) => "5xx",
            Ok(_) => return false,
            Err(error) if error.is_connect() => "ct",
            Err(_) => "rt",
        };
        self.on.iter().any(|one| one == word || one == "all")
    }
}

/// Sends one callback and records it. Returns the status answered last.
pub async fn send(
    world: &Arc<World>,
    sid: &str,
    status: &str,
    url: &str,
    parameters: Vec<(String, String)>,
) -> Option<u16> {
    let token = world.account().seed.auth_tokens.first().cloned().unwrap_or_default();
    let target = request_url(url);
    let signature = sign(&token, &target, &parameters);
    let policy = RetryPolicy::of_url(url);
    let mut attempts = 0;
    let answered = loop {
        attempts += 1;
        let mut request = world.http.post(&target).header("X-Twilio-Signature", &signature).form(&parameters);
        if attempts > 1 {
            request = request.header("I-Twilio-Idempotency-Token", world.sids.make(""));
        }
        let outcome = request.send().await.map(|answer| answer.status().as_u16());
        if attempts > policy.retries || !policy.repeats(&outcome) {
            break outcome.ok();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let record =
        CallbackRecord { sid: sid.to_owned(), status: status.to_owned(), url: url.to_owned(), answered, attempts };
    world.callbacks.push(record);
    answered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fragment_overrides_the_retries() {
        let default = RetryPolicy::of_url("https://example.com/cb");
        assert_eq!(default, RetryPolicy { retries: 1, on: vec!["ct".to_owned()] });
        let all = RetryPolicy::of_url("https://example.com/cb#rp=all&rc=9");
        assert!(all.retries == 5 && all.repeats(&Ok(404)) && all.repeats(&Ok(503)) && !all.repeats(&Ok(200)));
        assert!(RetryPolicy::of_url("https://example.com/cb#rp=5xx").repeats(&Ok(503)));
        assert!(!RetryPolicy::of_url("https://example.com/cb").repeats(&Ok(503)));
    }
}

//! Requests per second, counted in a sliding window of one second per key (a space, a conversation).

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use crate::clock::Millis;
use crate::lock::lock;

/// A limiter; `None` means no limit.
#[derive(Debug)]
pub struct RateLimit {
    per_second: Option<u32>,
    recent: Mutex<HashMap<String, VecDeque<Millis>>>,
}

impl RateLimit {
    /// A limiter of this many requests a second for each key.
    pub fn new(per_second: Option<u32>) -> Self {
        Self { per_second, recent: Mutex::default() }
    }

    /// Whether one more request is within the limit.
    pub fn admit(&self, key: &str, now: Millis) -> bool {
        let Some(limit) = self.per_second else { return true };
        let mut recent = lock(&self.recent);
        let window = recent.entry(key.to_owned()).or_default();
        while window.front().is_some_and(|at| now - at >= 1000) {
            window.pop_front();
        }
        let admitted = window.len() < limit as usize;
        if admitted {
            window.push_back(now);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_later_there_is_room_again() {
        let limit = RateLimit::new(Some(2));
        assert!(limit.admit("a", 0) && limit.admit("a", 1));
        assert!(!limit.admit("a", 2));
        assert!(limit.admit("b", 2));
        assert!(limit.admit("a", 1000));
    }
}

//! Twilio identifiers: two letters and 32 lower-case hexadecimal digits (twilio.md 8), made from the seed and a
//! counter so that a run can be repeated.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::rng::mix;

/// Makes SIDs.
#[derive(Debug)]
pub struct Sids {
    seed: u64,
    counter: AtomicU64,
}

impl Sids {
    /// A maker whose output depends on `seed` and on how many were made before.
    pub const fn new(seed: u64) -> Self {
        Self { seed, counter: AtomicU64::new(0) }
    }

    /// The next SID with this prefix.
    pub fn make(&self, prefix: &str) -> String {
        let count = self.counter.fetch_add(1, Ordering::Relaxed);
        let high = mix(self.seed ^ mix(count));
        let low = mix(high ^ self.seed);
        format!("{prefix}{high:016x}{low:016x}")
    }

    /// Starts again, so that a reset simulator repeats itself.
    pub fn restart(&self) {
        self.counter.store(0, Ordering::Relaxed);
    }
}

/// Whether `text` is a SID with this prefix: `^XX[0-9a-fA-F]{32}$`.
pub fn is_sid(text: &str, prefix: &str) -> bool {
    text.len() == 34
        && text.strip_prefix(prefix).is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sids_are_well_formed_distinct_and_repeatable() {
        let first = Sids::new(3);
        let made: Vec<String> = (0..100).map(|_| first.make("SM")).collect();
        assert!(made.iter().all(|sid| is_sid(sid, "SM") && *sid == format!("SM{}", sid[2..].to_lowercase())));
        assert_eq!(made.iter().collect::<std::collections::HashSet<_>>().len(), 100);
        first.restart();
        assert_eq!(first.make("SM"), made[0]);
    }

    #[test]
    fn is_sid_checks_prefix_length_and_digits() {
        assert!(is_sid("FW00000000000000000000000000000001", "FW"));
        assert!(!is_sid("FW00000000000000000000000000000001", "MG"));
        assert!(!is_sid("FW0000000000000000000000000000001", "FW"));
        assert!(!is_sid("FW0000000000000000000000000000000z", "FW"));
    }
}

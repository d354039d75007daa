//! How fast things leave: a bucket for each sender, and a pause for each account that Twilio has told to slow down.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use rand::Rng;

use crate::twilio::sid::AccountSid;

/// Longest wait for a turn. Whoever would wait longer is sent back to Segment, which waits better.
const MAX_WAIT: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// The turn would not come in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

/// Buckets and pauses of this process.
#[derive(Debug, Default)]
pub struct Pacer {
    state: Mutex<Paces>,
}

#[derive(Debug, Default)]
struct Paces {
    /// By account, sender and rate: destinations that share a sender and want one rate share it.
    senders: HashMap<(AccountSid, String, u32), Arc<DefaultDirectRateLimiter>>,
    pauses: HashMap<AccountSid, Pause>,
}

/// A pause that doubles while Twilio goes on refusing.
#[derive(Debug, Clone, Copy)]
struct Pause {
    until: Instant,
    next: Duration,
}

impl Pacer {
    fn lock(&self) -> MutexGuard<'_, Paces> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn of one send from `sender` at `rate` a second.
    pub async fn turn(&self, account: &AccountSid, sender: &str, rate: u32) -> Result<(), TooLong> {
        let pause = self.lock().pauses.get(account).map(|pause| pause.until.saturating_duration_since(Instant::now()));
        match pause {
            Some(pause) if pause > MAX_WAIT => return Err(TooLong),
            Some(pause) => tokio::time::sleep(pause).await,
            None => {}
        }
        let bucket = self.bucket(account, sender, rate);
        tokio::time::timeout(MAX_WAIT, bucket.until_ready()).await.map_err(|_| TooLong)
    }

    /// Twilio has refused a request of this account for coming too soon.
    pub fn throttled(&self, account: &AccountSid, retry_after: Option<Duration>) {
        let mut paces = self.lock();
        let now = Instant::now();
        let pause = paces.pauses.entry(account.clone()).or_insert(Pause { until: now, next: FIRST_PAUSE });
        let own = pause.next.mul_f64(rand::rng().random_range(0.8..1.2));
        pause.until = pause.until.max(now + retry_after.unwrap_or(own).min(MAX_PAUSE));
        pause.next = (pause.next * 2).min(MAX_PAUSE);
    }

    /// Twilio has taken a request of this account.
    pub fn accepted(&self, account: &AccountSid) {
        self.lock().pauses.remove(account);
    }

    fn bucket(&self, account: &AccountSid, sender: &str, rate: u32) -> Arc<DefaultDirectRateLimiter> {
        let mut paces = self.lock();
        let bucket = paces.senders.entry((account.clone(), sender.to_owned(), rate)).or_insert_with(|| {
            // No burst: the rate holds in any second, not only on average.
            let per_second = NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN);
            Arc::new(RateLimiter::direct(Quota::per_second(per_second).allow_burst(NonZeroU32::MIN)))
        });
        Arc::clone(bucket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> AccountSid {
        format!("AC{}", "0".repeat(32)).parse().unwrap()
    }

    #[tokio::test]
    async fn a_sender_leaves_no_faster_than_its_rate() {
        let pacer = Pacer::default();
        let begin = Instant::now();
        for _ in 0..6 {
            pacer.turn(&account(), "MG1", 50).await.unwrap();
        }
        assert!(begin.elapsed() >= Duration::from_millis(95), "{:?}", begin.elapsed());
    }

    #[tokio::test]
    async fn an_account_that_is_told_to_wait_waits_or_is_sent_back() {
        let pacer = Pacer::default();
        pacer.throttled(&account(), Some(Duration::from_secs(20)));
        assert_eq!(pacer.turn(&account(), "MG1", 50).await, Err(TooLong));
        pacer.accepted(&account());
        assert_eq!(pacer.turn(&account(), "MG1", 50).await, Ok(()));
    }
}

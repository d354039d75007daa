//! How fast things leave: a row of turns for each sender, and a pause for each account that Twilio has told to slow down.
//!
//! A turn is a moment, given out in the order of asking. Whoever wakes late for it is late by itself: the turns of the others
//! stand, so the rate is reached even by a process that gets little of its processor.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rand::Rng;

use crate::twilio::sid::AccountSid;

/// Longest wait for a turn. Whoever would wait longer is sent back to Segment, which waits better.
const MAX_WAIT: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// The turn would not come in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

/// Turns and pauses of this process.
#[derive(Debug, Default)]
pub struct Pacer {
    state: Mutex<Paces>,
}

#[derive(Debug, Default)]
struct Paces {
    /// The next free turn, by account, sender and rate: destinations that share a sender and want one rate share its turns.
    senders: HashMap<(AccountSid, String, u32), Instant>,
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
        let turn = self.take(account, sender, rate, Instant::now())?;
        tokio::time::sleep_until(turn.into()).await;
        Ok(())
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

    /// Takes the next free turn, unless it is too far off. Turns that nobody took are gone: the rate holds in any second, not
    /// only on average.
    fn take(&self, account: &AccountSid, sender: &str, rate: u32, now: Instant) -> Result<Instant, TooLong> {
        let mut paces = self.lock();
        let free = paces.senders.entry((account.clone(), sender.to_owned(), rate)).or_insert(now);
        let turn = (*free).max(now);
        if turn.duration_since(now) > MAX_WAIT {
            return Err(TooLong);
        }
        *free = turn + Duration::from_secs(1) / rate.max(1);
        Ok(turn)
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

    #[test]
    fn turns_are_given_out_one_interval_after_the_other_and_those_not_taken_are_gone() {
        let (pacer, account, now) = (Pacer::default(), account(), Instant::now());
        let at = |milliseconds| now + Duration::from_millis(milliseconds);
        for turn in [0, 20, 40] {
            assert_eq!(pacer.take(&account, "MG1", 50, at(10)), Ok(at(10 + turn)));
        }
        assert_eq!(pacer.take(&account, "MG2", 50, at(10)), Ok(at(10)));
        // Three seconds in which nobody asked do not let anything leave faster.
        assert_eq!(pacer.take(&account, "MG1", 50, at(3_000)), Ok(at(3_000)));
        assert_eq!(pacer.take(&account, "MG1", 50, at(3_000)), Ok(at(3_020)));
    }

    #[test]
    fn who_would_wait_too_long_is_sent_back_at_once_and_takes_no_turn() {
        let (pacer, account, now) = (Pacer::default(), account(), Instant::now());
        let taken = (0..100).filter(|_| pacer.take(&account, "MG1", 10, now).is_ok()).count();
        assert_eq!(taken, 51, "five seconds of turns, and the first");
        assert!(pacer.take(&account, "MG1", 10, now + Duration::from_millis(100)).is_ok());
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

//! How fast things leave for Twilio. Each thing that has a rate is a lane: a row of turns, and a queue of those who wait for one.
//!
//! What always holds: a [`Turn`] is waited for before anything is started, and in no second do more leave by a lane than its
//! rate. Who would wait too long is told so at once, since Segment waits better.

mod lane;
mod row;
#[cfg(test)]
mod row_tests;
mod slowdown;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rand::Rng;

use crate::twilio::sid::AccountSid;
use lane::{Lane, Place};
use slowdown::{Pace, Slowdown};

/// Conversations that Twilio lets one Conversations service make and delete in a second,
/// <https://www.twilio.com/docs/conversations/conversations-limits>.
pub const CONVERSATIONS_A_SECOND: u32 = 30;

/// Longest wait for a turn that is begun.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// After this even a wait that promised to be short is over.
const PATIENCE: Duration = Duration::from_secs(10);
/// Number of lanes from which those that nobody uses are forgotten.
const MANY_LANES: usize = 256;

/// The turn would not come in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

/// The lanes of this process, and the accounts that Twilio has told to slow down.
#[derive(Debug, Default)]
pub struct Pacer {
    lanes: Mutex<HashMap<Name, Arc<Lane>>>,
    slowed: Mutex<HashMap<AccountSid, Slowdown>>,
}

/// What has a rate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Name {
    /// The destinations that send from one sender at one rate.
    Destinations(AccountSid, String, u32),
    /// A sender. Its rate is the highest of its destinations.
    Sender(AccountSid, String),
    /// The account's Conversations service, for making and deleting.
    Conversations(AccountSid),
}

/// The right to let one request leave, to be held until it does: dropping it is the departure.
#[derive(Debug)]
#[must_use = "dropping a turn is the departure"]
pub struct Turn {
    lanes: Vec<Arc<Lane>>,
    /// A conversation may be made or deleted by it.
    pub of_conversations: bool,
}

impl Drop for Turn {
    fn drop(&mut self) {
        for lane in &self.lanes {
            lane.leave();
        }
    }
}

impl Pacer {
    /// Waits for the turn of one message from `sender`, of which its destination wants `rate` a second at most.
    pub async fn message(&self, account: &AccountSid, sender: &str, rate: u32) -> Result<Turn, TooLong> {
        self.turn(account, &lanes_of(account, sender, rate), false).await
    }

    /// Waits for the turn of one conversation, to be made and opened from `sender`.
    pub async fn conversation(&self, account: &AccountSid, sender: &str, rate: u32) -> Result<Turn, TooLong> {
        let [destinations, sender] = lanes_of(account, sender, rate);
        self.turn(account, &[destinations, sender, conversations(account)], true).await
    }

    /// Waits until one more conversation of the account may be made or deleted.
    pub async fn change_of_conversations(&self, account: &AccountSid) -> Result<Turn, TooLong> {
        self.turn(account, &[conversations(account)], true).await
    }

    /// Whether a message from `sender`, or a conversation, would have to wait too long, were it to queue up now.
    pub fn is_full(&self, account: &AccountSid, sender: &str, rate: u32, of_conversations: bool) -> bool {
        let now = Instant::now();
        let pace = self.pace(account, now);
        let [destinations, sender] = lanes_of(account, sender, rate);
        let names = [Some(destinations), Some(sender), of_conversations.then(|| conversations(account))];
        let mut names = names.into_iter().flatten();
        names.any(|(name, rate)| self.lane(&name, now).lock().expected(rate, pace, now) - now > MAX_WAIT)
    }

    /// Twilio has refused a request of this account for coming too soon.
    pub fn throttled(&self, account: &AccountSid, retry_after: Option<Duration>) {
        let (now, stretch) = (Instant::now(), rand::rng().random_range(0.0..1.0));
        let mut slowed = lock(&self.slowed);
        slowed.retain(|_, slowdown| !slowdown.is_over(now));
        let slowdown = match slowed.get(account) {
            Some(slowdown) => slowdown.again(retry_after, stretch, now),
            None => Slowdown::begin(retry_after, stretch, now),
        };
        slowed.insert(account.clone(), slowdown);
    }

    /// Twilio has accepted a request of this account.
    pub fn accepted(&self, account: &AccountSid) {
        if let Some(slowdown) = lock(&self.slowed).get_mut(account) {
            *slowdown = slowdown.accepted(Instant::now());
        }
    }

    fn pace(&self, account: &AccountSid, now: Instant) -> Pace {
        lock(&self.slowed).get(account).map_or(Pace::whole(now), |slowdown| slowdown.pace(now))
    }

    async fn turn(&self, account: &AccountSid, names: &[(Name, u32)], of_conversations: bool) -> Result<Turn, TooLong> {
        let place = self.queue_up(account, names, Instant::now())?;
        tokio::time::timeout(PATIENCE, self.first_in(account, &place.lanes)).await.map_err(|_| TooLong)??;
        Ok(Turn { lanes: place.lanes.clone(), of_conversations })
    }

    /// Joins the queue of each lane, unless they are too long.
    fn queue_up(&self, account: &AccountSid, names: &[(Name, u32)], now: Instant) -> Result<Place, TooLong> {
        let pace = self.pace(account, now);
        let lanes: Vec<Arc<Lane>> = names.iter().map(|(name, _)| self.lane(name, now)).collect();
        let rates = names.iter().map(|(_, rate)| *rate);
        let expected = lanes.iter().zip(rates.clone()).map(|(lane, rate)| lane.lock().expected(rate, pace, now)).max();
        if expected.is_some_and(|expected| expected - now > MAX_WAIT) {
            return Err(TooLong);
        }
        for (lane, rate) in lanes.iter().zip(rates) {
            lane.lock().join(rate, now);
        }
        Ok(Place { lanes })
    }

    /// Waits for a turn in each lane, and takes it. Who waits in one lane is not in the way of those in the next.
    async fn first_in(&self, account: &AccountSid, lanes: &[Arc<Lane>]) -> Result<(), TooLong> {
        let mut first = Vec::with_capacity(lanes.len());
        for lane in lanes {
            first.push(lane.queue.lock().await);
            self.ready(account, std::slice::from_ref(lane)).await?;
        }
        let pace = self.ready(account, lanes).await?;
        for lane in lanes {
            lane.lock().take(pace, Instant::now());
        }
        Ok(())
    }

    /// Waits until turns in all these lanes are ready.
    async fn ready(&self, account: &AccountSid, lanes: &[Arc<Lane>]) -> Result<Pace, TooLong> {
        loop {
            let now = Instant::now();
            let pace = self.pace(account, now);
            let mut ready = lanes.iter().map(|lane| lane.lock().ready(pace, now)).max().unwrap_or(now).max(pace.from);
            if ready <= now {
                return Ok(pace);
            }
            if ready - now > MAX_WAIT {
                return Err(TooLong);
            }
            if pace.from > now {
                // The lanes of an account do not all begin at the moment in which its pause ends.
                let interval = lanes.iter().map(|lane| lane.lock().interval(pace)).max().unwrap_or_default();
                ready += interval.min(MAX_WAIT).mul_f64(rand::rng().random_range(0.0..1.0));
            }
            tokio::time::sleep_until(ready.into()).await;
        }
    }

    fn lane(&self, name: &Name, now: Instant) -> Arc<Lane> {
        let mut lanes = lock(&self.lanes);
        if let Some(lane) = lanes.get(name) {
            return Arc::clone(lane);
        }
        if lanes.len() >= MANY_LANES {
            // One reference is the map's own.
            lanes.retain(|_, lane| Arc::strong_count(lane) > 1 || !lane.lock().is_idle(now));
        }
        let lane = Arc::new(Lane::new());
        lanes.insert(name.clone(), Arc::clone(&lane));
        lane
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lanes of one send, with their rates, in the order in which everybody queues up.
fn lanes_of(account: &AccountSid, sender: &str, rate: u32) -> [(Name, u32); 2] {
    let destinations = Name::Destinations(account.clone(), sender.to_owned(), rate);
    [(destinations, rate), (Name::Sender(account.clone(), sender.to_owned()), rate)]
}

fn conversations(account: &AccountSid) -> (Name, u32) {
    (Name::Conversations(account.clone()), CONVERSATIONS_A_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> AccountSid {
        format!("AC{}", "0".repeat(32)).parse().unwrap()
    }

    #[tokio::test]
    async fn turns_of_a_sender_come_one_interval_after_the_other() {
        let pacer = Pacer::default();
        let begin = Instant::now();
        for _ in 0..16 {
            drop(pacer.message(&account(), "MG1", 50).await.unwrap());
        }
        assert!(begin.elapsed() >= Duration::from_millis(300), "{:?}", begin.elapsed());
    }

    #[tokio::test]
    async fn who_would_wait_too_long_is_sent_back_at_once_and_takes_no_turn() {
        let (pacer, account, now) = (Pacer::default(), account(), Instant::now());
        let lanes = lanes_of(&account, "MG1", 10);
        let mut places: Vec<_> = std::iter::from_fn(|| pacer.queue_up(&account, &lanes, now).ok()).take(100).collect();
        assert_eq!(places.len(), 50, "five seconds of turns");
        assert!(pacer.queue_up(&account, &lanes_of(&account, "MG2", 10), now).is_ok(), "another sender");
        assert!(pacer.is_full(&account, "MG1", 10, false) && !pacer.is_full(&account, "MG2", 10, true));
        places.pop();
        assert!(pacer.queue_up(&account, &lanes, now).is_ok());
    }

    #[test]
    fn destinations_of_one_sender_have_each_their_rate_and_together_the_highest() {
        let (pacer, account, now) = (Pacer::default(), account(), Instant::now());
        let waiting = |rate| {
            let lanes = lanes_of(&account, "MG1", rate);
            std::iter::from_fn(|| pacer.queue_up(&account, &lanes, now).ok()).take(500).collect::<Vec<_>>()
        };
        let slow = waiting(10);
        assert_eq!(slow.len(), 50);
        let fast = waiting(80);
        assert!((340..=350).contains(&fast.len()), "{}: the slow ones are among the 392 of the sender", fast.len());
        assert!(waiting(10).is_empty());
        drop((slow, fast));
        assert_eq!(waiting(10).len(), 50, "once nobody sends at 80, 10 is the highest");
    }

    #[tokio::test]
    async fn a_destination_that_waits_for_its_own_rate_is_not_in_the_way_of_others() {
        let (pacer, account) = (Pacer::default(), account());
        let send = async |rate, count| {
            let begin = Instant::now();
            for _ in 0..count {
                drop(pacer.message(&account, "MG1", rate).await.unwrap());
            }
            begin.elapsed()
        };
        let (slow, fast) = tokio::join!(send(2, 3), send(100, 40));
        assert!(slow >= Duration::from_secs(1), "{slow:?}");
        assert!(fast < slow, "{fast:?} {slow:?}");
    }

    #[tokio::test]
    async fn all_senders_of_an_account_share_its_conversations() {
        let (pacer, account) = (Pacer::default(), account());
        let begin = Instant::now();
        let mut turns = Vec::new();
        for n in 0..CONVERSATIONS_A_SECOND {
            turns.push(pacer.conversation(&account, &format!("+5511{n}"), 80).await.unwrap());
        }
        drop(turns);
        let left = Instant::now();
        drop(pacer.change_of_conversations(&account).await.unwrap());
        assert!(left.elapsed() >= Duration::from_secs(1), "{:?} {:?}", left.elapsed(), begin.elapsed());
        // Messages of the same sender are none of them.
        assert!(!pacer.is_full(&account, "+55110", 80, false));
    }

    #[tokio::test]
    async fn an_account_that_is_told_to_wait_waits_or_is_sent_back_and_others_do_not() {
        let (pacer, other) = (Pacer::default(), format!("AC{}", "1".repeat(32)).parse().unwrap());
        pacer.throttled(&account(), Some(Duration::from_secs(20)));
        assert_eq!(pacer.message(&account(), "MG1", 50).await.map(drop), Err(TooLong));
        assert_eq!(pacer.change_of_conversations(&account()).await.map(drop), Err(TooLong));
        assert_eq!(pacer.message(&other, "MG1", 50).await.map(drop), Ok(()));
    }

    #[tokio::test]
    async fn lanes_that_nobody_uses_are_forgotten() {
        let pacer = Pacer::default();
        for n in 0..2 * MANY_LANES {
            drop(pacer.message(&account(), &format!("MG{n}"), 10_000).await.unwrap());
        }
        tokio::time::sleep(Duration::from_millis(1_050)).await;
        drop(pacer.message(&account(), "MG", 10_000).await.unwrap());
        assert!(lock(&pacer.lanes).len() <= MANY_LANES, "{}", lock(&pacer.lanes).len());
    }
}

//! How often one account is asked by those who can wait: at most so many requests a second, and none at all for a while after
//! Twilio has said that it was asked too often. After that one request goes ahead; the others follow when it was answered.
//!
//! All who ask for one account share its budget. What is decided depends on the time that is passed in alone.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::twilio::{TwilioError, sid::AccountSid};

/// Requests to one account in a second, over time.
const RATE: f64 = 100.0;
/// Requests that may leave at once after a quiet time.
const BURST: f64 = 200.0;
/// First pause after a refusal; it doubles with each that follows, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// How soon it is asked again whether the one that went ahead was answered.
const WHILE_ONE_IS_AHEAD: Duration = Duration::from_millis(500);
/// Longest wait inside of a request. Who would wait longer is told so, and gives up its place.
const PATIENCE: Duration = Duration::from_secs(2);

/// The budgets of all accounts.
#[derive(Debug, Clone, Default)]
pub struct Budgets(Arc<Mutex<HashMap<AccountSid, Arc<Budget>>>>);

impl Budgets {
    /// The budget of an account, the same for all who ask for it.
    pub fn of(&self, account: &AccountSid) -> Arc<Budget> {
        let mut budgets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(budgets.entry(account.clone()).or_default())
    }
}

/// The budget of one account.
#[derive(Debug, Default)]
pub struct Budget(Mutex<State>);

/// Leave to send one request. What became of it is to be told; one that is dropped without that was not answered.
#[derive(Debug)]
pub struct Leave<'a> {
    budget: &'a Budget,
    ahead: bool,
    told: bool,
}

impl Budget {
    /// Waits for leave to send one request, for a moment at most.
    pub async fn leave(&self) -> Result<Leave<'_>, TwilioError> {
        let begin = Instant::now();
        let mut reserved = false;
        loop {
            let answer = self.state().ask(Instant::now(), reserved);
            let wait = match answer {
                Asked::Go { ahead } => return Ok(Leave { budget: self, ahead, told: false }),
                Asked::Reserved(wait) => {
                    reserved = true;
                    wait
                }
                Asked::Held(wait) if begin.elapsed() + wait > PATIENCE => {
                    return Err(TwilioError::HeldBack { retry_after: wait });
                }
                Asked::Held(wait) => wait,
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Each change is one call, so a panic elsewhere leaves it whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leave<'_> {
    /// Tells what Twilio answered.
    pub fn tell<T>(mut self, result: &Result<T, TwilioError>) {
        self.told = true;
        let answer = match result {
            Err(error) if error.is_throttled() => {
                Answer::Refused { retry_after: error.answered().and_then(|answer| answer.retry_after) }
            }
            _ => Answer::Taken,
        };
        self.budget.state().answered(Instant::now(), self.ahead, answer, rand::random_range(1.0..1.25));
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if self.ahead && !self.told {
            self.budget.state().one_is_ahead = false;
        }
    }
}

#[derive(Debug, Default)]
struct State {
    /// Requests that were given leave beyond what the time that passed allows; `None` before the first.
    spent: Option<(f64, Instant)>,
    /// Refusals in a row.
    refusals: u32,
    /// Until when nothing is asked.
    closed_until: Option<Instant>,
    /// Whether one request is under way by which it is seen whether Twilio answers again.
    one_is_ahead: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Asked {
    Go {
        ahead: bool,
    },
    /// A request has its place, and goes after this time if nothing comes between.
    Reserved(Duration),
    /// None goes before this time has passed.
    Held(Duration),
}

/// What Twilio made of a request.
#[derive(Debug, Clone, Copy)]
enum Answer {
    /// Anything but a refusal for being asked too often.
    Taken,
    /// It was asked too often; where Twilio says so, nothing before this time.
    Refused { retry_after: Option<Duration> },
}

impl State {
    fn ask(&mut self, now: Instant, reserved: bool) -> Asked {
        if let Some(until) = self.closed_until {
            let left = until.saturating_duration_since(now);
            if !left.is_zero() {
                return Asked::Held(left);
            }
            if self.one_is_ahead {
                return Asked::Held(WHILE_ONE_IS_AHEAD);
            }
            self.one_is_ahead = true;
            return Asked::Go { ahead: true };
        }
        if reserved {
            return Asked::Go { ahead: false };
        }
        let (spent, since) = self.spent.unwrap_or((0.0, now));
        let spent = RATE.mul_add(-now.saturating_duration_since(since).as_secs_f64(), spent).max(0.0) + 1.0;
        self.spent = Some((spent, now));
        if spent <= BURST {
            Asked::Go { ahead: false }
        } else {
            Asked::Reserved(Duration::from_secs_f64((spent - BURST) / RATE))
        }
    }

    /// `longer` is a factor for the pause, so that not all processes come back together.
    fn answered(&mut self, now: Instant, ahead: bool, answer: Answer, longer: f64) {
        if ahead {
            self.one_is_ahead = false;
        }
        let Answer::Refused { retry_after } = answer else {
            if ahead {
                self.closed_until = None;
                self.refusals = 0;
                // Those who waited do not all leave at once.
                self.spent = Some((BURST, now));
            }
            return;
        };
        let open = self.closed_until.is_none_or(|until| until <= now);
        if open {
            self.refusals += 1;
        }
        let growing = FIRST_PAUSE.saturating_mul(1 << self.refusals.saturating_sub(1).min(16)).min(LONGEST_PAUSE);
        // Requests that were under way together are refused together; that is one refusal.
        let pause = if open { growing.max(retry_after.unwrap_or_default()) } else { retry_after.unwrap_or_default() };
        let until = now + pause.mul_f64(longer);
        self.closed_until = Some(self.closed_until.map_or(until, |known| known.max(until)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GO: Asked = Asked::Go { ahead: false };
    const AHEAD: Asked = Asked::Go { ahead: true };

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn a_burst_goes_and_the_rest_follows_at_the_rate() {
        let (mut state, now) = (State::default(), Instant::now());
        let at_once = (0..1_000).take_while(|_| state.ask(now, false) == GO).count();
        assert_eq!(at_once, 200);
        let Asked::Reserved(wait) = state.ask(now, false) else { panic!() };
        assert!((wait.as_secs_f64() - 2.0 / RATE).abs() < 1e-6, "{wait:?}");
        assert_eq!(state.ask(now + wait, true), GO);
        let later = now + seconds(10.0);
        assert_eq!((0..1_000).take_while(|_| state.ask(later, false) == GO).count(), 200);
    }

    #[test]
    fn after_a_refusal_nothing_goes_and_then_one_goes_ahead() {
        let (mut state, now) = (State::default(), Instant::now());
        for _ in 0..16 {
            assert_eq!(state.ask(now, false), GO);
        }
        // All that were under way are refused: that is one refusal.
        for _ in 0..16 {
            state.answered(now, false, Answer::Refused { retry_after: None }, 1.0);
        }
        assert_eq!(state.ask(now + seconds(0.5), false), Asked::Held(seconds(0.5)));
        let first = now + seconds(1.0);
        assert_eq!(state.ask(first, false), AHEAD);
        assert_eq!(state.ask(first, false), Asked::Held(WHILE_ONE_IS_AHEAD));
        state.answered(first, true, Answer::Refused { retry_after: None }, 1.0);
        assert_eq!(state.ask(first, false), Asked::Held(seconds(2.0)));
        let second = first + seconds(2.0);
        assert_eq!(state.ask(second, false), AHEAD);
        state.answered(second, true, Answer::Taken, 1.0);
        // The others follow, at the rate and not together.
        assert!(matches!(state.ask(second, false), Asked::Reserved(_)));
        assert_eq!(state.ask(second + seconds(1.0), false), GO);
    }

    #[test]
    fn what_twilio_asks_for_is_heeded_and_a_late_answer_opens_nothing() {
        let (mut state, now) = (State::default(), Instant::now());
        state.answered(now, false, Answer::Refused { retry_after: Some(seconds(30.0)) }, 1.0);
        assert_eq!(state.ask(now, false), Asked::Held(seconds(30.0)));
        state.answered(now, false, Answer::Taken, 1.0);
        assert_eq!(state.ask(now, false), Asked::Held(seconds(30.0)));
    }

    #[tokio::test]
    async fn one_that_went_ahead_and_was_given_up_leaves_its_place() {
        let budget = Budget::default();
        let now = Instant::now();
        budget.state().closed_until = Some(now);
        let leave = budget.leave().await.unwrap();
        assert!(leave.ahead);
        drop(leave);
        assert!(budget.leave().await.unwrap().ahead);
    }
}

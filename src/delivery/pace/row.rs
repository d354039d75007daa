//! The departures of one thing that has a rate, such as a sender: when the next may be. Pure: whoever asks brings the time.
//!
//! What always holds: in no second are there more departures than the rate, however late those wake who wait for their turn and
//! however long it takes them to leave. A place is taken with the turn, and free again a second after the departure.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// The second for which a place stays taken, and by how much longer the way to Twilio may take one request than the next.
pub const SECOND: Duration = Duration::from_millis(1_020);
/// How far back turns can be made up for that nobody took in their moment: more than a busy machine lets anybody wait, and short
/// enough that a pause is not followed by a heap of departures.
const MADE_UP_FOR: Duration = Duration::from_millis(100);
/// When to ask again while every place is taken by somebody who has not left yet.
const ASK_AGAIN: Duration = Duration::from_millis(5);

/// Departures a second, and how much of them may be made use of just now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    pub rate: u32,
    /// From just above 0 to 1.
    pub share: f64,
}

impl Speed {
    /// Places in a second.
    fn places(self) -> usize {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a u32")]
        let places = (f64::from(self.rate) * self.share) as u32;
        usize::try_from(places.max(1)).unwrap_or(usize::MAX)
    }

    /// Time from one turn to the next.
    pub fn interval(self) -> Duration {
        SECOND.div_f64(f64::from(self.rate.max(1)) * self.share)
    }
}

/// Turns and departures.
#[derive(Debug)]
pub struct Row {
    /// The last turn that was taken.
    last: Option<Instant>,
    /// Turns that were taken and whose departure is still to come.
    leaving: usize,
    /// Departures of the last second, the earliest first.
    left: VecDeque<Instant>,
}

impl Row {
    pub const fn new() -> Self {
        Self { last: None, leaving: 0, left: VecDeque::new() }
    }

    /// The turn after the last one, which may have been a while ago.
    fn next(&self, speed: Speed, now: Instant) -> Instant {
        self.last.map_or(now, |last| last + speed.interval())
    }

    /// When the next turn can be taken: `now`, or later.
    pub fn ready(&mut self, speed: Speed, now: Instant) -> Instant {
        while self.left.front().is_some_and(|left| *left + SECOND <= now) {
            self.left.pop_front();
        }
        let turn = self.next(speed, now).max(now);
        let Some(too_many) = (self.leaving + self.left.len() + 1).checked_sub(speed.places()).filter(|n| *n > 0) else {
            return turn;
        };
        // A place is free when the departures before it are a second ago.
        let free = self.left.get(too_many - 1).map_or(now + ASK_AGAIN, |left| *left + SECOND);
        turn.max(free)
    }

    /// Takes the turn that is ready now.
    pub fn take(&mut self, speed: Speed, now: Instant) {
        let next = self.next(speed, now);
        self.last = Some(now.checked_sub(MADE_UP_FOR.mul_f64(speed.share)).map_or(next, |oldest| next.max(oldest)));
        self.leaving += 1;
    }

    /// Somebody who had a turn leaves now, or never will.
    pub fn leave(&mut self, now: Instant) {
        self.leaving = self.leaving.saturating_sub(1);
        self.left.push_back(now);
    }

    /// Nobody has left in the last second or is about to.
    pub fn is_idle(&self, now: Instant) -> bool {
        self.leaving == 0 && self.left.back().is_none_or(|left| *left + SECOND <= now)
    }
}

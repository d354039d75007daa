//! One thing that has a rate, as it is shared: who waits for its turns, in what order, and how fast they come.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Mutex as Queue;

use super::{
    row::{Row, Speed},
    slowdown::Pace,
};

/// A row of turns, and the queue of those who wait for one.
#[derive(Debug)]
pub struct Lane {
    /// Whoever holds it is the next to take a turn.
    pub queue: Queue<()>,
    turns: Mutex<Turns>,
}

/// What is known of a lane at one moment.
#[derive(Debug)]
pub struct Turns {
    row: Row,
    rate: u32,
    waiting: u32,
}

/// A place in the queue of each lane; given up when dropped.
pub struct Place {
    pub lanes: Vec<Arc<Lane>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        for lane in &self.lanes {
            lane.lock().waiting -= 1;
        }
    }
}

impl Lane {
    pub fn new() -> Self {
        Self { queue: Queue::default(), turns: Mutex::new(Turns { row: Row::new(), rate: 0, waiting: 0 }) }
    }

    pub fn lock(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody who had a turn leaves now. The time is read where nobody else can, so that departures are in order.
    pub fn leave(&self) {
        let mut turns = self.lock();
        turns.row.leave(Instant::now());
    }
}

impl Turns {
    /// When somebody who joins now can expect the turn.
    pub fn expected(&mut self, rate: u32, pace: Pace, now: Instant) -> Instant {
        let speed = Speed { rate: self.rate_with(rate, now), share: pace.share };
        self.row.ready(speed, now).max(pace.from) + speed.interval() * self.waiting
    }

    pub fn join(&mut self, rate: u32, now: Instant) {
        self.rate = self.rate_with(rate, now);
        self.waiting += 1;
    }

    /// The highest rate holds until nobody sends any more.
    fn rate_with(&self, rate: u32, now: Instant) -> u32 {
        if self.is_idle(now) { rate } else { self.rate.max(rate) }
    }

    const fn speed(&self, pace: Pace) -> Speed {
        Speed { rate: self.rate, share: pace.share }
    }

    pub fn ready(&mut self, pace: Pace, now: Instant) -> Instant {
        let speed = self.speed(pace);
        self.row.ready(speed, now)
    }

    pub fn take(&mut self, pace: Pace, now: Instant) {
        let speed = self.speed(pace);
        self.row.take(speed, now);
    }

    pub fn interval(&self, pace: Pace) -> Duration {
        self.speed(pace).interval()
    }

    /// Nobody uses it: it could as well be made anew.
    pub fn is_idle(&self, now: Instant) -> bool {
        self.waiting == 0 && self.row.is_idle(now)
    }
}

//! What follows when Twilio refuses an account's request for coming too soon: a pause, longer each time, and after it a rate that
//! begins low and grows, so that the end of the pause is not the beginning of the next. Pure: whoever asks brings time and chance.

use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// Longest time that a `Retry-After` is heeded for.
const MAX_ASKED: Duration = Duration::from_mins(5);
/// By how much a pause is stretched at most, so that several gateways do not come back at the same moment.
const STRETCH: f64 = 0.5;
/// Share of the rate right after a pause, and how long it takes to grow to the whole.
const FIRST_SHARE: f64 = 0.25;
const GROWTH: Duration = Duration::from_secs(10);

/// An account that Twilio has refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slowdown {
    until: Instant,
    pause: Duration,
    /// Something was accepted since the pause ended.
    accepted: bool,
}

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Nothing before this.
    pub from: Instant,
    /// And then this share of each sender's rate.
    pub share: f64,
}

impl Pace {
    /// That of an account which nobody has refused.
    pub const fn whole(now: Instant) -> Self {
        Self { from: now, share: 1.0 }
    }
}

impl Slowdown {
    /// An account is refused now. `stretch`, from 0 to 1, is drawn by chance.
    pub fn begin(retry_after: Option<Duration>, stretch: f64, now: Instant) -> Self {
        Self { until: now + stretched(retry_after, FIRST_PAUSE, stretch), pause: FIRST_PAUSE, accepted: false }
    }

    /// It is refused once more.
    pub fn again(self, retry_after: Option<Duration>, stretch: f64, now: Instant) -> Self {
        if self.is_over(now) {
            return Self::begin(retry_after, stretch, now);
        }
        // What had left before the pause is refused with what began it, so only what Twilio asks for counts.
        if now < self.until {
            let asked = retry_after.map(|_| now + stretched(retry_after, Duration::ZERO, stretch));
            return Self { until: asked.map_or(self.until, |asked| asked.max(self.until)), ..self };
        }
        let pause = if self.accepted { FIRST_PAUSE } else { (self.pause * 2).min(MAX_PAUSE) };
        Self { until: now + stretched(retry_after, pause, stretch), pause, accepted: false }
    }

    /// A request of it is accepted. One that is accepted during the pause had left before it, and says nothing.
    pub fn accepted(self, now: Instant) -> Self {
        Self { accepted: self.accepted || now >= self.until, ..self }
    }

    pub fn pace(self, now: Instant) -> Pace {
        let grown = now.saturating_duration_since(self.until).div_duration_f64(GROWTH).min(1.0);
        Pace { from: self.until.max(now), share: FIRST_SHARE + (1.0 - FIRST_SHARE) * grown }
    }

    pub fn is_over(self, now: Instant) -> bool {
        now >= self.until + GROWTH
    }
}

/// As long as Twilio asks for and at least `least`, and by chance a little longer.
fn stretched(retry_after: Option<Duration>, least: Duration, stretch: f64) -> Duration {
    retry_after.unwrap_or_default().min(MAX_ASKED).max(least).mul_f64(1.0 + STRETCH * stretch)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn paused(slowdown: Slowdown, now: Instant) -> Duration {
        slowdown.pace(now).from - now
    }

    #[test]
    fn a_pause_doubles_until_something_is_accepted_after_it_and_begins_anew_after_a_quiet_time() {
        let mut now = Instant::now();
        let mut slowdown = Slowdown::begin(None, 0.0, now);
        for pause in [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
            assert_eq!(paused(slowdown, now), MS(pause));
            slowdown = slowdown.accepted(now);
            now += MS(pause + 1);
            slowdown = slowdown.again(None, 0.0, now);
        }
        let quiet = now + MS(30_000) + GROWTH;
        assert!(slowdown.is_over(quiet));
        assert_eq!(paused(slowdown.again(None, 0.0, quiet), quiet), FIRST_PAUSE);
        now += MS(30_000);
        slowdown = slowdown.accepted(now).again(None, 0.0, now);
        assert_eq!(paused(slowdown, now), FIRST_PAUSE);
    }

    #[test]
    fn what_had_left_before_the_pause_and_is_refused_too_does_not_make_it_longer() {
        let now = Instant::now();
        let slowdown = Slowdown::begin(None, 0.0, now);
        assert_eq!(slowdown.again(None, 1.0, now + MS(100)), slowdown);
        let asked = slowdown.again(Some(MS(3_000)), 0.0, now + MS(100));
        assert_eq!(paused(asked, now + MS(100)), MS(3_000));
        assert_eq!(asked.again(Some(MS(1_000)), 0.0, now + MS(200)), asked);
    }

    #[test]
    fn after_a_pause_the_rate_grows_back_and_does_not_jump() {
        let now = Instant::now();
        let slowdown = Slowdown::begin(None, 0.0, now);
        let share = |after| slowdown.pace(now + FIRST_PAUSE + MS(after)).share;
        for (after, expected) in [(0, 0.25), (2_000, 0.4), (5_000, 0.625), (10_000, 1.0), (60_000, 1.0)] {
            assert!((share(after) - expected).abs() < 1e-9, "{after}: {}", share(after));
        }
    }

    proptest! {
        #[test]
        fn retry_after_is_heeded_up_to_a_bound_and_spread(
            asked in proptest::option::of(0_u64..1_000_000), stretch in 0.0..=1.0_f64, refusals in 0_usize..12,
        ) {
            let now = Instant::now();
            let (asked, mut at) = (asked.map(MS), now);
            let mut slowdown = Slowdown::begin(asked, stretch, now);
            for _ in 0..refusals {
                at += paused(slowdown, at);
                slowdown = slowdown.again(asked, stretch, at);
            }
            let pause = paused(slowdown, at);
            let least = asked.unwrap_or_default().min(MAX_ASKED).max(FIRST_PAUSE);
            prop_assert!(pause >= least && pause <= MAX_ASKED.mul_f64(1.0 + STRETCH), "{pause:?}");
            // The same refusal with other luck ends at another time.
            let other = Slowdown::begin(asked, 1.0 - stretch, now);
            let apart = (1.0 - 2.0 * stretch).abs() * STRETCH * least.as_secs_f64();
            let first = Slowdown::begin(asked, stretch, now);
            let between = paused(other, now).as_secs_f64() - paused(first, now).as_secs_f64();
            prop_assert!((between.abs() - apart).abs() < 1e-6, "{between} {apart}");
        }
    }
}

//! A row of turns under a clock of its own: any order of arrivals, and any time that waking up and leaving take.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    time::{Duration, Instant},
};

use proptest::prelude::*;

use super::row::{Row, Speed};

/// What the machine makes of it, in milliseconds: each is used in turn, again and again.
#[derive(Debug, Clone)]
struct Machine {
    /// From a wait's end to when the one who waited runs.
    waking: Vec<u64>,
    /// From the turn to the departure.
    leaving: Vec<u64>,
}

/// Everybody's departure. They come at `arrivals` and wait in a queue, whose first sleeps until a turn is ready.
fn departures(speed: Speed, arrivals: &[Duration], machine: &Machine) -> Vec<Duration> {
    let mut waking = machine.waking.iter().cycle().map(|ms| Duration::from_millis(*ms));
    let mut leaving = machine.leaving.iter().cycle().map(|ms| Duration::from_millis(*ms));
    let base = Instant::now();
    let mut row = Row::new();
    let mut under_way = BinaryHeap::new();
    let mut left = Vec::new();
    let mut now = Duration::ZERO;
    let mut leave_until = |row: &mut Row, under_way: &mut BinaryHeap<Reverse<Duration>>, until: Duration| {
        while under_way.peek().is_some_and(|Reverse(at)| *at <= until) {
            let Some(Reverse(at)) = under_way.pop() else { return };
            row.leave(base + at);
            left.push(at);
        }
    };
    for arrival in arrivals {
        now = now.max(*arrival);
        loop {
            leave_until(&mut row, &mut under_way, now);
            let ready = row.ready(speed, base + now) - base;
            if ready <= now {
                break;
            }
            now = ready + waking.next().unwrap();
        }
        row.take(speed, base + now);
        under_way.push(Reverse(now + leaving.next().unwrap()));
    }
    leave_until(&mut row, &mut under_way, Duration::MAX);
    left
}

/// The most departures in any second.
fn most_in_a_second(departures: &[Duration]) -> usize {
    let within = |from: usize| departures[from..].iter().take_while(|at| **at < departures[from] + SECOND).count();
    (0..departures.len()).map(within).max().unwrap_or_default()
}

const SECOND: Duration = Duration::from_secs(1);

fn milliseconds(upto: u64) -> impl Strategy<Value = Vec<u64>> {
    proptest::collection::vec(prop_oneof![8 => 0..=upto / 50, 1 => 0..=upto], 1..40)
}

proptest! {
    #[test]
    fn no_second_has_more_departures_than_the_rate(
        rate in 1_u32..60,
        share in prop_oneof![Just(1.0), 0.1..1.0_f64],
        gaps in proptest::collection::vec(prop_oneof![6 => 0_u64..30, 1 => 0_u64..3_000], 1..400),
        waking in milliseconds(3_000),
        leaving in milliseconds(3_000),
    ) {
        let arrivals: Vec<Duration> = gaps
            .iter()
            .scan(Duration::ZERO, |at, gap| { *at += Duration::from_millis(*gap); Some(*at) })
            .collect();
        let left = departures(Speed { rate, share }, &arrivals, &Machine { waking, leaving });
        prop_assert_eq!(left.len(), arrivals.len());
        prop_assert!(most_in_a_second(&left) <= rate as usize, "{:?}", left);
    }

    #[test]
    fn under_steady_demand_a_busy_machine_loses_less_than_a_twentieth_of_the_rate(
        rate in 1_u32..200,
        waking in proptest::collection::vec(0_u64..=20, 1..40),
        leaving in proptest::collection::vec(0_u64..=8, 1..40),
    ) {
        let arrivals = vec![Duration::ZERO; 12 * rate as usize + 1];
        let left = departures(Speed { rate, share: 1.0 }, &arrivals, &Machine { waking, leaving });
        prop_assert!(most_in_a_second(&left) <= rate as usize);
        let used = 12.0 / left[left.len() - 1].abs_diff(left[0]).as_secs_f64();
        prop_assert!(used >= 0.95, "{used}");
    }
}

#[test]
fn a_pause_is_not_followed_by_a_heap_of_departures() {
    let arrivals = vec![Duration::ZERO; 300];
    let speed = Speed { rate: 50, share: 1.0 };
    let mut waking = vec![0; 200];
    waking[100] = 700;
    let left = departures(speed, &arrivals, &Machine { waking, leaving: vec![0] });
    let at_once =
        |from: usize| left[from..].iter().take_while(|at| **at <= left[from] + Duration::from_millis(1)).count();
    let heap = (0..left.len()).map(at_once).max().unwrap();
    assert!((2..=6).contains(&heap), "{heap}: a tenth of a second of turns, and the one whose turn it is");
}

#[test]
fn a_share_of_the_rate_leaves_in_an_even_row_and_never_nothing() {
    let arrivals = vec![Duration::ZERO; 40];
    let machine = Machine { waking: vec![0], leaving: vec![0] };
    let left = departures(Speed { rate: 40, share: 0.25 }, &arrivals, &machine);
    assert_eq!(most_in_a_second(&left), 10);
    let left = departures(Speed { rate: 1, share: 0.25 }, &arrivals[..3], &machine);
    assert_eq!(left, [0, 4_080, 8_160].map(Duration::from_millis));
}

//! How much of a batch one request brings to an end: what leaves at the destination's rate while Segment waits.

use std::time::Duration;

use crate::{api::EngageDestinationSpec, delivery::destination::most_a_second, segment::body::MAX_BATCH};

/// How long a request waits for its events. Segment itself gives up after ten seconds.
pub const PATIENCE: Duration = Duration::from_secs(8);

/// Largest batch that one request can bring to an end; what is more is put off and comes again. This is what to enter as
/// batch size in Segment. It follows from the spec alone.
pub fn largest(spec: &EngageDestinationSpec) -> usize {
    largest_at(most_a_second(spec))
}

/// As [`largest`], for so many sends a second.
pub fn largest_at(rate: u32) -> usize {
    let leave = u64::from(rate).saturating_mul(PATIENCE.as_secs());
    usize::try_from(leave).unwrap_or(MAX_BATCH).min(MAX_BATCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_leaves_while_segment_waits_and_no_more_than_segment_sends() {
        for (rate, size) in
            [(1, 8), (10, 80), (80, 640), (499, 3_992), (500, 4_000), (10_000, 4_000), (u32::MAX, 4_000)]
        {
            assert_eq!(largest_at(rate), size, "{rate}");
        }
    }

    #[test]
    fn the_largest_batch_ends_within_the_attempts_that_segment_makes() {
        // At the rate of one sender, and of the ten attempts that Segment shows.
        assert_eq!(MAX_BATCH.div_ceil(largest_at(80)), 7);
        // A pause doubles from ten seconds to twenty minutes and is stretched by a half at most: seven attempts are over
        // within half an hour of the four hours.
        let pauses: f64 = (0..6).map(|n| (10.0 * f64::from(1 << n)).min(1_200.0) * 1.5).sum();
        assert!(pauses + 7.0 * PATIENCE.as_secs_f64() < 1_800.0, "{pauses}");
    }
}

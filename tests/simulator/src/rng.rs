//! A small deterministic generator (`SplitMix64`): the same seed gives the same SIDs, the same faults and the same
//! retries. Nothing here is meant to be unpredictable.

/// One round of `SplitMix64`: a well-spread 64-bit value from any input.
pub fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A value in `[0, 1)` that depends on nothing but its inputs.
pub fn unit(seed: u64, stream: u64, position: u64) -> f64 {
    let bits = mix(seed ^ mix(stream ^ mix(position))) >> 11;
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit an f64 exactly")]
    let numerator = bits as f64;
    numerator / 9_007_199_254_740_992.0
}

/// A stream of values.
#[derive(Debug, Clone)]
pub struct Rng {
    seed: u64,
    position: u64,
}

impl Rng {
    /// A stream that starts at `seed`.
    pub const fn new(seed: u64) -> Self {
        Self { seed, position: 0 }
    }

    /// The next value in `[0, 1)`.
    pub fn next_unit(&mut self) -> f64 {
        self.position += 1;
        unit(self.seed, 0, self.position)
    }

    /// The next value in `[0, bound)`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.position += 1;
        let value = mix(self.seed ^ mix(self.position));
        usize::try_from(value % (bound.max(1) as u64)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_stream() {
        let draw = |seed| {
            let mut rng = Rng::new(seed);
            (0..8).map(|_| rng.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn unit_values_are_spread_over_the_interval() {
        let values: Vec<f64> = (0..10_000).map(|i| unit(1, 2, i)).collect();
        let mean = values.iter().sum::<f64>() / 10_000.0;
        assert!((0.48..0.52).contains(&mean), "{mean}");
        assert!(values.iter().all(|value| (0.0..1.0).contains(value)));
    }
}

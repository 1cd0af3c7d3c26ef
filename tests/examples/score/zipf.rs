//! Keys of which a few carry most, as published comparisons draw them.

use divvy::rng::{Rng, Xoshiro256PlusPlus};

/// Keys 0, 1, 2, … with probabilities in proportion to 1, 1/2ᶻ, 1/3ᶻ, …
pub(crate) struct Zipf {
    /// How much of 2⁶² is at this key or before.
    cumulated: Vec<u64>,
    rng: Xoshiro256PlusPlus,
}

impl Zipf {
    pub(crate) fn new(exponent: f64, keys: u32, seed: u64) -> Self {
        let weights: Vec<f64> = (1..=keys).map(|key| f64::from(key).powf(-exponent)).collect();
        let unit = (1u64 << 62) as f64 / weights.iter().sum::<f64>();
        let cumulated = weights.iter().scan(0, |sum, weight| {
            *sum += (weight * unit) as u64;
            Some(*sum)
        });
        Self { cumulated: cumulated.collect(), rng: Xoshiro256PlusPlus::seed(seed) }
    }
}

impl Iterator for Zipf {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let at = self.rng.below_u64(*self.cumulated.last()?);
        Some(self.cumulated.partition_point(|sum| *sum <= at) as u64)
    }
}

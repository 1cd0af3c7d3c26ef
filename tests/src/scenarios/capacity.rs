//! Speeds learned from completions, with a change of speed on the way: estimates and weights.

use core::time::Duration;

use crate::Digest;
use divvy::Instant;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::sched::capacity::CapacityEstimator;
use divvy::storage::Inline;

const WORKERS: u32 = 5;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0xCA9A);
    let mut capacity = CapacityEstimator::<Inline<5>>::new(WORKERS, Duration::from_secs(5));
    for step in 0..400u64 {
        let now = Instant::from_millis(step * 50);
        // The last worker is not seen in the first half, and the first one slows down in the second.
        let worker = rng.below(if step < 200 { WORKERS - 1 } else { WORKERS });
        let micros = if worker == 0 && step >= 200 { 900 } else { 100 * u64::from(worker + 1) };
        let work = 1 + rng.below(20);
        let took = Duration::from_micros(micros * u64::from(work) + rng.below_u64(200));
        digest.feed(u64::from(capacity.observe(now, worker, work, took).is_ok()));
        if step % 20 == 0 {
            let mut weights = [0; 6];
            capacity.weights(now, &mut weights);
            for (index, weight) in (0..).zip(weights) {
                digest.feed(weight.into());
                let estimate = capacity.estimate(now, index);
                digest.feed_option(estimate.map(|estimate| estimate.rate.to_bits()));
                digest.feed_option(estimate.map(|estimate| estimate.confidence.to_bits()));
            }
        }
    }
    digest.finish()
}

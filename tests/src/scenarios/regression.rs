//! Placement by an estimate of run times, and the estimates of a law with noise.

use super::traffic::drive;
use crate::Digest;
use core::time::Duration;
use divvy::balance::{Fit, Regression};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    drive(&mut digest, || const { Regression::<Inline<2>>::new() }, 0x4E61, 800);
    feed_estimates(&mut digest);
    digest.finish()
}

/// A function of its own, so that its stack is not added to the other one.
#[inline(never)]
fn feed_estimates(digest: &mut Digest) {
    let mut rng = Xoshiro256PlusPlus::seed(0x4E62);
    let mut fit = Fit::new();
    for _ in 0..200 {
        let bits = rng.below(20);
        let features = [rng.below(1 << bits), rng.below(3), u32::from(rng.below(4) == 0)];
        let micros =
            100 + 3 * u64::from(features[0]) + 2_000 * u64::from(features[1]) + u64::from(rng.below(50));
        fit.note(&features, Duration::from_micros(micros));
        digest.feed_option(fit.estimate(&features).map(|time| time.as_nanos() as u64));
    }
}

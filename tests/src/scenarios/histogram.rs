//! Values of every magnitude in histograms of two precisions, their quantiles, and what a merge makes of them.

use crate::Digest;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::sketch::{Histogram, buckets};
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0x4157);
    let mut fine = Histogram::<Inline<{ buckets(4, u64::MAX >> 46) }>, 4>::new();
    let mut coarse = Histogram::<Inline<{ buckets(1, u64::MAX) }>, 1>::new();
    for round in 0..4 {
        for _ in 0..500 {
            let value = rng.next_u64() >> rng.below(64);
            fine.record(value);
            coarse.record_n(value, rng.below(4).into());
        }
        for thousandths in [0, 1, 500, 990, 999, 1_000, 1_001] {
            digest.feed_option(fine.quantile(thousandths, 1_000));
            digest.feed_option(coarse.quantile(thousandths, 1_000));
        }
        digest.feed_option(fine.mean());
        digest.feed_option(coarse.mean());
        digest.feed(fine.above());
        if round == 2 {
            let mut merged = Histogram::<Inline<{ buckets(4, 10_000) }>, 4>::new();
            merged.merge(&fine);
            merged.iter().for_each(|(value, count)| {
                digest.feed(value);
                digest.feed(count);
            });
            fine.clear();
        }
    }
    digest.finish()
}

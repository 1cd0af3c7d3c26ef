//! The heaviest keys of a stream whose heat moves, counted, halved and merged.

use crate::Digest;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::sketch::SpaceSaving;
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0x59AC);
    let mut sketch = SpaceSaving::<Inline<12>>::new();
    let mut other = SpaceSaving::<Inline<12>>::new();
    for period in 0..6u64 {
        for _ in 0..500 {
            // The hot keys move from period to period.
            let key = period / 2 * 7 + u64::from(rng.below(8).min(rng.below(8)) * rng.below(30));
            let n = if rng.below(20) == 0 { rng.below(40).into() } else { 1 };
            let told = if rng.below(3) == 0 { other.record_n(key, n) } else { sketch.record_n(key, n) };
            digest.feed_option(told.map(|hitter| hitter.count));
            digest.feed_option(told.map(|hitter| hitter.error));
        }
        match period {
            1 | 3 => sketch.halve(),
            4 => sketch.merge(&other),
            _ => {}
        }
        digest.feed(sketch.total());
        digest.feed(sketch.max_error());
        for hitter in sketch.iter() {
            digest.feed(hitter.key);
            digest.feed(hitter.count);
            digest.feed(hitter.error);
        }
    }
    digest.finish()
}

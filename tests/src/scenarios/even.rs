//! The even partition: where every part begins and ends, and which part an index is in.

use crate::Digest;
use core::num::NonZeroU32;
use divvy::partition::Even;
use divvy::rng::{Rng, SplitMix64};

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = SplitMix64::seed(0xE7E7);
    for round in 0..200 {
        let parts = NonZeroU32::MIN.saturating_add(rng.below(40));
        // Few items, so that parts are empty, then lengths up to all of 64 bits.
        let len = if round < 100 { rng.below(100).into() } else { rng.next_u64() >> rng.below(64) };
        let cut = Even::new(len, parts);
        for part in cut.iter() {
            digest.feed(part.start);
            digest.feed(part.end);
        }
        digest.feed_option(cut.part(parts.get()).map(|part| part.start));
        for _ in 0..20 {
            digest.feed_option(cut.of(rng.next_u64() >> rng.below(64)).map(u64::from));
        }
        for index in [0, len / 2, len.saturating_sub(1), len] {
            digest.feed_option(cut.of(index).map(u64::from));
        }
    }
    digest.finish()
}

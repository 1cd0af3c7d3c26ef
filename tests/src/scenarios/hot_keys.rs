//! Records of which a few keys carry most, each to its part: the owner, or one of several while its key is hot.

use crate::Digest;
use core::num::NonZeroU32;
use divvy::partition::{HotKeys, Place};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0x407);
    let Ok(mut cut) = HotKeys::<Inline<24>>::new(NonZeroU32::MIN.saturating_add(5)) else { return 0 };
    for period in 0..4u32 {
        for _ in 0..700 {
            // Half of the records have one key, half of the rest the next one, and so on.
            let key = period / 2 + rng.next_u64().trailing_zeros() * (1 + rng.below(2) * rng.below(50));
            match cut.assign(&key.to_le_bytes()) {
                Place::Owner(part) => digest.feed(part.into()),
                Place::Split { part, choices } => digest.feed(u64::from(choices) << 32 | u64::from(part)),
            }
        }
        for load in cut.loads() {
            digest.feed(*load);
        }
        digest.feed_option(cut.skew().map(|skew| skew.to_bits()));
        cut.halve();
    }
    digest.finish()
}

//! Both generators, and everything that is drawn from one.

use crate::Digest;
use divvy::rng::{Rng, SplitMix64, Xoshiro256PlusPlus};

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut split = SplitMix64::seed(0xD1CE);
    let mut xoshiro = Xoshiro256PlusPlus::seed(0xD1CE);
    for step in 0..512u32 {
        digest.feed(split.next_u64());
        digest.feed(xoshiro.next_u64());
        // Small bounds and bounds close to 2³² and 2⁶⁴, where draws are thrown away.
        for bound in [step, u32::MAX - step, (1 << 31) + step] {
            digest.feed(xoshiro.below(bound).into());
        }
        for bound in [step.into(), u64::MAX - u64::from(step), (1 << 63) + u64::from(step)] {
            digest.feed(split.below_u64(bound));
        }
    }
    let mut cards = [0u8; 52];
    for (card, value) in cards.iter_mut().zip(0..) {
        *card = value;
    }
    for _ in 0..8 {
        xoshiro.shuffle(&mut cards);
        for card in cards {
            digest.feed(card.into());
        }
    }
    digest.finish()
}

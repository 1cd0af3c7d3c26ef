//! Jump-back buckets for numbers small and large, and a ring of them.

use super::membership::{change, feed_owners};
use crate::Digest;
use core::num::NonZeroU32;
use divvy::ring::{JumpBack, jump_back};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0x1BAC);
    for buckets in [1, 2, 3, 7, 8, 9, 1_000, 1 << 31, u32::MAX] {
        let n = NonZeroU32::MIN.saturating_add(buckets - 1);
        for key in 0..300 {
            digest.feed(jump_back(rng.next_u64(), n).into());
            digest.feed(jump_back(key, n).into());
        }
    }
    let mut ring = JumpBack::<Inline<8>>::new();
    for _ in 0..300 {
        change(&mut digest, &mut ring, &mut rng);
        feed_owners(&mut digest, &ring, &mut rng);
    }
    digest.finish()
}

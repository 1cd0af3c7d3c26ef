//! An anchor ring with as many places as are asked for, and with a few more.

use super::membership::{change, feed_owners};
use crate::Digest;
use divvy::ring::Anchor;
use divvy::rng::Xoshiro256PlusPlus;
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0xA2C0);
    let (mut tight, mut ample) = (Anchor::<Inline<9>>::new(), Anchor::<Inline<32>>::new());
    for _ in 0..150 {
        change(&mut digest, &mut tight, &mut rng);
        feed_owners(&mut digest, &tight, &mut rng);
        change(&mut digest, &mut ample, &mut rng);
        feed_owners(&mut digest, &ample, &mut rng);
    }
    digest.finish()
}

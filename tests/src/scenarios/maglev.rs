//! Maglev tables whose members change at once and in steps.

use super::membership::{change, feed_answer, feed_owners, node};
use crate::Digest;
use divvy::ring::{Maglev, Progress, Ring};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0x3A61);
    let mut ring = Maglev::<Inline<8>, Inline<101>>::new();
    for _ in 0..60 {
        change(&mut digest, &mut ring, &mut rng);
        feed_owners(&mut digest, &ring, &mut rng);
        let node = node(&mut rng).weight(rng.below(1_000));
        let answer = match rng.below(4) {
            0 => ring.later().remove(node.id()).map(|_| ()),
            _ => ring.later().insert(node),
        };
        feed_answer(&mut digest, answer);
        while let Progress::Pending { left } = ring.rebuild_step(1 + rng.below(200)) {
            digest.feed(left.into());
            digest.feed_option(ring.owner(rng.next_u64()).map(u64::from));
        }
        feed_owners(&mut digest, &ring, &mut rng);
    }
    digest.finish()
}

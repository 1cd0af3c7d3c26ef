//! Rendezvous hashing with different weights, and with equal ones.

use super::membership::{change, feed_owners, node};
use crate::Digest;
use divvy::ring::{Rendezvous, Ring};
use divvy::rng::Xoshiro256PlusPlus;
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0x12E7);
    let (mut weighted, mut plain) = (Rendezvous::<Inline<9>>::new(), Rendezvous::<Inline<9>>::new());
    for _ in 0..100 {
        change(&mut digest, &mut weighted, &mut rng);
        feed_owners(&mut digest, &weighted, &mut rng);
        let equal = node(&mut rng).weight(7);
        if plain.insert(equal).is_err() {
            digest.feed(u64::from(plain.remove(equal.id()).is_ok()));
        }
        feed_owners(&mut digest, &plain, &mut rng);
    }
    digest.finish()
}

//! Servers on the points of ketama, one too many of them.

use super::membership::{feed_answer, feed_owners};
use crate::Digest;
use divvy::ring::{Ketama, Ring};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0xC8C3);
    let mut ring = Ketama::<Inline<3>, Inline<200>>::new();
    for address in ["10.0.0.1:80", "[::1]:8080", "unix:/run/a.sock", "backend"].iter().cycle().take(16) {
        let id = rng.below(4);
        let server = Ketama::server(id, address.as_bytes()).weight(rng.below(2));
        feed_answer(&mut digest, ring.insert(server));
        feed_owners(&mut digest, &ring, &mut rng);
        digest.feed(ring.hash(address.as_bytes()));
        let other = rng.below(4);
        feed_answer(&mut digest, ring.set_weight(other, rng.below(2)));
        feed_answer(&mut digest, ring.drain(rng.below(4)));
        feed_answer(&mut digest, ring.resume(id));
        feed_answer(&mut digest, ring.remove(rng.below(8)).map(|_| ()));
    }
    digest.finish()
}

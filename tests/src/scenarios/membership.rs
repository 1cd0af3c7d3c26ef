//! What the scenarios of rings share: nodes that come, go, drain and change weight, and who owns what then.

use crate::Digest;
use core::ops::ControlFlow;
use divvy::ring::{ChangeError, Node, Ring};
use divvy::rng::{Rng, Xoshiro256PlusPlus};

/// A node that may be a member already, with a small weight.
pub(super) fn node(rng: &mut Xoshiro256PlusPlus) -> Node {
    let id = rng.below(10);
    Node::new(id, &[b'n', id as u8]).weight(rng.below(4))
}

/// Changes the members in one way or another.
pub(super) fn change(digest: &mut Digest, ring: &mut impl Ring, rng: &mut Xoshiro256PlusPlus) {
    let (node, weight) = (node(rng), rng.below(5));
    let id = node.id();
    let answer = match rng.below(7) {
        0..=2 => ring.insert(node),
        3 => ring.remove(id).map(|node| digest.feed(node.key())),
        4 => ring.set_weight(id, weight),
        5 => ring.drain(id),
        _ => ring.resume(id),
    };
    feed_answer(digest, answer);
}

pub(super) fn feed_answer(digest: &mut Digest, answer: Result<(), ChangeError>) {
    digest.feed(match answer {
        Ok(()) => 0,
        Err(ChangeError::Duplicate) => 1,
        Err(ChangeError::Unknown) => 2,
        Err(ChangeError::Full) => 3,
        Err(ChangeError::Unsupported) => 4,
        Err(ChangeError::TooHeavy) => 5,
        Err(_) => 6,
    });
}

/// The owners of some keys, and where they would go next.
pub(super) fn feed_owners(digest: &mut Digest, ring: &impl Ring, rng: &mut Xoshiro256PlusPlus) {
    for _ in 0..20 {
        let hash = rng.next_u64();
        digest.feed_option(ring.owner(hash).map(u64::from));
        let mut next = [0; 3];
        for id in ring.successors(hash, &mut next) {
            digest.feed((*id).into());
        }
    }
    let mut offers = 0;
    ring.walk(rng.next_u64(), |_| {
        offers += 1;
        ControlFlow::Continue(())
    });
    digest.feed(offers);
    digest.feed_option(ring.owner_of(b"user:42").map(u64::from));
}

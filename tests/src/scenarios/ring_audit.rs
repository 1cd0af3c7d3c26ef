//! Shares of a ring, exact and counted, and the moves of a change.

use crate::Digest;
use core::num::NonZeroU32;
use divvy::ring::audit::{Audit, Moves, sample};
use divvy::ring::{Karger, Node, Rendezvous, Ring};
use divvy::storage::Inline;

const EIGHT: NonZeroU32 = NonZeroU32::new(8).expect("eight is not zero");

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut ring = Karger::<Inline<5>, Inline<64>>::new().virtual_nodes(EIGHT);
    let mut other = Rendezvous::<Inline<5>>::new();
    let mut audit = Audit::<Inline<5>>::new();
    let mut moves = Moves::<Inline<5>>::new();
    for id in 0..5u32 {
        let node = Node::new(id, &id.to_le_bytes()).weight(id % 3);
        digest.feed(u64::from(ring.insert(node).is_ok()));
        digest.feed(u64::from(moves.count(&other, &ring, sample(id.into(), 200)).is_ok()));
        for number in [moves.keys(), moves.moved(), moves.needless(), moves.ideal(), moves.unlisted()] {
            digest.feed(number);
        }
        for flow in moves.flows() {
            digest.feed_option(flow.from.map(u64::from));
            digest.feed_option(flow.to.map(u64::from));
            digest.feed(flow.keys);
        }
        for change in moves.changes() {
            digest.feed(change.lost);
            digest.feed(change.gained);
        }
        digest.feed(u64::from(other.insert(node).is_ok()));
        for exact in [true, false] {
            let done = if exact { audit.measure(&ring) } else { audit.count(&ring, sample(7, 200)) };
            digest.feed(u64::from(done.is_ok()));
            digest.feed_option(audit.peak().map(|peak| peak.to_bits()));
            digest.feed_option(audit.least().map(|least| least.to_bits()));
            for share in audit.shares() {
                digest.feed(share.keys);
            }
        }
    }
    digest.finish()
}

//! What holds for every ring.

use super::*;
use crate::rng::{Rng, Xoshiro256PlusPlus};
use crate::storage::{Heap, Inline};
use core::num::NonZeroU32;
use proptest::prelude::*;
use std::vec;
use std::vec::Vec;

/// A node whose name is its letter and whose number is not.
fn node(name: u8, weight: u32) -> Node {
    Node::new(u32::from(name) * 7 + 1, &[b'n', name]).weight(weight)
}

fn id(name: u8) -> u32 {
    node(name, 1).id()
}

fn hashes() -> impl Iterator<Item = u64> {
    let mut rng = Xoshiro256PlusPlus::seed(9);
    let edges = [0, 1, 1 << 32, u64::MAX - (1 << 32), u64::MAX];
    edges.into_iter().chain((0..400).map(move |_| rng.next_u64()))
}

fn owners(ring: &impl Ring) -> Vec<Option<u32>> {
    hashes().map(|hash| ring.owner(hash)).collect()
}

/// Distinct nodes in the order of the walk.
fn order(ring: &impl Ring, hash: u64) -> Vec<u32> {
    let mut order = Vec::new();
    ring.walk(hash, |id| {
        if !order.contains(&id) {
            order.push(id);
        }
        ControlFlow::Continue(())
    });
    order
}

fn filled<R: Ring>(new: &impl Fn() -> R, nodes: &[Node]) -> R {
    let mut ring = new();
    for node in nodes {
        ring.insert(*node).expect("room for all");
    }
    ring
}

/// Every law, for rings that `new` makes with room for 8 nodes of weight 4.
fn laws<R: Ring>(new: impl Fn() -> R, weights: &[u32], shuffle: u64) {
    let mut nodes: Vec<Node> = weights.iter().zip(0..).map(|(weight, name)| node(name, *weight)).collect();
    let ring = filled(&new, &nodes);
    let before = owners(&ring);

    // The owner leads the walk, which meets every node with weight and no other.
    let mut weighty: Vec<u32> = nodes.iter().filter(|node| node.share() > 0).map(Node::id).collect();
    weighty.sort_unstable();
    for (hash, owner) in hashes().zip(&before).take(40) {
        let walk = order(&ring, hash);
        assert_eq!(walk.first(), owner.as_ref());
        let mut met = walk.clone();
        met.sort_unstable();
        assert_eq!(met, weighty);
        let mut successors = vec![0; 3];
        assert_eq!(ring.successors(hash, &mut successors), &walk[..walk.len().min(3)]);
        assert_eq!(ring.owner_where(hash, |id| Some(&id) == walk.last()), walk.last().copied());
    }

    // The order of insertion and the numbers of the nodes do not matter.
    Xoshiro256PlusPlus::seed(shuffle).shuffle(&mut nodes);
    assert_eq!(owners(&filled(&new, &nodes)), before);
    let renumbered: Vec<Node> =
        nodes.iter().map(|node| Node::from_key(!node.id(), node.key()).weight(node.share())).collect();
    let renamed: Vec<Option<u32>> =
        owners(&filled(&new, &renumbered)).into_iter().map(|id| id.map(|id| !id)).collect();
    assert_eq!(renamed, before);

    for gone in &nodes {
        // Only the keys of the node that goes move, each to the next node of its walk; all come back with it.
        let without: Vec<Option<u32>> =
            hashes().map(|hash| ring.owner_where(hash, |id| id != gone.id())).collect();
        let mut ring = filled(&new, &nodes);
        ring.drain(gone.id()).expect("a member");
        assert!(ring.nodes().iter().any(|node| node.id() == gone.id() && node.is_draining()));
        assert_eq!(owners(&ring), without, "drained");
        ring.resume(gone.id()).expect("it had room before");
        assert_eq!(owners(&ring), before, "resumed");
        assert_eq!(ring.remove(gone.id()).map(|node| node.key()), Ok(gone.key()));
        assert_eq!(ring.remove(gone.id()), Err(ChangeError::Unknown));
        assert_eq!(owners(&ring), without, "removed");
        ring.insert(*gone).expect("it had room before");
        assert_eq!(owners(&ring), before, "back again");
        ring.set_weight(gone.id(), 0).expect("a member");
        assert_eq!(owners(&ring), without, "without weight");
        ring.set_weight(gone.id(), gone.share()).expect("it had room before");
        assert_eq!(owners(&ring), before, "its old weight");
        // A heavier node takes keys and moves none between the others; a lighter one gives.
        for weight in 1..=4 {
            ring.set_weight(gone.id(), weight).expect("room for all");
            for (old, new) in before.iter().zip(owners(&ring)) {
                let changed = if weight > gone.share() { new } else { *old };
                assert!(*old == new || changed == Some(gone.id()), "weight {weight}");
            }
        }
    }

    // The same number or name twice, and unknown nodes, change nothing.
    let mut ring = ring;
    if let Some(first) = nodes.first() {
        assert_eq!(ring.insert(Node::from_key(first.id(), 5)), Err(ChangeError::Duplicate));
        assert_eq!(ring.insert(Node::from_key(9_999, first.key())), Err(ChangeError::Duplicate));
    }
    assert_eq!(ring.set_weight(9_999, 1), Err(ChangeError::Unknown));
    assert_eq!(ring.drain(9_999), Err(ChangeError::Unknown));
    assert_eq!(ring.resume(9_999), Err(ChangeError::Unknown));
    assert_eq!(ring.remove(9_999), Err(ChangeError::Unknown));
    assert_eq!(owners(&ring), before);
    assert_eq!(ring.nodes().len(), nodes.len());
}

/// Every law for one ring.
macro_rules! keeps_the_laws {
    ($name:ident, $new:expr) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(24))]
            #[test]
            fn $name(weights in prop::collection::vec(0u32..=4, 0..=8), shuffle: u64) {
                laws(|| $new, &weights, shuffle);
            }
        }
    };
}

keeps_the_laws!(karger, Karger::<Heap, Heap>::with_capacity(8, 8 * 4 * 20).virtual_nodes(points(20)));
keeps_the_laws!(
    karger_inline_with_no_slot_to_spare,
    Karger::<Inline<8>, Inline<32>>::new().virtual_nodes(points(1))
);
keeps_the_laws!(multi_probe, MultiProbe::<Heap>::with_capacity(32));
keeps_the_laws!(rendezvous, Rendezvous::<Inline<8>>::new());

fn points(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("tests ask for points")
}

#[test]
fn a_ring_refuses_what_does_not_fit_and_stays_as_it_was() {
    fn refuses<R: Ring>(mut ring: R) {
        ring.insert(node(0, 2)).expect("room for two");
        let before = owners(&ring);
        assert_eq!(ring.insert(node(1, 5)), Err(ChangeError::Full));
        assert_eq!(ring.set_weight(id(0), u32::MAX), Err(ChangeError::Full));
        assert_eq!(owners(&ring), before);
        assert_eq!((ring.nodes().len(), ring.nodes()[0].share()), (1, 2));
        // Room that was given up while a node drained is not kept for it.
        ring.drain(id(0)).expect("a member");
        assert_eq!((ring.owner(7), ring.insert(node(1, 3))), (None, Ok(())));
        assert_eq!(ring.resume(id(0)), Err(ChangeError::Full));
        assert_eq!(ring.insert(node(2, 0)), Err(ChangeError::Full));
        assert!(ring.nodes()[0].is_draining());
    }
    refuses(Karger::<Inline<2>, Inline<40>>::new().virtual_nodes(points(10)));
    let heavy = [node(0, u32::MAX), node(1, 1)];
    let mut ring = Karger::<Inline<2>, Inline<40>>::new();
    assert_eq!(ring.extend(&heavy), Err(ChangeError::TooHeavy));
    assert_eq!(ring.extend(&[node(0, 1), node(0, 1)]), Err(ChangeError::Duplicate));
    assert!(ring.nodes().is_empty());
    let mut ring = MultiProbe::<Inline<2>>::new();
    assert_eq!(ring.insert(node(0, 3)), Err(ChangeError::Full));
    assert_eq!((ring.insert(node(0, 2)), ring.insert(node(1, 1))), (Ok(()), Err(ChangeError::Full)));
    let mut ring = Rendezvous::<Inline<2>>::new();
    assert_eq!(ring.insert(node(0, u32::MAX)), Ok(()));
    assert_eq!(ring.insert(node(1, 1)), Err(ChangeError::TooHeavy));
}

/// The points of a Karger ring sorted, and the nodes in their order from a hash on.
fn naive(nodes: &[Node], virtual_nodes: u32, hash: u64) -> Vec<u32> {
    let mut points = Vec::new();
    for node in nodes {
        for point in 0..u64::from(node.share() * virtual_nodes) {
            points.push((
                (mix::mix(node.key(), point) >> 32).min(u64::from(u32::MAX - 1)),
                node.key(),
                node.id(),
            ));
        }
    }
    points.sort_unstable();
    let from = points.partition_point(|(position, ..)| *position < hash >> 32);
    points.rotate_left(from);
    points.into_iter().map(|(.., id)| id).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_karger_ring_is_its_sorted_points(
        weights in prop::collection::vec(0u32..=4, 0..=8),
        virtual_nodes in 1u32..60,
        spare in 0u32..200,
    ) {
        let nodes: Vec<Node> = weights.iter().zip(0..).map(|(weight, name)| node(name, *weight)).collect();
        let count = weights.iter().sum::<u32>() * virtual_nodes;
        let mut ring = Karger::<Heap, Heap>::with_capacity(8, count + spare).virtual_nodes(points(virtual_nodes));
        ring.extend(&nodes).expect("room for all");
        for hash in hashes().take(60) {
            let mut expected = naive(&nodes, virtual_nodes, hash);
            prop_assert_eq!(ring.owner(hash), expected.first().copied());
            let mut walked = Vec::new();
            ring.walk(hash, |id| {
                walked.push(id);
                ControlFlow::Continue(())
            });
            expected.dedup();
            walked.dedup();
            // The walk may come round to the first point again.
            prop_assert!(walked.starts_with(&expected), "{:?} {:?}", walked, expected);
        }
    }
}

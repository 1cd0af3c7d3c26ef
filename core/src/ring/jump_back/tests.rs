use super::*;
use crate::rng::Rng;
use crate::storage::{Heap, Inline};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::vec;
use std::vec::Vec;

fn of(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

fn node(id: u32) -> Node {
    Node::new(id, &id.to_le_bytes())
}

fn hashes(count: usize) -> impl Iterator<Item = u64> {
    let mut rng = SplitMix64::seed(11);
    [0, u64::MAX].into_iter().chain((0..count).map(move |_| rng.next_u64()))
}

fn owners<N: Storage>(ring: &JumpBack<N>) -> Vec<Option<u32>> {
    hashes(300).map(|hash| ring.owner(hash)).collect()
}

proptest! {
    #[test]
    fn a_key_stays_or_moves_to_the_new_bucket(hash: u64, n in prop_oneof![1u32..200, 1u32..u32::MAX]) {
        let (before, after) = (jump_back(hash, of(n)), jump_back(hash, of(n + 1)));
        prop_assert!(before < n && (after == before || after == n));
    }

    #[test]
    fn a_key_never_goes_back_to_a_bucket_it_left(hash: u64) {
        let mut last = 0;
        for n in 1..300 {
            let bucket = jump_back(hash, of(n));
            prop_assert!(bucket == last || bucket == n - 1);
            last = bucket;
        }
    }
}

#[test]
fn buckets_get_the_same_share_from_keys_that_are_no_hashes() {
    for n in [2u32, 3, 5, 8, 9, 15, 16, 17, 100, 129] {
        let keys = 2_000 * u64::from(n);
        let mut loads = vec![0u32; n as usize];
        (0..keys).for_each(|key| loads[jump_back(key, of(n)) as usize] += 1);
        // Pearson: chi square of n - 1 degrees, five standard deviations above its mean.
        let squares: i64 = loads.iter().map(|load| (i64::from(*load) - 2_000).pow(2)).sum();
        let freedom = i64::from(n - 1);
        // chi = squares / 2,000 < freedom + 5 √(2 freedom) + 8, without the division and the root.
        let above = squares - 2_000 * (freedom + 8);
        assert!(above < 0 || above.pow(2) < 50 * freedom * 2_000 * 2_000, "{n} buckets: {squares} / 2000");
    }
}

#[test]
fn the_largest_number_of_buckets_is_served() {
    let mut high = 0;
    for hash in hashes(1_000) {
        high += u32::from(jump_back(hash, NonZeroU32::MAX) >= 1 << 31);
        assert!(jump_back(hash, of(1 << 31)) < 1 << 31);
        assert_eq!(jump_back(hash, of(1)), 0);
    }
    // Half of them, standard deviation 16.
    assert!((420..580).contains(&high), "{high}");
}

/// What the ring must be: a list of buckets.
fn model(nodes: &[Node], hash: u64) -> Option<u32> {
    let buckets: Vec<u32> =
        nodes.iter().flat_map(|node| (0..node.full_weight()).map(|_| node.id())).collect();
    let n = NonZeroU32::new(buckets.len() as u32)?;
    Some(buckets[jump_back(hash, n) as usize])
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Insert(u32, u32),
    Remove(u32),
    Weigh(u32, u32),
}

fn change() -> impl Strategy<Value = Change> {
    let weight = || prop_oneof![Just(1u32), 0u32..4];
    prop_oneof![
        (0u32..8, weight()).prop_map(|(id, weight)| Change::Insert(id, weight)),
        (0u32..8).prop_map(Change::Remove),
        (0u32..8, weight()).prop_map(|(id, weight)| Change::Weigh(id, weight)),
    ]
}

proptest! {
    #[test]
    fn only_what_is_last_goes(changes in prop::collection::vec(change(), 0..40)) {
        let mut ring = JumpBack::with_capacity(6);
        let mut nodes: Vec<Node> = Vec::new();
        for change in changes {
            let before = owners(&ring);
            let last = |at: usize| nodes[at + 1..].iter().all(|later| later.full_weight() == 0);
            match change {
                Change::Insert(id, weight) => {
                    let expected = if nodes.iter().any(|node| node.id() == id) {
                        Err(ChangeError::Duplicate)
                    } else if nodes.len() == 6 {
                        Err(ChangeError::Full)
                    } else {
                        nodes.push(node(id).weight(weight));
                        Ok(())
                    };
                    prop_assert_eq!(ring.insert(node(id).weight(weight)), expected);
                    for (old, new) in before.iter().zip(owners(&ring)) {
                        prop_assert!(*old == new || new == Some(id));
                    }
                }
                Change::Remove(id) => {
                    let expected = match nodes.iter().position(|node| node.id() == id) {
                        None => Err(ChangeError::Unknown),
                        Some(at) if last(at) || nodes[at].full_weight() == 0 => Ok(nodes.remove(at)),
                        Some(_) => Err(ChangeError::Unsupported),
                    };
                    prop_assert_eq!(ring.remove(id), expected);
                    for (old, new) in before.iter().zip(owners(&ring)) {
                        prop_assert!(*old == new || *old == Some(id));
                    }
                }
                Change::Weigh(id, weight) => {
                    let expected = match nodes.iter().position(|node| node.id() == id) {
                        None => Err(ChangeError::Unknown),
                        Some(at) if last(at) || nodes[at].full_weight() == weight => {
                            nodes[at] = nodes[at].weight(weight);
                            Ok(())
                        }
                        Some(_) => Err(ChangeError::Unsupported),
                    };
                    prop_assert_eq!(ring.set_weight(id, weight), expected);
                }
            }
            prop_assert_eq!(ring.nodes(), &nodes[..]);
            for hash in hashes(300) {
                prop_assert_eq!(ring.owner(hash), model(&nodes, hash));
            }
            let weighty: BTreeSet<u32> = nodes.iter().filter(|node| node.share() > 0).map(Node::id).collect();
            for hash in hashes(20) {
                let (mut first, mut met) = (None, BTreeSet::new());
                ring.walk(hash, |id| {
                    first = first.or(Some(id));
                    met.insert(id);
                    ControlFlow::Continue(())
                });
                prop_assert_eq!((first, &met), (ring.owner(hash), &weighty));
            }
        }
    }

    #[test]
    fn what_drains_comes_back_exactly(weights in prop::collection::vec(0u32..3, 1..8), which in 0u32..8) {
        let mut ring = JumpBack::<Inline<8>>::new();
        for (id, weight) in (0..).zip(&weights) {
            ring.insert(node(id).weight(*weight)).unwrap();
        }
        let which = which % weights.len() as u32;
        let before = owners(&ring);
        ring.drain(which).unwrap();
        let drained = owners(&ring);
        for (old, new) in before.iter().zip(&drained) {
            prop_assert!(*new != Some(which) && (old == new || *old == Some(which)));
            prop_assert!(new.is_some() || weights.iter().sum::<u32>() == weights[which as usize]);
        }
        if which + 1 == weights.len() as u32 {
            let last = ring.remove(which).unwrap();
            prop_assert_eq!(owners(&ring), drained, "a drained last node's keys move once");
            ring.insert(last).unwrap();
        }
        ring.resume(which).unwrap();
        prop_assert_eq!(owners(&ring), before);
    }
}

#[test]
fn the_keys_of_a_drained_node_are_spread_evenly() {
    let mut ring = JumpBack::<Heap>::with_capacity(10);
    (0..10).for_each(|id| ring.insert(node(id)).unwrap());
    ring.drain(0).unwrap();
    let mut loads = vec![0u32; 10];
    hashes(90_000).for_each(|hash| loads[ring.owner(hash).unwrap() as usize] += 1);
    // 10,000 each, standard deviation about 100.
    assert!(loads[0] == 0 && loads[1..].iter().all(|load| (9_500..=10_500).contains(load)), "{loads:?}");
}

#[test]
fn weights_beyond_32_bits_are_refused() {
    let mut ring = JumpBack::<Inline<3>>::new();
    ring.insert(node(0).weight(u32::MAX)).unwrap();
    ring.drain(0).unwrap();
    // The drained node still has its buckets.
    assert_eq!(ring.insert(node(1)), Err(ChangeError::TooHeavy));
    assert_eq!(ring.nodes().len(), 1);
    ring.insert(node(1).weight(0)).unwrap();
    assert_eq!(ring.set_weight(1, 1), Err(ChangeError::TooHeavy));
    ring.resume(0).unwrap();
}

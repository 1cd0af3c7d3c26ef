use super::*;
use crate::rng::{Rng, SplitMix64};
use crate::storage::{Heap, Inline};
use proptest::prelude::*;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::vec;
use std::vec::Vec;

fn node(id: u32) -> Node {
    Node::new(id, &id.to_le_bytes())
}

fn hashes(count: usize) -> impl Iterator<Item = u64> {
    let mut rng = SplitMix64::seed(5);
    [0, u64::MAX].into_iter().chain((0..count).map(move |_| rng.next_u64()))
}

fn owners<N: Storage>(ring: &Anchor<N>) -> Vec<Option<u32>> {
    hashes(300).map(|hash| ring.owner(hash)).collect()
}

/// Distinct nodes in the order of the walk.
fn order<N: Storage>(ring: &Anchor<N>, hash: u64) -> Vec<u32> {
    let mut order = Vec::new();
    ring.walk(hash, |id| {
        if !order.contains(&id) {
            order.push(id);
        }
        ControlFlow::Continue(())
    });
    order
}

/// The paper's first form: each bucket that went remembers the whole order before and after.
struct Model {
    capacity: u32,
    order: Vec<u16>,
    /// What went, the last one last: the bucket, the order with it and without.
    gone: Vec<(u16, Vec<u16>, Vec<u16>)>,
    owners: BTreeMap<u16, u32>,
}

impl Model {
    fn new(capacity: u16) -> Self {
        let gone =
            (0..capacity).rev().map(|last| (last, (0..=last).collect(), (0..last).collect())).collect();
        Self { capacity: capacity.into(), order: Vec::new(), gone, owners: BTreeMap::new() }
    }

    fn add(&mut self, id: u32) {
        let (bucket, with, without) = self.gone.pop().unwrap();
        assert_eq!(self.order, without);
        self.order = with;
        self.owners.insert(bucket, id);
    }

    fn remove(&mut self, id: u32) {
        for at in (0..self.order.len()).rev() {
            // What moved here from the end was looked at already.
            let Some(bucket) = self.order.get(at).copied().filter(|bucket| self.owners[bucket] == id) else {
                continue;
            };
            let with = self.order.clone();
            self.order.swap_remove(at);
            self.owners.remove(&bucket);
            self.gone.push((bucket, with, self.order.clone()));
        }
    }

    fn owner(&self, hash: u64) -> Option<u32> {
        if self.order.is_empty() {
            return None;
        }
        let mut bucket = below(hash, self.capacity) as u16;
        while let Some((_, _, left)) = self.gone.iter().find(|gone| gone.0 == bucket) {
            bucket = left[below(mix(hash, bucket.into()), left.len() as u32) as usize];
        }
        Some(self.owners[&bucket])
    }
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Insert(u32, u32),
    Remove(u32),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (0u32..12, prop_oneof![Just(1u32), 0u32..4]).prop_map(|(id, weight)| Change::Insert(id, weight)),
        (0u32..12).prop_map(Change::Remove),
    ]
}

proptest! {
    #[test]
    fn any_history_answers_as_the_paper_does(changes in prop::collection::vec(change(), 0..40), spare in 0u32..9) {
        let capacity = 12 + spare;
        let mut ring = Anchor::with_capacity(capacity);
        let mut model = Model::new(capacity as u16);
        let mut members = BTreeMap::new();
        for change in changes {
            let before = owners(&ring);
            match change {
                Change::Insert(id, weight) => {
                    let total: u32 = members.values().sum();
                    let expected = match members.entry(id) {
                        Entry::Occupied(_) => Err(ChangeError::Duplicate),
                        Entry::Vacant(_) if total + weight > capacity => Err(ChangeError::Full),
                        Entry::Vacant(place) => {
                            place.insert(weight);
                            (0..weight).for_each(|_| model.add(id));
                            Ok(())
                        }
                    };
                    prop_assert_eq!(ring.insert(node(id).weight(weight)), expected);
                    for (old, new) in before.iter().zip(owners(&ring)) {
                        prop_assert!(*old == new || new == Some(id), "a key moved between others");
                    }
                }
                Change::Remove(id) => {
                    let expected = members.remove(&id).ok_or(ChangeError::Unknown);
                    model.remove(id);
                    prop_assert_eq!(ring.remove(id).map(|node| node.share()), expected);
                    for (old, new) in before.iter().zip(owners(&ring)) {
                        prop_assert!(*old == new || *old == Some(id), "a key moved between others");
                    }
                }
            }
            for (hash, owner) in hashes(300).zip(owners(&ring)) {
                prop_assert_eq!(owner, model.owner(hash));
            }
            let weighty: BTreeSet<u32> = members.iter().filter(|(_, weight)| **weight > 0).map(|(id, _)| *id).collect();
            for hash in hashes(20) {
                let walk = order(&ring, hash);
                prop_assert_eq!(walk.first().copied(), ring.owner(hash));
                prop_assert_eq!(walk.into_iter().collect::<BTreeSet<u32>>(), weighty.clone());
            }
        }
    }

    #[test]
    fn a_key_goes_on_along_its_walk_as_nodes_go(count in 1u32..14, spare in 0u32..9, hash: u64) {
        let mut ring = Anchor::with_capacity(count + spare);
        (0..count).for_each(|id| ring.insert(node(id)).unwrap());
        for id in order(&ring, hash) {
            prop_assert_eq!(ring.owner(hash), Some(id));
            ring.remove(id).unwrap();
        }
        prop_assert_eq!(ring.owner(hash), None);
    }

    #[test]
    fn what_drains_comes_back_exactly(
        weights in prop::collection::vec(0u32..4, 1..8),
        spare in 0u32..9,
        which in 0u32..8,
    ) {
        let mut ring = Anchor::with_capacity(weights.iter().sum::<u32>().max(8) + spare);
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
        // Whatever else happens meanwhile.
        let other = (which + 1) % weights.len() as u32;
        if other != which {
            let other = ring.remove(other).unwrap();
            ring.insert(other).unwrap();
            prop_assert_eq!(owners(&ring), drained);
        }
        ring.resume(which).unwrap();
        prop_assert_eq!(owners(&ring), before.clone());
        // Less weight takes from that node only, and its old weight restores everything.
        ring.set_weight(which, 0).unwrap();
        for (old, new) in before.iter().zip(owners(&ring)) {
            prop_assert!(*old == new || *old == Some(which));
        }
        ring.set_weight(which, weights[which as usize]).unwrap();
        prop_assert_eq!(owners(&ring), before);
    }
}

#[test]
fn to_drain_and_then_to_remove_moves_keys_once() {
    let mut ring = Anchor::<Inline<20>>::new();
    (0..15).for_each(|id| ring.insert(node(id)).unwrap());
    for gone in [3, 14, 0] {
        ring.drain(gone).unwrap();
        let drained = owners(&ring);
        ring.remove(gone).unwrap();
        assert_eq!(owners(&ring), drained);
    }
}

#[test]
fn refusals_change_nothing() {
    let mut ring = Anchor::<Inline<4>>::new();
    ring.insert(node(0).weight(2)).unwrap();
    let before = owners(&ring);
    assert_eq!(ring.insert(node(0)), Err(ChangeError::Duplicate));
    assert_eq!(ring.insert(node(1).weight(3)), Err(ChangeError::Full));
    assert_eq!(ring.insert(node(1).weight(u32::MAX)), Err(ChangeError::TooHeavy));
    assert_eq!(ring.set_weight(0, 5), Err(ChangeError::Full));
    assert_eq!(ring.set_weight(7, 1), Err(ChangeError::Unknown));
    assert_eq!(ring.remove(7), Err(ChangeError::Unknown));
    assert_eq!(ring.drain(7), Err(ChangeError::Unknown));
    assert_eq!((owners(&ring), ring.nodes().len()), (before, 1));
    assert_eq!(Anchor::<Inline<0>>::new().insert(node(0)), Err(ChangeError::Full));
    assert_eq!(Anchor::<Heap>::with_capacity(0).owner(7), None);
    assert_eq!(Anchor::<Heap>::with_capacity(u32::MAX).buckets.len(), MOST);
}

#[test]
fn keys_fall_evenly_whatever_went() {
    let mut ring = Anchor::with_capacity(64);
    (0..40).for_each(|id| ring.insert(node(id)).unwrap());
    (0..40).step_by(3).for_each(|id| _ = ring.remove(id).unwrap());
    let left = ring.nodes().len();
    let mut loads = vec![0u32; 40];
    hashes(260_000).for_each(|hash| loads[ring.owner(hash).unwrap() as usize] += 1);
    // 10,000 each: standard deviation 98; five of those either way.
    let loaded: Vec<u32> = loads.into_iter().filter(|load| *load > 0).collect();
    assert_eq!((loaded.len(), left), (26, 26));
    assert!(loaded.iter().all(|load| (9_500..=10_500).contains(load)), "{loaded:?}");
}

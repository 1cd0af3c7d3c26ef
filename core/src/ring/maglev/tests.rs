use super::*;
use crate::ring::Node;
use crate::rng::{Rng, SplitMix64};
use crate::storage::{Heap, Inline};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::vec;
use std::vec::Vec;

type Table = Maglev<Heap, Heap>;

fn named(number: u32) -> Node {
    Node::new(number, std::format!("node-{number}").as_bytes())
}

fn ring(nodes: impl IntoIterator<Item = Node>, entries: u32) -> Table {
    let nodes: Vec<Node> = nodes.into_iter().collect();
    let mut ring = Table::with_capacity(nodes.len() as u32 + 2, entries).unwrap();
    ring.extend(&nodes).unwrap();
    ring
}

/// The id at each entry.
fn entries(ring: &Table) -> Vec<u32> {
    if ring.empty { Vec::new() } else { ring.table().to_vec() }
}

/// The table as the paper fills it, with the whole order of each node written down and the next turn looked for among
/// all nodes.
fn by_the_paper(nodes: &[Node], size: u32) -> Vec<u32> {
    let mut nodes: Vec<Node> = nodes.iter().copied().filter(|node| node.share() > 0).collect();
    nodes.sort_by_key(Node::key);
    let orders: Vec<Vec<u32>> = nodes
        .iter()
        .map(|node| {
            let offset = below(node.key(), size);
            let skip = 1 + below(node.key() << 32, size - 1);
            (0..u64::from(size))
                .map(|j| ((u64::from(offset) + j * u64::from(skip)) % u64::from(size)) as u32)
                .collect()
        })
        .collect();
    let (mut turns, mut next) = (vec![0u128; nodes.len()], vec![0; nodes.len()]);
    let mut table = vec![None; size as usize];
    for _ in 0..size {
        // (turns + 1/2) / weight, compared as fractions.
        let due = |at: usize| (2 * turns[at] + 1, u128::from(nodes[at].share()));
        let first = (0..nodes.len())
            .min_by(|a, b| (due(*a).0 * due(*b).1).cmp(&(due(*b).0 * due(*a).1)).then(a.cmp(b)))
            .unwrap();
        while table[orders[first][next[first]] as usize].is_some() {
            next[first] += 1;
        }
        table[orders[first][next[first]] as usize] = Some(nodes[first].id());
        turns[first] += 1;
    }
    table.into_iter().map(Option::unwrap).collect()
}

proptest! {
    #[test]
    fn the_table_is_that_of_the_paper_for_any_order_of_insertion_and_any_budget(
        weights in prop::collection::vec(prop_oneof![Just(1u32), Just(0), 1u32..5, 1u32..1_000_000], 1..9),
        size in prop_oneof![Just(2u32), Just(3), Just(31), Just(251)],
        budget in 1u32..300,
        seed: u64,
    ) {
        let mut nodes: Vec<Node> = (0..).zip(&weights).map(|(id, weight)| named(id).weight(*weight)).collect();
        let expected = by_the_paper_or_nothing(&nodes, size);
        prop_assert_eq!(&entries(&ring(nodes.clone(), size)), &expected);
        SplitMix64::seed(seed).shuffle(&mut nodes);
        let mut slow = Table::with_capacity(9, size).unwrap();
        for node in &nodes {
            slow.later().insert(*node).unwrap();
        }
        while let Progress::Pending { .. } = slow.rebuild_step(budget) {
            // Nothing answers before the first table is complete.
            prop_assert_eq!(slow.owner(seed), None);
        }
        prop_assert_eq!(&entries(&slow), &expected);
    }
}

fn by_the_paper_or_nothing(nodes: &[Node], size: u32) -> Vec<u32> {
    if nodes.iter().any(|node| node.share() > 0) { by_the_paper(nodes, size) } else { Vec::new() }
}

#[test]
fn equal_weights_give_the_same_table_whatever_they_are() {
    let of = |weight| entries(&ring((0..10).map(|id| named(id).weight(weight)), 1_021));
    assert_eq!(of(1), of(1_000_000));
}

#[test]
fn shares_follow_weights_to_within_an_entry_and_a_half() {
    let weights = [1u32, 2, 3, 100, 50, 7];
    let total: u32 = weights.iter().sum();
    let table = entries(&ring((0..).zip(weights).map(|(id, weight)| named(id).weight(weight)), 4_093));
    for (id, weight) in (0..).zip(weights) {
        let have = table.iter().filter(|owner| **owner == id).count() as i64;
        let off = have * i64::from(total) - 4_093 * i64::from(weight);
        assert!(2 * off.abs() <= 3 * i64::from(total), "node {id}: {have} entries, {off} / {total} off");
    }
}

#[test]
fn the_old_table_answers_until_the_new_one_is_complete() {
    let mut ring = ring((0..20).map(named), 2_003);
    let before = entries(&ring);
    ring.later().remove(3).unwrap();
    ring.later().set_weight(4, 9).unwrap();
    assert!(ring.nodes().iter().all(|node| node.id() != 3));
    let mut steps = 0;
    // Clearing takes 40 steps and a bit, so the build is half way in the 60th.
    while let Progress::Pending { left } = ring.rebuild_step(50) {
        steps += 1;
        if steps == 60 {
            // Too late for this build: the next one takes it in, and this one is not thrown away.
            ring.later().drain(5).unwrap();
        }
        if steps > 60 && left == 2_003 {
            break;
        }
        assert!(steps < 10_000 && (left == 2_003) == (steps <= 40), "step {steps}: {left} left");
        assert_eq!(entries(&ring), before);
    }
    assert!(entries(&ring).iter().all(|owner| *owner != 3) && entries(&ring).contains(&5));
    ring.rebuild();
    let mut nodes: Vec<Node> = ring.nodes().to_vec();
    nodes.reverse();
    assert_eq!(entries(&ring), entries(&tests::ring(nodes, 2_003)));
    assert_eq!(ring.rebuild_step(1), Progress::Complete);
}

#[test]
fn changes_that_keep_coming_still_take_effect() {
    let mut ring = ring((0..10).map(named), 503);
    let (mut seen, mut rng) = (BTreeSet::new(), SplitMix64::seed(1));
    for _ in 0..10_000 {
        ring.later().set_weight(0, rng.below(7)).unwrap();
        _ = ring.rebuild_step(10);
        seen.insert(entries(&ring).iter().filter(|owner| **owner == 0).count());
    }
    assert!(seen.len() == 7, "{seen:?}");
}

#[test]
fn a_step_never_does_more_than_its_budget() {
    // One step of each probe: the sum of the budgets bounds the number of entries looked at.
    let mut ring = ring((0..100).map(named), 10_007);
    ring.later().remove(0).unwrap();
    let mut spent: u64 = 0;
    while let Progress::Pending { .. } = ring.rebuild_step(7) {
        spent += 7;
    }
    // Clearing takes as many as there are entries; filling M ln M on average.
    assert!(spent > 2 * 10_007 && spent < 25 * 10_007, "{spent}");
}

#[test]
fn sizes_are_primes() {
    let small: Vec<u32> = (0..30).filter(|n| is_prime(*n)).collect();
    assert_eq!(small, [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]);
    assert_eq!(
        (table_size(0), table_size(65_536), table_size(100_000)),
        (Some(2), Some(65_537), Some(100_003))
    );
    assert_eq!((table_size(16_777_213), table_size(16_777_214)), (Some(16_777_213), None));
    for wrong in [0, 1, 4, 65_536, 16_777_216, 16_777_259, u32::MAX] {
        assert_eq!(Table::with_capacity(1, wrong).unwrap_err(), TableError::NotPrime);
    }
}

#[test]
fn inline_and_heap_agree() {
    let mut inline = Maglev::<Inline<8>, Inline<251>>::new();
    let mut heap = Table::with_capacity(8, 251).unwrap();
    for id in 0..8 {
        inline.insert(named(id).weight(id)).unwrap();
        heap.insert(named(id).weight(id)).unwrap();
        assert_eq!((inline.empty, inline.table()), (heap.empty, heap.table()));
    }
}

#[test]
fn any_number_is_an_id() {
    let ids = [u32::MAX, u32::MAX - 1, 0, u32::MAX - 2];
    let ring = ring(ids.map(named), 251);
    let seen: BTreeSet<u32> = entries(&ring).into_iter().collect();
    assert_eq!(seen, BTreeSet::from(ids));
}

#[test]
fn a_refused_node_does_not_keep_its_keys_from_the_others_shares() {
    let ring = ring((0..10).map(named), 1_021);
    let mut gained = BTreeMap::new();
    let mut rng = SplitMix64::seed(1);
    for _ in 0..100_000 {
        let hash = rng.next_u64();
        if ring.owner(hash) == Some(0) {
            *gained.entry(ring.owner_where(hash, |id| id != 0).unwrap()).or_insert(0u32) += 1;
        }
    }
    assert_eq!(gained.len(), 9);
    assert!(gained.values().all(|gained| (900..1_350).contains(gained)), "{gained:?}");
}

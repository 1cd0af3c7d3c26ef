//! Cutting work: by hash, by order, by cost.

use crate::rounds::{Contender, nanosecond_table, time_each};
use core::num::NonZeroU32;
use divvy::partition::{Assignment, HashPartition, HotKeys, RangePartition};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Heap;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::hint::black_box;

/// Builds are slower and need fewer rounds.
const SORT_ROUNDS: u32 = 11;

pub(crate) fn table(rounds: u32) -> Result<String, String> {
    let keys = keys();
    let mut tables =
        vec![nanosecond_table("part of a 12-byte key by hash, 100 parts", rounds, by_hash(&keys)?)];
    for splits in [15, 999] {
        let operation = format!("part of a number by order, {} parts", splits + 1);
        tables.push(nanosecond_table(&operation, rounds, by_order(splits)?));
    }
    for (items, parts) in [(1_000, 8), (10_000, 64), (10_000, 1_000)] {
        let operation = format!("assign {items} items to {parts} parts, the longest first");
        tables.push(nanosecond_table(&operation, rounds.min(SORT_ROUNDS), by_cost(items, parts)?));
    }
    Ok(tables.join("\n"))
}

fn count(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("at least one part")
}

/// Keys as records have them: a few come often, most seldom.
fn keys() -> Vec<[u8; 12]> {
    let mut rng = Xoshiro256PlusPlus::seed(3);
    let keys = (0..4_096).map(|_| {
        let key = rng.below(1 << 10) * rng.below(1 << 10) / (1 + rng.below(1 << 10));
        let mut text = *b"user:0000000";
        for (digit, place) in text[5..].iter_mut().rev().zip(0..) {
            *digit += (key / 10u32.pow(place) % 10) as u8;
        }
        text
    });
    keys.collect()
}

fn by_hash(keys: &[[u8; 12]]) -> Result<Vec<Contender<'_>>, String> {
    const PARTS: u32 = 100;
    fn each<'a>(name: &str, keys: &'a [[u8; 12]], mut owner: impl FnMut(&[u8]) -> u32 + 'a) -> Contender<'a> {
        Contender::new(name, move || {
            time_each(200_000, |i| {
                black_box(owner(black_box(&keys[i as usize % keys.len()])));
            })
        })
    }
    fn modulo(hasher: impl BuildHasher) -> impl FnMut(&[u8]) -> u32 {
        move |key| (hasher.hash_one(key) % u64::from(black_box(PARTS))) as u32
    }
    let ours = HashPartition::new(count(black_box(PARTS)));
    let mut hot = HotKeys::<Heap>::with_capacity(count(PARTS), 5 * PARTS as usize);
    if keys.iter().any(|key| ours.owner(key) != hot.owner(key)) {
        return Err("the hash partition and that of hot keys disagree".to_owned());
    }
    Ok(vec![
        each("baseline: the first byte", keys, |key| key[0].into()),
        each("SipHash % parts (std)", keys, modulo(BuildHasherDefault::<DefaultHasher>::default())),
        each(
            "foldhash % parts (not the same on every target)",
            keys,
            modulo(foldhash::fast::FixedState::default()),
        ),
        each("xxhash-rust % parts", keys, |key| {
            (xxhash_rust::xxh3::xxh3_64(key) % u64::from(black_box(PARTS))) as u32
        }),
        each("divvy::partition::HashPartition", keys, move |key| ours.owner(key)),
        each("divvy::partition::HotKeys, which counts and splits", keys, move |key| hot.assign(key).part()),
    ])
}

fn by_order(splits: usize) -> Result<Vec<Contender<'static>>, String> {
    let mut rng = Xoshiro256PlusPlus::seed(4);
    let mut points: Vec<u64> = (0..splits).map(|_| rng.next_u64()).collect();
    points.sort_unstable();
    let keys: Vec<u64> = (0..4_096).map(|_| rng.next_u64()).collect();
    let tree: BTreeMap<u64, u32> = points.iter().copied().zip(1..).collect();
    let in_tree = move |key: u64| tree.range(..=key).next_back().map_or(0, |(_, part)| *part);
    let sorted = points.clone();
    let searched = move |key: u64| sorted.binary_search(&key).map_or_else(|at| at as u32, |at| at as u32 + 1);
    let points: &'static [u64] = points.leak();
    let ours = RangePartition::new(points).map_err(|error| error.to_string())?;
    if keys.iter().any(|key| in_tree(*key) != ours.owner(key) || searched(*key) != ours.owner(key)) {
        return Err("the searches disagree".to_owned());
    }
    let each = |name: &str, mut owner: Box<dyn FnMut(u64) -> u32>| {
        let keys = keys.clone();
        Contender::new(name, move || {
            time_each(100_000, |i| {
                black_box(owner(black_box(keys[i as usize % keys.len()])));
            })
        })
    };
    Ok(vec![
        each("baseline: the low word", Box::new(|key| key as u32)),
        each("BTreeMap::range (std)", Box::new(in_tree)),
        each("slice::binary_search (std)", Box::new(searched)),
        each("divvy::partition::RangePartition", Box::new(move |key| ours.owner(&key))),
    ])
}

/// The longest first, with the least load found by a scan.
fn by_scan(costs: &[u64], parts: u32) -> (Vec<u32>, u64) {
    let (order, mut owners, mut loads) =
        (longest_first(costs), vec![0; costs.len()], vec![0u64; parts as usize]);
    for item in order {
        let lightest = (0..loads.len()).min_by_key(|part| loads[*part]).unwrap_or(0);
        owners[item as usize] = lightest as u32;
        loads[lightest] += costs[item as usize];
    }
    (owners, loads.into_iter().max().unwrap_or(0))
}

/// The same with the standard library's heap.
fn by_heap(costs: &[u64], parts: u32) -> (Vec<u32>, u64) {
    let (order, mut owners) = (longest_first(costs), vec![0; costs.len()]);
    let mut loads: BinaryHeap<Reverse<(u64, u32)>> = (0..parts).map(|part| Reverse((0, part))).collect();
    for item in order {
        if let Some(mut lightest) = loads.peek_mut() {
            lightest.0.0 += costs[item as usize];
            owners[item as usize] = lightest.0.1;
        }
    }
    (owners, loads.into_iter().map(|Reverse((load, _))| load).max().unwrap_or(0))
}

fn longest_first(costs: &[u64]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..costs.len() as u32).collect();
    order.sort_unstable_by_key(|item| (Reverse(costs[*item as usize]), *item));
    order
}

fn by_cost(items: usize, parts: u32) -> Result<Vec<Contender<'static>>, String> {
    let mut rng = Xoshiro256PlusPlus::seed(5);
    let costs: &'static [u64] = (0..items).map(|_| 1 + rng.below_u64(1_000_000)).collect::<Vec<_>>().leak();
    let mut ours = Assignment::<Heap>::with_capacity(items, parts as usize);
    ours.longest_first(costs, count(parts)).map_err(|error| error.to_string())?;
    for (owners, makespan) in [by_scan(costs, parts), by_heap(costs, parts)] {
        if makespan != ours.makespan() || !ours.parts_of_items().eq(owners) {
            return Err(format!("the assignments of {items} items to {parts} parts disagree"));
        }
    }
    let calls = (2_000_000 / items as u64 / (1 + u64::from(parts) / 64)).max(3);
    let each = |name: &str, mut assign: Box<dyn FnMut() -> u64>| {
        Contender::new(name, move || {
            time_each(calls, |_| {
                black_box(assign());
            })
        })
    };
    Ok(vec![
        each("baseline: their sum", Box::new(move || black_box(costs).iter().sum())),
        each("sort, scan for the least load", Box::new(move || by_scan(black_box(costs), parts).1)),
        each("sort, BinaryHeap (std)", Box::new(move || by_heap(black_box(costs), parts).1)),
        each(
            "divvy::partition::Assignment",
            Box::new(move || {
                let _ = ours.longest_first(black_box(costs), count(parts));
                ours.makespan()
            }),
        ),
    ])
}

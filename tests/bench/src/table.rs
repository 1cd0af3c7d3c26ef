//! Placement without a circle: Maglev's table, anchor's buckets, and buckets that only have numbers.

use crate::ring::{build, keys, lookup, members, times_divvy};
use crate::rounds::Contender;
use core::num::NonZeroU32;
use divvy::ring::{Anchor, JumpBack, Maglev, Ring, jump_back, table_size};
use divvy::storage::Heap;
use maglev::ConsistentHasher;

/// Entries of a table for each node.
const ENTRIES: u32 = 100;
/// Builds are slower and need fewer rounds.
const BUILD_ROUNDS: u32 = 7;

type Fold = foldhash::fast::FixedState;

pub(crate) fn table(rounds: u32) -> Result<String, String> {
    let keys = keys();
    let mut tables = Vec::new();
    for nodes in [10, 100, 1_000] {
        let entries = table_size(ENTRIES * nodes).ok_or("no such table")?;
        tables.push(times_divvy(
            &format!("lookup in a Maglev table, {nodes} nodes, {entries} entries"),
            rounds,
            lookups_in_tables(nodes, entries, &keys),
        ));
        let anchors = lookups_by_anchor(nodes, &keys);
        tables.push(times_divvy(
            &format!("lookup by anchor, {nodes} nodes of {} at most", most(nodes)),
            rounds,
            anchors,
        ));
        let jumps = lookups_by_jump(nodes, &keys);
        tables.push(times_divvy(&format!("lookup by jump, {nodes} buckets"), rounds, jumps));
    }
    for nodes in [10, 100, 1_000] {
        let entries = table_size(ENTRIES * nodes).ok_or("no such table")?;
        let operation = format!("build a Maglev table, {nodes} nodes, {entries} entries");
        tables.push(times_divvy(&operation, rounds.min(BUILD_ROUNDS), builds_of_tables(nodes, entries)));
        let operation = format!("build an anchor, {nodes} nodes of {} at most", most(nodes));
        tables.push(times_divvy(&operation, rounds.min(BUILD_ROUNDS), builds_of_anchors(nodes)));
    }
    Ok(tables.join("\n"))
}

/// A quarter more than there are.
fn most(nodes: u32) -> u32 {
    nodes + nodes / 4
}

fn lookups_in_tables(nodes: u32, entries: u32, keys: &[String]) -> Vec<Contender<'_>> {
    let peer = maglev::Maglev::new(0..nodes);
    let with_fold = maglev::Maglev::with_capacity_and_hasher(0..nodes, entries as usize, Fold::default());
    let ours = maglev_table(nodes, entries);
    vec![
        lookup("baseline: XXH3 of the key", 2, keys, |key| divvy::hash::xxh3_64(key.as_bytes())),
        lookup("maglev", 12, keys, move |key| peer.get(key).copied()),
        lookup("maglev + foldhash", 3, keys, move |key| with_fold.get(key).copied()),
        lookup("divvy::ring::Maglev", 2, keys, move |key| ours.owner_of(key.as_bytes())),
    ]
}

fn lookups_by_anchor(nodes: u32, keys: &[String]) -> Vec<Contender<'_>> {
    let peer = anchorhash_ring(nodes);
    let ours = anchor(nodes);
    vec![
        lookup("baseline: XXH3 of the key", 2, keys, |key| divvy::hash::xxh3_64(key.as_bytes())),
        lookup("anchorhash + foldhash", 7, keys, move |key| peer.get_resource(key).copied()),
        lookup("divvy::ring::Anchor", 6, keys, move |key| ours.owner_of(key.as_bytes())),
    ]
}

fn lookups_by_jump(nodes: u32, keys: &[String]) -> Vec<Contender<'_>> {
    let peer = jumphash::JumpHasher::new();
    let n = NonZeroU32::new(nodes).unwrap_or(NonZeroU32::MIN);
    let mut ours = JumpBack::<Heap>::with_capacity(nodes);
    members(nodes).into_iter().for_each(|node| ours.insert(node).expect("room for all"));
    vec![
        lookup("baseline: XXH3 of the key", 2, keys, |key| divvy::hash::xxh3_64(key.as_bytes())),
        lookup("jumphash", 40, keys, move |key| peer.slot(&key, nodes)),
        lookup("– divvy::ring::JumpBack", 8, keys, move |key| ours.owner_of(key.as_bytes())),
        lookup("divvy::ring::jump_back", 8, keys, move |key| {
            jump_back(divvy::hash::xxh3_64(key.as_bytes()), n)
        }),
    ]
}

fn builds_of_tables(nodes: u32, entries: u32) -> Vec<Contender<'static>> {
    vec![
        build("baseline: nothing", 1, || 0),
        build("maglev", 15 * u64::from(nodes * entries) / 10, move || {
            maglev::Maglev::with_capacity_and_hasher(0..nodes, entries as usize, Fold::default())
        }),
        build("– divvy::ring::Maglev, weights 1 to 3", 30 * u64::from(entries), move || {
            weighted_table(nodes, entries)
        }),
        build("divvy::ring::Maglev", 15 * u64::from(entries), move || maglev_table(nodes, entries)),
    ]
}

fn builds_of_anchors(nodes: u32) -> Vec<Contender<'static>> {
    vec![
        build("baseline: nothing", 1, || 0),
        build("anchorhash", 17 * u64::from(nodes), move || anchorhash_ring(nodes)),
        build("divvy::ring::Anchor", 17 * u64::from(nodes), move || anchor(nodes)),
    ]
}

fn maglev_table(nodes: u32, entries: u32) -> Maglev<Heap, Heap> {
    let mut ring = Maglev::with_capacity(nodes, entries).expect("a prime");
    ring.extend(&members(nodes)).expect("room for all");
    ring
}

fn weighted_table(nodes: u32, entries: u32) -> Maglev<Heap, Heap> {
    let mut ring = Maglev::with_capacity(nodes, entries).expect("a prime");
    let weighted: Vec<_> = members(nodes).into_iter().map(|node| node.weight(1 + node.id() % 3)).collect();
    ring.extend(&weighted).expect("room for all");
    ring
}

fn anchorhash_ring<'a>(nodes: u32) -> anchorhash::AnchorHash<&'a str, u32, Fold> {
    anchorhash::Builder::with_hasher(Fold::default()).with_resources(0..nodes).build(most(nodes) as u16)
}

fn anchor(nodes: u32) -> Anchor<Heap> {
    let mut ring = Anchor::with_capacity(most(nodes));
    members(nodes).into_iter().for_each(|node| ring.insert(node).expect("room for all"));
    ring
}

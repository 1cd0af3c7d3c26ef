//! Consistent hashing: whose key is this, and how long does it take to get ready to say so?
//!
//! 12-byte string keys, the hash included, 32,768 of them in turn; independent lookups one after the other.

use crate::rounds::{Contender, interleave, time_each};
use divvy::ring::{Karger, Node, Rendezvous, Ring};
use divvy::storage::Heap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::net::SocketAddr;

/// Points for each node of a ring.
const POINTS: u32 = 150;
/// A power of two.
const KEYS: usize = 32_768;
/// How long one sample should take, about.
const SAMPLE_NANOS: u64 = 4_000_000;
/// Builds are slower and need fewer rounds.
const BUILD_ROUNDS: u32 = 7;

type Fold = foldhash::fast::FixedState;

pub(crate) fn table(rounds: u32) -> Result<String, String> {
    let keys = keys();
    let mut tables = Vec::new();
    for nodes in [10, 100, 1_000] {
        let ring = lookups_on_rings(nodes, &keys);
        tables.push(times_divvy(&format!("lookup on a ring, {nodes} nodes × {POINTS}"), rounds, ring));
        let rendezvous = lookups_by_rendezvous(nodes, &keys);
        tables.push(times_divvy(&format!("lookup by rendezvous, {nodes} nodes"), rounds, rendezvous));
    }
    for nodes in [10, 100, 1_000] {
        let operation = format!("build a ring, {nodes} nodes × {POINTS}");
        tables.push(times_divvy(&operation, rounds.min(BUILD_ROUNDS), builds_of_rings(nodes)));
    }
    Ok(tables.join("\n"))
}

fn lookups_on_rings(nodes: u32, keys: &[String]) -> Vec<Contender<'_>> {
    let mut with_fold = hashring::HashRing::with_hasher(Fold::default());
    with_fold.batch_add(virtual_nodes(nodes));
    let mut as_shipped = hashring::HashRing::new();
    as_shipped.batch_add(virtual_nodes(nodes));
    let ketama = pingora_ketama::Continuum::new(&buckets(nodes));
    let vec = vec_ring(nodes);
    let conhash = conhash_ring(nodes);
    let mpchash = mpchash_ring(nodes);
    let mut karger = Karger::<Heap, Heap>::with_capacity(nodes, nodes * POINTS);
    karger.extend(&members(nodes)).expect("room for all");
    vec![
        lookup("baseline: XXH3 of the key", 2, keys, |key| divvy::hash::xxh3_64(key.as_bytes())),
        lookup("hashring", 40, keys, move |key| as_shipped.get(&key).map(|node| node.0)),
        lookup("hashring + foldhash", 25, keys, move |key| with_fold.get(&key).map(|node| node.0)),
        lookup("pingora-ketama (160 points)", 30, keys, move |key| ketama.node(key.as_bytes())),
        lookup("consistent_hash_ring", 40, keys, move |key| *vec.get(key)),
        lookup("conhash", 400, keys, move |key| conhash.get_str(key).map(|node| node.0)),
        lookup("mpchash (21 probes)", 1_500, keys, move |key| mpchash.node(&key).map(|token| *token.node())),
        lookup("divvy::ring::Karger", 6, keys, move |key| karger.owner_of(key.as_bytes())),
    ]
}

fn lookups_by_rendezvous(nodes: u32, keys: &[String]) -> Vec<Contender<'_>> {
    let hrw = hrw_hash::HrwNodes::new(0..nodes);
    let mut rendezvous = rendezvous_hash::RendezvousNodes::default();
    for node in 0..nodes {
        rendezvous.insert(rendezvous_hash::IdNode::new(node));
    }
    let mut plain = Rendezvous::<Heap>::with_capacity(nodes);
    let mut weighted = Rendezvous::<Heap>::with_capacity(nodes);
    for node in members(nodes) {
        plain.insert(node).expect("room for all");
        weighted.insert(node.weight(1 + node.id() % 3)).expect("room for all");
    }
    let each = u64::from(nodes);
    vec![
        lookup("baseline: XXH3 of the key", 2, keys, |key| divvy::hash::xxh3_64(key.as_bytes())),
        lookup("hrw-hash", 25 * each, keys, move |key| hrw.sorted(&key).next().copied()),
        lookup("rendezvous_hash", 20 * each, keys, move |key| {
            rendezvous.calc_candidates(&key).next().map(|node| **node)
        }),
        lookup("– divvy::ring::Rendezvous, weights 1 to 3", 8 * each, keys, move |key| {
            weighted.owner_of(key.as_bytes())
        }),
        lookup("divvy::ring::Rendezvous", each, keys, move |key| plain.owner_of(key.as_bytes())),
    ]
}

fn builds_of_rings(nodes: u32) -> Vec<Contender<'static>> {
    let points = u64::from(nodes * POINTS);
    let (members, buckets) = (members(nodes), buckets(nodes));
    let mut contenders = vec![
        build("baseline: nothing", 1, || 0),
        build("hashring", 25 * points, move || {
            let mut ring = hashring::HashRing::new();
            ring.batch_add(virtual_nodes(nodes));
            ring
        }),
        build("hashring + foldhash", 25 * points, move || {
            let mut ring = hashring::HashRing::with_hasher(Fold::default());
            ring.batch_add(virtual_nodes(nodes));
            ring
        }),
        build("pingora-ketama (160 points)", 15 * points, move || pingora_ketama::Continuum::new(&buckets)),
        build("conhash", 500 * points, move || conhash_ring(nodes)),
        build("mpchash (1 point)", 100 * u64::from(nodes), move || mpchash_ring(nodes)),
        build("divvy::ring::Karger", 8 * points, move || {
            let mut ring = Karger::<Heap, Heap>::with_capacity(nodes, nodes * POINTS);
            ring.extend(&members).expect("room for all");
            ring
        }),
    ];
    // It takes seconds for 1,000.
    if nodes <= 100 {
        contenders.insert(4, build("consistent_hash_ring", 500 * points, move || vec_ring(nodes)));
    }
    contenders
}

/// Lookups that take about `nanos` each.
pub(crate) fn lookup<'a, T>(
    name: &str,
    nanos: u64,
    keys: &'a [String],
    owner: impl Fn(&'a str) -> T + 'a,
) -> Contender<'a> {
    let calls = (SAMPLE_NANOS / nanos).max(64);
    let mut next = 0;
    Contender::new(name, move || {
        time_each(calls, |_| {
            black_box(owner(&keys[next]));
            next = (next + 1) & (KEYS - 1);
        })
    })
}

/// Builds that take about `nanos` each.
pub(crate) fn build<T>(name: &str, nanos: u64, ring: impl Fn() -> T + 'static) -> Contender<'static> {
    let calls = (SAMPLE_NANOS / nanos).clamp(1, 10_000);
    Contender::new(name, move || {
        time_each(calls, |_| {
            black_box(ring());
        })
    })
}

/// Measures the contenders, of which the last is divvy's, and says how many times as long as it the others take.
pub(crate) fn times_divvy(operation: &str, rounds: u32, mut contenders: Vec<Contender<'_>>) -> String {
    let samples = interleave(rounds, &mut contenders);
    let mut table =
        format!("| {operation} | ns, median | min … max | times divvy's |\n|---|---:|---:|---:|\n");
    let Some(divvy) = samples.last() else { return table };
    for (contender, samples) in contenders.iter().zip(&samples) {
        let [median, min, max] =
            [samples.median(), samples.min(), samples.max()].map(|seconds| seconds * 1e9);
        let times = samples.beside(divvy, |theirs, divvy| theirs / divvy);
        writeln!(table, "| {} | {median:.2} | {min:.2} … {max:.2} | {times:.2} |", contender.name)
            .expect("a string takes everything");
    }
    table
}

pub(crate) fn keys() -> Vec<String> {
    (0..KEYS as u64).map(|i| format!("k{:011x}", i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20)).collect()
}

fn name(node: u32) -> String {
    format!("node-{node:04}")
}

pub(crate) fn members(nodes: u32) -> Vec<Node> {
    (0..nodes).map(|node| Node::new(node, name(node).as_bytes())).collect()
}

fn virtual_nodes(nodes: u32) -> Vec<(u32, u32)> {
    (0..nodes).flat_map(|node| (0..POINTS).map(move |point| (node, point))).collect()
}

fn buckets(nodes: u32) -> Vec<pingora_ketama::Bucket> {
    let address = |node: u32| SocketAddr::from(([10, 0, (node >> 8) as u8, node as u8], 11_211));
    (0..nodes).map(|node| pingora_ketama::Bucket::new(address(node), 1)).collect()
}

fn vec_ring(nodes: u32) -> consistent_hash_ring::Ring<u32> {
    consistent_hash_ring::RingBuilder::default().vnodes(POINTS as usize).nodes_iter(0..nodes).build()
}

#[derive(Clone)]
struct Named(u32);

impl conhash::Node for Named {
    fn name(&self) -> String {
        name(self.0)
    }
}

fn conhash_ring(nodes: u32) -> conhash::ConsistentHash<Named> {
    let mut ring = conhash::ConsistentHash::new();
    for node in 0..nodes {
        ring.add(&Named(node), POINTS as usize);
    }
    ring
}

fn mpchash_ring(nodes: u32) -> mpchash::HashRing<u32> {
    let ring = mpchash::HashRing::new();
    for node in 0..nodes {
        ring.add(node);
    }
    ring
}

#[cfg(test)]
mod tests {
    use super::*;
    use divvy::ring::Ketama;

    #[test]
    fn ketama_agrees_with_pingora_key_by_key() {
        let servers: Vec<SocketAddr> =
            (0..40u8).map(|last| SocketAddr::from(([10, 1, 2, last], 8_000 + u16::from(last)))).collect();
        let weight = |at: usize| at as u32 % 4 + 1;
        let buckets: Vec<pingora_ketama::Bucket> = servers
            .iter()
            .enumerate()
            .map(|(at, server)| pingora_ketama::Bucket::new(*server, weight(at)))
            .collect();
        let theirs = pingora_ketama::Continuum::new(&buckets);
        let mut ours = Ketama::<Heap, Heap>::with_capacity(40, 160 * 100);
        for (at, server) in servers.iter().enumerate() {
            let server = Ketama::server(at as u32, server.to_string().as_bytes()).weight(weight(at));
            ours.insert(server).expect("room for all");
        }
        for key in keys() {
            let owner = ours.owner_of(key.as_bytes()).map(|at| servers[at as usize]);
            assert_eq!(owner, theirs.node(key.as_bytes()), "{key}");
        }
    }
}

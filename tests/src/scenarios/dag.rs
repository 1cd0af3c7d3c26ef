//! Random graphs: ranks, the order of dispatch with three in flight, refusals, and cycles with their paths.

use crate::Digest;
use divvy::graph::{Dag, NodeId};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

const NODES: usize = 32;
const EDGES: usize = 64;
type Graph = Dag<Inline<NODES>, Inline<EDGES>>;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    for seed in 0..60 {
        graph(seed, &mut digest);
    }
    digest.finish()
}

fn graph(seed: u64, digest: &mut Digest) {
    let mut rng = Xoshiro256PlusPlus::seed(0xDA6 + seed);
    let mut dag = Graph::new();
    let mut ids: [Option<NodeId>; NODES] = [None; NODES];
    // The largest graphs are offered one node more than fits.
    let count = 1 + rng.below(NODES as u32 + 1);
    for _ in 0..count {
        let place = dag.len();
        match dag.insert(rng.below(1_000).into()) {
            Ok(id) => ids[place] = Some(id),
            Err(full) => digest.feed(full.0),
        }
    }
    let ids = &ids[..dag.len()];
    let any =
        |rng: &mut Xoshiro256PlusPlus| ids[rng.below(ids.len() as u32) as usize].map(|id| (id.index(), id));
    for _ in 0..rng.below(2 * EDGES as u32) {
        let (Some(a), Some(b)) = (any(&mut rng), any(&mut rng)) else { continue };
        // From the lower index to the higher one, but for every eighth graph, where that makes cycles.
        let forward = a.0 <= b.0 || seed % 8 == 7;
        let (before, after) = if forward { (a, b) } else { (b, a) };
        digest.feed(dag.connect(before.1, after.1).is_ok().into());
    }
    match dag.start() {
        Ok(()) => {}
        Err(cycle) => {
            for node in cycle.iter() {
                digest.feed(node.index().into());
            }
            return;
        }
    }
    digest.feed(dag.critical_path());
    digest.feed(dag.total_cost());
    for id in ids.iter().flatten() {
        digest.feed_option(dag.rank(*id));
        digest.feed_option(dag.predecessors_left(*id).map(u64::from));
    }
    // Three in flight; chance says which of them ends first.
    let mut running: [Option<NodeId>; 3] = [None; 3];
    while dag.done() < dag.len() {
        for place in running.iter_mut().filter(|place| place.is_none()) {
            *place = dag.next_ready();
            digest.feed_option(place.map(|node| node.index().into()));
        }
        if let Some(node) = running[rng.below(3) as usize].take() {
            digest.feed(dag.complete(node).is_ok().into());
            // Once more is once too often.
            digest.feed(dag.complete(node).is_ok().into());
        }
    }
}

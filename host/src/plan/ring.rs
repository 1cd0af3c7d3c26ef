//! Keys on a ring, before and after a change.

use super::keys::Keys;
use super::nodes::Nodes;
use divvy::fixed::Q32;
use divvy::ring::audit::{Audit, Moves};
use divvy::ring::{Algorithm, Any, ChangeError, Ring};
use divvy::storage::Heap;

/// How many different flows of keys are told apart at most.
const FLOWS: u32 = 1 << 16;

/// What one algorithm makes of the nodes and the keys.
#[derive(Debug)]
pub(crate) struct Study {
    pub(crate) algorithm: Algorithm,
    /// What the ring takes in memory.
    pub(crate) bytes: u64,
    /// The ring, or why there is none.
    pub(crate) spread: Result<Spread, ChangeError>,
    /// What the change does, or why there is none; `None` if none was asked for.
    pub(crate) change: Option<Result<Change, ChangeError>>,
}

/// Who owns how many keys.
#[derive(Debug)]
pub(crate) struct Spread {
    /// For each node by its place; `None` for one that is not there.
    pub(crate) keys: Vec<Option<u64>>,
    /// The most that a node holds over what its weight entitles it to.
    pub(crate) peak: f64,
    pub(crate) least: f64,
}

/// What a change moves.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) after: Spread,
    pub(crate) moved: u64,
    pub(crate) ideal: u64,
    pub(crate) needless: u64,
    /// From which place to which, and how many; the most first.
    pub(crate) flows: Vec<(usize, usize, u64)>,
}

/// Places `keys` by `algorithm`, before the change and after it.
pub(crate) fn study(algorithm: Algorithm, nodes: &Nodes, keys: &Keys) -> Study {
    let (count, units) = (nodes.all.len() as u32, nodes.units());
    let bytes = algorithm.bytes(count, units);
    let before = match build(algorithm, nodes) {
        Ok(ring) => ring,
        Err(refusal) => {
            let change = nodes.change().then_some(Err(refusal));
            return Study { algorithm, bytes, spread: Err(refusal), change };
        }
    };
    let hashes: Vec<u64> = keys.keys.iter().map(|key| before.hash(key)).collect();
    let spread = spread(&before, nodes, &hashes);
    let change = nodes.change().then(|| {
        let mut after = build(algorithm, nodes)?;
        for at in &nodes.removed {
            after.remove(*at as u32)?;
        }
        for at in nodes.added() {
            after.insert(node(algorithm, nodes, at))?;
        }
        Ok(compare(&before, &after, nodes, &hashes))
    });
    Study { algorithm, bytes, spread: Ok(spread), change }
}

/// The ring before the change.
fn build(algorithm: Algorithm, nodes: &Nodes) -> Result<Any, ChangeError> {
    let mut ring = algorithm.ring(nodes.all.len() as u32, nodes.units());
    let members: Vec<_> = (0..nodes.before).map(|at| node(algorithm, nodes, at)).collect();
    ring.extend(&members)?;
    Ok(ring)
}

fn node(algorithm: Algorithm, nodes: &Nodes, at: usize) -> divvy::ring::Node {
    let node = &nodes.all[at];
    algorithm.node(at as u32, node.name.as_bytes()).weight(node.units)
}

fn spread(ring: &Any, nodes: &Nodes, hashes: &[u64]) -> Spread {
    let mut audit = Audit::<Heap>::with_capacity(nodes.all.len() as u32);
    // There is room for all of them.
    _ = audit.count(ring, hashes.iter().copied());
    let mut keys = vec![None; nodes.all.len()];
    for share in audit.shares() {
        keys[share.id as usize] = Some(share.keys);
    }
    let number =
        |ratio: Option<Q32>| ratio.map_or(0.0, |ratio| ratio.to_bits() as f64 / Q32::ONE.to_bits() as f64);
    Spread { keys, peak: number(audit.peak()), least: number(audit.least()) }
}

fn compare(before: &Any, after: &Any, nodes: &Nodes, hashes: &[u64]) -> Change {
    let count = nodes.all.len() as u32;
    let mut moves = Moves::<Heap>::with_capacity(count.saturating_mul(count).min(FLOWS).max(count));
    // There is room for all nodes.
    _ = moves.count(before, after, hashes.iter().copied());
    let mut flows: Vec<(usize, usize, u64)> = moves
        .flows()
        .iter()
        .filter_map(|flow| Some((flow.from? as usize, flow.to? as usize, flow.keys)))
        .collect();
    flows.sort_by_key(|(from, to, keys)| (std::cmp::Reverse(*keys), *from, *to));
    Change {
        after: spread(after, nodes, hashes),
        moved: moves.moved(),
        ideal: moves.ideal(),
        needless: moves.needless(),
        flows,
    }
}

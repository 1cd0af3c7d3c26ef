//! A ring of nodes and the keys that it places, as a class.

use core::num::NonZeroU32;

use divvy::ring::audit::{Audit, Moves, sample};
use divvy::ring::{Algorithm, Any, ChangeError, Karger, Ring};
use divvy::storage::Heap;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::number::{Wrong, fraction, whole};

const MAX_NODES: u64 = 64;
const MAX_WEIGHT: u64 = 16;
const MAX_KEYS: u64 = 100_000;
const MAX_POINTS: u64 = 1_000;
/// How many places of the circle are looked at for the picture of it.
const PLACES: u64 = 720;
/// What the keys are drawn from.
const SEED: u64 = 1;
/// No node.
const NONE: u32 = u32::MAX;

/// A change of the nodes.
#[derive(Clone, Copy, Debug)]
enum Act {
    Insert { id: u32, weight: u32 },
    Remove(u32),
    Weigh { id: u32, weight: u32 },
    Drain(u32),
    Resume(u32),
}

/// Keys placed on nodes by one algorithm, and what changes of the nodes do to them.
///
/// Nodes have numbers from 0 to 63; number 0 is named "a", 25 "z", 26 "aa". Each change is refused with an `Error` that
/// says why, and then changes nothing.
#[wasm_bindgen]
#[derive(Debug)]
pub struct RingPlan {
    algorithm: Algorithm,
    /// As of the mark, and as of now.
    before: Any,
    after: Any,
    /// What happened since the mark.
    since: Vec<Act>,
    /// The weights of the members as of now, draining or not.
    weights: Vec<u32>,
    keys: u32,
    /// What is counted; made anew when something has changed.
    counts: Option<Counts>,
}

#[derive(Debug)]
struct Counts {
    before: Audit<Heap>,
    after: Audit<Heap>,
    moves: Moves<Heap>,
}

#[wasm_bindgen]
impl RingPlan {
    /// An empty ring of this `algorithm`, one of `ringAlgorithms()`, with room for so many `nodes` (1 to 64) of so much
    /// weight together (`nodes` to 16 × `nodes`), and so many `keys` (1 to 100,000). A node of weight 1 has so many
    /// `points` (1 to 1,000) on a ring of the algorithm "karger"; the others have no such choice.
    ///
    /// Throws an `Error` that says which parameter is wrong and what it may be.
    #[wasm_bindgen(constructor)]
    pub fn new(algorithm: &str, nodes: f64, weight: f64, keys: f64, points: f64) -> Result<Self, Wrong> {
        let algorithm: Algorithm = algorithm.parse().map_err(|error| format!("{error}"))?;
        let nodes = whole("nodes", nodes, 1, MAX_NODES)? as u32;
        let weight = whole("weight", weight, u64::from(nodes), u64::from(nodes) * MAX_WEIGHT)? as u32;
        let keys = whole("keys", keys, 1, MAX_KEYS)? as u32;
        let points = NonZeroU32::new(whole("points", points, 1, MAX_POINTS)? as u32).ok_or("points is 0")?;
        let ring = || match algorithm {
            Algorithm::Karger => {
                Any::Karger(Karger::with_capacity(nodes, weight * points.get()).virtual_nodes(points))
            }
            _ => algorithm.ring(nodes, weight),
        };
        Ok(Self {
            algorithm,
            before: ring(),
            after: ring(),
            since: Vec::new(),
            weights: vec![0; MAX_NODES as usize],
            keys,
            counts: None,
        })
    }

    /// Adds node `id` (0 to 63) with a `weight` of 0 to 16.
    pub fn insert(&mut self, id: f64, weight: f64) -> Result<(), Wrong> {
        self.change(id, weight, |id, weight| Act::Insert { id, weight })
    }

    /// Takes node `id` out.
    pub fn remove(&mut self, id: f64) -> Result<(), Wrong> {
        self.change(id, 0.0, |id, _| Act::Remove(id))
    }

    /// Gives node `id` another weight: 0 to 16.
    #[wasm_bindgen(js_name = setWeight)]
    pub fn set_weight(&mut self, id: f64, weight: f64) -> Result<(), Wrong> {
        self.change(id, weight, |id, weight| Act::Weigh { id, weight })
    }

    /// Takes its keys from node `id`, which stays a member.
    pub fn drain(&mut self, id: f64) -> Result<(), Wrong> {
        self.change(id, 0.0, |id, _| Act::Drain(id))
    }

    /// Ends what `drain` began.
    pub fn resume(&mut self, id: f64) -> Result<(), Wrong> {
        self.change(id, 0.0, |id, _| Act::Resume(id))
    }

    /// From here on, what moves is counted against the present state.
    pub fn mark(&mut self) {
        for act in self.since.drain(..) {
            // What the other ring did, this one does.
            let _ = act.on(self.algorithm, &mut self.before);
        }
        self.counts = None;
    }

    /// A row for each node that is a member now or was one at the mark: number, whether it is a member, weight, whether
    /// it drains, keys, keys at the mark, keys that are its fair share.
    pub fn nodes(&mut self) -> Vec<f64> {
        let total = self.after.nodes().iter().map(|node| f64::from(node.share())).sum::<f64>().max(1.0);
        let keys = f64::from(self.keys);
        self.count();
        let Some(counts) = &self.counts else { return Vec::new() };
        let held = |audit: &Audit<Heap>, id| {
            let share = audit.shares().iter().find(|share| share.id == id);
            share.map_or(0.0, |share| share.keys as f64)
        };
        let row = |id: u32| {
            let now = self.after.nodes().iter().find(|node| node.id() == id);
            [
                f64::from(id),
                f64::from(u8::from(now.is_some())),
                f64::from(self.weights[id as usize]),
                f64::from(u8::from(now.is_some_and(|node| node.is_draining()))),
                held(&counts.after, id),
                held(&counts.before, id),
                now.map_or(0.0, |node| f64::from(node.share())) / total * keys,
            ]
        };
        counts.moves.changes().iter().flat_map(|change| row(change.id)).collect()
    }

    /// A row for each way that keys went since the mark: from, to, how many. 4294967295 stands for no node.
    pub fn moves(&mut self) -> Vec<u32> {
        self.count();
        let flows = self.counts.as_ref().map_or(&[][..], |counts| counts.moves.flows());
        let row = |flow: &divvy::ring::audit::Flow| {
            [flow.from.unwrap_or(NONE), flow.to.unwrap_or(NONE), flow.keys as u32]
        };
        flows.iter().flat_map(row).collect()
    }

    /// One row: keys, keys moved since the mark, keys that any algorithm must move, keys that moved although neither did
    /// their old node lose weight nor their new one gain any, the fullest node over its fair share, the emptiest.
    pub fn summary(&mut self) -> Vec<f64> {
        self.count();
        let Some(Counts { after, moves, .. }) = &self.counts else { return Vec::new() };
        vec![
            f64::from(self.keys),
            moves.moved() as f64,
            moves.ideal() as f64,
            moves.needless() as f64,
            after.peak().map_or(0.0, fraction),
            after.least().map_or(0.0, fraction),
        ]
    }

    /// A row for each of 720 places around the circle of hashes, evenly apart: the node that owns it now, and the one that
    /// did at the mark. 4294967295 stands for no node.
    pub fn places(&self) -> Vec<u32> {
        let hashes = (0..PLACES).map(|place| place * (u64::MAX / PLACES));
        let owner = |ring: &Any, hash| ring.owner(hash).unwrap_or(NONE);
        hashes.flat_map(|hash| [owner(&self.after, hash), owner(&self.before, hash)]).collect()
    }
}

impl RingPlan {
    fn change(&mut self, id: f64, weight: f64, act: impl FnOnce(u32, u32) -> Act) -> Result<(), Wrong> {
        let id = whole("id", id, 0, MAX_NODES - 1)? as u32;
        let act = act(id, whole("weight", weight, 0, MAX_WEIGHT)? as u32);
        act.on(self.algorithm, &mut self.after).map_err(Wrong::of)?;
        match act {
            Act::Insert { weight, .. } | Act::Weigh { weight, .. } => self.weights[id as usize] = weight,
            Act::Remove(_) => self.weights[id as usize] = 0,
            Act::Drain(_) | Act::Resume(_) => {}
        }
        self.since.push(act);
        self.counts = None;
        Ok(())
    }

    /// Counts, unless that has been done since the last change.
    fn count(&mut self) {
        if self.counts.is_some() {
            return;
        }
        let room = MAX_NODES as u32;
        let mut counts = Counts {
            before: Audit::with_capacity(room),
            after: Audit::with_capacity(room),
            moves: Moves::with_capacity(room),
        };
        let keys = || sample(SEED, self.keys);
        // There are never more nodes than there is room for.
        let _ = counts.before.count(&self.before, keys());
        let _ = counts.after.count(&self.after, keys());
        let _ = counts.moves.count(&self.before, &self.after, keys());
        self.counts = Some(counts);
    }
}

impl Act {
    fn on(self, algorithm: Algorithm, ring: &mut Any) -> Result<(), ChangeError> {
        match self {
            Self::Insert { id, weight } => {
                ring.insert(algorithm.node(id, label(id).as_bytes()).weight(weight))
            }
            Self::Remove(id) => ring.remove(id).map(drop),
            Self::Weigh { id, weight } => ring.set_weight(id, weight),
            Self::Drain(id) => ring.drain(id),
            Self::Resume(id) => ring.resume(id),
        }
    }
}

/// The names of all ring algorithms.
#[wasm_bindgen(js_name = ringAlgorithms)]
pub fn ring_algorithms() -> Vec<String> {
    Algorithm::ALL.iter().map(|algorithm| algorithm.name().into()).collect()
}

/// "a" to "z", then "aa" and so on.
fn label(id: u32) -> String {
    let letter = |n: u32| char::from(b'a' + (n % 26) as u8);
    match id.checked_sub(26) {
        None => letter(id).to_string(),
        Some(rest) => [letter(rest / 26), letter(rest)].iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(algorithm: &str, nodes: u32) -> RingPlan {
        let mut plan = RingPlan::new(algorithm, 10.0, 20.0, 10_000.0, 150.0).unwrap();
        for id in 0..nodes {
            plan.insert(f64::from(id), 1.0).unwrap();
        }
        plan.mark();
        plan
    }

    #[test]
    fn what_the_last_node_leaves_goes_to_the_others_under_every_algorithm() {
        for algorithm in ring_algorithms() {
            let mut plan = plan(&algorithm, 5);
            assert_eq!(plan.summary()[1..3], [0.0, 0.0], "{algorithm}");
            plan.remove(4.0).unwrap();
            let [keys, moved, ideal, needless, peak, least] = plan.summary()[..] else { panic!() };
            assert_eq!((keys, ideal), (10_000.0, 2_000.0));
            let nodes = plan.nodes();
            let rows: Vec<_> = nodes.chunks(7).collect();
            assert_eq!(rows.len(), 5);
            assert_eq!(rows.iter().map(|row| row[4]).sum::<f64>(), keys);
            assert_eq!((rows[4][1], rows[4][4], rows[4][6]), (0.0, 0.0, 0.0));
            // All that moved is what it had, but for what moved needlessly.
            assert_eq!(moved, rows[4][5] + needless, "{algorithm}");
            assert!(needless == 0.0 || algorithm == "maglev", "{algorithm}: {needless}");
            assert!(peak >= 1.0 && least <= 1.0 && peak < 1.3, "{algorithm}: {peak} {least}");
            let flows = plan.moves();
            assert_eq!(flows.chunks(3).map(|row| f64::from(row[2])).sum::<f64>(), moved);
            assert!(flows.chunks(3).all(|row| row[1] != 4));
            let places = plan.places();
            assert_eq!(places.len(), 1440);
            assert!(places.chunks(2).all(|place| place[0] < 4 && place[1] < 5));
        }
    }

    #[test]
    fn a_drained_node_gets_its_own_keys_back() {
        let mut plan = plan("rendezvous", 5);
        plan.drain(2.0).unwrap();
        assert!(plan.summary()[1] > 1_500.0);
        assert_eq!(plan.nodes()[2 * 7 + 3], 1.0);
        plan.resume(2.0).unwrap();
        assert_eq!(plan.summary()[1], 0.0);
        plan.drain(2.0).unwrap();
        plan.mark();
        assert_eq!(plan.summary()[1], 0.0);
    }

    #[test]
    fn wrong_parameters_are_named_and_nothing_changes() {
        let refused = |algorithm, nodes, weight, keys| {
            RingPlan::new(algorithm, nodes, weight, keys, 150.0).unwrap_err()
        };
        assert!(refused("chord", 5.0, 5.0, 1.0).contains("karger"));
        assert!(refused("karger", 0.0, 5.0, 1.0).starts_with("nodes is 0;"));
        assert!(refused("karger", 5.0, 4.0, 1.0).starts_with("weight is 4;"));
        assert!(RingPlan::new("karger", 5.0, 5.0, 1.0, 0.0).unwrap_err().starts_with("points is 0;"));
        assert!(refused("karger", 5.0, 5.0, 1e9).starts_with("keys is 1000000000;"));
        let mut plan = plan("karger", 3);
        let insert = |id, weight| Act::Insert { id, weight };
        assert!(plan.change(64.0, 1.0, insert).unwrap_err().starts_with("id is 64;"));
        assert!(plan.change(5.0, 17.0, insert).unwrap_err().starts_with("weight is 17;"));
        assert!(plan.change(0.0, 1.0, insert).unwrap_err().contains("already"));
        assert!(plan.change(5.0, 0.0, |id, _| Act::Remove(id)).unwrap_err().contains("insert it first"));
        assert_eq!((plan.nodes().len(), plan.summary()[1]), (3 * 7, 0.0));
    }

    #[test]
    fn nodes_are_named_as_columns_are() {
        assert_eq!([0, 25, 26, 27, 52].map(label), ["a", "z", "aa", "ab", "ba"]);
    }
}

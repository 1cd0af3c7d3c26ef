//! Rendezvous hashing: each node draws a score for the key, and the best wins.

use super::Ring;
use super::mix::{half, weigh};
use super::node::{ChangeError, Node, Nodes};
use crate::fixed::neg_log2;
use crate::storage::{Inline, List, Storage};
use core::fmt;
use core::hint::select_unpredictable;
use core::ops::ControlFlow;

/// Highest random weight hashing, plain and with weights.
///
/// A key's score on a node follows from the two alone, so what joins or leaves moves exactly the keys that it wins or
/// loses, and no other: no ring does better. The order of all scores is the order in which a key's copies or a failed
/// request should try the nodes.
///
/// A node of weight *w* scores *w* / −log₂(*u*), *u* being the hash of key and node as a fraction, which gives it *w*'s
/// share of the keys. Scores are compared in integers without rounding; where all weights are equal, the hashes are.
///
/// *When not to use it:* for more than some tens of nodes, because each lookup looks at all of them.
///
/// # Examples
///
/// ```
/// use divvy::ring::{ChangeError, Node, Rendezvous, Ring};
/// use divvy::storage::Inline;
///
/// let mut nodes = Rendezvous::<Inline<3>>::new();
/// for (id, name) in ["red", "green", "blue"].into_iter().enumerate() {
///     nodes.insert(Node::new(id as u32, name.as_bytes()))?;
/// }
/// let hash = nodes.hash(b"user:17");
/// // Two copies on two nodes. Without the first the second owns the key:
/// let mut copies = [0; 2];
/// nodes.successors(hash, &mut copies);
/// nodes.remove(copies[0])?;
/// assert_eq!(nodes.owner(hash), Some(copies[1]));
/// assert_eq!(nodes.remove(7), Err(ChangeError::Unknown));
/// # Ok::<(), ChangeError>(())
/// ```
///
/// # Complexity
///
/// *O*(nodes) for the owner and for each further node of a walk, with one cheap hash each, and a logarithm each where
/// weights differ. 40 bytes a node.
///
/// # Concurrency
///
/// Lookups take `&self`, changes `&mut self`.
///
/// # References
///
/// Thaler, Ravishankar: *Using name-based mappings to increase hit rates*, IEEE/ACM Transactions on Networking 6(1),
/// 1998. The logarithm: Schindelhauer, Schomaker, *Weighted distributed hash tables*, SPAA 2005.
pub struct Rendezvous<N: Storage> {
    nodes: Nodes<N>,
    /// The nodes with weight, all that a lookup wants to know of them.
    candidates: N::List<Candidate>,
}

#[derive(Clone, Copy)]
struct Candidate {
    /// The half of a hash that is its key's.
    half: u64,
    id: u32,
    weight: u32,
}

impl<const N: usize> Rendezvous<Inline<N>> {
    /// No nodes yet, room for `N`.
    #[must_use]
    pub const fn new() -> Self {
        Self { nodes: Nodes::new(), candidates: heapless::Vec::new() }
    }
}

impl<const N: usize> Default for Rendezvous<Inline<N>> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "alloc")]
impl Rendezvous<crate::storage::Heap> {
    /// No nodes yet, room for `nodes`, allocated now.
    #[must_use]
    pub fn with_capacity(nodes: u32) -> Self {
        let candidates = crate::storage::HeapList::with_capacity(nodes as usize);
        Self { nodes: Nodes::with_capacity(nodes), candidates }
    }
}

/// How a node stands with a key.
#[derive(Clone, Copy)]
struct Score {
    /// The hash of both: no two nodes have the same, because it is one to one.
    hash: u64,
    /// −log₂ of the hash as a fraction.
    cost: u64,
    weight: u32,
}

impl Score {
    /// Whether this wins. Less cost for the weight does, exactly compared; then the hash, whose order is that of the
    /// costs. So nodes of equal weight stand as their hashes do.
    fn beats(&self, other: &Self) -> bool {
        let mine = u128::from(self.cost) * u128::from(other.weight);
        let theirs = u128::from(other.cost) * u128::from(self.weight);
        mine < theirs || mine == theirs && self.hash > other.hash
    }

    /// Whether this beats what a node of `weight` that drew `hash` scores, as far as can be said without a logarithm:
    /// −log₂(u) is more than 1 − u.
    #[inline]
    fn surely_beats(&self, hash: u64, weight: u32) -> bool {
        // Four units less, because the logarithm is off by up to two.
        let at_least = (!hash >> 32).saturating_sub(4);
        u128::from(self.cost) * u128::from(weight) < u128::from(at_least * u64::from(self.weight))
    }
}

impl<N: Storage> fmt::Debug for Rendezvous<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rendezvous").field(&self.nodes).finish()
    }
}

impl<N: Storage> Rendezvous<N> {
    /// Changes the nodes by `change`, and what follows from them.
    fn change<T>(
        &mut self,
        change: impl FnOnce(&mut Nodes<N>) -> Result<T, ChangeError>,
    ) -> Result<T, ChangeError> {
        let result = change(&mut self.nodes)?;
        self.candidates.clear();
        for node in self.nodes.as_slice().iter().filter(|node| node.share() > 0) {
            let candidate = Candidate { half: half(node.key()), id: node.id(), weight: node.share() };
            // There is as much room as for the nodes.
            let _ = self.candidates.push(candidate);
        }
        Ok(result)
    }

    /// The node with the greatest hash that `accepts` takes, and that hash.
    #[inline]
    fn best(&self, hash: u64, accepts: impl Fn(u64) -> bool) -> Option<(u64, u32)> {
        let key = half(hash);
        let (mut most, mut best) = (0, usize::MAX);
        for (at, candidate) in self.candidates.iter().enumerate() {
            let drawn = weigh(key, candidate.half);
            // No branch: which is the best so far is chance.
            let better = (drawn >= most) & accepts(drawn);
            most = select_unpredictable(better, drawn, most);
            best = select_unpredictable(better, at, best);
        }
        Some((most, self.candidates.get(best)?.id))
    }

    /// The node with the best score, worse than `bound` if there is one, and its score.
    fn best_weighted(&self, hash: u64, bound: Option<Score>) -> Option<(Score, u32)> {
        let key = half(hash);
        let mut best: Option<(Score, u32)> = None;
        for &Candidate { half, weight, id } in self.candidates.iter() {
            let drawn = weigh(key, half);
            if best.is_some_and(|(best, _)| best.surely_beats(drawn, weight)) {
                continue;
            }
            let score = Score { hash: drawn, cost: neg_log2(drawn).to_bits(), weight };
            let better = best.is_none_or(|(best, _)| score.beats(&best));
            if better && bound.is_none_or(|bound| bound.beats(&score)) {
                best = Some((score, id));
            }
        }
        best
    }
}

impl<N: Storage> Ring for Rendezvous<N> {
    fn insert(&mut self, node: Node) -> Result<(), ChangeError> {
        self.change(|nodes| nodes.insert(node))
    }

    fn remove(&mut self, id: u32) -> Result<Node, ChangeError> {
        self.change(|nodes| nodes.remove(id))
    }

    fn set_weight(&mut self, id: u32, weight: u32) -> Result<(), ChangeError> {
        self.change(|nodes| nodes.set_weight(id, weight))
    }

    fn drain(&mut self, id: u32) -> Result<(), ChangeError> {
        self.change(|nodes| nodes.set_draining(id, true))
    }

    fn resume(&mut self, id: u32) -> Result<(), ChangeError> {
        self.change(|nodes| nodes.set_draining(id, false))
    }

    fn nodes(&self) -> &[Node] {
        self.nodes.as_slice()
    }

    fn total_weight(&self) -> u64 {
        self.nodes.total().into()
    }

    fn common_weight(&self) -> Option<u32> {
        self.nodes.common()
    }

    #[inline]
    fn owner(&self, hash: u64) -> Option<u32> {
        if self.nodes.common().is_some() {
            self.best(hash, |_| true).map(|(_, id)| id)
        } else {
            self.best_weighted(hash, None).map(|(_, id)| id)
        }
    }

    fn walk(&self, hash: u64, mut visit: impl FnMut(u32) -> ControlFlow<()>) {
        if self.nodes.common().is_some() {
            let mut next = self.best(hash, |_| true);
            while let Some((last, id)) = next {
                if visit(id).is_break() {
                    return;
                }
                next = self.best(hash, |drawn| drawn < last);
            }
        } else {
            let mut bound = None;
            while let Some((score, id)) = self.best_weighted(hash, bound) {
                if visit(id).is_break() {
                    return;
                }
                bound = Some(score);
            }
        }
    }
}

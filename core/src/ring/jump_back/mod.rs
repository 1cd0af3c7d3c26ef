//! JumpBackHash: buckets numbered from 0, the last of which comes and goes.

#[cfg(all(test, feature = "alloc"))]
mod tests;

use super::Ring;
use super::mix::mix;
use super::node::{ChangeError, Node, Nodes};
use super::spread::sweep;
use crate::rng::{Rng, SplitMix64};
use crate::storage::{List, Storage};
use core::num::NonZeroU32;
use core::ops::ControlFlow;

/// The one of `n` buckets that the key with this hash belongs to.
///
/// With one bucket more, each key stays where it is or moves to the new bucket, and 1 in n + 1 moves. There is nothing
/// to build or to keep: for shard counts, and where nothing but the number of workers is known.
///
/// *When not to use it:* when any bucket other than the last may go; see [`Anchor`](super::Anchor) and
/// [`Rendezvous`](super::Rendezvous).
///
/// # Examples
///
/// ```
/// use core::num::NonZeroU32;
/// use divvy::hash::xxh3_64;
/// use divvy::ring::jump_back;
///
/// let shard = |n| jump_back(xxh3_64(b"user:42"), NonZeroU32::new(n).expect("not zero"));
/// assert!(shard(8) < 8);
/// // Growing moves a key to the new bucket or not at all:
/// assert!(shard(9) == shard(8) || shard(9) == 8);
/// ```
///
/// # Complexity
///
/// *O*(1) expected whatever `n` is: fewer than three draws on average. Integers only, no memory.
///
/// # References
///
/// Ertl: *JumpBackHash: say goodbye to the modulo operation to distribute keys uniformly to buckets*, 2024,
/// arXiv:2403.18682. The draws are SplitMix64's, seeded with the hash.
#[inline]
#[must_use]
pub fn jump_back(hash: u64, n: NonZeroU32) -> u32 {
    // Imagine buckets being added one by one without end: bucket b takes the key with probability 1 / (b + 1). Of the
    // buckets from q to 2q - 1, q a power of two, at least one takes it with probability 1/2, and the last one that
    // does is any of them alike. So one bit says for each q whether there is one, and the highest bit that counts
    // leads to the answer unless that bucket is beyond n: then the key jumps back to the one that had it before.
    let n = n.get();
    if n == 1 {
        return 0;
    }
    let mut draws = SplitMix64::seed(hash);
    let word = draws.next_u64();
    let (low, high) = (word as u32, (word >> 32) as u32);
    let mut taken = (low ^ high) & (u32::MAX >> (n - 1).leading_zeros());
    while taken != 0 {
        let q = 1 << taken.ilog2();
        // Two ranges are looked at at most, the second with the other half of the word: given `taken`, the halves are
        // independent in the bits that are used.
        let half = if taken.count_ones().is_multiple_of(2) { low } else { high };
        let mut bucket = q | (half & (q - 1));
        let both = q | (q - 1);
        if bucket < n {
            return bucket;
        }
        // The taker before one at or beyond n is any bucket below that one alike: drawn from [0, 2q) until below n.
        'range: loop {
            let word = draws.next_u64();
            for half in [word as u32, (word >> 32) as u32] {
                bucket = half & both;
                if bucket < q {
                    break 'range;
                }
                if bucket < n {
                    return bucket;
                }
            }
        }
        taken ^= q;
    }
    0
}

/// How many other places a key is looked for by another hash before all nodes are gone through.
const DRAWS: u64 = 16;

/// [`jump_back`] over nodes: the ring for workers that come and go at one end, as replicas with a number do.
///
/// A node of weight w stands for w buckets. Only the last can go: [`remove`](Ring::remove) and
/// [`set_weight`](Ring::set_weight) are [`ChangeError::Unsupported`] unless every node inserted later has weight 0 (or
/// the node has, or its weight stays). Any node can drain: its keys are drawn again, evenly, until it resumes.
///
/// Where keys go follows from the order of insertion, not from the names: machines that must agree insert in the same
/// order.
///
/// *When not to use it:* when any node may leave for good; see [`Anchor`](super::Anchor).
///
/// # Examples
///
/// ```
/// use divvy::ring::{ChangeError, JumpBack, Node, Ring};
/// use divvy::storage::Inline;
///
/// let mut ring = JumpBack::<Inline<8>>::new();
/// ring.insert(Node::new(0, b"worker-0"))?;
/// ring.insert(Node::new(1, b"worker-1").weight(2))?;
/// assert!(ring.owner_of(b"user:42").is_some());
/// // Only the last can go:
/// assert_eq!(ring.remove(0), Err(ChangeError::Unsupported));
/// ring.remove(1)?;
/// assert_eq!(ring.owner_of(b"user:42"), Some(0));
/// # Ok::<(), ChangeError>(())
/// ```
///
/// # Complexity
///
/// Owner: *O*(1) expected while all weights are 1, else *O*(log nodes); changes *O*(nodes). 28 bytes per node.
///
/// # References
///
/// As [`jump_back`].
#[derive(Debug)]
pub struct JumpBack<N: Storage> {
    nodes: Nodes<N>,
    /// For each node the bucket after its last one: the sums of the weights so far, drained nodes included.
    ends: N::List<u32>,
    /// Whether bucket b is node b.
    plain: bool,
}

impl<const N: usize> JumpBack<crate::storage::Inline<N>> {
    /// Up to `N` nodes, none yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { nodes: Nodes::new(), ends: heapless::Vec::new(), plain: true }
    }
}

impl<const N: usize> Default for JumpBack<crate::storage::Inline<N>> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "alloc")]
impl JumpBack<crate::storage::Heap> {
    /// Up to `nodes` nodes, none yet.
    #[must_use]
    pub fn with_capacity(nodes: u32) -> Self {
        Self {
            nodes: Nodes::with_capacity(nodes),
            ends: crate::storage::HeapList::with_capacity(nodes as usize),
            plain: true,
        }
    }
}

impl<N: Storage> JumpBack<N> {
    /// How many buckets there are.
    fn buckets(&self) -> u32 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// The first bucket of the node at `at`.
    fn start(&self, at: usize) -> u32 {
        if at == 0 { 0 } else { self.ends[at - 1] }
    }

    /// Where the node of `bucket` stands.
    #[inline]
    fn node_of(&self, bucket: u32) -> usize {
        if self.plain { bucket as usize } else { self.ends.partition_point(|end| *end <= bucket) }
    }

    /// Where node `id` stands, if its buckets are the last ones.
    fn at_the_end(&self, id: u32) -> Result<usize, ChangeError> {
        let at = self.nodes.position(id).ok_or(ChangeError::Unknown)?;
        if self.ends[at] == self.buckets() { Ok(at) } else { Err(ChangeError::Unsupported) }
    }

    fn find_plain(&mut self) {
        self.plain = self.ends.iter().zip(1..).all(|(end, one_each)| *end == one_each);
    }
}

impl<N: Storage> Ring for JumpBack<N> {
    fn insert(&mut self, node: Node) -> Result<(), ChangeError> {
        self.nodes.insert(node)?;
        let end = self.buckets().checked_add(node.full_weight()).ok_or(ChangeError::TooHeavy);
        let pushed = end.and_then(|end| self.ends.push(end).map_err(|_| ChangeError::Full));
        if let Err(refusal) = pushed {
            self.nodes.remove(node.id())?;
            return Err(refusal);
        }
        self.plain &= node.full_weight() == 1;
        Ok(())
    }

    fn remove(&mut self, id: u32) -> Result<Node, ChangeError> {
        let at = self.nodes.position(id).ok_or(ChangeError::Unknown)?;
        let (start, end) = (self.start(at), self.ends[at]);
        if start != end && end != self.buckets() {
            return Err(ChangeError::Unsupported);
        }
        let node = self.nodes.remove(id)?;
        self.ends[at..].rotate_left(1);
        self.ends.pop();
        // Those behind it have no weight.
        self.ends[at..].iter_mut().for_each(|later| *later -= end - start);
        self.find_plain();
        Ok(node)
    }

    fn set_weight(&mut self, id: u32, weight: u32) -> Result<(), ChangeError> {
        let at = self.nodes.position(id).ok_or(ChangeError::Unknown)?;
        if self.ends[at] - self.start(at) == weight {
            return Ok(());
        }
        let at = self.at_the_end(id)?;
        let end = self.start(at).checked_add(weight).ok_or(ChangeError::TooHeavy)?;
        self.nodes.set_weight(id, weight)?;
        self.ends[at..].fill(end);
        self.find_plain();
        Ok(())
    }

    fn drain(&mut self, id: u32) -> Result<(), ChangeError> {
        self.nodes.set_draining(id, true)
    }

    fn resume(&mut self, id: u32) -> Result<(), ChangeError> {
        self.nodes.set_draining(id, false)
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
        let buckets = NonZeroU32::new(self.buckets())?;
        let node = self.nodes.as_slice().get(self.node_of(jump_back(hash, buckets)))?;
        if node.share() > 0 { Some(node.id()) } else { self.owner_where(hash, |_| true) }
    }

    /// After the owner come, as long as the last node is the one gone, those that its keys would move to; then
    /// nodes by other hashes of the key, then all.
    fn walk(&self, hash: u64, mut visit: impl FnMut(u32) -> ControlFlow<()>) {
        let nodes = self.nodes.as_slice();
        let mut offer = |at: usize| match nodes.get(at) {
            Some(node) if node.share() > 0 => visit(node.id()),
            _ => ControlFlow::Continue(()),
        };
        let mut limit = self.buckets();
        while let Some(buckets) = NonZeroU32::new(limit) {
            let at = self.node_of(jump_back(hash, buckets));
            if offer(at).is_break() {
                return;
            }
            if self.ends.get(at) != Some(&limit) {
                break;
            }
            limit = self.start(at);
        }
        let Some(buckets) = NonZeroU32::new(self.buckets()) else { return };
        for draw in 1..=DRAWS {
            if offer(self.node_of(jump_back(mix(hash, draw), buckets))).is_break() {
                return;
            }
        }
        sweep(hash, nodes.len(), offer);
    }
}

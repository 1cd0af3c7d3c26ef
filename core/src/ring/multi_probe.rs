//! Multi-probe consistent hashing: one point for each node, many looks for each key.

use super::Ring;
use super::circle::{Circle, VirtualNodes, nodes_of_circle};
use super::guide::position;
use super::mix::mix;
use super::node::{ChangeError, Node};
use crate::storage::{Inline, Storage};
use core::num::NonZeroU32;
use core::ops::ControlFlow;

/// How many times a key looks.
const PROBES: usize = 21;

/// A ring with one point for each unit of weight, on which a key looks 21 times.
///
/// The key goes to the point that lies closest behind any of its 21 probes. With so many chances the shares even out:
/// the largest is 1.05 of the mean, which takes a plain ring some thousand points for each node. The probes are
/// independent of each other; probes at equal steps would not do.
///
/// *When not to use it:* where lookups are frequent (21 searches each) and memory is not scarce; then
/// [`Karger`](super::Karger).
///
/// Weights: a node of weight *w* has *w* points and about *w* times the share of one. `N` bounds the points as well:
/// more weight than that together is [`ChangeError::Full`].
///
/// # Examples
///
/// ```
/// use divvy::ring::{ChangeError, MultiProbe, Node, Ring};
/// use divvy::storage::Inline;
///
/// let mut ring = MultiProbe::<Inline<4>>::new();
/// ring.insert(Node::new(0, b"red"))?;
/// ring.insert(Node::new(1, b"blue").weight(3))?;
/// assert!(ring.owner_of(b"user:17").is_some());
/// // Four points are there:
/// assert_eq!(ring.insert(Node::new(2, b"green")), Err(ChangeError::Full));
/// # Ok::<(), ChangeError>(())
/// ```
///
/// # Complexity
///
/// A lookup is 21 times *O*(1); a change is *O*(capacity). 12 bytes a point, 24 a node.
///
/// # Concurrency
///
/// Lookups take `&self`, changes `&mut self`.
///
/// # References
///
/// Appleton, O'Reilly: *Multi-probe consistent hashing*, arXiv:1505.00062, 2015: with 1 + 1/ε probes the peak is 1 + ε
/// of the mean.
#[derive(Debug)]
pub struct MultiProbe<N: Storage>(Circle<VirtualNodes, N, N>);

/// Points for each unit of weight.
const ONE: VirtualNodes = VirtualNodes(NonZeroU32::MIN);

impl<const N: usize> MultiProbe<Inline<N>> {
    /// A ring without nodes, for up to `N` nodes whose weights together are at most `N`.
    #[must_use]
    pub const fn new() -> Self {
        Self(Circle::<_, Inline<N>, Inline<N>>::new(ONE))
    }
}

impl<const N: usize> Default for MultiProbe<Inline<N>> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "alloc")]
impl MultiProbe<crate::storage::Heap> {
    /// A ring without nodes, for up to `weight` nodes whose weights together are at most `weight`, allocated now.
    #[must_use]
    pub fn with_capacity(weight: u32) -> Self {
        Self(Circle::<_, crate::storage::Heap, crate::storage::Heap>::with_capacity(ONE, weight, weight))
    }
}

/// Where a key looks, numbered.
#[inline]
fn probe(hash: u64, number: usize) -> u32 {
    // Probes and points come from the same mix: other numbers keep them apart.
    position(mix(hash, !(number as u64)))
}

impl<N: Storage> MultiProbe<N> {
    /// The part of the circle in front of each point, in 2³²ths of it, with the point's node: what a single probe would
    /// give it.
    pub fn arcs(&self) -> impl Iterator<Item = (u32, u64)> {
        self.0.points.arcs()
    }
}

impl<N: Storage> Ring for MultiProbe<N> {
    fn extend(&mut self, nodes: &[Node]) -> Result<(), ChangeError> {
        self.0.extend(nodes)
    }

    nodes_of_circle!();

    fn owner(&self, hash: u64) -> Option<u32> {
        let mut best = None;
        for number in 0..PROBES {
            let at = self.0.points.find(probe(hash, number))?;
            let (distance, id) = self.0.points.ahead(at, probe(hash, number));
            if best.is_none_or(|(least, _)| distance < least) {
                best = Some((distance, id));
            }
        }
        best.map(|(_, id)| id)
    }

    fn walk(&self, hash: u64, mut visit: impl FnMut(u32) -> ControlFlow<()>) {
        // Each probe goes on from point to point, once around; the closest point of all is next.
        let mut cursors = [(0, 0); PROBES];
        for (number, cursor) in cursors.iter_mut().enumerate() {
            let Some(at) = self.0.points.find(probe(hash, number)) else { return };
            *cursor = (at, 0);
        }
        loop {
            let mut best: Option<(u32, usize, u32)> = None;
            for (number, (at, steps)) in cursors.iter().enumerate() {
                let (distance, id) = self.0.points.ahead(*at, probe(hash, number));
                if *steps < self.0.points.len() && best.is_none_or(|(least, ..)| distance < least) {
                    best = Some((distance, number, id));
                }
            }
            let Some((_, number, id)) = best else { return };
            if visit(id).is_break() {
                return;
            }
            let (at, steps) = cursors[number];
            cursors[number] = (self.0.points.after(at), steps + 1);
        }
    }
}

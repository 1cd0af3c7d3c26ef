//! The ring of Karger and others: each node at many points of a circle, each key with the next point.

use super::Ring;
use super::circle::{Circle, VirtualNodes, nodes_of_circle};
use super::guide::position;
use super::node::{ChangeError, Node};
use crate::storage::{Inline, Storage};
use core::num::NonZeroU32;
use core::ops::ControlFlow;

/// Consistent hashing on a ring with virtual nodes.
///
/// Each node stands at 150 points of a circle for each unit of its weight, and a key belongs to the node of the next
/// point. A node that leaves gives its keys to those whose points follow its own, all others stay; a node that joins
/// takes keys from the others and moves none between them.
///
/// Where the points are depends on the names and weights alone: not on the order of insertion, not on the numbers.
///
/// *When not to use it:* where one load per lookup counts and nodes change seldom ([`Maglev`](super::Maglev)), for up to
/// some ten nodes without memory for points ([`Rendezvous`](super::Rendezvous)), or where shares must be even to a few
/// per cent: with 150 points the largest of 10 nodes has 1.13 of the mean, of 100 nodes 1.22.
///
/// # Examples
///
/// ```
/// use divvy::ring::{ChangeError, Karger, Node, Ring};
/// use divvy::storage::Inline;
///
/// // Two nodes, 300 points:
/// let mut ring = Karger::<Inline<2>, Inline<300>>::new();
/// ring.extend(&[Node::new(0, b"red"), Node::new(1, b"blue")])?;
/// let owner = ring.owner_of(b"user:17");
/// assert_eq!(ring.insert(Node::new(2, b"green")), Err(ChangeError::Full));
///
/// // Without its owner the key goes to the other one, and comes back with it:
/// ring.drain(owner.unwrap_or(0))?;
/// assert_ne!(ring.owner_of(b"user:17"), owner);
/// ring.resume(owner.unwrap_or(0))?;
/// assert_eq!(ring.owner_of(b"user:17"), owner);
/// # Ok::<(), ChangeError>(())
/// ```
///
/// # Complexity
///
/// A lookup is *O*(1): the hash says where among the points to look, and four compares settle all but few. A change is
/// *O*(capacity) steps over the points in their order, and *O*(1) expected for each point that comes; nothing is
/// rebuilt. 12 bytes a point, 24 a node.
///
/// # Concurrency
///
/// Lookups take `&self`, changes `&mut self`.
///
/// # References
///
/// Karger, Lehman, Leighton, Panigrahy, Levine, Lewin: *Consistent hashing and random trees*, STOC 1997. Weights by
/// the number of points: DeCandia et al., *Dynamo*, SOSP 2007.
#[derive(Debug)]
pub struct Karger<N: Storage, P: Storage>(Circle<VirtualNodes, N, P>);

/// Points for each unit of weight, unless said otherwise.
const VIRTUAL_NODES: VirtualNodes = VirtualNodes(NonZeroU32::new(150).expect("150 is not zero"));

impl<const N: usize, const P: usize> Karger<Inline<N>, Inline<P>> {
    /// A ring without nodes, for up to `N` nodes and `P` points.
    #[must_use]
    pub const fn new() -> Self {
        Self(Circle::<_, Inline<N>, Inline<P>>::new(VIRTUAL_NODES))
    }
}

impl<const N: usize, const P: usize> Default for Karger<Inline<N>, Inline<P>> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "alloc")]
impl Karger<crate::storage::Heap, crate::storage::Heap> {
    /// A ring without nodes, for up to `nodes` nodes and `points` points, allocated now.
    #[must_use]
    pub fn with_capacity(nodes: u32, points: u32) -> Self {
        Self(Circle::<_, crate::storage::Heap, crate::storage::Heap>::with_capacity(
            VIRTUAL_NODES,
            nodes,
            points,
        ))
    }
}

impl<N: Storage, P: Storage> Karger<N, P> {
    /// This ring with so many points for each unit of weight, instead of 150. Without effect on a ring that has
    /// points.
    #[must_use]
    pub const fn virtual_nodes(mut self, points: NonZeroU32) -> Self {
        if self.0.points.len() == 0 {
            self.0.stand = VirtualNodes(points);
        }
        self
    }

    /// Adds all of `nodes`: for many nodes, much faster than one after the other.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] if one of them cannot be added; then none is.
    pub fn extend(&mut self, nodes: &[Node]) -> Result<(), ChangeError> {
        self.0.extend(nodes)
    }

    /// The part of the circle that each point owns, in 2³²ths of it, with the point's node.
    pub fn arcs(&self) -> impl Iterator<Item = (u32, u64)> {
        self.0.points.arcs()
    }
}

impl<N: Storage, P: Storage> Ring for Karger<N, P> {
    fn extend(&mut self, nodes: &[Node]) -> Result<(), ChangeError> {
        Self::extend(self, nodes)
    }

    nodes_of_circle!();

    #[inline]
    fn owner(&self, hash: u64) -> Option<u32> {
        self.0.points.owner(position(hash))
    }

    fn walk(&self, hash: u64, mut visit: impl FnMut(u32) -> ControlFlow<()>) {
        let _ = self.0.points.around(position(hash)).try_for_each(&mut visit);
    }
}

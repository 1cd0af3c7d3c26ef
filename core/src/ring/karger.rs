//! The ring of Karger and others: each node at many points of a circle, each key with the next point.

use super::Ring;
use super::guide::{Points, position};
use super::mix::mix;
use super::node::{ChangeError, Node, Nodes};
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
pub struct Karger<N: Storage, P: Storage> {
    nodes: Nodes<N>,
    points: Points<P>,
    virtual_nodes: NonZeroU32,
}

/// Points for each unit of weight, unless said otherwise.
const VIRTUAL_NODES: NonZeroU32 = NonZeroU32::new(150).expect("150 is not zero");

impl<const N: usize, const P: usize> Karger<Inline<N>, Inline<P>> {
    /// A ring without nodes, for up to `N` nodes and `P` points.
    #[must_use]
    pub const fn new() -> Self {
        Self { nodes: Nodes::new(), points: Points::new(), virtual_nodes: VIRTUAL_NODES }
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
        Self {
            nodes: Nodes::with_capacity(nodes),
            points: Points::with_capacity(points),
            virtual_nodes: VIRTUAL_NODES,
        }
    }
}

impl<N: Storage, P: Storage> Karger<N, P> {
    /// This ring with so many points for each unit of weight, instead of 150. Without effect on a ring that has
    /// points.
    #[must_use]
    pub const fn virtual_nodes(mut self, points: NonZeroU32) -> Self {
        if self.points.len() == 0 {
            self.virtual_nodes = points;
        }
        self
    }

    /// Adds all of `nodes`: for many nodes, much faster than one after the other.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] if one of them cannot be added; then none is.
    pub fn extend(&mut self, nodes: &[Node]) -> Result<(), ChangeError> {
        for (added, node) in nodes.iter().enumerate() {
            if let Err(error) = self.nodes.insert(*node) {
                self.forget(&nodes[..added]);
                return Err(error);
            }
        }
        let fits = nodes.iter().try_fold(self.points.len(), |len, node| len.checked_add(self.count(node)?));
        if fits.is_none_or(|len| len > self.points.capacity()) {
            self.forget(nodes);
            return Err(ChangeError::Full);
        }
        self.place(nodes);
        Ok(())
    }

    /// The part of the circle that each point owns, in 2³²ths of it, with the point's node.
    pub fn arcs(&self) -> impl Iterator<Item = (u32, u64)> {
        self.points.arcs()
    }

    fn forget(&mut self, nodes: &[Node]) {
        for node in nodes {
            // They were inserted a moment ago.
            let _ = self.nodes.remove(node.id());
        }
    }

    /// How many points `node` stands at.
    fn count(&self, node: &Node) -> Option<usize> {
        node.share().checked_mul(self.virtual_nodes.get())?.try_into().ok()
    }

    /// Puts the points of `nodes`, which are members and fit, onto the circle.
    fn place(&mut self, nodes: &[Node]) {
        let virtual_nodes = self.virtual_nodes.get();
        let points = nodes.iter().flat_map(|node| {
            let count = u64::from(node.share()) * u64::from(virtual_nodes);
            (0..count).map(|point| (position(mix(node.key(), point)), node.id()))
        });
        let members = self.nodes.as_slice();
        let key = |id| members.iter().find(|node| node.id() == id).map(Node::key);
        self.points.insert(points, |a, b| key(a) < key(b));
    }

    /// Changes node `id` by `change`, and its points with it.
    fn change(
        &mut self,
        id: u32,
        change: impl FnOnce(&mut Nodes<N>) -> Result<(), ChangeError>,
    ) -> Result<(), ChangeError> {
        let old = self.nodes.get(id)?;
        change(&mut self.nodes)?;
        let new = self.nodes.get(id)?;
        if new.share() == old.share() {
            return Ok(());
        }
        let others = self.points.len() - self.points.len_of(id);
        if self.count(&new).is_none_or(|count| count > self.points.capacity() - others) {
            self.nodes.restore(old);
            return Err(ChangeError::Full);
        }
        self.points.remove(id);
        self.place(&[new]);
        Ok(())
    }
}

impl<N: Storage, P: Storage> Ring for Karger<N, P> {
    fn extend(&mut self, nodes: &[Node]) -> Result<(), ChangeError> {
        Self::extend(self, nodes)
    }

    fn insert(&mut self, node: Node) -> Result<(), ChangeError> {
        self.extend(&[node])
    }

    fn remove(&mut self, id: u32) -> Result<Node, ChangeError> {
        let node = self.nodes.remove(id)?;
        self.points.remove(id);
        Ok(node)
    }

    fn set_weight(&mut self, id: u32, weight: u32) -> Result<(), ChangeError> {
        self.change(id, |nodes| nodes.set_weight(id, weight))
    }

    fn drain(&mut self, id: u32) -> Result<(), ChangeError> {
        self.change(id, |nodes| nodes.set_draining(id, true))
    }

    fn resume(&mut self, id: u32) -> Result<(), ChangeError> {
        self.change(id, |nodes| nodes.set_draining(id, false))
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
        self.points.owner(position(hash))
    }

    fn walk(&self, hash: u64, mut visit: impl FnMut(u32) -> ControlFlow<()>) {
        let _ = self.points.around(position(hash)).try_for_each(&mut visit);
    }
}

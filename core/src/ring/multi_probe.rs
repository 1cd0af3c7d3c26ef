//! Multi-probe consistent hashing: one point for each node, many looks for each key.

use super::Ring;
use super::guide::{Points, position};
use super::mix::mix;
use super::node::{ChangeError, Node, Nodes};
use crate::storage::{Inline, Storage};
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
pub struct MultiProbe<N: Storage> {
    nodes: Nodes<N>,
    points: Points<N>,
}

impl<const N: usize> MultiProbe<Inline<N>> {
    /// A ring without nodes, for up to `N` nodes whose weights together are at most `N`.
    #[must_use]
    pub const fn new() -> Self {
        Self { nodes: Nodes::new(), points: Points::new() }
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
        Self { nodes: Nodes::with_capacity(weight), points: Points::with_capacity(weight) }
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
        self.points.arcs()
    }

    /// The points of nodes of that weight, as the changes of a ring want them.
    fn points_of(node: Node) -> impl Iterator<Item = (u32, u32)> {
        (0..u64::from(node.share())).map(move |point| (position(mix(node.key(), point)), node.id()))
    }

    fn place(&mut self, node: Node) {
        let members = self.nodes.as_slice();
        let key = |id| members.iter().find(|node| node.id() == id).map(Node::key);
        self.points.insert(Self::points_of(node), |a, b| key(a) < key(b));
    }

    /// Changes node `id` by `change`, and its points with it.
    fn change(
        &mut self,
        id: u32,
        change: impl FnOnce(&mut Nodes<N>) -> Result<(), ChangeError>,
    ) -> Result<(), ChangeError> {
        let old = self.nodes.get(id)?;
        change(&mut self.nodes)?;
        if self.nodes.total() as usize > self.points.capacity() {
            self.nodes.restore(old);
            return Err(ChangeError::Full);
        }
        self.points.remove(id);
        self.place(self.nodes.get(id)?);
        Ok(())
    }
}

impl<N: Storage> Ring for MultiProbe<N> {
    fn insert(&mut self, node: Node) -> Result<(), ChangeError> {
        self.nodes.insert(node)?;
        if self.nodes.total() as usize > self.points.capacity() {
            self.nodes.remove(node.id())?;
            return Err(ChangeError::Full);
        }
        self.place(node);
        Ok(())
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

    fn owner(&self, hash: u64) -> Option<u32> {
        let mut best = None;
        for number in 0..PROBES {
            let at = self.points.find(probe(hash, number))?;
            let (distance, id) = self.points.ahead(at, probe(hash, number));
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
            let Some(at) = self.points.find(probe(hash, number)) else { return };
            *cursor = (at, 0);
        }
        loop {
            let mut best: Option<(u32, usize, u32)> = None;
            for (number, (at, steps)) in cursors.iter().enumerate() {
                let (distance, id) = self.points.ahead(*at, probe(hash, number));
                if *steps < self.points.len() && best.is_none_or(|(least, ..)| distance < least) {
                    best = Some((distance, number, id));
                }
            }
            let Some((_, number, id)) = best else { return };
            if visit(id).is_break() {
                return;
            }
            let (at, steps) = cursors[number];
            cursors[number] = (self.points.after(at), steps + 1);
        }
    }
}

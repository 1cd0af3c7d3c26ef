//! Nodes at points of a circle: the changes that all algorithms of that kind share.

use super::guide::{Points, position};
use super::mix::mix;
use super::node::{ChangeError, Node, Nodes};
use crate::storage::Storage;
use core::num::NonZeroU32;

/// Where an algorithm puts a node.
pub(super) trait Stand {
    /// Points for each unit of weight.
    fn each(&self) -> u32;

    /// The positions of the points of `node`: [`each`](Self::each) times its share.
    fn positions(&self, node: &Node) -> impl Iterator<Item = u32>;
}

/// So many points for each unit of weight, each a mix of the node's key and the point's number.
#[derive(Debug)]
pub(super) struct VirtualNodes(pub(super) NonZeroU32);

impl Stand for VirtualNodes {
    fn each(&self) -> u32 {
        self.0.get()
    }

    fn positions(&self, node: &Node) -> impl Iterator<Item = u32> {
        let count = u64::from(node.share()) * u64::from(self.0.get());
        let key = node.key();
        (0..count).map(move |point| position(mix(key, point)))
    }
}

/// The nodes of a ring and their points. Of two nodes that have a point in common, the one with the smaller key has it.
#[derive(Debug)]
pub(super) struct Circle<A, N: Storage, P: Storage> {
    pub(super) stand: A,
    pub(super) nodes: Nodes<N>,
    pub(super) points: Points<P>,
}

impl<A, const N: usize, const P: usize> Circle<A, crate::storage::Inline<N>, crate::storage::Inline<P>> {
    pub(super) const fn new(stand: A) -> Self {
        Self { stand, nodes: Nodes::new(), points: Points::new() }
    }
}

#[cfg(feature = "alloc")]
impl<A> Circle<A, crate::storage::Heap, crate::storage::Heap> {
    pub(super) fn with_capacity(stand: A, nodes: u32, points: u32) -> Self {
        Self { stand, nodes: Nodes::with_capacity(nodes), points: Points::with_capacity(points) }
    }
}

impl<A: Stand, N: Storage, P: Storage> Circle<A, N, P> {
    /// Adds all of `nodes`, or none.
    pub(super) fn extend(&mut self, nodes: &[Node]) -> Result<(), ChangeError> {
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

    pub(super) fn remove(&mut self, id: u32) -> Result<Node, ChangeError> {
        let node = self.nodes.remove(id)?;
        self.points.remove(id);
        Ok(node)
    }

    /// Changes node `id` by `change`, and its points with it.
    pub(super) fn change(
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

    fn forget(&mut self, nodes: &[Node]) {
        for node in nodes {
            // They were inserted a moment ago.
            let _ = self.nodes.remove(node.id());
        }
    }

    /// How many points `node` stands at, or `None` if that is no number.
    fn count(&self, node: &Node) -> Option<usize> {
        node.share().checked_mul(self.stand.each())?.try_into().ok()
    }

    /// Puts the points of `nodes`, which are members and fit, onto the circle.
    fn place(&mut self, nodes: &[Node]) {
        let stand = &self.stand;
        let points =
            nodes.iter().flat_map(|node| stand.positions(node).map(|position| (position, node.id())));
        let members = self.nodes.as_slice();
        let key = |id| members.iter().find(|node| node.id() == id).map(Node::key);
        self.points.insert(points, |a, b| key(a) < key(b));
    }
}

/// What a ring whose only field is a [`Circle`] says of its nodes, and how it changes them one by one.
macro_rules! nodes_of_circle {
    () => {
        fn insert(&mut self, node: Node) -> Result<(), ChangeError> {
            self.extend(&[node])
        }

        fn remove(&mut self, id: u32) -> Result<Node, ChangeError> {
            self.0.remove(id)
        }

        fn set_weight(&mut self, id: u32, weight: u32) -> Result<(), ChangeError> {
            self.0.change(id, |nodes| nodes.set_weight(id, weight))
        }

        fn drain(&mut self, id: u32) -> Result<(), ChangeError> {
            self.0.change(id, |nodes| nodes.set_draining(id, true))
        }

        fn resume(&mut self, id: u32) -> Result<(), ChangeError> {
            self.0.change(id, |nodes| nodes.set_draining(id, false))
        }

        fn nodes(&self) -> &[Node] {
            self.0.nodes.as_slice()
        }

        fn total_weight(&self) -> u64 {
            self.0.nodes.total().into()
        }

        fn common_weight(&self) -> Option<u32> {
            self.0.nodes.common()
        }
    };
}
pub(super) use nodes_of_circle;

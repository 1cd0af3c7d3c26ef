//! The nodes that keys are placed on, as every ring keeps them.

use crate::hash::xxh3_64;
use crate::storage::{List, Storage};
use core::fmt;

/// A node to place keys on: the caller's number for it, its name and its weight.
///
/// Placement follows from the name alone, so two machines that know the same names place alike, whatever numbers they
/// use and in whatever order they learned the names.
///
/// # Examples
///
/// ```
/// use divvy::ring::Node;
///
/// let node = Node::new(3, b"cache-3.example:11211").weight(2);
/// assert_eq!((node.id(), node.share()), (3, 2));
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Node {
    id: u32,
    weight: u32,
    key: u64,
    draining: bool,
}

impl Node {
    /// A node of weight 1 that the caller numbers `id` and that is called `name`.
    #[must_use]
    pub const fn new(id: u32, name: &[u8]) -> Self {
        Self::from_key(id, xxh3_64(name))
    }

    /// As [`new`](Self::new), for a name whose XXH3-64 is `key`.
    #[must_use]
    pub const fn from_key(id: u32, key: u64) -> Self {
        Self { id, weight: 1, key, draining: false }
    }

    /// This node with `weight` instead: it gets keys in proportion. 0 is a member that owns nothing.
    #[must_use]
    pub const fn weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// The caller's number.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// The XXH3-64 of the name.
    #[must_use]
    pub const fn key(&self) -> u64 {
        self.key
    }

    /// The weight that counts: 0 while the node drains.
    #[must_use]
    pub const fn share(&self) -> u32 {
        if self.draining { 0 } else { self.weight }
    }

    /// The weight, drained or not.
    pub(super) const fn full_weight(&self) -> u32 {
        self.weight
    }

    /// Whether the node gives up its keys, see [`Ring::drain`](super::Ring::drain).
    #[must_use]
    pub const fn is_draining(&self) -> bool {
        self.draining
    }
}

/// Why a ring did not change. Nothing changed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ChangeError {
    /// There is a node with this number or this name already. Remedy: remove it first, or use another.
    Duplicate,
    /// There is no node with this number. Remedy: insert it first.
    Unknown,
    /// There is no room for another node, or for the points that its weight asks for. Remedy: a larger capacity,
    /// fewer points per node or smaller weights.
    Full,
    /// This algorithm cannot do that: its docs say what. Remedy: an algorithm that can.
    Unsupported,
    /// The weights together do not fit 32 bits. Remedy: smaller weights in the same proportion.
    TooHeavy,
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Duplicate => {
                "a node with this number or name is there already; remove it first or use another"
            }
            Self::Unknown => "no node has this number; insert it first",
            Self::Full => "no room for this node and its points; choose a larger capacity or smaller weights",
            Self::Unsupported => "this algorithm cannot do that; choose another one",
            Self::TooHeavy => "the weights together exceed 32 bits; use smaller ones in the same proportion",
        })
    }
}

impl core::error::Error for ChangeError {}

/// The nodes of a ring in the order of their insertion, and the rules for changing them: one implementation for every
/// algorithm.
pub(super) struct Nodes<S: Storage> {
    list: S::List<Node>,
    /// The sum of what counts. Every change keeps it below 2³².
    total: u32,
    /// What every node with weight weighs, or 0 if they differ or there is none.
    common: u32,
}

impl<const N: usize> Nodes<crate::storage::Inline<N>> {
    pub(super) const fn new() -> Self {
        Self { list: heapless::Vec::new(), total: 0, common: 0 }
    }
}

#[cfg(feature = "alloc")]
impl Nodes<crate::storage::Heap> {
    pub(super) fn with_capacity(capacity: u32) -> Self {
        Self { list: crate::storage::HeapList::with_capacity(capacity as usize), total: 0, common: 0 }
    }
}

impl<S: Storage> fmt::Debug for Nodes<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.list.iter()).finish()
    }
}

impl<S: Storage> Nodes<S> {
    pub(super) fn as_slice(&self) -> &[Node] {
        &self.list
    }

    /// The sum of the weights that count.
    pub(super) const fn total(&self) -> u32 {
        self.total
    }

    /// What every node with weight weighs, or `None` if they differ or there is none.
    pub(super) const fn common(&self) -> Option<u32> {
        if self.common == 0 { None } else { Some(self.common) }
    }

    /// Keeps what is known of all nodes together after a change of one.
    fn changed(&mut self, total: u32) {
        self.total = total;
        let mut shares = self.list.iter().map(Node::share).filter(|share| *share > 0);
        let first = shares.next().unwrap_or(0);
        self.common = if shares.all(|share| share == first) { first } else { 0 };
    }

    /// Where node `id` stands.
    pub(super) fn position(&self, id: u32) -> Option<usize> {
        self.list.iter().position(|node| node.id == id)
    }

    /// Appends `node`.
    pub(super) fn insert(&mut self, node: Node) -> Result<(), ChangeError> {
        // All are looked at without a branch, which is quicker than to stop at the first.
        let same = |other: &Node| (other.id == node.id) | (other.key == node.key);
        if self.list.iter().fold(false, |any, other| any | same(other)) {
            return Err(ChangeError::Duplicate);
        }
        let total = self.total.checked_add(node.share()).ok_or(ChangeError::TooHeavy)?;
        self.list.push(node).map_err(|_| ChangeError::Full)?;
        if node.share() > 0 {
            self.common = if self.total == 0 || self.common == node.share() { node.share() } else { 0 };
        }
        self.total = total;
        Ok(())
    }

    /// Takes out node `id`; those behind it move up, so the order of the others stays.
    pub(super) fn remove(&mut self, id: u32) -> Result<Node, ChangeError> {
        let at = self.position(id).ok_or(ChangeError::Unknown)?;
        self.list[at..].rotate_left(1);
        let node = self.list.pop().ok_or(ChangeError::Unknown)?;
        self.changed(self.total - node.share());
        Ok(node)
    }

    /// Changes node `id` by `change`, which may set its weight and whether it drains.
    fn change(&mut self, id: u32, change: impl FnOnce(&mut Node)) -> Result<(), ChangeError> {
        let at = self.position(id).ok_or(ChangeError::Unknown)?;
        let mut node = self.list[at];
        change(&mut node);
        let rest = self.total - self.list[at].share();
        let total = rest.checked_add(node.share()).ok_or(ChangeError::TooHeavy)?;
        self.list[at] = node;
        self.changed(total);
        Ok(())
    }

    /// Node `id`.
    pub(super) fn get(&self, id: u32) -> Result<Node, ChangeError> {
        Ok(self.list[self.position(id).ok_or(ChangeError::Unknown)?])
    }

    /// Takes back a change of node `old`, which was so before it.
    pub(super) fn restore(&mut self, old: Node) {
        // It was a member and its weight did fit, so both hold now.
        let _ = self.change(old.id, |node| *node = old);
    }

    pub(super) fn set_weight(&mut self, id: u32, weight: u32) -> Result<(), ChangeError> {
        self.change(id, |node| node.weight = weight)
    }

    pub(super) fn set_draining(&mut self, id: u32, draining: bool) -> Result<(), ChangeError> {
        self.change(id, |node| node.draining = draining)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Inline;

    #[test]
    fn changes_are_all_or_nothing() {
        let mut nodes = Nodes::<Inline<2>>::new();
        assert_eq!(nodes.insert(Node::new(1, b"a").weight(u32::MAX)), Ok(()));
        assert_eq!(nodes.insert(Node::new(1, b"b")), Err(ChangeError::Duplicate));
        assert_eq!(nodes.insert(Node::new(2, b"a")), Err(ChangeError::Duplicate));
        assert_eq!(nodes.insert(Node::new(2, b"b")), Err(ChangeError::TooHeavy));
        assert_eq!((nodes.as_slice().len(), nodes.total()), (1, u32::MAX));
        assert_eq!(nodes.set_draining(1, true), Ok(()));
        assert_eq!(nodes.insert(Node::new(2, b"b")), Ok(()));
        assert_eq!(nodes.set_draining(1, false), Err(ChangeError::TooHeavy));
        assert!(nodes.as_slice()[0].is_draining());
        assert_eq!(nodes.insert(Node::new(3, b"c")), Err(ChangeError::Full));
        assert_eq!(
            (nodes.remove(7), nodes.set_weight(7, 1)),
            (Err(ChangeError::Unknown), Err(ChangeError::Unknown))
        );
        assert_eq!(nodes.remove(1).map(|node| node.id()), Ok(1));
        assert_eq!((nodes.position(2), nodes.total()), (Some(0), 1));
    }
}

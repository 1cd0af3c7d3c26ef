//! Maglev: a table of nodes that one multiplication looks up.

mod build;
#[cfg(all(test, feature = "alloc"))]
mod tests;

use super::Ring;
use super::mix::mix;
use super::node::{ChangeError, Node, Nodes};
use super::spread::{below, sweep};
use crate::storage::Storage;
use build::Build;
use core::fmt;
use core::ops::ControlFlow;

/// A table in which every node has its share of the entries; a key belongs to the node at its entry.
///
/// One multiplication and one load answer, however many nodes there are, and shares are as even as a table allows: with
/// 100 entries per node, within 1 %. When a node goes, its entries are filled by the others, and some more change hands:
/// 0.6 % of all with 100 nodes and 65,537 entries. The table follows from the names and weights alone, whatever the
/// order they were inserted in.
///
/// Each change builds the table anew, in a second one: *O*(table × log table). Where that is too long at a time,
/// [`later`](Self::later) changes the members only, and [`rebuild_step`](Self::rebuild_step) builds a bounded part;
/// the old table answers until the new one is complete.
///
/// *When not to use it:* when no key may move that need not ([`Karger`](super::Karger), [`Anchor`](super::Anchor)), or
/// when weights differ so much that a node's share is less than an entry: it then owns nothing.
///
/// # Examples
///
/// ```
/// use divvy::ring::{ChangeError, Maglev, Node, Progress, Ring};
/// use divvy::storage::Inline;
///
/// let mut ring = Maglev::<Inline<4>, Inline<251>>::new();
/// ring.insert(Node::new(0, b"a"))?;
/// ring.insert(Node::new(1, b"b").weight(2))?;
/// assert_eq!(ring.insert(Node::new(2, b"b")), Err(ChangeError::Duplicate));
///
/// // A bounded part of the work at a time:
/// ring.later().remove(0)?;
/// while let Progress::Pending { .. } = ring.rebuild_step(100) {
///     assert!(ring.owner_of(b"user:42").is_some());
/// }
/// assert_eq!(ring.owner_of(b"user:42"), Some(1));
/// # Ok::<(), ChangeError>(())
/// ```
///
/// # Complexity
///
/// Owner *O*(1). A change: *O*(table × log table), with unequal weights × log nodes. 8 bytes per entry and 48 bytes
/// per node.
///
/// # References
///
/// Eisenbud et al.: *Maglev: a fast and reliable software network load balancer*, NSDI 2016.
pub struct Maglev<N: Storage, T: Storage> {
    nodes: Nodes<N>,
    /// The ids of nodes: the table that answers, and the one that is built.
    tables: [T::Slots<u32>; 2],
    /// Which of the two answers.
    live: bool,
    /// Whether the table that answers stands for no node at all.
    empty: bool,
    /// Whether members changed since the build began.
    changed: bool,
    build: Build<N>,
}

impl<N: Storage, T: Storage> fmt::Debug for Maglev<N, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Maglev")
            .field("nodes", &self.nodes)
            .field("entries", &self.tables[0].len())
            .field("changed", &self.changed)
            .field("build", &self.build)
            .finish_non_exhaustive()
    }
}

/// How far a rebuild is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub enum Progress {
    /// The table that answers is that of the present members.
    Complete,
    /// The table before answers still.
    Pending {
        /// How many entries of the new table are to be filled; more when a change waits for it to be complete.
        left: u32,
    },
}

/// Why there is no such table.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TableError {
    /// The number of entries is not a prime between 2 and 2²⁴. Remedy: [`table_size`].
    NotPrime,
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotPrime => "a Maglev table's size is a prime from 2 to 16,777,213; take the next one up",
        })
    }
}

impl core::error::Error for TableError {}

/// Beyond this a hash's share of an entry would be uneven by more than 1 in 256.
const LARGEST: u32 = 1 << 24;

/// The smallest size of a [`Maglev`] table that has at least `entries`, or `None` above 16,777,213.
///
/// # Examples
///
/// ```
/// use divvy::ring::table_size;
///
/// assert_eq!(table_size(100 * 8), Some(809));
/// assert_eq!(table_size(1 << 24), None);
/// ```
#[must_use]
pub const fn table_size(entries: u32) -> Option<u32> {
    let mut size = entries;
    while size < LARGEST {
        if is_prime(size) {
            return Some(size);
        }
        size += 1;
    }
    None
}

const fn is_prime(n: u32) -> bool {
    if n < 4 || n.is_multiple_of(2) {
        return n == 2 || n == 3;
    }
    let mut divisor: u32 = 3;
    while divisor.saturating_mul(divisor) <= n {
        if n.is_multiple_of(divisor) {
            return false;
        }
        divisor += 2;
    }
    true
}

impl<const N: usize, const M: usize> Maglev<crate::storage::Inline<N>, crate::storage::Inline<M>> {
    /// Up to `N` nodes in a table of `M` entries, a prime; none yet.
    #[must_use]
    pub const fn new() -> Self {
        const {
            assert!(
                M < LARGEST as usize && is_prime(M as u32),
                "the size of a Maglev table is a prime below 2^24"
            );
        }
        Self {
            nodes: Nodes::new(),
            tables: [const { crate::storage::InlineSlots([0; M]) }; 2],
            live: false,
            empty: true,
            changed: false,
            build: Build::new(),
        }
    }
}

impl<const N: usize, const M: usize> Default
    for Maglev<crate::storage::Inline<N>, crate::storage::Inline<M>>
{
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "alloc")]
impl Maglev<crate::storage::Heap, crate::storage::Heap> {
    /// Up to `nodes` nodes in a table of `entries`, a prime ([`table_size`]); none yet.
    ///
    /// # Errors
    ///
    /// [`TableError`].
    pub fn with_capacity(nodes: u32, entries: u32) -> Result<Self, TableError> {
        if entries >= LARGEST || !is_prime(entries) {
            return Err(TableError::NotPrime);
        }
        let table = || alloc::vec![0; entries as usize].into();
        Ok(Self {
            nodes: Nodes::with_capacity(nodes),
            tables: [table(), table()],
            live: false,
            empty: true,
            changed: false,
            build: Build::with_capacity(nodes),
        })
    }
}

impl<N: Storage, T: Storage> Maglev<N, T> {
    /// Changes to the members that the table follows later, when [`rebuild_step`](Self::rebuild_step) or
    /// [`rebuild`](Self::rebuild) builds it. Until then [`owner`](Ring::owner) and [`walk`](Ring::walk) answer for the
    /// members before.
    pub const fn later(&mut self) -> Later<'_, N, T> {
        Later(self)
    }

    /// Does at most `budget` units of the work that changes left to do: clears or looks at that many entries.
    ///
    /// Beginning with a change takes *O*(nodes × log nodes) more, for putting the nodes in order. A change while a
    /// table is built waits until that one is complete, so that changes which keep coming still take effect.
    pub fn rebuild_step(&mut self, budget: u32) -> Progress {
        let [first, second] = &mut self.tables;
        let table = if self.live { first } else { second };
        if self.build.is_idle() {
            if !self.changed {
                return Progress::Complete;
            }
            self.changed = false;
            self.build.begin(self.nodes.as_slice(), table.len() as u32);
        }
        let left = self.build.step(table, budget);
        if left > 0 {
            return Progress::Pending { left };
        }
        self.live = !self.live;
        self.empty = self.build.is_empty();
        if self.changed { Progress::Pending { left: table.len() as u32 } } else { Progress::Complete }
    }

    /// Does all that is left to do.
    pub fn rebuild(&mut self) {
        while let Progress::Pending { .. } = self.rebuild_step(u32::MAX) {}
    }

    fn change_at_once(&mut self) {
        self.changed = true;
        // What is being built is out of date already.
        self.build.stop();
        self.rebuild();
    }

    /// The table that answers.
    #[inline]
    fn table(&self) -> &[u32] {
        &self.tables[usize::from(self.live)]
    }

    /// The node at the entry of this hash, if the table has any.
    #[inline]
    fn at(&self, hash: u64) -> u32 {
        let table = self.table();
        table[below(hash, table.len() as u32) as usize]
    }
}

/// Members change at once, the table later: see [`Maglev::later`].
#[derive(Debug)]
pub struct Later<'a, N: Storage, T: Storage>(&'a mut Maglev<N, T>);

impl<N: Storage, T: Storage> Later<'_, N, T> {
    /// As [`Ring::insert`].
    ///
    /// # Errors
    ///
    /// [`ChangeError`]; nothing changed.
    pub fn insert(&mut self, node: Node) -> Result<(), ChangeError> {
        self.0.nodes.insert(node)?;
        self.0.changed = true;
        Ok(())
    }

    /// As [`Ring::remove`].
    ///
    /// # Errors
    ///
    /// [`ChangeError`]; nothing changed.
    pub fn remove(&mut self, id: u32) -> Result<Node, ChangeError> {
        let node = self.0.nodes.remove(id)?;
        self.0.changed = true;
        Ok(node)
    }

    /// As [`Ring::set_weight`].
    ///
    /// # Errors
    ///
    /// [`ChangeError`]; nothing changed.
    pub fn set_weight(&mut self, id: u32, weight: u32) -> Result<(), ChangeError> {
        self.0.nodes.set_weight(id, weight)?;
        self.0.changed = true;
        Ok(())
    }

    /// As [`Ring::drain`].
    ///
    /// # Errors
    ///
    /// [`ChangeError`]; nothing changed.
    pub fn drain(&mut self, id: u32) -> Result<(), ChangeError> {
        self.0.nodes.set_draining(id, true)?;
        self.0.changed = true;
        Ok(())
    }

    /// As [`Ring::resume`].
    ///
    /// # Errors
    ///
    /// [`ChangeError`]; nothing changed.
    pub fn resume(&mut self, id: u32) -> Result<(), ChangeError> {
        self.0.nodes.set_draining(id, false)?;
        self.0.changed = true;
        Ok(())
    }
}

impl<N: Storage, T: Storage> Ring for Maglev<N, T> {
    fn extend(&mut self, nodes: &[Node]) -> Result<(), ChangeError> {
        for (added, node) in nodes.iter().enumerate() {
            if let Err(refusal) = self.nodes.insert(*node) {
                for node in &nodes[..added] {
                    self.nodes.remove(node.id())?;
                }
                return Err(refusal);
            }
        }
        self.change_at_once();
        Ok(())
    }

    fn insert(&mut self, node: Node) -> Result<(), ChangeError> {
        self.later().insert(node)?;
        self.change_at_once();
        Ok(())
    }

    fn remove(&mut self, id: u32) -> Result<Node, ChangeError> {
        let node = self.later().remove(id)?;
        self.change_at_once();
        Ok(node)
    }

    fn set_weight(&mut self, id: u32, weight: u32) -> Result<(), ChangeError> {
        self.later().set_weight(id, weight)?;
        self.change_at_once();
        Ok(())
    }

    fn drain(&mut self, id: u32) -> Result<(), ChangeError> {
        self.later().drain(id)?;
        self.change_at_once();
        Ok(())
    }

    fn resume(&mut self, id: u32) -> Result<(), ChangeError> {
        self.later().resume(id)?;
        self.change_at_once();
        Ok(())
    }

    /// The members, with the changes that the table does not follow yet.
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
        if self.empty { None } else { Some(self.at(hash)) }
    }

    /// The owner, then the nodes at entries that other hashes of the key lead to, eight for each node; then all nodes, in
    /// an order that differs between keys. So the keys of an owner that is refused go to the others in proportion to
    /// their shares, though not to the same ones as when the table is built without it.
    fn walk(&self, hash: u64, mut visit: impl FnMut(u32) -> ControlFlow<()>) {
        if self.empty {
            return;
        }
        let nodes = self.nodes.as_slice();
        let mut last = self.at(hash);
        if visit(last).is_break() {
            return;
        }
        for draw in 1..8 * nodes.len() as u64 {
            let next = self.at(mix(hash, draw));
            if next != last && visit(next).is_break() {
                return;
            }
            last = next;
        }
        sweep(hash, nodes.len(), |at| {
            if nodes[at].share() > 0 { visit(nodes[at].id()) } else { ControlFlow::Continue(()) }
        });
    }
}

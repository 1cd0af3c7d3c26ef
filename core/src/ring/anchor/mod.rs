//! AnchorHash: any node may come and go, and no key moves that need not.

#[cfg(all(test, feature = "alloc"))]
mod tests;

use super::Ring;
use super::mix::mix;
use super::node::{ChangeError, Node, Nodes};
use super::spread::{below, sweep};
use crate::storage::Storage;
use core::ops::ControlFlow;

/// A ring of a fixed maximum size from which any node can be removed, with nothing to search.
///
/// Keys move only from a removed node, to all others alike, and to an inserted one, from all others alike. A node of
/// weight w stands for w buckets, and `N` is the maximum of buckets as of nodes: keep weights small, and the maximum
/// about a quarter to twice above what is usual (65,535 at most). An inserted node takes the place that was left last.
///
/// While a node drains, its keys are where they would be if it were removed, so draining a node and then removing it
/// moves its keys once. If others come or go meanwhile, those keys, and only those, are spread anew.
///
/// Where keys go follows from the order of insertions and removals, not from the names: machines that must agree make
/// the same changes in the same order. *When not to use it:* where they cannot, or for weights in the thousands; see
/// [`Rendezvous`](super::Rendezvous), [`Karger`](super::Karger) and [`Maglev`](super::Maglev).
///
/// # Examples
///
/// ```
/// use divvy::ring::{Anchor, ChangeError, Node, Ring};
/// use divvy::storage::Inline;
///
/// let mut ring = Anchor::<Inline<4>>::new();
/// for (id, name) in [(0, "a"), (1, "b"), (2, "c")] {
///     ring.insert(Node::new(id, name.as_bytes()))?;
/// }
/// let before = ring.owner_of(b"user:42");
/// let other = (0..3).find(|id| before != Some(*id)).expect("there are three");
/// ring.remove(other)?;
/// assert_eq!(ring.owner_of(b"user:42"), before);
/// // Weight 3 asks for three of the four places, of which two are free:
/// assert_eq!(ring.insert(Node::new(9, b"d").weight(3)), Err(ChangeError::Full));
/// # Ok::<(), ChangeError>(())
/// ```
///
/// # Complexity
///
/// Owner: 1 + ln(maximum ÷ buckets in use) draws expected. Changes: *O*(maximum) for each unit of weight. 40 bytes for
/// each of the maximum.
///
/// # References
///
/// Mendelson, Vargaftik, Barabash, Lorenz, Keslassy, Orda: *AnchorHash: a scalable consistent hash*, IEEE/ACM
/// Transactions on Networking 29(2), 2021, arXiv:1812.09674.
#[derive(Debug)]
pub struct Anchor<N: Storage> {
    nodes: Nodes<N>,
    buckets: N::Slots<Bucket>,
    owners: N::Slots<Owner>,
    /// How many buckets work.
    working: u16,
    /// Whether some node drains.
    draining: bool,
}

/// A bucket, and a place in the order of buckets: two arrays of the paper interleaved, whose elements are asked for
/// together, and two that only changes need.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// How many buckets worked when this one went; 0 while it works. The paper's A.
    left: u16,
    /// The bucket that took its place when it went. K.
    heir: u16,
    /// Its place in the order. L.
    place: u16,
    /// The bucket at this place of the order: the working ones first, then those that went, the last one first. W and,
    /// from the number of working ones on, R.
    at: u16,
}

/// Whose bucket it is.
#[derive(Clone, Copy, Debug)]
struct Owner {
    id: u32,
    /// Whether that node drains.
    draining: bool,
}

const UNOWNED: Owner = Owner { id: 0, draining: false };

impl Bucket {
    /// Bucket `number` in the beginning: as if all had gone, the last one first.
    const fn unused(number: u16) -> Self {
        Self { left: number, heir: number, place: number, at: number }
    }
}

/// How many buckets there may be.
const MOST: usize = u16::MAX as usize;

impl<const N: usize> Anchor<crate::storage::Inline<N>> {
    /// Up to `N` nodes whose weights sum to at most `N`, none yet.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(N <= MOST, "an Anchor has at most 65,535 buckets") };
        let mut buckets = [Bucket::unused(0); N];
        let mut number = 0;
        while number < N {
            buckets[number] = Bucket::unused(number as u16);
            number += 1;
        }
        Self {
            nodes: Nodes::new(),
            buckets: crate::storage::InlineSlots(buckets),
            owners: crate::storage::InlineSlots([UNOWNED; N]),
            working: 0,
            draining: false,
        }
    }
}

impl<const N: usize> Default for Anchor<crate::storage::Inline<N>> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "alloc")]
impl Anchor<crate::storage::Heap> {
    /// Up to `capacity` nodes whose weights sum to at most `capacity`, none yet; 65,535 at most.
    #[must_use]
    pub fn with_capacity(capacity: u32) -> Self {
        let capacity = u16::try_from(capacity).unwrap_or(u16::MAX);
        Self {
            nodes: Nodes::with_capacity(capacity.into()),
            buckets: (0..capacity).map(Bucket::unused).collect(),
            owners: alloc::vec![UNOWNED; capacity.into()].into(),
            working: 0,
            draining: false,
        }
    }
}

impl<N: Storage> Anchor<N> {
    /// The working bucket for a key; some bucket works.
    #[inline]
    fn bucket(&self, hash: u64) -> u16 {
        let buckets = &self.buckets[..];
        let mut bucket = below(hash, buckets.len() as u32) as u16;
        loop {
            let left = buckets[usize::from(bucket)].left;
            if left == 0 {
                return bucket;
            }
            // One of those that were left then, as the order was then: those that went before were replaced already.
            bucket = next_draw(hash, bucket, left);
            while buckets[usize::from(bucket)].left >= left {
                bucket = buckets[usize::from(bucket)].heir;
            }
        }
    }

    /// Puts the bucket that went last to work for `owner`; there is one.
    fn add(&mut self, owner: Owner) {
        let place = self.working;
        let bucket = self.buckets[usize::from(place)].at;
        let Bucket { heir, place: old_place, .. } = self.buckets[usize::from(bucket)];
        // The order is again what it was before the bucket went.
        self.buckets[usize::from(place)].at = heir;
        self.buckets[usize::from(heir)].place = place;
        self.buckets[usize::from(old_place)].at = bucket;
        let this = &mut self.buckets[usize::from(bucket)];
        this.place = old_place;
        this.left = 0;
        this.heir = bucket;
        self.owners[usize::from(bucket)] = owner;
        self.working += 1;
    }

    /// Takes working bucket `bucket` out.
    fn take(&mut self, bucket: u16) {
        self.working -= 1;
        let last_place = usize::from(self.working);
        let last = self.buckets[last_place].at;
        let place = self.buckets[usize::from(bucket)].place;
        self.buckets[usize::from(place)].at = last;
        self.buckets[usize::from(last)].place = place;
        self.buckets[last_place].at = bucket;
        let this = &mut self.buckets[usize::from(bucket)];
        // Remembers the place it had, for the day it returns.
        this.place = place;
        this.left = self.working;
        this.heir = last;
        self.owners[usize::from(bucket)] = UNOWNED;
    }

    /// The working buckets of node `id`.
    fn count(&self, id: u32) -> u32 {
        self.of(id).count() as u32
    }

    /// The working buckets of node `id`, in the order of working ones from the end.
    fn of(&self, id: u32) -> impl Iterator<Item = u16> {
        let working = &self.buckets[..usize::from(self.working)];
        working.iter().rev().map(|place| place.at).filter(move |at| self.owners[usize::from(*at)].id == id)
    }

    /// Takes out `count` buckets of node `id`, those added last first.
    fn take_some(&mut self, id: u32, count: u32) {
        for _ in 0..count {
            let Some(bucket) = self.of(id).next() else { return };
            self.take(bucket);
        }
    }

    fn free(&self) -> u32 {
        self.buckets.len() as u32 - u32::from(self.working)
    }

    fn set_draining(&mut self, id: u32, draining: bool) -> Result<(), ChangeError> {
        self.nodes.set_draining(id, draining)?;
        for place in 0..self.working {
            let bucket = self.buckets[usize::from(place)].at;
            let owner = &mut self.owners[usize::from(bucket)];
            if owner.id == id {
                owner.draining = draining;
            }
        }
        self.look_for_draining();
        Ok(())
    }

    fn look_for_draining(&mut self) {
        self.draining = self.nodes.as_slice().iter().any(Node::is_draining);
    }
}

/// The next try for a key whose bucket went when `left` others were left.
#[inline]
fn next_draw(hash: u64, bucket: u16, left: u16) -> u16 {
    below(mix(hash, bucket.into()), left.into()) as u16
}

impl<N: Storage> Ring for Anchor<N> {
    fn insert(&mut self, node: Node) -> Result<(), ChangeError> {
        self.nodes.insert(node)?;
        let weight = node.full_weight();
        if weight > self.free() {
            self.nodes.remove(node.id())?;
            return Err(ChangeError::Full);
        }
        for _ in 0..weight {
            self.add(Owner { id: node.id(), draining: node.is_draining() });
        }
        self.draining |= node.is_draining();
        Ok(())
    }

    fn remove(&mut self, id: u32) -> Result<Node, ChangeError> {
        let node = self.nodes.remove(id)?;
        self.take_some(id, node.full_weight());
        if node.is_draining() {
            self.look_for_draining();
        }
        Ok(node)
    }

    fn set_weight(&mut self, id: u32, weight: u32) -> Result<(), ChangeError> {
        let at = self.nodes.position(id).ok_or(ChangeError::Unknown)?;
        let now = self.count(id);
        if weight.saturating_sub(now) > self.free() {
            return Err(ChangeError::Full);
        }
        self.nodes.set_weight(id, weight)?;
        self.take_some(id, now.saturating_sub(weight));
        let draining = self.nodes.as_slice()[at].is_draining();
        for _ in now..weight {
            self.add(Owner { id, draining });
        }
        Ok(())
    }

    fn drain(&mut self, id: u32) -> Result<(), ChangeError> {
        self.set_draining(id, true)
    }

    fn resume(&mut self, id: u32) -> Result<(), ChangeError> {
        self.set_draining(id, false)
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
        if self.working == 0 {
            return None;
        }
        let owner = self.owners[usize::from(self.bucket(hash))];
        if !self.draining || !owner.draining { Some(owner.id) } else { self.owner_where(hash, |_| true) }
    }

    /// Exact for the first 16 buckets, whatever goes; after them come all nodes, in an order that differs between keys.
    fn walk(&self, hash: u64, mut visit: impl FnMut(u32) -> ControlFlow<()>) {
        if self.working == 0 {
            return;
        }
        let mut order = Order { buckets: &self.buckets, left: self.working, gone: [(0, 0); EXACT], count: 0 };
        let mut bucket = self.bucket(hash);
        loop {
            let owner = self.owners[usize::from(bucket)];
            if !owner.draining && visit(owner.id).is_break() {
                return;
            }
            match order.without(hash, bucket) {
                Some(next) => bucket = next,
                None => break,
            }
        }
        let nodes = self.nodes.as_slice();
        sweep(hash, nodes.len(), |at| {
            if nodes[at].share() > 0 { visit(nodes[at].id()) } else { ControlFlow::Continue(()) }
        });
    }
}

/// How many buckets a walk imagines gone.
const EXACT: usize = 16;

/// The order of working buckets if some had gone.
struct Order<'a> {
    buckets: &'a [Bucket],
    /// How many would be left.
    left: u16,
    /// Places, and the buckets that would be there.
    gone: [(u16, u16); EXACT],
    count: usize,
}

impl Order<'_> {
    /// The bucket that the key moves to when `bucket`, where it is, goes too; `None` if that is too many.
    fn without(&mut self, hash: u64, bucket: u16) -> Option<u16> {
        if self.left <= 1 || self.count == EXACT {
            return None;
        }
        self.left -= 1;
        let last = self.at(self.left);
        self.gone[self.count] = (self.place(bucket), last);
        self.count += 1;
        Some(self.at(next_draw(hash, bucket, self.left)))
    }

    fn at(&self, place: u16) -> u16 {
        let moved = self.gone[..self.count].iter().rev().find(|gone| gone.0 == place);
        moved.map_or(self.buckets[usize::from(place)].at, |gone| gone.1)
    }

    fn place(&self, bucket: u16) -> u16 {
        let moved = self.gone[..self.count].iter().rev().find(|gone| gone.1 == bucket);
        moved.map_or(self.buckets[usize::from(bucket)].place, |gone| gone.0)
    }
}

//! How evenly a ring spreads keys, and which of them move when it changes.

use super::{Karger, Ring};
use crate::fixed::Q32;
use crate::rng::{Rng, Xoshiro256PlusPlus};
use crate::storage::{Full, Inline, List, Storage};
use core::fmt;

/// `count` hashes of keys that nobody has, the same for the same `seed`: what to audit with when there are no keys.
pub fn sample(seed: u64, count: u32) -> impl Iterator<Item = u64> {
    let mut rng = Xoshiro256PlusPlus::seed(seed);
    (0..count).map(move |_| rng.next_u64())
}

/// `numerator / denominator` rounded down, to 63 significant bits of the greater; `None` without meaning or from 2³² on.
fn ratio(numerator: u128, denominator: u128) -> Option<Q32> {
    let shift = (u128::BITS - numerator.max(denominator).leading_zeros()).saturating_sub(u64::BITS);
    Q32::from_ratio((numerator >> shift) as u64, (denominator >> shift) as u64)
}

/// What one node holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Share {
    /// The node's number.
    pub id: u32,
    /// Its weight that counts.
    pub weight: u32,
    /// The keys that it owns, or its part of the circle.
    pub keys: u64,
}

/// The share of each node, counted over keys or taken from the circle.
///
/// *When not to use it:* to watch a running system: load is what keys cost, not how many they are.
///
/// # Examples
///
/// ```
/// use divvy::fixed::Q32;
/// use divvy::ring::audit::{Audit, sample};
/// use divvy::ring::{ChangeError, Node, Rendezvous, Ring};
/// use divvy::storage::{Full, Inline};
///
/// let mut ring = Rendezvous::<Inline<3>>::new();
/// ring.insert(Node::new(0, b"small"))?;
/// ring.insert(Node::new(1, b"large").weight(3))?;
///
/// let mut audit = Audit::<Inline<3>>::new();
/// assert_eq!(audit.count(&ring, sample(1, 50_000)), Ok(()));
/// // A quarter and three quarters, to within two per cent:
/// let two_more = Q32::from_ratio(102, 100).expect("a ratio");
/// assert!(audit.peak().is_some_and(|peak| peak < two_more));
/// // Storage for fewer nodes than there are is refused:
/// assert_eq!(Audit::<Inline<1>>::new().count(&ring, sample(1, 1)), Err(Full(1)));
/// # Ok::<(), ChangeError>(())
/// ```
///
/// # Complexity
///
/// *O*(owner + log nodes) a key; 16 bytes a node.
pub struct Audit<S: Storage> {
    /// In the order of their numbers.
    shares: S::List<Share>,
}

impl<const N: usize> Audit<Inline<N>> {
    /// An audit of nothing yet, for up to `N` nodes.
    #[must_use]
    pub const fn new() -> Self {
        Self { shares: heapless::Vec::new() }
    }
}

impl<const N: usize> Default for Audit<Inline<N>> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "alloc")]
impl Audit<crate::storage::Heap> {
    /// An audit of nothing yet, for up to `nodes` nodes, allocated now.
    #[must_use]
    pub fn with_capacity(nodes: u32) -> Self {
        Self { shares: crate::storage::HeapList::with_capacity(nodes as usize) }
    }
}

impl<S: Storage> fmt::Debug for Audit<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.shares.iter()).finish()
    }
}

impl<S: Storage> Audit<S> {
    /// Counts who owns the keys with these hashes, and forgets what was counted before.
    ///
    /// # Errors
    ///
    /// [`Full`] with the number of the first node for which there is no room; nothing is counted then.
    pub fn count(
        &mut self,
        ring: &impl Ring,
        hashes: impl IntoIterator<Item = u64>,
    ) -> Result<(), Full<u32>> {
        self.start(ring)?;
        for hash in hashes {
            self.add(ring.owner(hash), 1);
        }
        Ok(())
    }

    /// Takes the part of the circle that each node owns, exactly, in 2³²ths of it.
    ///
    /// # Errors
    ///
    /// As [`count`](Self::count).
    pub fn measure<N: Storage, P: Storage>(&mut self, ring: &Karger<N, P>) -> Result<(), Full<u32>> {
        self.start(ring)?;
        for (id, arc) in ring.arcs() {
            self.add(Some(id), arc);
        }
        Ok(())
    }

    fn start(&mut self, ring: &impl Ring) -> Result<(), Full<u32>> {
        self.shares.clear();
        for node in ring.nodes() {
            let share = Share { id: node.id(), weight: node.share(), keys: 0 };
            if self.shares.push(share).is_err() {
                self.shares.clear();
                return Err(Full(node.id()));
            }
        }
        self.shares.sort_unstable_by_key(|share| share.id);
        Ok(())
    }

    fn add(&mut self, owner: Option<u32>, keys: u64) {
        if let Some(id) = owner
            && let Ok(at) = self.shares.binary_search_by_key(&id, |share| share.id)
        {
            self.shares[at].keys += keys;
        }
    }

    /// What each node holds, in the order of their numbers.
    #[must_use]
    pub fn shares(&self) -> &[Share] {
        &self.shares
    }

    /// The most that any node holds, over what its weight entitles it to. `None` without keys.
    #[must_use]
    pub fn peak(&self) -> Option<Q32> {
        self.over_fair().max()
    }

    /// The least that any node with weight holds, over what its weight entitles it to. `None` without keys.
    #[must_use]
    pub fn least(&self) -> Option<Q32> {
        self.over_fair().min()
    }

    /// For each node with weight, what it holds over what its weight entitles it to.
    pub fn over_fair(&self) -> impl Iterator<Item = Q32> {
        let keys: u128 = self.shares.iter().map(|share| u128::from(share.keys)).sum();
        let weights: u128 = self.shares.iter().map(|share| u128::from(share.weight)).sum();
        let with_weight = self.shares.iter().filter(|share| share.weight > 0);
        with_weight.filter_map(move |share| {
            ratio(u128::from(share.keys) * weights, keys.checked_mul(share.weight.into())?)
        })
    }
}

/// What a change did to one node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Change {
    /// The node's number.
    pub id: u32,
    /// Its weight before, 0 if it was not there.
    pub before: u32,
    /// Its weight after, 0 if it is not there any more.
    pub after: u32,
    /// The keys that it gave away.
    pub lost: u64,
    /// The keys that it received.
    pub gained: u64,
}

/// Keys that moved from one node to another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Flow {
    /// Who owned them, if anybody did.
    pub from: Option<u32>,
    /// Who owns them now, if anybody does.
    pub to: Option<u32>,
    /// How many they are.
    pub keys: u64,
}

/// The keys that move from one ring to another: how many, from whom to whom, and how many had no reason to.
///
/// # Examples
///
/// ```
/// use divvy::ring::audit::{Moves, sample};
/// use divvy::ring::{ChangeError, Node, Rendezvous, Ring};
/// use divvy::storage::Inline;
///
/// let mut before = Rendezvous::<Inline<3>>::new();
/// let mut after = Rendezvous::<Inline<3>>::new();
/// for (id, name) in ["red", "green", "blue"].into_iter().enumerate() {
///     before.insert(Node::new(id as u32, name.as_bytes()))?;
///     after.insert(Node::new(id as u32, name.as_bytes()))?;
/// }
/// after.remove(1)?;
///
/// let mut moves = Moves::<Inline<3>>::new();
/// assert_eq!(moves.count(&before, &after, sample(1, 3_000)), Ok(()));
/// assert_eq!(moves.needless(), 0);
/// // Green's third went to the others:
/// assert_eq!((moves.ideal(), moves.changes()[1].lost), (1_000, moves.moved()));
/// assert!(moves.flows().iter().all(|flow| flow.from == Some(1)));
/// # Ok::<(), ChangeError>(())
/// ```
///
/// # Complexity
///
/// *O*(owner + log nodes) a key, and *O*(flows) for each new flow; 32 bytes a node and as much a flow.
pub struct Moves<S: Storage> {
    /// In the order of their numbers.
    changes: S::List<Change>,
    /// In order.
    flows: S::List<Flow>,
    keys: u64,
    moved: u64,
    needless: u64,
    unlisted: u64,
}

impl<const N: usize> Moves<Inline<N>> {
    /// Nothing yet, for up to `N` nodes and flows.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            changes: heapless::Vec::new(),
            flows: heapless::Vec::new(),
            keys: 0,
            moved: 0,
            needless: 0,
            unlisted: 0,
        }
    }
}

impl<const N: usize> Default for Moves<Inline<N>> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "alloc")]
impl Moves<crate::storage::Heap> {
    /// Nothing yet, for up to `nodes` nodes in both rings together, and as many flows, allocated now.
    #[must_use]
    pub fn with_capacity(nodes: u32) -> Self {
        let nodes = nodes as usize;
        Self {
            changes: crate::storage::HeapList::with_capacity(nodes),
            flows: crate::storage::HeapList::with_capacity(nodes),
            keys: 0,
            moved: 0,
            needless: 0,
            unlisted: 0,
        }
    }
}

impl<S: Storage> fmt::Debug for Moves<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { changes, flows, keys, moved, needless, unlisted } = self;
        f.debug_struct("Moves")
            .field("keys", keys)
            .field("moved", moved)
            .field("needless", needless)
            .field("unlisted", unlisted)
            .field("changes", &&**changes)
            .field("flows", &&**flows)
            .finish()
    }
}

impl<S: Storage> Moves<S> {
    /// Compares who owns the keys with these hashes before and after, and forgets what was counted before.
    ///
    /// # Errors
    ///
    /// [`Full`] with the number of the first node for which there is no room; nothing is counted then.
    pub fn count(
        &mut self,
        before: &impl Ring,
        after: &impl Ring,
        hashes: impl IntoIterator<Item = u64>,
    ) -> Result<(), Full<u32>> {
        self.start(before, after)?;
        for hash in hashes {
            self.keys += 1;
            let (from, to) = (before.owner(hash), after.owner(hash));
            if from != to {
                self.add(from, to);
            }
        }
        Ok(())
    }

    fn start(&mut self, before: &impl Ring, after: &impl Ring) -> Result<(), Full<u32>> {
        self.changes.clear();
        self.flows.clear();
        (self.keys, self.moved, self.needless, self.unlisted) = (0, 0, 0, 0);
        for node in before.nodes() {
            let change = Change { id: node.id(), before: node.share(), after: 0, lost: 0, gained: 0 };
            self.enlist(change)?;
        }
        self.changes.sort_unstable_by_key(|change| change.id);
        let old = self.changes.len();
        for node in after.nodes() {
            match self.changes[..old].binary_search_by_key(&node.id(), |change| change.id) {
                Ok(at) => self.changes[at].after = node.share(),
                Err(_) => {
                    let change = Change { id: node.id(), before: 0, after: node.share(), lost: 0, gained: 0 };
                    self.enlist(change)?;
                }
            }
        }
        self.changes.sort_unstable_by_key(|change| change.id);
        Ok(())
    }

    fn enlist(&mut self, change: Change) -> Result<(), Full<u32>> {
        let id = change.id;
        self.changes.push(change).map_err(|_| {
            self.changes.clear();
            Full(id)
        })
    }

    fn change(&mut self, id: Option<u32>) -> Option<&mut Change> {
        let at = self.changes.binary_search_by_key(&id?, |change| change.id).ok()?;
        Some(&mut self.changes[at])
    }

    fn add(&mut self, from: Option<u32>, to: Option<u32>) {
        self.moved += 1;
        let left = self.change(from).is_none_or(|change| {
            change.lost += 1;
            change.after < change.before
        });
        let joined = self.change(to).is_none_or(|change| {
            change.gained += 1;
            change.after > change.before
        });
        self.needless += u64::from(!left && !joined);
        match self.flows.binary_search_by_key(&(from, to), |flow| (flow.from, flow.to)) {
            Ok(at) => self.flows[at].keys += 1,
            Err(at) => match self.flows.push(Flow { from, to, keys: 1 }) {
                Ok(()) => self.flows[at..].rotate_right(1),
                Err(_) => self.unlisted += 1,
            },
        }
    }

    /// How many keys were looked at.
    #[must_use]
    pub const fn keys(&self) -> u64 {
        self.keys
    }

    /// How many of them have another owner now.
    #[must_use]
    pub const fn moved(&self) -> u64 {
        self.moved
    }

    /// How many of them moved neither from a node that lost weight nor to one that gained some.
    #[must_use]
    pub const fn needless(&self) -> u64 {
        self.needless
    }

    /// How many of them had to move for every node to have its share before and after, rounded.
    #[must_use]
    pub fn ideal(&self) -> u64 {
        let sum = |weight: fn(&Change) -> u32| -> u128 {
            self.changes.iter().map(|change| u128::from(weight(change))).sum()
        };
        let (before, after) = (sum(|change| change.before).max(1), sum(|change| change.after).max(1));
        // What the nodes lose, as a fraction of before × after.
        let lost = self.changes.iter().map(|change| {
            (u128::from(change.before) * after).saturating_sub(u128::from(change.after) * before)
        });
        let twice = 2 * self.keys;
        ratio(lost.sum(), before * after).map_or(twice, |part| part.mul_int(twice)).div_ceil(2)
    }

    /// What happened to each node of either ring, in the order of their numbers.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// From whom to whom keys moved, in that order: as many different flows as there is room for.
    #[must_use]
    pub fn flows(&self) -> &[Flow] {
        &self.flows
    }

    /// How many keys moved in flows for which there was no room.
    #[must_use]
    pub const fn unlisted(&self) -> u64 {
        self.unlisted
    }
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use super::*;
    use crate::ring::{Node, Rendezvous};
    use crate::storage::Heap;
    use std::vec;

    fn ring(weights: &[(u32, u32)]) -> Karger<Heap, Heap> {
        let weight: u32 = weights.iter().map(|(_, weight)| weight).sum();
        let mut ring = Karger::with_capacity(weights.len() as u32, 150 * weight);
        for (id, weight) in weights {
            ring.insert(Node::new(*id, &id.to_le_bytes()).weight(*weight)).expect("room for all");
        }
        ring
    }

    #[test]
    fn exact_arcs_cover_the_circle_and_counting_comes_close() {
        let ring = ring(&[(3, 1), (1, 2), (2, 0)]);
        let (mut exact, mut counted) = (Audit::<Heap>::with_capacity(3), Audit::<Heap>::with_capacity(3));
        assert_eq!(exact.measure(&ring), Ok(()));
        assert_eq!(exact.shares().iter().map(|share| share.keys).sum::<u64>(), 1 << 32);
        assert_eq!(exact.shares()[1], Share { id: 2, weight: 0, keys: 0 });
        assert_eq!(counted.count(&ring, sample(1, 100_000)), Ok(()));
        for (exact, counted) in exact.over_fair().zip(counted.over_fair()) {
            let difference = exact.to_bits().abs_diff(counted.to_bits());
            assert!(difference < Q32::ONE.to_bits() / 50, "{exact} {counted}");
        }
        assert!(exact.peak() > Some(Q32::ONE) && exact.least() < Some(Q32::ONE));
    }

    #[test]
    fn an_even_spread_is_one_and_none_is_nothing() {
        let mut audit = Audit::<Inline<2>>::new();
        assert_eq!((audit.peak(), audit.least()), (None, None));
        let mut nodes = Rendezvous::<Inline<3>>::new();
        assert_eq!(audit.count(&nodes, sample(1, 10)), Ok(()));
        assert_eq!((audit.peak(), audit.shares()), (None, &[][..]));
        nodes.insert(Node::new(4, b"only").weight(u32::MAX)).expect("room for it");
        assert_eq!(audit.count(&nodes, sample(1, 10)), Ok(()));
        assert_eq!((audit.peak(), audit.least()), (Some(Q32::ONE), Some(Q32::ONE)));
        nodes.insert(Node::new(5, b"two").weight(0)).expect("room for it");
        nodes.insert(Node::new(6, b"three").weight(0)).expect("room for it");
        assert_eq!(audit.count(&nodes, sample(1, 10)), Err(Full(6)));
        assert!(audit.shares().is_empty());
    }

    #[test]
    fn moves_are_told_apart() {
        let before = ring(&[(0, 1), (1, 1), (2, 2)]);
        let mut moves = Moves::<Heap>::with_capacity(4);
        // 1 leaves: a quarter of the weight.
        assert_eq!(moves.count(&before, &ring(&[(0, 1), (2, 2)]), sample(3, 10_000)), Ok(()));
        assert_eq!((moves.keys(), moves.needless(), moves.ideal()), (10_000, 0, 2_500));
        assert_eq!((moves.changes()[1].lost, moves.changes()[1].after), (moves.moved(), 0));
        assert_eq!(moves.changes()[0].gained + moves.changes()[2].gained, moves.moved());
        assert_eq!(moves.flows().iter().map(|flow| flow.keys).sum::<u64>(), moves.moved());
        // 7 joins with a fifth.
        let joined = ring(&[(0, 1), (1, 1), (2, 2), (7, 1)]);
        assert_eq!(moves.count(&before, &joined, sample(3, 10_000)), Ok(()));
        assert_eq!((moves.needless(), moves.ideal()), (0, 2_000));
        assert!(moves.flows().iter().all(|flow| flow.to == Some(7)));
        // The same nodes under another algorithm: every move is needless, and more flows than room.
        let mut other = Rendezvous::<Heap>::with_capacity(3);
        for node in before.nodes() {
            other.insert(*node).expect("room for all");
        }
        assert_eq!(moves.count(&before, &other, sample(3, 10_000)), Ok(()));
        assert_eq!((moves.needless(), moves.ideal()), (moves.moved(), 0));
        assert!(moves.moved() > 5_000 && moves.unlisted() > 0);
        let listed: u64 = moves.flows().iter().map(|flow| flow.keys).sum();
        assert_eq!(listed + moves.unlisted(), moves.moved());
        // Nobody at all: everything moves to nobody.
        assert_eq!(moves.count(&before, &ring(&[]), sample(3, 100)), Ok(()));
        assert_eq!((moves.moved(), moves.ideal(), moves.needless()), (100, 100, 0));
        let room = &mut Moves::<Heap>::with_capacity(2);
        assert_eq!(room.count(&before, &before, sample(3, 1)), Err(Full(2)));
        assert_eq!(vec![room.keys(), room.moved()], [0, 0]);
    }
}

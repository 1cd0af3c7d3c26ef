//! What somebody took and must give back: a claim with an end.

use crate::heap::{self, Order};
use crate::storage::{Inline, List, Storage};
use crate::time::Instant;
use core::fmt;
use core::time::Duration;

/// A claim on one of a fixed number of slots, until a deadline.
///
/// Whoever takes something that must come back (a task, a place in a bulkhead, a probe) holds one. It is a plain
/// value: losing it wedges nothing, because its deadline passes, and using it late does nothing, because its
/// generation is then stale.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Lease {
    slot: u32,
    generation: u32,
    deadline: Instant,
}

impl Lease {
    pub(crate) const fn new(slot: u32, generation: u32, deadline: Instant) -> Self {
        Self { slot, generation, deadline }
    }

    /// Which slot is held: below the capacity of the [`Leases`] that gave it.
    #[must_use]
    pub const fn slot(&self) -> u32 {
        self.slot
    }

    /// How often this slot has changed hands, modulo 2³²: the fencing token of what is done under this lease.
    #[must_use]
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// The instant from which on the lease counts as lost.
    #[must_use]
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }
}

/// Every slot is held. Nothing changed. Remedy: wait for [`Leases::next_deadline`] or for a completion.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NoSlot;

impl fmt::Display for NoSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("every slot is held; wait for a completion or for the next deadline")
    }
}

impl core::error::Error for NoSlot {}

/// The lease no longer counts. Nothing changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Stale {
    /// Its deadline has passed, and [`Leases::reclaim`] will hand or has handed the slot to somebody else. Remedy:
    /// undo what was done under it, or leave it to the new holder.
    Expired,
    /// It was completed or reclaimed before, or comes from other [`Leases`]. Remedy: none is needed; the work is
    /// already accounted for.
    Unknown,
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "the lease's deadline has passed; leave the work to its new holder",
            Self::Unknown => "the lease was completed or reclaimed before",
        })
    }
}

impl core::error::Error for Stale {}

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Slot {
    generation: u32,
    /// Where the slot stands in the heap while it is held; the next free slot while it is not.
    link: u32,
    held: bool,
    deadline: Instant,
}

/// The slots that [`Lease`]s are claims on.
///
/// Each claim ends in exactly one way: completed before its deadline, or reclaimed after it. Which of the two does
/// not depend on how often [`reclaim`](Self::reclaim) is called.
///
/// *When not to use it:* where the holder cannot fail without taking the table with it; a plain count is then enough.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::lease::{Leases, NoSlot, Stale};
/// use divvy::storage::Inline;
///
/// let mut claims = Leases::<Inline<1>>::new();
/// let (start, ttl) = (Instant::ZERO, Duration::from_secs(30));
/// let lease = claims.claim(start, ttl)?;
/// assert_eq!(claims.claim(start, ttl), Err(NoSlot));
///
/// // The holder vanished. Its slot comes back, and the holder's late answer changes nothing:
/// let late = Instant::from_secs(31);
/// assert_eq!(claims.reclaim(late), Some(lease));
/// let again = claims.claim(late, ttl)?;
/// assert_eq!(claims.complete(late, lease), Err(Stale::Unknown));
/// assert_eq!(claims.complete(late, again), Ok(()));
/// # Ok::<(), NoSlot>(())
/// ```
///
/// # Complexity
///
/// [`claim`](Self::claim), [`renew`](Self::renew), [`complete`](Self::complete) and [`reclaim`](Self::reclaim) are
/// *O*(log held), [`next_deadline`](Self::next_deadline) is *O*(1). 28 bytes a slot.
///
/// # Time
///
/// `now` is the caller's clock. A `now` earlier than one seen before is taken as that one: a clock that goes back
/// neither revives a lease nor ends one.
///
/// # Concurrency
///
/// Single owner (`&mut self`).
#[derive(Debug)]
pub struct Leases<S: Storage> {
    slots: S::List<Slot>,
    /// Held slots, the earliest deadline first.
    heap: S::List<u32>,
    free: u32,
    latest: Instant,
}

impl<const N: usize> Default for Leases<Inline<N>> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Leases<Inline<N>> {
    /// `N` free slots.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(N < NONE as usize, "slots are numbered in 32 bits") };
        Self { slots: heapless::Vec::new(), heap: heapless::Vec::new(), free: NONE, latest: Instant::ZERO }
    }
}

#[cfg(feature = "alloc")]
impl Leases<crate::storage::Heap> {
    /// `capacity` free slots, allocated now.
    #[must_use]
    pub fn with_capacity(capacity: u32) -> Self {
        use crate::storage::HeapList;
        let capacity = capacity.min(NONE - 1) as usize;
        Self {
            slots: HeapList::with_capacity(capacity),
            heap: HeapList::with_capacity(capacity),
            free: NONE,
            latest: Instant::ZERO,
        }
    }
}

impl<S: Storage> Leases<S> {
    /// Takes a free slot until `ttl` from now.
    ///
    /// # Errors
    ///
    /// [`NoSlot`] while every slot is held.
    pub fn claim(&mut self, now: Instant, ttl: Duration) -> Result<Lease, NoSlot> {
        self.latest = self.latest.max(now);
        let deadline = self.latest.saturating_add(ttl);
        let slot = if self.free == NONE {
            let slot = self.slots.len() as u32;
            self.slots.push(Slot { generation: 0, link: NONE, held: false, deadline }).map_err(|_| NoSlot)?;
            slot
        } else {
            let slot = self.free;
            self.free = self.slots[slot as usize].link;
            slot
        };
        let entry = &mut self.slots[slot as usize];
        entry.held = true;
        entry.deadline = deadline;
        let generation = entry.generation;
        // As many heap places as slots exist: this cannot be refused.
        let _ = self.heap.push(slot);
        self.sift(self.heap.len() - 1);
        Ok(Lease { slot, generation, deadline })
    }

    /// Extends `lease` to `ttl` from now and returns it as it now stands. The old value stays good for completing.
    ///
    /// # Errors
    ///
    /// [`Stale`]; nothing changed.
    pub fn renew(&mut self, now: Instant, lease: Lease, ttl: Duration) -> Result<Lease, Stale> {
        let at = self.find(now, lease)?;
        let deadline = self.latest.saturating_add(ttl);
        self.slots[lease.slot as usize].deadline = deadline;
        self.sift(at);
        Ok(Lease { deadline, ..lease })
    }

    /// Ends `lease` in time: what was done under it counts.
    ///
    /// # Errors
    ///
    /// [`Stale`]: what was done under it does not count; nothing changed.
    pub fn complete(&mut self, now: Instant, lease: Lease) -> Result<(), Stale> {
        let at = self.find(now, lease)?;
        self.release(at);
        Ok(())
    }

    /// Takes back one slot whose deadline has passed, the earliest first, and says whose it was. Call it until it
    /// answers `None`.
    pub fn reclaim(&mut self, now: Instant) -> Option<Lease> {
        self.latest = self.latest.max(now);
        let slot = *self.heap.first()?;
        let Slot { generation, deadline, .. } = self.slots[slot as usize];
        if deadline > self.latest {
            return None;
        }
        self.release(0);
        Some(Lease { slot, generation, deadline })
    }

    /// When the next lease is lost, unless it is completed or renewed first.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.heap.first().map(|slot| self.slots[*slot as usize].deadline)
    }

    /// The deadlines of the held slots, in no particular order.
    pub(crate) fn deadlines(&self) -> impl Iterator<Item = Instant> + Clone + '_ {
        self.heap.iter().map(|slot| self.slots[*slot as usize].deadline)
    }

    /// Takes back every held slot: no lease given so far counts any more.
    pub(crate) fn release_all(&mut self) {
        while !self.heap.is_empty() {
            self.release(self.heap.len() - 1);
        }
    }

    /// How many slots are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether no slot is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// How many slots there are.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    /// The heap place of a lease that still counts.
    fn find(&mut self, now: Instant, lease: Lease) -> Result<usize, Stale> {
        self.latest = self.latest.max(now);
        match self.slots.get(lease.slot as usize) {
            Some(slot) if slot.held && slot.generation == lease.generation => {
                if slot.deadline <= self.latest { Err(Stale::Expired) } else { Ok(slot.link as usize) }
            }
            _ => Err(Stale::Unknown),
        }
    }

    fn release(&mut self, at: usize) {
        let Some(slot) = self.heap.swap_remove(at) else { return };
        let entry = &mut self.slots[slot as usize];
        entry.held = false;
        entry.generation = entry.generation.wrapping_add(1);
        entry.link = self.free;
        self.free = slot;
        if at < self.heap.len() {
            self.sift(at);
        }
    }

    /// Puts the slot at heap place `at` where its deadline belongs.
    fn sift(&mut self, at: usize) {
        let slot = self.heap[at] as usize;
        let mut order = ByDeadline(&mut self.slots);
        heap::sift_up(&mut self.heap, at, &mut order);
        let at = order.0[slot].link as usize;
        heap::sift_down(&mut self.heap, at, &mut order);
    }
}

#[cfg(test)]
impl<const N: usize> Clone for Leases<Inline<N>> {
    fn clone(&self) -> Self {
        Self { slots: self.slots.clone(), heap: self.heap.clone(), free: self.free, latest: self.latest }
    }
}

/// The earliest deadline first; each slot knows its place.
struct ByDeadline<'a>(&'a mut [Slot]);

impl Order<u32> for ByDeadline<'_> {
    fn before(&self, a: &u32, b: &u32) -> bool {
        self.0[*a as usize].deadline < self.0[*b as usize].deadline
    }

    fn placed(&mut self, slot: &u32, at: usize) {
        self.0[*slot as usize].link = at as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    const TTL: Duration = Duration::from_nanos(10);

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    #[test]
    fn a_lease_ends_once_whichever_way() {
        let mut leases = Leases::<Inline<2>>::new();
        let done = leases.claim(at(0), TTL).unwrap();
        assert_eq!(leases.complete(at(9), done), Ok(()));
        assert_eq!(leases.complete(at(9), done), Err(Stale::Unknown));
        let lost = leases.claim(at(9), TTL).unwrap();
        assert_eq!((lost.slot(), lost.generation()), (done.slot(), done.generation() + 1));
        // At its deadline it is lost, even before anybody reclaims it.
        assert_eq!(leases.complete(at(19), lost), Err(Stale::Expired));
        assert_eq!(leases.reclaim(at(19)), Some(lost));
        assert_eq!(leases.complete(at(19), lost), Err(Stale::Unknown));
        assert!(leases.is_empty());
    }

    #[test]
    fn a_clock_that_goes_back_revives_nothing() {
        let mut leases = Leases::<Inline<1>>::new();
        let lease = leases.claim(at(0), TTL).unwrap();
        assert_eq!(leases.complete(at(10), lease), Err(Stale::Expired));
        assert_eq!(leases.complete(at(0), lease), Err(Stale::Expired));
        assert_eq!(leases.reclaim(at(0)), Some(lease));
        assert_eq!(leases.claim(at(0), TTL).map(|lease| lease.deadline()), Ok(at(20)));
    }

    #[test]
    fn a_renewed_lease_outlives_its_first_deadline() {
        let mut leases = Leases::<Inline<2>>::new();
        let first = leases.claim(at(0), TTL).unwrap();
        let other = leases.claim(at(1), TTL).unwrap();
        let renewed = leases.renew(at(5), first, TTL).unwrap();
        assert_eq!((renewed.deadline(), leases.next_deadline()), (at(15), Some(at(11))));
        assert_eq!(leases.reclaim(at(14)), Some(other));
        assert_eq!(leases.reclaim(at(14)), None);
        assert_eq!(leases.complete(at(14), first), Ok(()), "the value before renewal names the same claim");
    }

    #[derive(Clone, Debug)]
    enum Op {
        Claim(u64),
        Complete(usize),
        Renew(usize, u64),
        Reclaim,
        Pass(u64),
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            3 => (0u64..30).prop_map(Op::Claim),
            2 => (0usize..64).prop_map(Op::Complete),
            1 => (0usize..64, 0u64..30).prop_map(|(i, ttl)| Op::Renew(i, ttl)),
            1 => Just(Op::Reclaim),
            2 => (0u64..15).prop_map(Op::Pass),
        ]
    }

    proptest! {
        /// Against a plain list of claims, for each of which the model knows whether it still counts.
        #[test]
        fn behaves_like_a_plain_list(ops in prop::collection::vec(op(), 1..200)) {
            let mut leases = Leases::<Inline<5>>::new();
            let mut given: Vec<(Lease, bool)> = Vec::new();
            let mut now = 0;
            for op in ops {
                let held = given.iter().filter(|(_, held)| *held).count();
                match op {
                    Op::Claim(ttl) => match leases.claim(at(now), Duration::from_nanos(ttl)) {
                        Ok(lease) => {
                            prop_assert!(held < 5);
                            prop_assert_eq!(lease.deadline(), at(now + ttl));
                            prop_assert!(given.iter().all(|(l, held)| !held || l.slot() != lease.slot()));
                            given.push((lease, true));
                        }
                        Err(NoSlot) => prop_assert_eq!(held, 5),
                    },
                    Op::Complete(i) if !given.is_empty() => {
                        let i = i % given.len();
                        let (lease, held) = given[i];
                        let good = held && lease.deadline() > at(now);
                        prop_assert_eq!(leases.complete(at(now), lease).is_ok(), good);
                        given[i].1 = held && !good;
                    }
                    Op::Renew(i, ttl) if !given.is_empty() => {
                        let i = i % given.len();
                        let (lease, held) = given[i];
                        let good = held && lease.deadline() > at(now);
                        let renewed = leases.renew(at(now), lease, Duration::from_nanos(ttl));
                        prop_assert_eq!(renewed.is_ok(), good);
                        if let Ok(renewed) = renewed {
                            given[i].0 = renewed;
                        }
                    }
                    Op::Reclaim => {
                        let due = given.iter().filter(|(l, held)| *held && l.deadline() <= at(now));
                        let earliest = due.map(|(l, _)| l.deadline()).min();
                        let reclaimed = leases.reclaim(at(now));
                        prop_assert_eq!(reclaimed.map(|l| l.deadline()), earliest);
                        if let Some(lease) = reclaimed {
                            let lost = given.iter_mut().find(|(l, held)| *held && *l == lease);
                            prop_assert!(lost.is_some());
                            lost.into_iter().for_each(|(_, held)| *held = false);
                        }
                    }
                    Op::Pass(nanos) => now += nanos,
                    Op::Complete(_) | Op::Renew(..) => {}
                }
                let live = given.iter().filter(|(_, held)| *held);
                prop_assert_eq!(leases.next_deadline(), live.clone().map(|(l, _)| l.deadline()).min());
                prop_assert_eq!(leases.len(), live.count());
            }
        }
    }

    /// Every state that a few slots can reach, whatever holders and their clock do: each claim ends exactly once, no slot
    /// has two holders, and once time has passed every slot is free again.
    #[test]
    fn no_reachable_state_loses_or_doubles_a_slot() {
        type Small = Leases<Inline<3>>;
        /// The leases whose claims have not ended, as far as their holders still know of them.
        type World = (Small, Vec<Lease>);

        /// Slots with the time left, the order of the heap and of the free slots, and who is still known.
        type Key = (Vec<(bool, u64)>, Vec<u32>, u32, Vec<(u32, u64)>);

        fn key((leases, held): &World) -> Key {
            let ahead = |deadline: Instant| deadline.as_nanos().saturating_sub(leases.latest.as_nanos());
            let slots =
                leases.slots.iter().map(|slot| (slot.held, if slot.held { ahead(slot.deadline) } else { 0 }));
            let links = leases.slots.iter().map(|slot| slot.link);
            let mut known: Vec<_> = held.iter().map(|lease| (lease.slot, ahead(lease.deadline))).collect();
            known.sort_unstable();
            (slots.collect(), leases.heap.iter().copied().chain(links).collect(), leases.free, known)
        }

        fn check((leases, held): &World) {
            let mut slots: Vec<u32> = held.iter().map(|lease| lease.slot).collect();
            slots.sort_unstable();
            slots.dedup();
            assert_eq!(slots.len(), held.len(), "a slot has one holder");
            assert!(held.len() <= leases.len() && leases.len() <= 3);
            assert_eq!(leases.next_deadline(), leases.deadlines().min());
            // Nothing is wedged: once the last deadline has passed, every slot can be claimed.
            let mut later = leases.clone();
            let end = leases.deadlines().max().unwrap_or_default();
            let lost = (0..4).take_while(|_| later.reclaim(end).is_some()).count();
            assert_eq!((lost, later.len()), (leases.len(), 0));
            assert_eq!((0..4).take_while(|_| later.claim(end, TTL).is_ok()).count(), 3);
        }

        let mut seen = std::collections::HashSet::new();
        let mut queue = std::collections::VecDeque::from([(Small::new(), Vec::new())]);
        while let Some(world) = queue.pop_front() {
            let mut reached = Vec::new();
            for reading in [-1i64, 0, 1, 3] {
                let now = at(world.0.latest.as_nanos().saturating_add_signed(reading));
                for ttl in [0, 1, 2].map(Duration::from_nanos) {
                    let (mut leases, mut held) = world.clone();
                    let full = leases.len() == 3;
                    match leases.claim(now, ttl) {
                        Ok(lease) => held.push(lease),
                        Err(NoSlot) => assert!(full),
                    }
                    reached.push((leases, held));
                    for which in 0..world.1.len() {
                        let (mut leases, mut held) = world.clone();
                        if let Ok(renewed) = leases.renew(now, held[which], ttl) {
                            assert!(held[which].deadline > now);
                            held[which] = renewed;
                        }
                        reached.push((leases, held));
                    }
                }
                for which in 0..world.1.len() {
                    let (mut leases, mut held) = world.clone();
                    let good = held[which].deadline > now.max(leases.latest);
                    let lease = held[which];
                    assert_eq!(leases.complete(now, lease).is_ok(), good);
                    if good {
                        held.swap_remove(which);
                        // A claim that has ended has ended.
                        let before = key(&(leases.clone(), Vec::new()));
                        assert_eq!(leases.complete(now, lease), Err(Stale::Unknown));
                        assert_eq!(leases.renew(now, lease, TTL), Err(Stale::Unknown));
                        assert_eq!(key(&(leases.clone(), Vec::new())), before);
                    }
                    reached.push((leases, held));
                    let (leases, mut held) = world.clone();
                    held.swap_remove(which);
                    reached.push((leases, held));
                }
                let (mut leases, mut held) = world.clone();
                if let Some(lost) = leases.reclaim(now) {
                    assert!(lost.deadline <= leases.latest);
                    held.retain(|lease| lease.slot != lost.slot);
                    assert_eq!(leases.complete(now, lost), Err(Stale::Unknown));
                }
                reached.push((leases, held));
            }
            for world in reached {
                check(&world);
                if seen.insert(key(&world)) {
                    queue.push_back(world);
                }
            }
        }
        std::println!("{} states of three slots, none lost and none held twice", seen.len());
        assert!(seen.len() > 900);
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn heap_slots_are_as_many_as_asked_for() {
        let mut leases = Leases::<crate::storage::Heap>::with_capacity(1);
        assert_eq!(leases.capacity(), 1);
        assert!(leases.claim(at(0), TTL).is_ok());
        assert_eq!(leases.claim(at(0), TTL), Err(NoSlot));
    }
}

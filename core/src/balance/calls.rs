//! The calls that are out, each under a lease that ends in the order in which it began.

use crate::lease::{Lease, Stale};
use crate::storage::{List, Storage};
use crate::time::Instant;

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Call {
    began: u64,
    generation: u32,
    /// The member's slot, or [`NONE`] while nobody has this place.
    member: u32,
    /// Towards the oldest call.
    older: u32,
    /// Towards the newest call; the next free place while nobody has this one.
    newer: u32,
}

/// Leases that all last equally long: the oldest runs out first, so that claim, completion and reclaim are *O*(1),
/// where a [`Leases`](crate::lease::Leases) needs a heap.
pub(crate) struct Calls<L: Storage> {
    list: L::List<Call>,
    free: u32,
    oldest: u32,
    newest: u32,
    len: u32,
    /// No call is lost before this: the oldest call's deadline when it was looked for last. It is later now, if anything,
    /// since calls are lost in the order in which they begin.
    none_lost_before: u64,
}

impl<const N: usize> Calls<crate::storage::Inline<N>> {
    pub(crate) const fn new() -> Self {
        const { assert!(N < NONE as usize, "calls are numbered in 32 bits") };
        Self {
            list: heapless::Vec::new(),
            free: NONE,
            oldest: NONE,
            newest: NONE,
            len: 0,
            none_lost_before: 0,
        }
    }
}

#[cfg(feature = "alloc")]
impl Calls<crate::storage::Heap> {
    pub(crate) fn with_capacity(capacity: u32) -> Self {
        let list = crate::storage::HeapList::with_capacity(capacity.min(NONE - 1) as usize);
        Self { list, free: NONE, oldest: NONE, newest: NONE, len: 0, none_lost_before: 0 }
    }
}

impl<L: Storage> Calls<L> {
    pub(crate) const fn len(&self) -> u32 {
        self.len
    }

    pub(crate) fn capacity(&self) -> u32 {
        self.list.capacity() as u32
    }

    /// The number of the oldest call.
    pub(crate) const fn oldest(&self) -> u32 {
        self.oldest
    }

    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.free == NONE && self.list.len() == self.list.capacity()
    }

    /// Notes a call to `member`, or `None` if there is no place for it. `now` never goes back.
    #[inline(always)]
    pub(crate) fn claim(&mut self, now: u64, member: u32, timeout: u64) -> Option<Lease> {
        let mut call = Call { began: now, generation: 0, member, older: self.newest, newer: NONE };
        let slot = if self.free == NONE {
            self.list.push(call).ok()?;
            self.list.len() as u32 - 1
        } else {
            let slot = self.free;
            let place = &mut self.list[slot as usize];
            self.free = place.newer;
            call.generation = place.generation;
            *place = call;
            slot
        };
        match self.list.get_mut(call.older as usize) {
            Some(newest) => newest.newer = slot,
            None => self.oldest = slot,
        }
        self.newest = slot;
        self.len += 1;
        Some(Lease::new(slot, call.generation, Instant::from_nanos(now.saturating_add(timeout))))
    }

    /// Ends a call in time: to which member it went and when it began.
    #[inline(always)]
    pub(crate) fn complete(&mut self, now: u64, lease: Lease, timeout: u64) -> Result<(u32, u64), Stale> {
        let slot = lease.slot();
        match self.list.get(slot as usize) {
            Some(call) if call.member != NONE && call.generation == lease.generation() => {
                let (member, began) = (call.member, call.began);
                if began.saturating_add(timeout) <= now {
                    return Err(Stale::Expired);
                }
                self.release(slot);
                Ok((member, began))
            }
            _ => Err(Stale::Unknown),
        }
    }

    /// Whether a call's time may be over.
    #[inline(always)]
    pub(crate) const fn may_be_overdue(&self, now: u64) -> bool {
        now >= self.none_lost_before
    }

    /// Finds anew when the next call is lost.
    pub(crate) fn look_ahead(&mut self, now: u64, timeout: u64) {
        // A call that is still to come begins now at the earliest.
        let began = self.list.get(self.oldest as usize).map_or(now, |call| call.began);
        self.none_lost_before = began.saturating_add(timeout);
    }

    /// Takes back the oldest call if its time is over.
    pub(crate) fn reclaim(&mut self, now: u64, timeout: u64) -> Option<(u32, u64)> {
        let slot = self.oldest;
        let call = self.list.get(slot as usize)?;
        let (member, began) = (call.member, call.began);
        if began.saturating_add(timeout) > now {
            return None;
        }
        self.release(slot);
        Some((member, began))
    }

    /// When the oldest call is lost.
    pub(crate) fn next_deadline(&self, timeout: u64) -> Option<Instant> {
        Some(Instant::from_nanos(self.list.get(self.oldest as usize)?.began.saturating_add(timeout)))
    }

    #[inline(always)]
    fn release(&mut self, slot: u32) {
        // Found once: what is written to a call does not move the list.
        let list = &mut *self.list;
        let call = &mut list[slot as usize];
        let (older, newer) = (call.older, call.newer);
        call.member = NONE;
        call.generation = call.generation.wrapping_add(1);
        call.newer = self.free;
        self.free = slot;
        match list.get_mut(older as usize) {
            Some(call) => call.newer = newer,
            None => self.oldest = newer,
        }
        match list.get_mut(newer as usize) {
            Some(call) => call.older = older,
            None => self.newest = older,
        }
        self.len -= 1;
    }
}

//! Who has the lowest load, and of several waits longest, kept up to date while loads go up and down by one.

use crate::storage::{Inline, List, Storage};
use core::cmp::Ordering;
use core::fmt;

/// Bits of a record that hold the bucket.
const SHIFT: u32 = 5;
/// More buckets than this there are never.
const MOST: usize = 1 << SHIFT;
/// The record of a slot that does not take part.
const ABSENT: u32 = u32::MAX;
/// While the index is built: the record of a slot that was never chosen.
const FRESH: u32 = u32::MAX - 1;
/// Places of this many slots fit a record beside the bucket.
const SLOTS: usize = 1 << 25;

/// Slots in buckets by load. Within a bucket they are ordered by *places*: whoever is chosen gets the next place, so the
/// lowest place of the lowest bucket is the one that has waited longest among those of the lowest load. A bucket is a set
/// of places, one bit each, for a list would have to be searched when a call ends: its slot keeps its place, and so
/// belongs in the middle.
///
/// There are twice as many places as slots. When they are used up, those in use move together, in the same order:
/// *O*(slots) once in as many choices.
///
/// The buckets stand for a window of consecutive loads, and the last for all above as well. The window moves, in
/// *O*(slots), when the lowest load leaves it; as a quarter of it is then below the lowest load and nearly three quarters
/// above, it takes many calls, or a report, until it has to move again.
pub(super) struct Buckets<S: Storage> {
    /// Of each slot the place and the bucket, or [`ABSENT`].
    records: S::List<u32>,
    /// Of each place the slot. Out of date unless the slot's record agrees.
    places: S::List<[u32; 2]>,
    /// Of each bucket, one after the other, `words` words with a bit for each place.
    bits: S::List<u64>,
    /// Of each bucket, which groups of 2^`group` words have a bit.
    groups: [u64; MOST],
    /// Which buckets have a slot.
    filled: u32,
    words: u32,
    group: u32,
    /// The last bucket.
    last: u32,
    /// The load of the first bucket.
    base: u32,
    /// The next place to give.
    next: u32,
    /// The places below are of slots that were never chosen, in the order that they had from the start.
    fresh: u32,
    /// Whether a load fell below the first bucket's.
    below: bool,
}

impl<const N: usize> Buckets<Inline<N>> {
    pub(super) const fn new() -> Self {
        Self::empty(heapless::Vec::new(), heapless::Vec::new(), heapless::Vec::new())
    }
}

#[cfg(feature = "alloc")]
impl Buckets<crate::storage::Heap> {
    pub(super) fn with_capacity(slots: u32) -> Self {
        use crate::storage::HeapList;
        let slots = slots as usize;
        Self::empty(
            HeapList::with_capacity(slots),
            HeapList::with_capacity(slots),
            HeapList::with_capacity(slots),
        )
    }
}

impl<S: Storage> Buckets<S> {
    const fn empty(records: S::List<u32>, places: S::List<[u32; 2]>, bits: S::List<u64>) -> Self {
        Self {
            records,
            places,
            bits,
            groups: [0; MOST],
            filled: 0,
            words: 0,
            group: 0,
            last: 0,
            base: 0,
            next: 0,
            fresh: 0,
            below: false,
        }
    }

    /// How many slots fit.
    pub(super) fn capacity(&self) -> u32 {
        self.records.capacity().min(SLOTS) as u32
    }

    /// Begins anew with the slots below `slots`, of which those take part that have a load. They stay in order; the new
    /// ones come before all that were chosen. *O*(slots). More slots than fit do not take part, and at least 32 it takes.
    pub(super) fn rebuild(&mut self, slots: u32, load: impl Fn(u32) -> Option<u32>) {
        let slots = slots.min(self.capacity());
        if slots as usize != self.records.len() {
            // Another fleet, or the first.
            self.records.clear();
            (self.next, self.fresh) = (0, 0);
        }
        resize(&mut self.records, slots, ABSENT);
        resize(&mut self.places, slots, [0; 2]);
        resize(&mut self.bits, slots, 0);
        for (slot, record) in (0..slots).zip(self.records.iter_mut()) {
            *record = match (load(slot), *record) {
                (None, _) => ABSENT,
                (Some(_), old) if old == ABSENT || old >> SHIFT < self.fresh => FRESH,
                (Some(_), old) => old,
            };
        }
        // Those that were chosen go to the end, to make room for the fresh ones.
        let places = self.places.as_flattened_mut();
        let mut end = places.len();
        for place in (self.fresh as usize..(self.next as usize).min(places.len())).rev() {
            let slot = places[place];
            if let Some(record) = self.records.get_mut(slot as usize).filter(|r| **r >> SHIFT == place as u32)
            {
                end -= 1;
                places[end] = slot;
                *record = (end as u32) << SHIFT;
            }
        }
        // The order of a tournament: it begins with the slots whose first match is in an earlier round.
        let rotation = slots.max(1).next_power_of_two() - slots;
        self.next = 0;
        for slot in (rotation.min(slots)..slots).chain(0..rotation.min(slots)) {
            if self.records[slot as usize] == FRESH {
                places[self.next as usize] = slot;
                self.records[slot as usize] = self.next << SHIFT;
                self.next += 1;
            }
        }
        self.fresh = self.next;
        self.words = slots.div_ceil(32);
        self.last = (slots / self.words.max(1)).clamp(1, MOST as u32) - 1;
        self.group = self.words.div_ceil(64).max(1).next_power_of_two().ilog2();
        self.bits.fill(0);
        (self.groups, self.filled) = ([0; MOST], 0);
        self.gather(end);
        self.settle(|slot| load(slot).unwrap_or(0));
    }

    /// Whether the lowest load is outside the window, so that [`settle`](Self::settle) must come before
    /// [`lowest`](Self::lowest).
    #[inline]
    pub(super) const fn is_unsettled(&self) -> bool {
        self.below || self.filled == 1 << self.last
    }

    /// Moves the window to the lowest load. *O*(slots).
    #[cold]
    pub(super) fn settle(&mut self, load: impl Fn(u32) -> u32) {
        let present = (0..).zip(self.records.iter_mut()).filter(|(_, record)| **record != ABSENT);
        let least = present.map(|(slot, _)| load(slot)).min().unwrap_or(0);
        self.base = least.saturating_sub(self.last / 4);
        self.below = false;
        for (slot, record) in (0..).zip(self.records.iter_mut()) {
            if *record != ABSENT {
                let bucket = (load(slot) - self.base).min(self.last);
                *record = *record >> SHIFT << SHIFT | bucket;
            }
        }
        self.fill();
    }

    /// Gives `slot`, if it takes part, another load, and the last place if it was chosen.
    #[inline(always)]
    pub(super) fn set(&mut self, slot: u32, load: u32, chosen: bool) {
        let Some(&record) = self.records.get(slot as usize) else { return };
        if record == ABSENT {
            return;
        }
        let mut place = record >> SHIFT;
        self.take(record % MOST as u32, place);
        if chosen {
            if self.next as usize == 2 * self.places.len() {
                self.compact(slot);
            }
            place = self.next;
            self.next += 1;
            self.places.as_flattened_mut()[place as usize] = slot;
        }
        self.below |= load < self.base;
        let bucket = load.saturating_sub(self.base).min(self.last);
        self.put(bucket, place);
        self.records[slot as usize] = place << SHIFT | bucket;
    }

    /// The slot of the lowest load that waits longest, if any takes part.
    #[inline(always)]
    pub(super) fn lowest(&self) -> Option<u32> {
        if self.filled == 0 {
            return None;
        }
        let bucket = self.filled.trailing_zeros();
        let mut word = self.groups[bucket as usize % MOST].trailing_zeros() << self.group;
        let begin = bucket * self.words;
        let mut bits = *self.bits.get((begin + word) as usize)?;
        while bits == 0 {
            word += 1;
            bits = *self.bits.get((begin + word) as usize)?;
        }
        self.places.as_flattened().get((64 * word + bits.trailing_zeros()) as usize).copied()
    }

    #[inline(always)]
    fn put(&mut self, bucket: u32, place: u32) {
        let word = place / 64;
        self.bits[(bucket * self.words + word) as usize] |= 1 << (place % 64);
        self.groups[bucket as usize % MOST] |= 1 << (word >> self.group);
        self.filled |= 1 << bucket;
    }

    #[inline(always)]
    fn take(&mut self, bucket: u32, place: u32) {
        let word = place / 64;
        let bits = &mut self.bits[(bucket * self.words + word) as usize];
        *bits &= !(1 << (place % 64));
        if *bits == 0 && (self.group == 0 || self.is_clear(bucket, word)) {
            let groups = &mut self.groups[bucket as usize % MOST];
            *groups &= !(1 << (word >> self.group));
            self.filled &= !(u32::from(*groups == 0) << bucket);
        }
    }

    /// Whether the group of `word` has no bit.
    #[cold]
    fn is_clear(&self, bucket: u32, word: u32) -> bool {
        let from = word >> self.group << self.group;
        let to = self.words.min(from + (1 << self.group));
        let begin = bucket * self.words;
        self.bits[(begin + from) as usize..(begin + to) as usize].iter().all(|word| *word == 0)
    }

    /// Moves the places in use together, without that of `chosen`, which is about to get another.
    #[cold]
    fn compact(&mut self, chosen: u32) {
        self.records[chosen as usize] = ABSENT;
        self.clear();
        let fresh = self.fresh;
        self.next = 0;
        self.gather_from(0, fresh);
        self.fresh = self.next;
        self.gather(fresh as usize);
    }

    /// Moves the places in use from `from` on to the next ones.
    fn gather(&mut self, from: usize) {
        self.gather_from(from, u32::MAX);
    }

    fn gather_from(&mut self, from: usize, to: u32) {
        for place in from..(2 * self.places.len()).min(to as usize) {
            let slot = self.places.as_flattened()[place];
            let record = self.records.get(slot as usize).copied().unwrap_or(ABSENT);
            if record >> SHIFT == place as u32 {
                let (bucket, next) = (record % MOST as u32, self.next);
                self.records[slot as usize] = (next << SHIFT) | bucket;
                self.places.as_flattened_mut()[next as usize] = slot;
                self.put(bucket, next);
                self.next += 1;
            }
        }
    }

    /// Sets the bits anew from the records.
    fn fill(&mut self) {
        self.clear();
        for at in 0..self.records.len() {
            let record = self.records[at];
            if record != ABSENT {
                self.put(record % MOST as u32, record >> SHIFT);
            }
        }
    }

    /// Empties all buckets.
    fn clear(&mut self) {
        while self.filled != 0 {
            let bucket = self.filled.trailing_zeros();
            let begin = (bucket * self.words) as usize;
            self.bits[begin..begin + self.words as usize].fill(0);
            self.groups[bucket as usize] = 0;
            self.filled &= self.filled - 1;
        }
    }
}

fn resize<T: Copy>(list: &mut impl List<T>, len: u32, item: T) {
    loop {
        match list.len().cmp(&(len as usize)) {
            // It fits, as `len` is at most the capacity.
            Ordering::Less => drop(list.push(item)),
            Ordering::Equal => return,
            Ordering::Greater => drop(list.pop()),
        }
    }
}

impl<S: Storage> fmt::Debug for Buckets<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buckets").field("lowest", &self.lowest()).finish_non_exhaustive()
    }
}

//! Chains of blocks: lists that are walked at the speed of arrays, and give up any entry at once.

use super::slots::Shape;
use core::borrow::{Borrow, BorrowMut};

/// No block, no place.
pub(super) const NONE: u32 = u32::MAX;

/// A timer that waits, or where one was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<T> {
    /// The tick in halves, so that its 64 bits align the entry to no more than its item needs.
    low: u32,
    high: u32,
    pub(super) timer: u32,
    /// Nothing where the timer was cancelled, has fired or has moved.
    pub(super) item: Option<T>,
}

impl<T> Entry<T> {
    pub(super) const EMPTY: Self = Self { low: 0, high: 0, timer: NONE, item: None };

    pub(super) const fn new(tick: u64, timer: u32, item: T) -> Self {
        Self { low: tick as u32, high: (tick >> 32) as u32, timer, item: Some(item) }
    }

    pub(super) const fn tick(&self) -> u64 {
        (self.high as u64) << 32 | self.low as u64
    }

    const fn take(&mut self) -> Self {
        Self { item: self.item.take(), ..*self }
    }
}

/// A block of a chain, or a free one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    /// The next block of the chain, after the last the first; the next free one.
    next: u32,
    previous: u32,
    /// Which chain.
    slot: u16,
    /// How many of its entries were passed from the front.
    passed: u8,
    /// How many entries behind those are empty.
    empty: u8,
}

impl Header {
    pub(super) const EMPTY: Self = Self { next: 0, previous: 0, slot: 0, passed: 0, empty: 0 };

    const fn gone(self) -> u32 {
        self.passed as u32 + self.empty as u32
    }
}

/// As many chains as there are slots, in blocks from one stock.
///
/// Two neighbours in a chain hold more than one block does together: where a gap makes it less, they become one. Only
/// the first two may hold less, while the chain is taken from, and the last two, while the last fills up. So a chain of
/// *n* entries has at most 2*n* ÷ (block + 1) + 2 blocks, and one more while it is taken from, which at most two are.
pub(super) struct Chains<T, S: Shape> {
    /// Where the next entry of each chain goes: 0 while it is empty. At the start of a block, a new block is needed.
    ends: S::Ends,
    headers: S::Slots<Header>,
    /// The entries of each block, one block after the other.
    entries: S::Slots<Entry<T>>,
    /// A block holds 2 to the power of this.
    block_bits: u32,
    free: u32,
    /// Blocks from here on were never used.
    fresh: u32,
}

#[cfg(feature = "alloc")]
impl<T> Chains<T, crate::storage::Heap> {
    /// Chains for `capacity` entries altogether, in blocks of 2 to the power of `block_bits`.
    pub(super) fn with_capacity(capacity: usize, block_bits: u32) -> Self {
        let slots = crate::storage::Heap::ENDS.len();
        let blocks = 2 * capacity / ((1 << block_bits) + 1) + 2 * slots + 2;
        // No block is without an entry.
        let blocks = blocks.min(capacity);
        let headers = alloc::vec![Header::EMPTY; blocks].into_boxed_slice();
        let entries = (0..blocks << block_bits).map(|_| Entry::EMPTY).collect();
        Self::new(headers, entries, block_bits)
    }
}

impl<T, S: Shape> Chains<T, S> {
    pub(super) const fn new(headers: S::Slots<Header>, entries: S::Slots<Entry<T>>, block_bits: u32) -> Self {
        Self { ends: S::ENDS, headers, entries, block_bits, free: NONE, fresh: 0 }
    }

    /// Puts `entry` at the end of the chain `slot`: the place that it has now.
    #[inline]
    pub(super) fn append(&mut self, slot: usize, entry: Entry<T>) -> u32 {
        let mut place = self.ends.borrow()[slot];
        if place & self.within() == 0 {
            place = self.extend(slot, place);
        }
        self.ends.borrow_mut()[slot] = place + 1;
        self.entries[place as usize] = entry;
        place
    }

    /// Takes the first entry of the chain `slot`: its timer, its item, and whether it was the only one.
    #[inline]
    pub(super) fn pop(&mut self, slot: usize) -> Option<(u32, T, bool)> {
        let end = self.ends.borrow()[slot];
        if end == 0 {
            return None;
        }
        let last = (end - 1) >> self.block_bits;
        let block = self.headers[last as usize].next;
        let filled = self.filled(block, last, end);
        let start = block << self.block_bits;
        let header = &mut self.headers[block as usize];
        loop {
            let entry = &mut self.entries[(start + u32::from(header.passed)) as usize];
            header.passed += 1;
            let Some(item) = entry.item.take() else {
                header.empty -= 1;
                continue;
            };
            let timer = entry.timer;
            let emptied = header.gone() == filled && self.release(block, slot, end);
            return Some((timer, item, emptied));
        }
    }

    /// Passes up to `most` places of the first block of the chain `slot` and hands the entries there to `each`: how many
    /// places, and whether the chain is empty now.
    #[inline]
    pub(super) fn drain(
        &mut self,
        slot: usize,
        most: u32,
        mut each: impl FnMut(&mut Self, Entry<T>),
    ) -> (u32, bool) {
        let end = self.ends.borrow()[slot];
        if end == 0 {
            return (0, true);
        }
        let last = (end - 1) >> self.block_bits;
        let block = self.headers[last as usize].next;
        let filled = self.filled(block, last, end);
        let Header { passed, mut empty, .. } = self.headers[block as usize];
        let start = block << self.block_bits;
        let until = filled.min(u32::from(passed).saturating_add(most));
        // One is held back until its block is free, so that it never takes a block more than there are entries.
        let mut held = None;
        for place in start + u32::from(passed)..start + until {
            let entry = self.entries[place as usize].take();
            if entry.item.is_none() {
                empty -= 1;
            } else if let Some(before) = held.replace(entry) {
                each(self, before);
            }
        }
        let header = &mut self.headers[block as usize];
        header.passed = until as u8;
        header.empty = empty;
        let emptied = header.gone() == filled && self.release(block, slot, end);
        if let Some(last) = held {
            each(self, last);
        }
        (until - u32::from(passed), emptied)
    }

    /// Takes the item of `timer`, if it is at `place`.
    #[inline]
    pub(super) fn take(&mut self, place: u32, timer: u32) -> Option<T> {
        let entry = self.entries.get_mut(place as usize).filter(|entry| entry.timer == timer)?;
        entry.item.take()
    }

    /// Makes up for the item taken at `place`.
    #[inline]
    pub(super) fn close(&mut self, place: u32) -> Closed {
        let block = place >> self.block_bits;
        let header = &mut self.headers[block as usize];
        header.empty += 1;
        let Header { next, previous, slot, .. } = *header;
        let gone = header.gone();
        let end = self.ends.borrow()[usize::from(slot)];
        let last = (end - 1) >> self.block_bits;
        let live = self.filled(block, last, end) - gone;
        if live == 0 {
            return Closed { slot, emptied: self.release(block, slot.into(), end), merged: NONE };
        }
        let size = 1 << self.block_bits;
        let live_in = |other: u32| self.filled(other, last, end) - self.headers[other as usize].gone();
        let merged = if block != last && live + live_in(next) <= size {
            self.merge(block, next);
            block
        } else if previous != last && live + live_in(previous) <= size {
            self.merge(previous, block);
            previous
        } else {
            NONE
        };
        Closed { slot, emptied: false, merged }
    }

    /// The entries of `block`, and the place of the first.
    pub(super) fn entries_of(&self, block: u32) -> (u32, &[Entry<T>]) {
        let start = block << self.block_bits;
        (start, &self.entries[start as usize..(start + (1 << self.block_bits)) as usize])
    }

    /// The earliest tick in the chain `slot`.
    pub(super) fn earliest(&self, slot: usize) -> Option<u64> {
        let last = self.ends.borrow()[slot].checked_sub(1)? >> self.block_bits;
        let mut block = last;
        let mut earliest = None;
        loop {
            let live = self.entries_of(block).1.iter().filter(|entry| entry.item.is_some());
            earliest = live.map(Entry::tick).chain(earliest).min();
            block = self.headers[block as usize].next;
            if block == last {
                return earliest;
            }
        }
    }

    /// Panics where a chain is not what it should be.
    #[cfg(test)]
    pub(super) fn check(&self) {
        let size = 1 << self.block_bits;
        let (mut used, mut live) = (0, 0);
        for (slot, &end) in self.ends.borrow().iter().enumerate().filter(|(_, end)| **end != 0) {
            let last = (end - 1) >> self.block_bits;
            let (mut block, mut lens) = (self.headers[last as usize].next, std::vec::Vec::new());
            loop {
                let header = self.headers[block as usize];
                assert_eq!(usize::from(header.slot), slot);
                assert_eq!(self.headers[header.next as usize].previous, block);
                let there =
                    self.entries_of(block).1.iter().filter(|entry| entry.item.is_some()).count() as u32;
                assert_eq!(self.filled(block, last, end) - header.gone(), there);
                lens.push(there);
                if block == last {
                    break;
                }
                block = header.next;
            }
            assert!(lens.iter().all(|len| *len > 0), "a block without entries");
            let inner = lens.get(1..lens.len() - 1).unwrap_or(&[]);
            assert!(
                inner.windows(2).all(|pair| pair[0] + pair[1] > size),
                "blocks that should be one: {lens:?}"
            );
            used += lens.len();
            live += lens.iter().sum::<u32>() as usize;
        }
        assert!(used <= live, "{used} blocks for {live} entries");
        let (mut free, mut next) = (0, self.free);
        while next != NONE {
            free += 1;
            next = self.headers[next as usize].next;
        }
        assert_eq!(used + free, self.fresh as usize);
    }

    const fn within(&self) -> u32 {
        (1 << self.block_bits) - 1
    }

    /// How many entries of `block` were ever used, in the chain of which `last` is the last block and `end` the end.
    #[inline]
    const fn filled(&self, block: u32, last: u32, end: u32) -> u32 {
        if block == last { end - (last << self.block_bits) } else { 1 << self.block_bits }
    }

    /// Adds a block to the chain `slot`, which ends at `end`: where it begins.
    #[inline(never)]
    fn extend(&mut self, slot: usize, end: u32) -> u32 {
        let block = if self.free == NONE {
            self.fresh += 1;
            self.fresh - 1
        } else {
            let block = self.free;
            self.free = self.headers[block as usize].next;
            block
        };
        let (previous, next) = if end == 0 {
            (block, block)
        } else {
            let last = (end - 1) >> self.block_bits;
            let first = self.headers[last as usize].next;
            self.headers[last as usize].next = block;
            self.headers[first as usize].previous = block;
            (last, first)
        };
        self.headers[block as usize] = Header { next, previous, slot: slot as u16, passed: 0, empty: 0 };
        block << self.block_bits
    }

    /// Moves the entries of `from` into the block before it, where they fit.
    fn merge(&mut self, to: u32, from: u32) {
        let size = 1 << self.block_bits;
        let (start, other) = (to << self.block_bits, from << self.block_bits);
        let mut end = start;
        for place in (start..start + size).chain(other..other + size) {
            let entry = self.entries[place as usize].take();
            if entry.item.is_some() {
                self.entries[end as usize] = entry;
                end += 1;
            }
        }
        let slot = usize::from(self.headers[from as usize].slot);
        let last = (self.ends.borrow()[slot] - 1) >> self.block_bits;
        self.release(from, slot, self.ends.borrow()[slot]);
        let header = &mut self.headers[to as usize];
        header.passed = 0;
        header.empty = 0;
        if from == last {
            self.ends.borrow_mut()[slot] = end;
        } else {
            header.empty = (start + size - end) as u8;
        }
    }

    /// Unlinks `block` from the chain `slot`, which ends at `end`, and frees it; whether the chain is empty now.
    fn release(&mut self, block: u32, slot: usize, end: u32) -> bool {
        let Header { next, previous, .. } = self.headers[block as usize];
        let alone = next == block;
        if alone {
            self.ends.borrow_mut()[slot] = 0;
        } else {
            if (end - 1) >> self.block_bits == block {
                // Whatever is free in the block before was skipped for good: it counts as full.
                self.ends.borrow_mut()[slot] = (previous + 1) << self.block_bits;
            }
            self.headers[previous as usize].next = next;
            self.headers[next as usize].previous = previous;
        }
        self.headers[block as usize].next = self.free;
        self.free = block;
        alone
    }
}

/// What closing a gap came to.
pub(super) struct Closed {
    /// The chain that it was in.
    pub(super) slot: u16,
    /// Whether that chain is empty now.
    pub(super) emptied: bool,
    /// The block in which entries have moved; or `NONE`.
    pub(super) merged: u32,
}

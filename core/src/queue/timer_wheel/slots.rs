//! How many slots the levels have, and which of them hold timers.

#[cfg(feature = "alloc")]
use crate::storage::Heap;
use crate::storage::{Inline, Storage};
use core::borrow::BorrowMut;

/// The shape of a wheel, which its storage decides: with [`Inline`], 16 levels of 16 slots, with
/// [`Heap`](crate::storage::Heap), 8 levels of 256. Either way the levels cover 64 bits of ticks.
///
/// Sealed, as [`Storage`] is.
pub trait Shape: Storage {
    /// Numbers for the lanes of all slots.
    #[doc(hidden)]
    type Heads: BorrowMut<[u32]>;
    /// A level has 2 to the power of *bits* slots, where *bits* is 2 to the power of this.
    #[doc(hidden)]
    const LEVEL_BITS_LOG: u32;
    /// How many slots a level has.
    #[doc(hidden)]
    const DIGITS: usize = 1 << (1 << Self::LEVEL_BITS_LOG);
    /// How many slots all levels have.
    #[doc(hidden)]
    const SLOTS: usize = Self::DIGITS * (64 >> Self::LEVEL_BITS_LOG);
    /// How far apart the lanes of a slot are. Were it a power of two, all of them would want the same sets of the cache.
    #[doc(hidden)]
    const STRIDE: usize = Self::SLOTS + Self::DIGITS;
}

impl<const N: usize> Shape for Inline<N> {
    type Heads = [u32; 256];
    const LEVEL_BITS_LOG: u32 = 2;
}

#[cfg(feature = "alloc")]
impl Shape for Heap {
    type Heads = alloc::boxed::Box<[u32]>;
    const LEVEL_BITS_LOG: u32 = 3;
}

/// The slot for `tick`, seen from `cursor`: in the level of the highest digit in which they differ.
#[inline]
pub(super) const fn slot_from<S: Shape>(cursor: u64, tick: u64) -> usize {
    let bits = 1 << S::LEVEL_BITS_LOG;
    let shift = (cursor ^ tick | 1).ilog2() & !(bits - 1);
    // `shift` is the level times `bits`.
    (shift as usize) << (bits - S::LEVEL_BITS_LOG) | (tick >> shift) as usize & (S::DIGITS - 1)
}

/// The slot of `tick` in `level`. Slots are numbered through all levels, the lowest first.
#[inline]
pub(super) const fn slot_of<S: Shape>(level: u32, tick: u64) -> usize {
    let bits = 1 << S::LEVEL_BITS_LOG;
    let digit = (tick >> (level << S::LEVEL_BITS_LOG)) as usize & ((1 << bits) - 1);
    (level as usize) << bits | digit
}

/// The level of `slot`.
#[inline]
pub(super) const fn level_of_slot<S: Shape>(slot: usize) -> u32 {
    (slot >> (1 << S::LEVEL_BITS_LOG)) as u32
}

/// The first tick of `slot`, seen from `cursor`.
#[inline]
pub(super) const fn start_of<S: Shape>(slot: usize, cursor: u64) -> u64 {
    let bits = 1 << S::LEVEL_BITS_LOG;
    let level = level_of_slot::<S>(slot);
    let shift = level << S::LEVEL_BITS_LOG;
    let mask = (1 << bits) - 1;
    // Two shifts, as one by 64 would be too far.
    let above = cursor >> shift >> bits << bits << shift;
    above | (slot as u64 & mask) << shift
}

/// A set of slots that knows its first.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlotSet {
    words: [u64; 32],
    /// Which words are not empty.
    summary: u32,
}

impl SlotSet {
    pub(super) const fn new() -> Self {
        Self { words: [0; 32], summary: 0 }
    }

    #[cfg(test)]
    pub(super) const fn contains(&self, slot: usize) -> bool {
        self.words[slot / 64] & 1 << (slot % 64) != 0 && self.summary & 1 << (slot / 64) != 0
    }

    #[inline]
    pub(super) const fn insert(&mut self, slot: usize) {
        let word = slot / 64 % 32;
        self.words[word] |= 1 << (slot % 64);
        self.summary |= 1 << word;
    }

    #[inline]
    pub(super) const fn remove(&mut self, slot: usize) {
        let word = slot / 64 % 32;
        self.words[word] &= !(1 << (slot % 64));
        if self.words[word] == 0 {
            self.summary &= !(1 << word);
        }
    }

    #[inline]
    pub(super) const fn first(&self) -> Option<usize> {
        if self.summary == 0 {
            return None;
        }
        let word = self.summary.trailing_zeros() as usize % 32;
        Some(word * 64 + self.words[word].trailing_zeros() as usize)
    }
}

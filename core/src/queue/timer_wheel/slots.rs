//! How many slots the levels have, and which of them hold timers.

#[cfg(feature = "alloc")]
use crate::storage::Heap;
use crate::storage::{Inline, Storage};
use core::borrow::BorrowMut;

/// The shape of a wheel, which its storage decides: with [`Inline`], 16 levels of 16 slots (1 KiB), with
/// [`Heap`](crate::storage::Heap), 8 levels of 256 (8 KiB). Either way the levels cover 64 bits of ticks.
///
/// Sealed, as [`Storage`] is.
pub trait Shape: Storage {
    /// A number for each slot.
    #[doc(hidden)]
    type Ends: BorrowMut<[u32]>;
    /// Zero for each slot.
    #[doc(hidden)]
    const ENDS: Self::Ends;
    /// A level has 2 to the power of *bits* slots, where *bits* is 2 to the power of this.
    #[doc(hidden)]
    const LEVEL_BITS_LOG: u32;
}

impl<const N: usize> Shape for Inline<N> {
    type Ends = [u32; 256];
    const ENDS: Self::Ends = [0; 256];
    const LEVEL_BITS_LOG: u32 = 2;
}

#[cfg(feature = "alloc")]
impl Shape for Heap {
    type Ends = [u32; 2048];
    const ENDS: Self::Ends = [0; 2048];
    const LEVEL_BITS_LOG: u32 = 3;
}

/// The level of the slot for a tick that differs from the cursor by `difference`, as bits.
#[inline]
pub(super) const fn level_of<S: Shape>(difference: u64) -> u32 {
    (63 - (difference | 1).leading_zeros()) >> S::LEVEL_BITS_LOG
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

    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.summary == 0
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

//! A small value that counts in one period only.

use crate::sync::{AtomicU32, Backoff, Ordering, const_fn};

/// Sixteen bits that belong to one period, beside the last sixteen bits of that period's number.
///
/// A word that bears another period's number is 0 in this one. So a new period begins with all of its words at 0 without
/// anybody writing them, and what a late thread writes under the old number counts nowhere. Numbers come again after
/// 65,536 periods; whoever begins a period therefore [clears](Self::clear) what the last one left.
#[derive(Debug)]
pub(super) struct Tagged(AtomicU32);

impl Tagged {
    const_fn! {
        pub(super) const fn new() -> Self {
            Self(AtomicU32::new(0))
        }
    }

    /// The value in `period`.
    #[inline(always)]
    pub(super) fn get(&self, period: u32) -> u32 {
        // Ordering: Acquire, so that who sees a value of a newer period sees the breaker in it as well.
        let word = self.0.load(Ordering::Acquire);
        if word >> 16 == period & 0xFFFF { word & 0xFFFF } else { 0 }
    }

    /// Sets the value in `period` to what `change` makes of it, unless that is `None`, and answers what it was.
    /// `None` if the period is over, which `lasts` tells; nothing was written then.
    #[inline(always)]
    pub(super) fn update(
        &self,
        period: u32,
        lasts: impl Fn() -> bool,
        change: impl Fn(u32) -> Option<u32>,
    ) -> Option<u32> {
        let tag = period << 16;
        let mut backoff = Backoff::new();
        loop {
            // Ordering: Acquire. Who wrote a newer period's word had seen the breaker in that period, so `lasts`, asked
            // after this, sees it too, and only an older word is written over.
            let word = self.0.load(Ordering::Acquire);
            let value = if (word ^ tag) >> 16 == 0 {
                word & 0xFFFF
            } else if lasts() {
                0
            } else {
                return None;
            };
            let Some(new) = change(value) else { return Some(value) };
            debug_assert!(new <= 0xFFFF);
            // Ordering: Release, for the reason above. A word of this period that is written over after the period's end
            // still bears its number, which nobody reads any more.
            if self.0.compare_exchange_weak(word, tag | new, Ordering::Release, Ordering::Relaxed).is_ok() {
                return Some(value);
            }
            backoff.lost();
        }
    }

    /// Gives the word to `period` with the value 0, unless it has it already, the period is over or somebody else writes
    /// at the same time (who does so for this period or a later one).
    pub(super) fn clear(&self, period: u32, lasts: impl Fn() -> bool) {
        let tag = period << 16;
        // Ordering: as in `update`.
        let word = self.0.load(Ordering::Acquire);
        if (word ^ tag) >> 16 != 0 && lasts() {
            _ = self.0.compare_exchange(word, tag, Ordering::Release, Ordering::Relaxed);
        }
    }
}

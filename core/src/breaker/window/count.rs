//! The last so many calls, two bits each.

use super::{Window, WindowError, sealed};
use crate::breaker::Counts;
use crate::storage::{Inline, InlineSlots, Storage};
use crate::time::Instant;

/// The last *n* calls, each as two bits: failed, slow.
///
/// What it counts is exact: no call more and none less than the last *n*.
///
/// *When not to use it:* where calls are rare: a failure then counts for hours. [`TimeWindow`](super::TimeWindow)
/// forgets.
///
/// # Examples
///
/// ```
/// use divvy::breaker::{Breaker, CountWindow, Rules, WindowError};
/// use divvy::storage::Inline;
///
/// // Four words of 32 calls each, of which the last 100 count:
/// let window = CountWindow::<Inline<4>>::new().last(100)?;
/// let breaker: Breaker = Breaker::new(Rules::new(), window);
/// # let _ = breaker;
/// // A window without calls is refused, and one that does not fit:
/// assert_eq!(CountWindow::<Inline<4>>::new().last(0).map(|_| ()), Err(WindowError::Zero));
/// assert_eq!(CountWindow::<Inline<4>>::new().last(129).map(|_| ()), Err(WindowError::TooMany));
/// # Ok::<(), WindowError>(())
/// ```
///
/// # Complexity
///
/// *O*(1) to record and to count; 8 bytes for 32 calls and 24 more (on 64-bit targets with `Heap`, 32).
#[derive(Debug)]
pub struct CountWindow<S: Storage> {
    /// Places left before the first one's turn comes again, at least 1: the next call takes the one before it. Counting
    /// down, one instruction both steps and sees the end.
    left: u32,
    size: u32,
    /// Calls that failed, and above 32 bits those that were slow.
    bad: u64,
    /// Whether every place holds a call.
    full: bool,
    /// For 32 calls each, which failed and which were slow. Places not yet used are clear.
    words: S::Slots<[u32; 2]>,
}

/// Calls in a word.
const WORD: u32 = u32::BITS;

impl<const N: usize> Default for CountWindow<Inline<N>> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> CountWindow<Inline<N>> {
    /// The last 32 × `N` calls.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(N > 0 && N <= (u32::MAX / WORD) as usize, "a window has between 1 and 2^27 − 1 words") };
        Self {
            left: N as u32 * WORD,
            size: N as u32 * WORD,
            bad: 0,
            full: false,
            words: InlineSlots([[0; 2]; N]),
        }
    }

    /// The last `calls` calls instead.
    ///
    /// # Errors
    ///
    /// [`WindowError`] if that is none, or more than 32 × `N`.
    pub const fn last(mut self, calls: u32) -> Result<Self, WindowError> {
        if calls == 0 {
            return Err(WindowError::Zero);
        }
        if calls > N as u32 * WORD {
            return Err(WindowError::TooMany);
        }
        self.size = calls;
        self.left = calls;
        Ok(self)
    }
}

#[cfg(feature = "alloc")]
impl CountWindow<crate::storage::Heap> {
    /// The last `calls` calls, allocated now.
    #[must_use]
    pub fn with_capacity(calls: core::num::NonZeroU32) -> Self {
        let size = calls.get();
        let words = alloc::vec![[0; 2]; size.div_ceil(WORD) as usize].into_boxed_slice();
        Self { left: size, size, bad: 0, full: false, words }
    }
}

impl<S: Storage> CountWindow<S> {
    /// Of how many calls it takes the last.
    #[must_use]
    pub const fn size(&self) -> u32 {
        self.size
    }

    /// How each call that it holds went, the oldest first: whether it failed, whether it was slow.
    pub fn iter(&self) -> impl Iterator<Item = (bool, bool)> {
        // Places are taken downwards, so the next one is the oldest call's, unless it is still empty.
        let older = if self.full { 0..self.left } else { 0..0 };
        older.rev().chain((self.left..self.size).rev()).map(|place| {
            let [failures, slows] = self.words.get((place / WORD) as usize).copied().unwrap_or_default();
            (failures >> (place % WORD) & 1 == 1, slows >> (place % WORD) & 1 == 1)
        })
    }

    /// The next call's place: a word, and a bit in it.
    #[inline]
    const fn place(&self) -> (usize, u32) {
        let place = self.left - 1;
        ((place / WORD) as usize, 1 << (place % WORD))
    }

    /// Forgets the oldest call, whose place is the next one's.
    #[inline]
    fn forget(&mut self) {
        let (word, bit) = self.place();
        if let Some([failures, slows]) = self.words.get_mut(word)
            && (*failures | *slows) & bit != 0
        {
            self.bad -= both(*failures & bit != 0, *slows & bit != 0);
            *failures &= !bit;
            *slows &= !bit;
        }
    }

    #[inline]
    fn step(&mut self) {
        self.left -= 1;
        if self.left == 0 {
            self.left = self.size;
            self.full = true;
        }
    }
}

const fn both(failed: bool, slow: bool) -> u64 {
    failed as u64 | ((slow as u64) << 32)
}

impl<S: Storage> sealed::Window for CountWindow<S> {
    #[inline]
    fn success(&mut self, _now: Instant) {
        // All good so far: every bit is clear already.
        if self.bad != 0 {
            self.forget();
        }
        self.step();
    }

    fn bad(&mut self, _now: Instant, failed: bool, slow: bool) {
        self.forget();
        let (word, bit) = self.place();
        if let Some([failures, slows]) = self.words.get_mut(word) {
            *failures |= if failed { bit } else { 0 };
            *slows |= if slow { bit } else { 0 };
            self.bad += both(failed, slow);
        }
        self.step();
    }

    fn counts(&self, _now: Instant) -> Counts {
        let calls = if self.full { self.size } else { self.size - self.left };
        Counts { calls, failures: self.bad as u32, slow: (self.bad >> 32) as u32 }
    }

    /// At most the size: more calls than that are never seen.
    fn minimum(&self, asked: Option<u32>) -> u32 {
        asked.map_or(self.size, |asked| asked.min(self.size))
    }

    fn clear(&mut self) {
        self.words.fill([0; 2]);
        self.left = self.size;
        self.bad = 0;
        self.full = false;
    }
}

impl<S: Storage> Window for CountWindow<S> {}

#[cfg(test)]
impl<const N: usize> Clone for CountWindow<Inline<N>> {
    fn clone(&self) -> Self {
        let Self { left, size, bad, full, .. } = *self;
        Self { left, size, bad, full, words: InlineSlots(self.words.0) }
    }
}

#[cfg(test)]
impl<const N: usize> CountWindow<Inline<N>> {
    /// All there is to it.
    pub(in crate::breaker) fn bits(&self) -> std::vec::Vec<u32> {
        let words = self.words.iter().flatten().copied();
        words.chain([self.left, u32::from(self.full)]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::sealed::Window;
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn it_lists_the_last_calls_in_their_order(size in 1u32..=96, calls: Vec<(bool, bool)>) {
            let mut window = CountWindow::<Inline<3>>::new().last(size).unwrap();
            let mut last = VecDeque::new();
            for (failed, slow) in calls {
                match failed || slow {
                    true => window.bad(Instant::ZERO, failed, slow),
                    false => window.success(Instant::ZERO),
                }
                last.push_back((failed, slow));
                if last.len() > size as usize {
                    last.pop_front();
                }
                prop_assert!(window.iter().eq(last.iter().copied()));
            }
        }
    }
}

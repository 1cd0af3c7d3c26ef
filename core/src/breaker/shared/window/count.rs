//! The last so many calls, counted by any number of threads.

use super::super::tagged::Tagged;
use super::{SharedWindow, sealed};
use crate::breaker::{Counts, WindowError};
use crate::storage::{Inline, InlineSlots, Storage};
use crate::sync::{array_of, const_fn};
use crate::time::Instant;
use core::fmt;

/// The last *n* calls of a [`SharedBreaker`](crate::breaker::SharedBreaker), each as two bits: failed, slow.
///
/// # Examples
///
/// ```
/// use divvy::breaker::{SharedCountWindow, WindowError};
/// use divvy::storage::Inline;
///
/// // Thirteen words of eight calls each, of which the last 100 count:
/// let window = SharedCountWindow::<Inline<13>>::new().last(100)?;
/// assert_eq!(window.size(), 100);
/// // A window without calls is refused, and one that does not fit:
/// assert_eq!(SharedCountWindow::<Inline<13>>::new().last(0).map(|_| ()), Err(WindowError::Zero));
/// assert_eq!(SharedCountWindow::<Inline<13>>::new().last(105).map(|_| ()), Err(WindowError::TooMany));
/// # Ok::<(), WindowError>(())
/// ```
///
/// # Complexity
///
/// A good call: one compare-and-swap for its place, and one load, or a second compare-and-swap where a bad call stood
/// before. A bad call: at most two, and *O*(*n* / 8) loads to count. 4 bytes for 8 calls and 8 more.
///
/// # Concurrency
///
/// Lock-free. Each call gets a place of its own, in the order in which they ask for one, and writes its bits there. So
/// once all calls that were under way are recorded, the window holds the last *n* calls and no others, except that a thread
/// that stands still between the two steps while *n* others pass it writes into the place of a younger call.
pub struct SharedCountWindow<S: Storage> {
    size: u32,
    /// The next call's [`PLACE`], and whether all have been taken once ([`FULL`]).
    head: Tagged,
    /// For 8 calls each, which failed (low byte) and which were slow (high byte).
    words: S::Slots<Tagged>,
}

/// Calls in a word.
const WORD: u32 = 8;
/// Words at most, so that a place fits fifteen bits.
const MAX_WORDS: usize = 4_095;
const PLACE: u32 = 0x7FFF;
const FULL: u32 = 0x8000;

impl<const N: usize> Default for SharedCountWindow<Inline<N>> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> SharedCountWindow<Inline<N>> {
    const_fn! {
        /// The last 8 × `N` calls.
        #[must_use]
        pub const fn new() -> Self {
            const { assert!(N > 0 && N <= MAX_WORDS, "a shared window has from 1 to 4095 words") };
            Self { size: N as u32 * WORD, head: Tagged::new(), words: InlineSlots(array_of!(Tagged::new())) }
        }
    }

    const_fn! {
        /// The last `calls` calls instead.
        ///
        /// # Errors
        ///
        /// [`WindowError`] if that is none, or more than 8 × `N`.
        pub const fn last(mut self, calls: u32) -> Result<Self, WindowError> {
            if calls == 0 {
                return Err(WindowError::Zero);
            }
            if calls > N as u32 * WORD {
                return Err(WindowError::TooMany);
            }
            self.size = calls;
            Ok(self)
        }
    }
}

#[cfg(feature = "alloc")]
impl SharedCountWindow<crate::storage::Heap> {
    /// The last `calls` calls, allocated now.
    ///
    /// # Errors
    ///
    /// [`WindowError`] if that is none, or more than 32,760.
    pub fn with_capacity(calls: u32) -> Result<Self, WindowError> {
        match calls.div_ceil(WORD) as usize {
            0 => Err(WindowError::Zero),
            words if words > MAX_WORDS => Err(WindowError::TooMany),
            words => Ok(Self {
                size: calls,
                head: Tagged::new(),
                words: (0..words).map(|_| Tagged::new()).collect(),
            }),
        }
    }
}

impl<S: Storage> SharedCountWindow<S> {
    /// Of how many calls it takes the last.
    #[must_use]
    pub const fn size(&self) -> u32 {
        self.size
    }
}

impl<S: Storage> sealed::SharedWindow for SharedCountWindow<S> {
    #[inline]
    fn record(&self, period: u32, _now: Instant, call: sealed::Call, lasts: impl Fn() -> bool) -> bool {
        let next = |head: u32| Some(if (head & PLACE) + 1 == self.size { FULL } else { head + 1 });
        let Some(head) = self.head.update(period, &lasts, next) else { return false };
        let (place, bit) = (head & PLACE, head % WORD);
        let Some(word) = self.words.get((place / WORD) as usize) else { return false };
        let bits = u32::from(call.failed) << bit | u32::from(call.slow) << (bit + WORD);
        let mask = 1 << bit | 1 << (bit + WORD);
        // A good call in the place of a good one has nothing to write.
        word.get(period) & mask == bits
            || word.update(period, &lasts, |old| Some(old & !mask | bits)).is_some()
    }

    fn counts(&self, period: u32, _now: Instant) -> Counts {
        let head = self.head.get(period);
        let calls = if head & FULL == 0 { head & PLACE } else { self.size };
        let mut counts = Counts { calls, failures: 0, slow: 0 };
        // Beyond the first round's last place there may be what an earlier period left.
        for word in &self.words[..counts.calls.div_ceil(WORD) as usize] {
            let bits = word.get(period);
            if bits != 0 {
                counts.failures += (bits & 0xFF).count_ones();
                counts.slow += (bits >> WORD).count_ones();
            }
        }
        counts
    }

    /// At most the size: more calls than that are never seen.
    fn minimum(&self, asked: Option<u32>) -> u32 {
        asked.map_or(self.size, |asked| asked.min(self.size))
    }

    fn clear(&self, period: u32, lasts: impl Fn() -> bool) {
        self.head.clear(period, &lasts);
        for word in self.words.iter() {
            word.clear(period, &lasts);
        }
    }
}

impl<S: Storage> SharedWindow for SharedCountWindow<S> {}

impl<S: Storage> fmt::Debug for SharedCountWindow<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedCountWindow").field("size", &self.size).finish_non_exhaustive()
    }
}

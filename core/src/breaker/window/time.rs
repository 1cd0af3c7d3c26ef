//! The calls of the last so long, counted in buckets.

use super::{Window, WindowError, sealed};
use crate::breaker::Counts;
use crate::storage::{Inline, InlineSlots, Storage};
use crate::time::{Instant, nanos};
use core::time::Duration;

/// The calls of the last so long, in as many buckets as the storage has.
///
/// Time is cut at multiples of a bucket's width, which is the span divided by the number of buckets, rounded up. What
/// counts is the bucket of now and all but one of those before it: never a call older than buckets × width, and every
/// call younger than that less one bucket.
///
/// *When not to use it:* where the last hundred calls say enough: [`CountWindow`](super::CountWindow) is smaller and
/// faster.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::breaker::{Breaker, Rules, TimeWindow, WindowError};
/// use divvy::storage::Inline;
///
/// let window = TimeWindow::<Inline<10>>::new(Duration::from_secs(30))?;
/// assert_eq!(window.width(), Duration::from_secs(3));
/// let breaker = Breaker::<_, Inline<4>>::new(Rules::new(), window);
/// # let _ = breaker;
/// // A window of no time is refused:
/// assert_eq!(TimeWindow::<Inline<10>>::new(Duration::ZERO).map(|_| ()), Err(WindowError::Zero));
/// # Ok::<(), WindowError>(())
/// ```
///
/// # Complexity
///
/// *O*(1) to record while a bucket lasts, *O*(buckets) at most when time moves on; 12 bytes a bucket and 40 more.
///
/// # Time
///
/// Counts at most 2³² − 1 calls at a time; further ones are left out until some grow old.
#[derive(Debug)]
pub struct TimeWindow<S: Storage> {
    /// When the current bucket ends: the first instant that is not in it.
    end: Instant,
    /// In nanoseconds, at least 1.
    width: u64,
    /// The current bucket.
    at: u32,
    /// The sum of all buckets.
    sum: Counts,
    buckets: S::Slots<Counts>,
}

impl<const N: usize> TimeWindow<Inline<N>> {
    /// The calls of the last `span`, in `N` buckets.
    ///
    /// # Errors
    ///
    /// [`WindowError`] if the span is zero or too long.
    pub const fn new(span: Duration) -> Result<Self, WindowError> {
        const { assert!(N > 0 && N <= u32::MAX as usize, "a window has at least one bucket") };
        match width(span, N as u32) {
            Ok(width) => Ok(Self::empty(width, InlineSlots([Counts::NONE; N]))),
            Err(error) => Err(error),
        }
    }
}

#[cfg(feature = "alloc")]
impl TimeWindow<crate::storage::Heap> {
    /// The calls of the last `span`, in so many buckets, allocated now.
    ///
    /// # Errors
    ///
    /// [`WindowError`] if the span is zero or too long.
    pub fn with_capacity(span: Duration, buckets: core::num::NonZeroU32) -> Result<Self, WindowError> {
        let width = width(span, buckets.get())?;
        Ok(Self::empty(width, alloc::vec![Counts::NONE; buckets.get() as usize].into_boxed_slice()))
    }
}

const fn width(span: Duration, buckets: u32) -> Result<u64, WindowError> {
    match nanos(span) {
        None => Err(WindowError::TooLong),
        Some(0) => Err(WindowError::Zero),
        Some(nanos) => Ok(nanos.div_ceil(buckets as u64)),
    }
}

impl<S: Storage> TimeWindow<S> {
    const fn empty(width: u64, buckets: S::Slots<Counts>) -> Self {
        Self { end: Instant::from_nanos(width), width, at: 0, sum: Counts::NONE, buckets }
    }

    /// How long a bucket lasts.
    #[must_use]
    pub const fn width(&self) -> Duration {
        Duration::from_nanos(self.width)
    }

    /// How many buckets lie between the current one and that of `now`; 0 if it is the current one. The last one of time
    /// has none after it.
    fn steps(&self, now: Instant) -> u64 {
        if self.end == Instant::MAX {
            return 0;
        }
        match now.as_nanos().checked_sub(self.end.as_nanos()) {
            Some(past) => past / self.width + 1,
            None => 0,
        }
    }

    /// Empties the buckets that have grown too old at `now`, a time past the end of the current one.
    #[cold]
    fn slide(&mut self, now: Instant) {
        let steps = self.steps(now);
        let count = self.buckets.len() as u64;
        if steps == 0 {
            return;
        }
        if steps >= count {
            self.buckets.fill(Counts::NONE);
            self.sum = Counts::NONE;
        } else {
            for _ in 0..steps {
                self.at = if self.at as usize + 1 == self.buckets.len() { 0 } else { self.at + 1 };
                let old = core::mem::take(&mut self.buckets[self.at as usize]);
                self.sum.calls -= old.calls;
                self.sum.failures -= old.failures;
                self.sum.slow -= old.slow;
            }
        }
        let to = u128::from(self.end.as_nanos()) + u128::from(steps) * u128::from(self.width);
        self.end = Instant::from_nanos(u64::try_from(to).unwrap_or(u64::MAX));
    }

    #[inline]
    fn add(&mut self, now: Instant, failed: u32, slow: u32) {
        if now >= self.end {
            self.slide(now);
        }
        if self.sum.calls == u32::MAX {
            return;
        }
        let Some(bucket) = self.buckets.get_mut(self.at as usize) else { return };
        for counts in [bucket, &mut self.sum] {
            counts.calls += 1;
            counts.failures += failed;
            counts.slow += slow;
        }
    }
}

impl<S: Storage> sealed::Window for TimeWindow<S> {
    #[inline]
    fn success(&mut self, now: Instant) {
        self.add(now, 0, 0);
    }

    fn bad(&mut self, now: Instant, failed: bool, slow: bool) {
        self.add(now, failed.into(), slow.into());
    }

    fn counts(&self, now: Instant) -> Counts {
        let count = self.buckets.len() as u64;
        let steps = self.steps(now);
        if steps >= count {
            return Counts::NONE;
        }
        // Those that time has not passed: the current one and the younger of those before it.
        let mut sum = self.sum;
        for step in 1..=steps {
            let old = self.buckets[((u64::from(self.at) + step) % count) as usize];
            sum.calls -= old.calls;
            sum.failures -= old.failures;
            sum.slow -= old.slow;
        }
        sum
    }

    fn minimum(&self, asked: Option<u32>) -> u32 {
        asked.unwrap_or(100)
    }

    fn clear(&mut self) {
        self.buckets.fill(Counts::NONE);
        self.sum = Counts::NONE;
    }
}

impl<S: Storage> Window for TimeWindow<S> {}

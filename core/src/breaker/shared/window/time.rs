//! The calls of the last so long, counted in buckets by any number of threads.

use super::{SharedWindow, sealed};
use crate::breaker::{Counts, WindowError};
use crate::storage::{Inline, InlineSlots, Storage};
use crate::sync::{AtomicU32, Backoff, Ordering, array_of, const_fn};
use crate::time::{Instant, nanos};
use core::fmt;
use core::time::Duration;

/// The calls of the last so long, for a [`SharedBreaker`](crate::breaker::SharedBreaker), in as many buckets as the
/// storage has.
///
/// Time is cut as [`TimeWindow`](crate::breaker::TimeWindow) cuts it: at multiples of a bucket's width, and what counts is
/// the bucket of now and all but one of those before it.
///
/// *When not to use it:* where the last hundred calls say enough, and on chips without a 64-bit division: each call makes one.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::breaker::{Rules, SharedBreaker, SharedTimeWindow, WindowError};
/// use divvy::storage::Inline;
///
/// let window = SharedTimeWindow::<Inline<10>>::new(Duration::from_secs(30))?;
/// assert_eq!(window.width(), Duration::from_secs(3));
/// let breaker = SharedBreaker::<_, Inline<4>>::new(Rules::new(), window);
/// # let _ = breaker;
/// // A window of no time is refused:
/// assert_eq!(SharedTimeWindow::<Inline<10>>::new(Duration::ZERO).map(|_| ()), Err(WindowError::Zero));
/// # Ok::<(), WindowError>(())
/// ```
///
/// # Complexity
///
/// A good call: one compare-and-swap, two loads and a division of 64 bits. A bad call: two or three compare-and-swaps, and
/// *O*(buckets) loads to count. The first call of a new bucket: *O*(buckets passed), at most *O*(buckets). 12 bytes a bucket
/// and 16 more.
///
/// # Time
///
/// A `now` earlier than another thread's counts in that one's bucket, unless it is 2²⁰ buckets or more behind: then it is
/// taken for one ahead, and the window begins anew. Counts at most 2²⁰ − 1 calls a bucket; further ones are left out.
///
/// # Concurrency
///
/// Lock-free. Who comes first in a new bucket empties those that have grown too old; if it stands still before it has, they
/// count for nothing all the same, as each count bears its bucket's number (its last eight bits; those whose number comes
/// again are emptied long before). A thread that stands still for the whole span before it counts its call does not
/// count it.
pub struct SharedTimeWindow<S: Storage> {
    /// In nanoseconds, at least 1.
    width: u64,
    /// The number of the latest bucket that counted a call, its last 32 bits.
    latest: AtomicU32,
    /// Calls, failures, slow calls.
    buckets: S::Slots<[Count; 3]>,
}

/// A count that belongs to one bucket of one period, whose last bits it bears.
#[derive(Debug)]
struct Count(AtomicU32);

/// Bits of the number of calls.
const COUNT_BITS: u32 = 20;
const MOST: u32 = (1 << COUNT_BITS) - 1;
/// So many buckets back a clock has gone back; further, it has jumped ahead.
const BEHIND: u32 = 1 << 20;

/// Which bucket of which period, as it stands above a count.
const fn tag(period: u32, bucket: u32) -> u32 {
    (period << 8 | bucket & 0xFF) << COUNT_BITS
}

impl Count {
    const_fn! {
        const fn new() -> Self {
            Self(AtomicU32::new(0))
        }
    }

    fn get(&self, tag: u32) -> u32 {
        // Ordering: Acquire, as all that is tagged.
        let word = self.0.load(Ordering::Acquire);
        if word & !MOST == tag { word & MOST } else { 0 }
    }

    /// One more, at most [`MOST`]; `false` if the period is over. `fits` tells whether the bucket is still among those that
    /// count; where it is not, nothing is counted.
    #[inline]
    fn add(&self, tag: u32, lasts: impl Fn() -> bool, fits: impl Fn() -> bool) -> bool {
        let mut backoff = Backoff::new();
        loop {
            // Ordering: Acquire: who wrote this for a younger period or bucket has seen it, so `lasts` and `fits`, asked after
            // this, see it too.
            let word = self.0.load(Ordering::Acquire);
            // Asked whatever the tag: it has few bits.
            if !lasts() {
                return false;
            }
            let new = match word & MOST {
                _ if word & !MOST != tag && !fits() => return true,
                _ if word & !MOST != tag => tag | 1,
                MOST => return true,
                _ => word + 1,
            };
            // Ordering: Release, for the reason above.
            if self.0.compare_exchange_weak(word, new, Ordering::Release, Ordering::Relaxed).is_ok() {
                return true;
            }
            backoff.lost();
        }
    }

    /// Gives it to another bucket or period, unless somebody did or it no longer fits.
    fn clear(&self, tag: u32, lasts: impl Fn() -> bool, fits: impl Fn() -> bool) {
        // Ordering: as in `add`.
        let word = self.0.load(Ordering::Acquire);
        if word & !MOST != tag && lasts() && fits() {
            _ = self.0.compare_exchange(word, tag, Ordering::Release, Ordering::Relaxed);
        }
    }
}

impl<const N: usize> SharedTimeWindow<Inline<N>> {
    const_fn! {
        /// The calls of the last `span`, in `N` buckets.
        ///
        /// # Errors
        ///
        /// [`WindowError`] if the span is zero or too long.
        pub const fn new(span: Duration) -> Result<Self, WindowError> {
            const { assert!(N > 0 && N <= 255, "a shared window of time has from 1 to 255 buckets") };
            match width(span, N as u32) {
                Ok(width) => Ok(Self {
                    width,
                    latest: AtomicU32::new(0),
                    buckets: InlineSlots(array_of!([Count::new(), Count::new(), Count::new()])),
                }),
                Err(error) => Err(error),
            }
        }
    }
}

#[cfg(feature = "alloc")]
impl SharedTimeWindow<crate::storage::Heap> {
    /// The calls of the last `span`, in so many buckets, allocated now.
    ///
    /// # Errors
    ///
    /// [`WindowError`] if the span or the number of buckets is zero, or either too large: 255 buckets are the most.
    pub fn with_capacity(span: Duration, buckets: u32) -> Result<Self, WindowError> {
        match buckets {
            0 => Err(WindowError::Zero),
            256.. => Err(WindowError::TooMany),
            _ => Ok(Self {
                width: width(span, buckets)?,
                latest: AtomicU32::new(0),
                buckets: (0..buckets).map(|_| [Count::new(), Count::new(), Count::new()]).collect(),
            }),
        }
    }
}

const fn width(span: Duration, buckets: u32) -> Result<u64, WindowError> {
    match nanos(span) {
        None => Err(WindowError::TooLong),
        Some(0) => Err(WindowError::Zero),
        Some(nanos) => Ok(nanos.div_ceil(buckets as u64)),
    }
}

impl<S: Storage> SharedTimeWindow<S> {
    /// How long a bucket lasts.
    #[must_use]
    pub const fn width(&self) -> Duration {
        Duration::from_nanos(self.width)
    }

    fn number(&self, now: Instant) -> u32 {
        (now.as_nanos() / self.width) as u32
    }

    fn bucket(&self, number: u32) -> &[Count; 3] {
        &self.buckets[number as usize % self.buckets.len()]
    }

    /// Whether the bucket of this number is among those that count: none of its place is younger.
    fn fits(&self, number: u32) -> bool {
        // Ordering: Acquire pairs with the Release of `slide`.
        self.latest.load(Ordering::Acquire).wrapping_sub(number) < self.buckets.len() as u32
    }

    /// Empties the buckets from `latest` back, so many of them.
    fn empty(&self, period: u32, latest: u32, many: u32, lasts: impl Fn() -> bool) {
        for ago in 0..many {
            let number = latest.wrapping_sub(ago);
            for count in self.bucket(number) {
                count.clear(tag(period, number), &lasts, || self.fits(number));
            }
        }
    }

    /// The bucket that calls at `now` count in, which others may have moved on from.
    #[inline]
    fn current(&self, period: u32, now: Instant, lasts: impl Fn() -> bool) -> u32 {
        let number = self.number(now);
        // Ordering: Acquire: who writes into a bucket knows of its number, and tells so with what it writes.
        let latest = self.latest.load(Ordering::Acquire);
        if number == latest { number } else { self.slide(period, number, lasts) }
    }

    #[cold]
    fn slide(&self, period: u32, number: u32, lasts: impl Fn() -> bool) -> u32 {
        loop {
            // Ordering: as in `current`.
            let latest = self.latest.load(Ordering::Acquire);
            if latest.wrapping_sub(number) < BEHIND {
                return latest;
            }
            // Ordering: Release, for the reason given there.
            if self.latest.compare_exchange_weak(latest, number, Ordering::AcqRel, Ordering::Relaxed).is_ok()
            {
                let passed = number.wrapping_sub(latest).min(self.buckets.len() as u32);
                self.empty(period, number, passed, lasts);
                return number;
            }
        }
    }
}

impl<S: Storage> sealed::SharedWindow for SharedTimeWindow<S> {
    #[inline]
    fn record(&self, period: u32, now: Instant, call: sealed::Call, lasts: impl Fn() -> bool) -> bool {
        let number = self.current(period, now, &lasts);
        let (tag, fits) = (tag(period, number), || self.fits(number));
        let [calls, failures, slow] = self.bucket(number);
        // The bad ones last, so that they are never more than all.
        calls.add(tag, &lasts, fits)
            && (!call.failed || failures.add(tag, &lasts, fits))
            && (!call.slow || slow.add(tag, &lasts, fits))
    }

    fn counts(&self, period: u32, now: Instant) -> Counts {
        // Ordering: as in `current`.
        let latest = self.latest.load(Ordering::Acquire);
        // How many buckets time has passed since.
        let number = self.number(now);
        let passed = if latest.wrapping_sub(number) < BEHIND { 0 } else { number.wrapping_sub(latest) };
        let mut counts = Counts::NONE;
        for ago in 0..(self.buckets.len() as u32).saturating_sub(passed) {
            let number = latest.wrapping_sub(ago);
            let [calls, failures, slow] =
                self.bucket(number).each_ref().map(|count| count.get(tag(period, number)));
            counts.calls += calls;
            counts.failures += failures;
            counts.slow += slow;
        }
        counts
    }

    fn minimum(&self, asked: Option<u32>) -> u32 {
        asked.unwrap_or(100)
    }

    fn clear(&self, period: u32, lasts: impl Fn() -> bool) {
        // Ordering: as in `current`.
        let latest = self.latest.load(Ordering::Acquire);
        self.empty(period, latest, self.buckets.len() as u32, lasts);
    }
}

impl<S: Storage> SharedWindow for SharedTimeWindow<S> {}

impl<S: Storage> fmt::Debug for SharedTimeWindow<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedTimeWindow").field("width", &self.width).finish_non_exhaustive()
    }
}

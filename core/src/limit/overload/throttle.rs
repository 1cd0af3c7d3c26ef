//! By what was refused lately.

use super::Verdict;
use crate::fixed::Q32;
use crate::rng::Rng;
use crate::storage::{Inline, InlineSlots, Storage};
use crate::time::{Instant, nanos};
use core::fmt;
use core::time::Duration;

/// Why a throttle was refused. Nothing was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ThrottleError {
    /// K is below 1: a backend that accepts everything would be throttled. Remedy: 2, or 1.1 where a refusal costs as much
    /// as an answer.
    Multiplier,
    /// The share that is always sent is 0, so a backend could recover unseen, or above 1. Remedy: 0.01.
    Least,
    /// The window is zero. Remedy: two minutes.
    ZeroWindow,
    /// The window does not fit 64 bits of nanoseconds (584 years). Remedy: a shorter one.
    TooLong,
}

impl fmt::Display for ThrottleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Multiplier => "the multiplier of a throttle must be at least 1",
            Self::Least => "the share that a throttle always sends must be above 0 and at most 1",
            Self::ZeroWindow => "the window of a throttle must be longer than zero",
            Self::TooLong => "the window of a throttle must be below 584 years",
        })
    }
}

impl core::error::Error for ThrottleError {}

/// How a [`Throttle`] decides.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ThrottleConfig {
    multiplier: Q32,
    least: Q32,
    window: u64,
}

impl ThrottleConfig {
    /// Sends up to twice what is accepted, and at least a hundredth, by the last two minutes.
    #[must_use]
    pub const fn new() -> Self {
        Self { multiplier: Q32::from_int(2), least: Q32::from_bits(42_949_673), window: 120_000_000_000 }
    }

    /// Sends up to `k` times what is accepted.
    ///
    /// # Errors
    ///
    /// [`ThrottleError::Multiplier`] below 1.
    pub const fn multiplier(mut self, k: Q32) -> Result<Self, ThrottleError> {
        if k.to_bits() < Q32::ONE.to_bits() {
            return Err(ThrottleError::Multiplier);
        }
        self.multiplier = k;
        Ok(self)
    }

    /// Sends at least this share of all requests, whatever was refused. Less than one in a thousand may find a backend that
    /// recovered too late.
    ///
    /// # Errors
    ///
    /// [`ThrottleError::Least`] for 0 and above 1.
    pub const fn least(mut self, share: Q32) -> Result<Self, ThrottleError> {
        if share.to_bits() == 0 || share.to_bits() > Q32::ONE.to_bits() {
            return Err(ThrottleError::Least);
        }
        self.least = share;
        Ok(self)
    }

    /// Decides by what happened in the last `window`.
    ///
    /// # Errors
    ///
    /// [`ThrottleError::ZeroWindow`], [`ThrottleError::TooLong`].
    pub const fn window(mut self, window: Duration) -> Result<Self, ThrottleError> {
        match nanos(window) {
            None => return Err(ThrottleError::TooLong),
            Some(0) => return Err(ThrottleError::ZeroWindow),
            Some(window) => self.window = window,
        }
        Ok(self)
    }
}

impl Default for ThrottleConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// What a [`Throttle`] knows about its window.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ThrottleStats {
    /// Requests that count: those sent, and those kept back while the backend refused.
    pub requests: u64,
    /// Requests that the backend accepted.
    pub accepts: u64,
    /// Requests that were sent.
    pub sent: u64,
    /// Requests that were kept back.
    pub kept_back: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    sent: u32,
    kept_back: u32,
    accepted: u32,
    refused: u32,
}

impl Bucket {
    const EMPTY: Self = Self { sent: 0, kept_back: 0, accepted: 0, refused: 0 };

    /// What was kept back counts against a backend that refused something, and against no other.
    const fn requests(&self) -> u64 {
        self.sent as u64 + if self.refused > 0 { self.kept_back as u64 } else { 0 }
    }
}

/// Client-side adaptive throttling: keeps back requests that a backend would refuse anyway, so that it need not even do that.
///
/// Of the requests of the last window, and of those among them that the backend accepted, follows the probability with
/// which the next one is kept back: `max(0, (requests − K × accepts) / (requests + 1))`. So at most about K times what the
/// backend accepts is sent to it, and it learns quickly that the backend accepts more.
///
/// What is kept back counts as a request, or else more than K times would be sent. But it is a proof of nothing: were it always
/// counted, a backend that has recovered would wait for windows, since each request kept back keeps back the next. So it
/// counts only in those parts of the window (buckets) in which the backend refused something. One window and one bucket
/// after its last refusal, nothing is kept back any more, however many were.
///
/// *When not to use it:* where one refusal is no sign for the next request: for failures of single requests (an
/// unknown key) tell `accepted: true`, since the backend did the work. Where the backend is to be left alone
/// entirely while it is down: that is a breaker.
///
/// # Examples
///
/// ```
/// use divvy::Instant;
/// use divvy::fixed::Q32;
/// use divvy::limit::{Throttle, ThrottleConfig, ThrottleError, Verdict};
/// use divvy::rng::Xoshiro256PlusPlus;
/// use divvy::storage::Inline;
///
/// let mut throttle = Throttle::<Inline<24>>::new(ThrottleConfig::new());
/// let mut rng = Xoshiro256PlusPlus::seed(1);
/// let mut sent = 0;
/// for ms in 0..10_000 {
///     let now = Instant::from_millis(ms);
///     if throttle.admit(now, &mut rng) == Verdict::Run {
///         sent += 1;
///         throttle.observe(now, false); // the backend refuses everything
///     }
/// }
/// assert!(sent < 200);
/// let after = Instant::from_secs(130);
/// assert_eq!(throttle.admit(after, &mut rng), Verdict::Run);
/// assert_eq!(ThrottleConfig::new().least(Q32::ZERO), Err(ThrottleError::Least));
/// # Ok::<(), ThrottleError>(())
/// ```
///
/// # Complexity
///
/// [`admit`](Self::admit) and [`observe`](Self::observe) are *O*(1), or *O*(buckets) after a pause. No draw while nothing is kept
/// back. 16 bytes a bucket and 64.
///
/// # Time
///
/// `now` is when the request is made or answered. The window slides by whole buckets, so it is up to one bucket shorter than
/// asked for. A `now` earlier than one seen before is taken as that one.
///
/// # Concurrency
///
/// Single owner (`&mut self`).
///
/// # References
///
/// Beyer et al.: *Site Reliability Engineering*, 2016, chapter 21, *Handling Overload*. For what it does not say, go-zero
/// #3837 (local rejects left out: too much is sent) and #5551, kratos #2777 (counted: it never recovers).
pub struct Throttle<S: Storage = Inline<24>> {
    config: ThrottleConfig,
    buckets: S::Slots<Bucket>,
    width: u64,
    /// The number of the current bucket since the start of the clock.
    epoch: u64,
    latest: u64,
    /// Sums over the buckets.
    requests: u64,
    accepts: u64,
}

impl<const N: usize> Throttle<Inline<N>> {
    /// With a window of `N` buckets.
    #[must_use]
    pub const fn new(config: ThrottleConfig) -> Self {
        const { assert!(N > 0 && N < u32::MAX as usize, "a window has a bucket at least") };
        Self::over(config, InlineSlots([Bucket::EMPTY; N]), N as u32)
    }
}

#[cfg(feature = "alloc")]
impl Throttle<crate::storage::Heap> {
    /// With a window of `buckets` buckets, at least one, allocated now.
    #[must_use]
    pub fn with_capacity(config: ThrottleConfig, buckets: u32) -> Self {
        let buckets = buckets.max(1);
        Self::over(config, (0..buckets).map(|_| Bucket::EMPTY).collect(), buckets)
    }
}

impl<S: Storage> Throttle<S> {
    const fn over(config: ThrottleConfig, buckets: S::Slots<Bucket>, count: u32) -> Self {
        let width = config.window.div_ceil(count as u64);
        Self { config, buckets, width, epoch: 0, latest: 0, requests: 0, accepts: 0 }
    }

    /// Whether to send a request now. Either way it counts.
    pub fn admit(&mut self, now: Instant, rng: &mut impl Rng) -> Verdict {
        self.slide(now);
        let excess = self.excess();
        let verdict = if excess > 0 && rng.below_u64(self.requests + 1) < excess {
            Verdict::Drop
        } else {
            Verdict::Run
        };
        let bucket = self.current();
        let before = bucket.requests();
        match verdict {
            Verdict::Run => bucket.sent = bucket.sent.saturating_add(1),
            Verdict::Drop => bucket.kept_back = bucket.kept_back.saturating_add(1),
        }
        let after = bucket.requests();
        self.requests += after - before;
        verdict
    }

    /// Tells how the backend answered a request that was sent: `false` if it refused it for having too much to do, or
    /// did not answer in time.
    pub fn observe(&mut self, now: Instant, accepted: bool) {
        self.slide(now);
        let bucket = self.current();
        if accepted {
            let before = bucket.accepted;
            bucket.accepted = before.saturating_add(1);
            let after = bucket.accepted;
            self.accepts += u64::from(after - before);
        } else {
            let before = bucket.requests();
            bucket.refused = bucket.refused.saturating_add(1);
            let after = bucket.requests();
            self.requests += after - before;
        }
    }

    /// The probability with which the next request would be kept back.
    #[must_use]
    pub fn chance(&mut self, now: Instant) -> Q32 {
        self.slide(now);
        Q32::from_ratio(self.excess(), self.requests + 1).unwrap_or(Q32::ZERO)
    }

    /// What it knows about the last window.
    #[must_use]
    pub fn stats(&self) -> ThrottleStats {
        let sum = |of: fn(&Bucket) -> u32| self.buckets.iter().map(|bucket| u64::from(of(bucket))).sum();
        ThrottleStats {
            requests: self.requests,
            accepts: self.accepts,
            sent: sum(|bucket| bucket.sent),
            kept_back: sum(|bucket| bucket.kept_back),
        }
    }

    /// The numerator of the probability, at most so much that the least share is sent.
    fn excess(&self) -> u64 {
        let excess = self.requests.saturating_sub(self.config.multiplier.mul_int(self.accepts));
        let most = Q32::ONE.saturating_sub(self.config.least).mul_int(self.requests + 1);
        excess.min(most)
    }

    fn current(&mut self) -> &mut Bucket {
        let at = self.epoch % self.buckets.len() as u64;
        &mut self.buckets[at as usize]
    }

    /// Forgets the buckets that left the window.
    fn slide(&mut self, now: Instant) {
        self.latest = self.latest.max(now.as_nanos());
        let epoch = self.latest / self.width;
        let passed = (epoch - self.epoch).min(self.buckets.len() as u64);
        if passed == 0 {
            return;
        }
        self.epoch = epoch - passed;
        for _ in 0..passed {
            self.epoch += 1;
            let left = core::mem::replace(self.current(), Bucket::EMPTY);
            self.requests -= left.requests();
            self.accepts -= u64::from(left.accepted);
        }
    }
}

impl<S: Storage> fmt::Debug for Throttle<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttle")
            .field("config", &self.config)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

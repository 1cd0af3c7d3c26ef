//! When a breaker trips, how long it stays open, and what it asks for to close.

use super::Counts;
use super::confidence::{Confidence, needed};
use super::transition::Cause;
use crate::fixed::Q32;
use crate::retry::{Backoff, BackoffError};
use crate::rng::{Rng, SplitMix64};
use crate::time::{Instant, nanos, saturating_nanos};
use core::fmt;
use core::num::NonZeroU32;
use core::time::Duration;

/// Why a [`Config`] was refused. Nothing was made.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConfigError {
    /// Nothing would ever trip it. Remedy: a failure rate, a slow rate, or a number of consecutive failures.
    NoCriterion,
    /// A rate is 0, so the first call would trip it, or above 1, so none could. Remedy: a share above 0, at most 1.
    Rate,
    /// The open time is zero. Remedy: as long as the protected service needs to recover, say a second.
    ZeroOpen,
    /// The longest open time is below the first. Remedy: a cap of at least the base.
    CapBelowBase,
    /// The factor of the open time is neither 1 nor at least 1 + 1/64. Remedy: 1, 1.5, 2…
    Factor,
    /// More than the whole open time would be left to chance. Remedy: a share of at most 1.
    Jitter,
    /// Probes would be lost at once. Remedy: longer than the protected call's own time-out.
    ZeroProbeTimeout,
    /// A duration does not fit 64 bits of nanoseconds (584 years). Remedy: a shorter one.
    TooLong,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCriterion => {
                "a breaker needs a failure rate, a slow rate or a number of consecutive failures"
            }
            Self::Rate => "a rate must be above 0 and at most 1",
            Self::ZeroOpen => "the open time must be longer than zero",
            Self::CapBelowBase => "the longest open time must be at least the first",
            Self::Factor => "the factor of the open time must be 1 or at least 1 + 1/64",
            Self::Jitter => "the share of the open time that is left to chance must be at most 1",
            Self::ZeroProbeTimeout => {
                "a probe needs longer than zero; give it more than the call's own time-out"
            }
            Self::TooLong => "a duration of a breaker must be below 584 years",
        })
    }
}

impl core::error::Error for ConfigError {}

/// What a breaker is asked to do; [`build`](Self::build) checks it and makes the [`Rules`].
///
/// Criteria combine: whichever is met first trips.
///
/// # Examples
///
/// ```
/// use core::num::NonZeroU32;
/// use core::time::Duration;
/// use divvy::breaker::{Confidence, Config, ConfigError};
/// use divvy::fixed::Q32;
///
/// let third = Q32::from_ratio(1, 3).expect("1/3 fits");
/// let rules = Config::new()
///     .failure_rate(third)
///     .confidence(Confidence::P99)
///     .slow_rate(Duration::from_millis(200), Q32::ONE)
///     .consecutive(NonZeroU32::new(10).expect("ten is not zero"))
///     .build()?;
/// assert!(rules.open_time(1) <= Duration::from_secs(60));
/// // A breaker that nothing trips, or the first call, is refused:
/// assert_eq!(Config::empty().build(), Err(ConfigError::NoCriterion));
/// assert_eq!(Config::new().failure_rate(Q32::ZERO).build(), Err(ConfigError::Rate));
/// # Ok::<(), ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub struct Config {
    failure_rate: Option<Q32>,
    slow: Option<(Duration, Q32)>,
    consecutive: Option<NonZeroU32>,
    minimum: Option<u32>,
    confidence: Option<Confidence>,
    base: Duration,
    cap: Duration,
    factor: Q32,
    jitter: Q32,
    seed: u64,
    probes: NonZeroU32,
    close_after: Option<NonZeroU32>,
    reopen_after: NonZeroU32,
    probe_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// Trips at half the calls of a whole window; open for 60 s, then twice as long each time up to 10 min, up to a fifth
    /// of it less by chance; 3 probes at once of 30 s, 3 successes close it, 1 failure opens it again.
    pub const fn new() -> Self {
        Self::empty().failure_rate(Q32::from_bits(1 << 31))
    }

    /// As [`new`](Self::new), but nothing trips it yet.
    pub const fn empty() -> Self {
        const THREE: NonZeroU32 = NonZeroU32::MIN.saturating_add(2);
        Self {
            failure_rate: None,
            slow: None,
            consecutive: None,
            minimum: None,
            confidence: None,
            base: Duration::from_secs(60),
            cap: Duration::from_secs(600),
            factor: Q32::from_int(2),
            jitter: Q32::from_bits(858_993_459),
            seed: 0,
            probes: THREE,
            close_after: None,
            reopen_after: NonZeroU32::MIN,
            probe_timeout: Duration::from_secs(30),
        }
    }

    /// Trips when this share of the window's calls has failed.
    pub const fn failure_rate(mut self, rate: Q32) -> Self {
        self.failure_rate = Some(rate);
        self
    }

    /// Trips when this share of the window's calls took longer than `longer_than`, or was called slow by the caller.
    /// Probes that slow count as failed.
    pub const fn slow_rate(mut self, longer_than: Duration, rate: Q32) -> Self {
        self.slow = Some((longer_than, rate));
        self
    }

    /// Trips after so many failures without a success between them.
    pub const fn consecutive(mut self, failures: NonZeroU32) -> Self {
        self.consecutive = Some(failures);
        self
    }

    /// The number of calls from which on a rate means something: fewer count as if good calls made up that number. A window
    /// of counts takes at most its size, which is the default; the default of a window of time is 100.
    pub const fn minimum(mut self, calls: u32) -> Self {
        self.minimum = Some(calls);
        self
    }

    /// Rates trip only if that sure; see [`Confidence`]. Needs more failures than the rate alone.
    pub const fn confidence(mut self, confidence: Confidence) -> Self {
        self.confidence = Some(confidence);
        self
    }

    /// How long it stays open: `base` the first time, each further time without closing in between `factor` times as
    /// long, at most `cap`.
    pub const fn open(mut self, base: Duration, cap: Duration, factor: Q32) -> Self {
        self.base = base;
        self.cap = cap;
        self.factor = factor;
        self
    }

    /// The share of the open time that is left to chance: it is shorter by up to this much.
    pub const fn jitter(mut self, share: Q32) -> Self {
        self.jitter = share;
        self
    }

    /// What chance is drawn from. Give each breaker its own, or they probe together.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How many probes may be under way at once while half-open; never more than the breaker has slots for.
    pub const fn probes(mut self, at_once: NonZeroU32) -> Self {
        self.probes = at_once;
        self
    }

    /// How many probes must succeed to close it. As many as run at once, unless this says otherwise.
    pub const fn close_after(mut self, successes: NonZeroU32) -> Self {
        self.close_after = Some(successes);
        self
    }

    /// How many probes must fail or be lost to open it again, so that one unlucky probe need not.
    pub const fn reopen_after(mut self, failures: NonZeroU32) -> Self {
        self.reopen_after = failures;
        self
    }

    /// How long a probe may take before it counts as lost, which is a failure.
    pub const fn probe_timeout(mut self, timeout: Duration) -> Self {
        self.probe_timeout = timeout;
        self
    }

    /// Checks all of it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`]; nothing was made.
    pub const fn build(self) -> Result<Rules, ConfigError> {
        if self.failure_rate.is_none() && self.slow.is_none() && self.consecutive.is_none() {
            return Err(ConfigError::NoCriterion);
        }
        // A rate of "never" is above 1: then no count reaches it.
        let failure_rate = match self.failure_rate {
            Some(rate) if is_share(rate) => rate,
            Some(_) => return Err(ConfigError::Rate),
            None => Q32::MAX,
        };
        let (slow_after, slow_rate) = match self.slow {
            Some((after, rate)) if is_share(rate) => (saturating_nanos(after), rate),
            Some(_) => return Err(ConfigError::Rate),
            None => (u64::MAX, Q32::MAX),
        };
        if self.jitter.to_bits() > Q32::ONE.to_bits() {
            return Err(ConfigError::Jitter);
        }
        let backoff = match Backoff::new(self.base, self.cap) {
            Ok(backoff) => match backoff.factor(self.factor) {
                Ok(backoff) => backoff,
                Err(_) => return Err(ConfigError::Factor),
            },
            Err(BackoffError::ZeroBase) => return Err(ConfigError::ZeroOpen),
            Err(BackoffError::CapBelowBase) => return Err(ConfigError::CapBelowBase),
            Err(_) => return Err(ConfigError::TooLong),
        };
        match nanos(self.probe_timeout) {
            None => return Err(ConfigError::TooLong),
            Some(0) => return Err(ConfigError::ZeroProbeTimeout),
            Some(_) => {}
        }
        Ok(Rules {
            slow_after,
            failure_rate,
            slow_rate,
            confidence: self.confidence,
            backoff,
            jitter: self.jitter,
            seed: self.seed,
            probe_timeout: self.probe_timeout,
            minimum: self.minimum,
            consecutive: self.consecutive,
            probes: self.probes,
            close_after: match self.close_after {
                Some(successes) => successes,
                None => self.probes,
            },
            reopen_after: self.reopen_after,
        })
    }
}

const fn is_share(rate: Q32) -> bool {
    rate.to_bits() > 0 && rate.to_bits() <= Q32::ONE.to_bits()
}

/// What a breaker goes by: a [`Config`] that was checked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Rules {
    /// Nanoseconds; the longest there are for "never".
    pub(super) slow_after: u64,
    /// At most 1, or above it for "never".
    pub(super) failure_rate: Q32,
    pub(super) slow_rate: Q32,
    pub(super) confidence: Option<Confidence>,
    pub(super) backoff: Backoff,
    pub(super) jitter: Q32,
    pub(super) seed: u64,
    pub(super) probe_timeout: Duration,
    pub(super) minimum: Option<u32>,
    pub(super) consecutive: Option<NonZeroU32>,
    pub(super) probes: NonZeroU32,
    pub(super) close_after: NonZeroU32,
    pub(super) reopen_after: NonZeroU32,
}

impl Default for Rules {
    fn default() -> Self {
        Self::new()
    }
}

impl Rules {
    /// Those of [`Config::new`].
    #[must_use]
    pub const fn new() -> Self {
        match Config::new().build() {
            Ok(rules) => rules,
            Err(_) => unreachable!(),
        }
    }

    /// How long the breaker stays open the `n`-th time (from 1) since it was last closed.
    ///
    /// Chance is the `n`-th draw from the seed, so that the answer is always the same. At least a nanosecond.
    #[must_use]
    pub fn open_time(&self, n: u32) -> Duration {
        let ceiling = saturating_nanos(self.backoff.ceiling(n));
        let chance = self.jitter.mul_int(ceiling).min(ceiling);
        let mut rng =
            SplitMix64::seed(self.seed.wrapping_add(u64::from(n).wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        let less = match chance.checked_add(1) {
            Some(n) => rng.below_u64(n),
            None => rng.next_u64(),
        };
        Duration::from_nanos((ceiling - less).max(1))
    }

    /// Whether a call that began at `began` and ended at `ended` took longer than is well.
    #[inline]
    pub(super) const fn is_slow(&self, began: Instant, ended: Instant) -> bool {
        ended.as_nanos().saturating_sub(began.as_nanos()) > self.slow_after
    }

    /// Whether slow calls trip it.
    pub(super) const fn minds_slow(&self) -> bool {
        self.slow_rate.to_bits() <= Q32::ONE.to_bits()
    }

    /// What trips it, if anything, right after a bad call was counted: `run` failures in a row and `counts` in the
    /// window, where rates want at least `minimum` calls.
    pub(super) fn verdict(&self, counts: Counts, run: u32, minimum: u32) -> Option<Cause> {
        if self.consecutive.is_some_and(|most| run >= most.get()) {
            return Some(Cause::Consecutive);
        }
        let calls = counts.calls.max(minimum);
        if self.reaches(self.failure_rate, counts.failures, calls) {
            return Some(Cause::Failures);
        }
        self.reaches(self.slow_rate, counts.slow, calls).then_some(Cause::SlowCalls)
    }

    fn reaches(&self, rate: Q32, part: u32, calls: u32) -> bool {
        rate <= Q32::ONE
            && part >= needed(rate, calls)
            && self.confidence.is_none_or(|confidence| confidence.reaches(part, calls, rate))
    }
}

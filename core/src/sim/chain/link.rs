//! How a service is called: with which patience, and behind which protections.

use core::fmt;
use core::time::Duration;

use crate::breaker::{CountWindow, Rules, WindowError};
use crate::fixed::Q32;
use crate::limit::{Aimd, ConcurrencyLimit, Gradient, Sample, ThrottleConfig, Vegas};
use crate::retry::{Backoff, BudgetConfig, BudgetError, HedgeConfig, HedgeError};
use crate::storage::Inline;

/// The window of a link's breaker: up to 128 calls.
pub(super) type Calls = CountWindow<Inline<4>>;

/// What a bulkhead learns its limit by.
#[derive(Clone, Copy, Debug)]
pub enum Adaptive {
    /// Additive increase, multiplicative decrease.
    Aimd(Aimd),
    /// By the calls that wait, as latencies tell.
    Vegas(Vegas),
    /// By latencies against those without load.
    Gradient(Gradient),
}

impl Adaptive {
    pub(super) fn limit(&self) -> u32 {
        match self {
            Self::Aimd(limit) => limit.limit(),
            Self::Vegas(limit) => limit.limit(),
            Self::Gradient(limit) => limit.limit(),
        }
    }

    pub(super) fn observe(&mut self, now: crate::Instant, sample: Sample) {
        match self {
            Self::Aimd(limit) => limit.observe(now, sample),
            Self::Vegas(limit) => limit.observe(now, sample),
            Self::Gradient(limit) => limit.observe(now, sample),
        }
    }
}

/// How many calls of a link may be under way at once.
#[derive(Clone, Copy, Debug)]
pub(super) enum Places {
    Fixed(u32),
    Adaptive(Adaptive),
}

/// What is answered when the call came to nothing.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Fallback {
    /// Nothing: the call fails.
    #[default]
    None,
    /// A default answer, always.
    Default,
    /// An earlier answer, for the share of the requests for which there is one.
    Cached {
        /// From 0 to 1.
        share: Q32,
    },
}

/// How users call the first service, or a service the next one, as setters of one value. Every protection is the real one.
///
/// What stands in front of an attempt is asked in this order: the breaker, the bulkhead, the throttle. What these hold back is
/// not tried again.
///
/// # Examples
///
/// ```
/// use core::num::NonZeroU32;
/// use core::time::Duration;
/// use divvy::breaker::Rules;
/// use divvy::retry::{Backoff, BudgetConfig};
/// use divvy::sim::chain::{Fallback, Link};
///
/// let milli = Duration::from_millis(1);
/// let backoff = Backoff::new(50 * milli, 400 * milli)?.attempts(NonZeroU32::new(3).expect("three is not zero"));
/// let link = Link::new()
///     .timeout(250 * milli)
///     .retry(backoff)
///     .budget(BudgetConfig::new())
///     .breaker(Rules::new(), 64)
///     .fallback(Fallback::Default);
/// # let _ = link;
/// # Ok::<(), divvy::retry::BackoffError>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Link {
    pub(super) share: Q32,
    pub(super) timeout: Duration,
    pub(super) retry: Option<Backoff>,
    pub(super) budget: Option<BudgetConfig>,
    pub(super) breaker: Option<(Rules, u32)>,
    pub(super) hedge: Option<HedgeConfig>,
    pub(super) places: Option<Places>,
    pub(super) throttle: Option<ThrottleConfig>,
    pub(super) fallback: Fallback,
}

impl Default for Link {
    fn default() -> Self {
        Self::new()
    }
}

impl Link {
    /// Every request makes the call, once, and its caller waits for ever.
    pub const fn new() -> Self {
        Self {
            share: Q32::ONE,
            timeout: Duration::MAX,
            retry: None,
            budget: None,
            breaker: None,
            hedge: None,
            places: None,
            throttle: None,
            fallback: Fallback::None,
        }
    }

    /// Only this share of the requests makes the call; the others are answered without.
    pub const fn share(mut self, share: Q32) -> Self {
        self.share = share;
        self
    }

    /// The caller gives up on an attempt after `timeout`. The work goes on, unless
    /// [deadlines](super::Config::deadlines) are known.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Attempts that fail are made again. Give the back-off a number of attempts: without one, it goes on until the caller's
    /// own caller has long given up.
    pub const fn retry(mut self, backoff: Backoff) -> Self {
        self.retry = Some(backoff);
        self
    }

    /// Retries and hedges only as the budget allows.
    pub const fn budget(mut self, budget: BudgetConfig) -> Self {
        self.budget = Some(budget);
        self
    }

    /// A breaker that looks at the last `calls` calls, at most 128.
    pub const fn breaker(mut self, rules: Rules, calls: u32) -> Self {
        self.breaker = Some((rules, calls));
        self
    }

    /// At most `places` calls are under way at once; the next is held back.
    pub const fn bulkhead(mut self, places: u32) -> Self {
        self.places = Some(Places::Fixed(places));
        self
    }

    /// A bulkhead whose limit follows from how the calls go. Takes the place of one with a fixed limit.
    pub const fn adaptive(mut self, limit: Adaptive) -> Self {
        self.places = Some(Places::Adaptive(limit));
        self
    }

    /// Calls are held back by chance when many of them are turned away.
    pub const fn throttle(mut self, throttle: ThrottleConfig) -> Self {
        self.throttle = Some(throttle);
        self
    }

    /// A second attempt beside one that takes long. Without a budget, the percentile alone bounds how many.
    pub const fn hedge(mut self, hedge: HedgeConfig) -> Self {
        self.hedge = Some(hedge);
        self
    }

    /// What is answered when the call came to nothing.
    pub const fn fallback(mut self, fallback: Fallback) -> Self {
        self.fallback = fallback;
        self
    }
}

/// Why the way to call a service has no meaning. Nothing changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum LinkError {
    /// A share is above 1. Remedy: one between 0 and 1.
    Share,
    /// The caller would give up at once. Remedy: a time above 0.
    Timeout,
    /// The bulkhead has no place, so that no call would ever be made. Remedy: one at least.
    NoPlaces,
    /// The breaker's window.
    Window(WindowError),
    /// The budget.
    Budget(BudgetError),
    /// The hedge.
    Hedge(HedgeError),
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share => f.write_str("a share must be from 0 to 1"),
            Self::Timeout => f.write_str("a caller must wait for some time; use a time-out above 0"),
            Self::NoPlaces => {
                f.write_str("a bulkhead without places lets no call through; give it one at least")
            }
            Self::Window(error) => error.fmt(f),
            Self::Budget(error) => error.fmt(f),
            Self::Hedge(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for LinkError {}

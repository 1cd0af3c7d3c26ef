//! When to hedge, as chosen by the caller.

use crate::time::nanos;
use core::fmt;
use core::num::NonZeroU32;
use core::time::Duration;

/// Why a hedge was refused. Nothing was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum HedgeError {
    /// The percentile is so many of zero, or of fewer. Remedy: a fraction from 0 to 1, such as 95 of 100.
    Percentile,
    /// The window is too short to be cut in two. Remedy: a window of some seconds.
    ZeroWindow,
    /// A duration does not fit 64 bits of nanoseconds (584 years). Remedy: a shorter one.
    TooLong,
}

impl fmt::Display for HedgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Percentile => "the percentile of a hedge must be a fraction from 0 to 1",
            Self::ZeroWindow => "the window of a hedge must be at least two nanoseconds",
            Self::TooLong => "a duration of a hedge must be below 584 years",
        })
    }
}

impl core::error::Error for HedgeError {}

/// When a [`Hedge`](super::Hedge) sends a second attempt.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::retry::{Hedge, HedgeConfig, HedgeError};
///
/// // After the 99th percentile of the last ten seconds, and never sooner than two milliseconds:
/// let config = HedgeConfig::new()
///     .percentile(99, 100)
///     .window(Duration::from_secs(10))
///     .at_least(Duration::from_millis(2));
/// let hedge: Result<Hedge, HedgeError> = Hedge::new(config);
/// assert!(hedge.is_ok());
/// let hedge: Result<Hedge, HedgeError> = Hedge::new(config.percentile(2, 1));
/// assert_eq!(hedge.err(), Some(HedgeError::Percentile));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct HedgeConfig {
    pub(super) numerator: u32,
    pub(super) denominator: u32,
    pub(super) window: Duration,
    pub(super) samples: NonZeroU32,
    pub(super) hedges: NonZeroU32,
    pub(super) at_least: Duration,
    pub(super) initial: Option<Duration>,
}

impl HedgeConfig {
    /// One hedge after the 95th percentile of the last 30 to 60 seconds, once there are 100 samples.
    #[must_use]
    pub const fn new() -> Self {
        const HUNDRED: NonZeroU32 = match NonZeroU32::new(100) {
            Some(hundred) => hundred,
            None => unreachable!(),
        };
        Self {
            numerator: 95,
            denominator: 100,
            window: Duration::from_secs(60),
            samples: HUNDRED,
            hedges: NonZeroU32::MIN,
            at_least: Duration::ZERO,
            initial: None,
        }
    }

    /// Hedges the calls that take longer than `numerator` of `denominator` do. What is above is the extra load: 5 % at
    /// 95 of 100.
    #[must_use]
    pub const fn percentile(mut self, numerator: u32, denominator: u32) -> Self {
        self.numerator = numerator;
        self.denominator = denominator;
        self
    }

    /// How long a latency is remembered: at least half of this, at most all of it.
    #[must_use]
    pub const fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// How many latencies it takes to know the percentile.
    #[must_use]
    pub const fn samples(mut self, samples: NonZeroU32) -> Self {
        self.samples = samples;
        self
    }

    /// How many hedges a call may have. The second one comes after twice the delay, and so on.
    #[must_use]
    pub const fn hedges(mut self, hedges: NonZeroU32) -> Self {
        self.hedges = hedges;
        self
    }

    /// Never hedges sooner than this, however fast the answers are.
    #[must_use]
    pub const fn at_least(mut self, delay: Duration) -> Self {
        self.at_least = delay;
        self
    }

    /// The delay while there are too few samples. Without it nothing is hedged then.
    #[must_use]
    pub const fn initial(mut self, delay: Duration) -> Self {
        self.initial = Some(delay);
        self
    }

    pub(super) const fn check(&self) -> Result<(), HedgeError> {
        if self.denominator == 0 || self.numerator > self.denominator {
            return Err(HedgeError::Percentile);
        }
        let initial = match self.initial {
            Some(initial) => initial,
            None => Duration::ZERO,
        };
        let (Some(window), Some(_), Some(_)) = (nanos(self.window), nanos(self.at_least), nanos(initial))
        else {
            return Err(HedgeError::TooLong);
        };
        if window < 2 { Err(HedgeError::ZeroWindow) } else { Ok(()) }
    }
}

impl Default for HedgeConfig {
    fn default() -> Self {
        Self::new()
    }
}

//! Time as the caller tells it.

use core::fmt;
use core::time::Duration;

const NANOS_PER_SEC: u64 = 1_000_000_000;

/// A moment on the caller's clock: nanoseconds since a start of the caller's choice.
///
/// The core never asks what time it is. Whoever calls it reads a clock of their own (a timer register, `performance.
/// now()`, `std::time::Instant`, a virtual clock) and passes the answer. 64 bits of nanoseconds last 584 years.
///
/// *When not to use it:* for dates. An `Instant` has no calendar and no epoch.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::Instant;
///
/// let start = Instant::from_millis(5);
/// let later = start.saturating_add(Duration::from_millis(2));
/// assert_eq!(later.saturating_duration_since(start), Duration::from_millis(2));
/// // A clock that went back has not moved:
/// assert_eq!(start.saturating_duration_since(later), Duration::ZERO);
/// assert_eq!(start.checked_duration_since(later), None);
/// ```
///
/// # Complexity
///
/// Every operation is *O*(1); 8 bytes.
///
/// # Time
///
/// Instants are totally ordered. Adding saturates at [`Instant::MAX`], so a deadline never wraps into the past.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Instant(u64);

impl Instant {
    /// The start of the caller's clock.
    pub const ZERO: Self = Self(0);
    /// The last instant: "never", as a deadline.
    pub const MAX: Self = Self(u64::MAX);

    /// The instant `nanos` nanoseconds after the start.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The instant `micros` microseconds after the start; [`Instant::MAX`] if that does not fit.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros.saturating_mul(1_000))
    }

    /// The instant `millis` milliseconds after the start; [`Instant::MAX`] if that does not fit.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// The instant `secs` seconds after the start; [`Instant::MAX`] if that does not fit.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(NANOS_PER_SEC))
    }

    /// Nanoseconds since the start.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// This instant plus `duration`, or `None` past [`Instant::MAX`].
    pub const fn checked_add(self, duration: Duration) -> Option<Self> {
        match nanos(duration) {
            Some(nanos) => match self.0.checked_add(nanos) {
                Some(sum) => Some(Self(sum)),
                None => None,
            },
            None => None,
        }
    }

    /// This instant plus `duration`, at most [`Instant::MAX`].
    pub const fn saturating_add(self, duration: Duration) -> Self {
        match self.checked_add(duration) {
            Some(sum) => sum,
            None => Self::MAX,
        }
    }

    /// This instant less `duration`, at least [`Instant::ZERO`].
    pub const fn saturating_sub(self, duration: Duration) -> Self {
        match nanos(duration) {
            Some(nanos) => Self(self.0.saturating_sub(nanos)),
            None => Self::ZERO,
        }
    }

    /// The time since `earlier`, or `None` if `earlier` is later.
    pub const fn checked_duration_since(self, earlier: Self) -> Option<Duration> {
        match self.0.checked_sub(earlier.0) {
            Some(nanos) => Some(Duration::from_nanos(nanos)),
            None => None,
        }
    }

    /// The time since `earlier`; zero if `earlier` is later.
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}s", self.0 / NANOS_PER_SEC, self.0 % NANOS_PER_SEC)
    }
}

/// The nanoseconds of `duration`, or `None` where 64 bits do not hold them (584 years).
pub(crate) const fn nanos(duration: Duration) -> Option<u64> {
    match duration.as_secs().checked_mul(NANOS_PER_SEC) {
        Some(nanos) => nanos.checked_add(duration.subsec_nanos() as u64),
        None => None,
    }
}

/// The nanoseconds of `duration`, at most `u64::MAX`.
pub(crate) const fn saturating_nanos(duration: Duration) -> u64 {
    match nanos(duration) {
        Some(nanos) => nanos,
        None => u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;

    #[test]
    fn sums_and_differences_saturate() {
        assert_eq!(Instant::MAX.checked_add(Duration::from_nanos(1)), None);
        assert_eq!(Instant::MAX.saturating_add(Duration::MAX), Instant::MAX);
        assert_eq!(Instant::ZERO.saturating_sub(Duration::MAX), Instant::ZERO);
        assert_eq!(Instant::from_secs(u64::MAX), Instant::MAX);
        assert_eq!(Instant::from_millis(1_500).to_string(), "1.500000000s");
    }

    proptest! {
        #[test]
        fn adding_then_subtracting_returns(start: u64, secs in 0u64..1 << 33, subsec in 0u32..1_000_000_000) {
            let (start, step) = (Instant::from_nanos(start), Duration::new(secs, subsec));
            if let Some(end) = start.checked_add(step) {
                prop_assert_eq!(end.checked_duration_since(start), Some(step));
                prop_assert_eq!(end.saturating_sub(step), start);
            }
        }
    }
}

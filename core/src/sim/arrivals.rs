//! When requests come.

use core::fmt;
use core::time::Duration;

use super::service::exponential;
use crate::Instant;
use crate::time::saturating_nanos;

/// How requests arrive.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Arrivals {
    /// Only those that the caller pushes, where the simulation takes them ([`Dispatch::push`](super::Dispatch::push)).
    Pushed,
    /// One every `gap`.
    Constant {
        /// The time between two.
        gap: Duration,
    },
    /// Independently of each other, `gap` apart on average.
    Poisson {
        /// The mean time between two.
        gap: Duration,
    },
    /// As [`Poisson`](Self::Poisson) for a time, then not at all for a time, and so on.
    Bursts {
        /// The mean time between two within a burst.
        gap: Duration,
        /// How long a burst lasts.
        on: Duration,
        /// How long the pause after it lasts.
        off: Duration,
    },
}

/// Requests that would all come at one instant, or never. Remedy: a gap above 0, and bursts that last.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ArrivalsError;

impl fmt::Display for ArrivalsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("requests must be some time apart, and bursts must last; use times above 0")
    }
}

impl core::error::Error for ArrivalsError {}

impl Arrivals {
    /// One server's worth of Poisson arrivals is `gap == service / load`; this is the gap for `servers` of them.
    ///
    /// `None` if the load is 0 or there are no servers.
    #[must_use]
    pub fn poisson_at_load(service: Duration, servers: u32, load: crate::fixed::Q32) -> Option<Self> {
        let capacity = u128::from(load.to_bits()).checked_mul(servers.into())?;
        let gap = (u128::from(saturating_nanos(service)) << 32).checked_div(capacity)?;
        Some(Self::Poisson { gap: Duration::from_nanos(u64::try_from(gap).ok()?) })
    }

    pub(super) const fn check(&self) -> Result<(), ArrivalsError> {
        let good = match self {
            Self::Pushed => true,
            Self::Constant { gap } | Self::Poisson { gap } => !gap.is_zero(),
            Self::Bursts { gap, on, .. } => !gap.is_zero() && !on.is_zero(),
        };
        if good { Ok(()) } else { Err(ArrivalsError) }
    }

    /// When the request after that of `last` comes, for the uniformly random `u`; `None` if none does.
    pub(super) fn next(&self, last: Instant, u: u64) -> Option<Instant> {
        match *self {
            Self::Pushed => None,
            Self::Constant { gap } => last.checked_add(gap),
            Self::Poisson { gap } => later(last, exponential(saturating_nanos(gap), u)),
            Self::Bursts { gap, on, off } => {
                let (on, off) = (saturating_nanos(on), saturating_nanos(off));
                let period = on.checked_add(off)?;
                // On a clock that stands still in the pauses; `last` may lie in one only if it was pushed there.
                let (whole, part) = (last.as_nanos() / period, (last.as_nanos() % period).min(on));
                let sum = part.checked_add(exponential(saturating_nanos(gap), u))?;
                let start = whole.checked_add(sum / on)?.checked_mul(period)?;
                start.checked_add(sum % on).map(Instant::from_nanos)
            }
        }
    }
}

fn later(last: Instant, nanos: u64) -> Option<Instant> {
    last.checked_add(Duration::from_nanos(nanos))
}

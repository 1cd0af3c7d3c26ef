//! Instants as ticks: a division by a number that never changes, as a multiplication.

use core::time::Duration;

use crate::time::{Instant, saturating_nanos};

/// How long a tick is. Tick *k* begins *k* resolutions after [`Instant::ZERO`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticks {
    nanos: u64,
    /// (2⁶⁴ − 1) ÷ `nanos`: the high half of a product with it is the quotient or one less.
    reciprocal: u64,
}

impl Ticks {
    /// Ticks of `resolution`, of at least a nanosecond.
    pub(super) const fn new(resolution: Duration) -> Self {
        let nanos = match saturating_nanos(resolution) {
            0 => 1,
            nanos => nanos,
        };
        Self { nanos, reciprocal: u64::MAX / nanos }
    }

    pub(super) const fn resolution(self) -> Duration {
        Duration::from_nanos(self.nanos)
    }

    /// The tick that `instant` is in.
    pub(super) const fn of(self, instant: Instant) -> u64 {
        let (estimate, rest) = self.estimate(instant.as_nanos());
        estimate + (rest >= self.nanos) as u64
    }

    /// The first tick that does not begin before `instant`.
    pub(super) const fn first_from(self, instant: Instant) -> u64 {
        let (estimate, rest) = self.estimate(instant.as_nanos());
        // Where there is a rest, a tick is longer than a nanosecond, so that one more always fits.
        estimate + (rest > 0) as u64 + (rest > self.nanos) as u64
    }

    /// When `tick` begins: [`Instant::MAX`] where that is later.
    pub(super) const fn start(self, tick: u64) -> Instant {
        Instant::from_nanos(tick.saturating_mul(self.nanos))
    }

    /// The quotient or one less, and what is left.
    const fn estimate(self, nanos: u64) -> (u64, u64) {
        let estimate = ((nanos as u128 * self.reciprocal as u128) >> 64) as u64;
        (estimate, nanos - estimate * self.nanos)
    }
}

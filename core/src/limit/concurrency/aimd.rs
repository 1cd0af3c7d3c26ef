//! One more each round trip, a part less when something was dropped.

use super::bounds::{Bounds, LimitError, is_used};
use super::{ConcurrencyLimit, Sample};
use crate::fixed::Q32;
use crate::time::{Instant, saturating_nanos};
use core::time::Duration;

/// A concurrency limit that grows by one each round trip and shrinks by a factor when a call was dropped: additive
/// increase, multiplicative decrease.
///
/// It needs drops to find the capacity: a server that refuses what is too much, or a [`timeout`](Self::timeout). It grows
/// only while at least three quarters of the limit are out, since a limit that nobody reaches has proved nothing. Many calls
/// that fail together count as one sign: after a decrease, calls that began before it do not bring another, and
/// neither does the time of one more round trip.
///
/// *When not to use it:* towards a server that queues and refuses nothing: [`Vegas`](super::Vegas) and
/// [`Gradient`](super::Gradient) see the queue before it times out.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::limit::{Aimd, Bounds, ConcurrencyLimit, LimitError, Sample};
///
/// let mut limit = Aimd::new(Bounds::new(1, 100)?.initial(10)?);
/// let (now, latency) = (Instant::from_secs(1), Duration::from_millis(5));
/// limit.observe(now, Sample { latency, in_flight: 10, dropped: true });
/// assert_eq!(limit.limit(), 9);
/// // A limit of nothing could never learn that things are better:
/// assert_eq!(Bounds::new(0, 100), Err(LimitError::ZeroMin));
/// # Ok::<(), LimitError>(())
/// ```
///
/// # Complexity
///
/// *O*(1) without division; 80 bytes.
///
/// # Time
///
/// `now` is when the call ended. A `now` earlier than one seen before is taken as that one.
///
/// # Concurrency
///
/// Single owner (`&mut self`).
///
/// # References
///
/// Chiu, Jain: *Analysis of the increase and decrease algorithms for congestion avoidance*, 1989; RFC 5681.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Aimd {
    bounds: Bounds,
    limit: Q32,
    decrease: Q32,
    increase: u32,
    /// Calls that ended well since the limit last grew.
    credit: u32,
    timeout: u64,
    /// A smoothed round trip of calls that ended well; 0 before the first.
    rtt: u64,
    /// When the limit last shrank.
    shrank: Option<Instant>,
    latest: Instant,
}

impl Aimd {
    /// Grows by 1, shrinks to 0.9 of itself, and knows no time-out of its own.
    #[must_use]
    pub const fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            limit: Q32::from_int(bounds.initial),
            decrease: Q32::from_bits(3_865_470_567),
            increase: 1,
            credit: 0,
            timeout: u64::MAX,
            rtt: 0,
            shrank: None,
            latest: Instant::ZERO,
        }
    }

    /// Shrinks to `factor` of itself.
    ///
    /// # Errors
    ///
    /// [`LimitError::Decrease`] unless it is above 0 and below 1.
    pub const fn decrease(mut self, factor: Q32) -> Result<Self, LimitError> {
        if factor.to_bits() == 0 || factor.to_bits() >= Q32::ONE.to_bits() {
            return Err(LimitError::Decrease);
        }
        self.decrease = factor;
        Ok(self)
    }

    /// Grows by `calls` each round trip. With 0 it never grows.
    #[must_use]
    pub const fn increase(mut self, calls: u32) -> Self {
        self.increase = calls;
        self
    }

    /// Takes a call that lasted longer than this as dropped.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = saturating_nanos(timeout);
        self
    }

    fn shrink(&mut self, latency: u64) {
        if let Some(shrank) = self.shrank {
            let began = self.latest.saturating_sub(Duration::from_nanos(latency));
            if began <= shrank || self.latest < shrank.saturating_add(Duration::from_nanos(self.rtt)) {
                return;
            }
        }
        self.limit = self.limit.saturating_mul(self.decrease).max(Q32::from_int(self.bounds.min));
        self.shrank = Some(self.latest);
        self.credit = 0;
    }

    fn grow(&mut self, in_flight: u32) {
        let limit = self.limit();
        if !is_used(in_flight, limit) {
            return;
        }
        self.credit = self.credit.saturating_add(1);
        if self.credit >= limit {
            self.credit = 0;
            let grown = self.limit.saturating_add(Q32::from_int(self.increase));
            self.limit = grown.min(Q32::from_int(self.bounds.max));
        }
    }
}

impl ConcurrencyLimit for Aimd {
    fn limit(&self) -> u32 {
        self.limit.floor()
    }

    fn observe(&mut self, now: Instant, sample: Sample) {
        self.latest = self.latest.max(now);
        let latency = saturating_nanos(sample.latency);
        if sample.dropped || latency > self.timeout {
            self.shrink(latency);
            return;
        }
        self.rtt = if self.rtt == 0 { latency } else { self.rtt - self.rtt / 8 + latency / 8 };
        self.grow(sample.in_flight);
    }
}

//! As many as can be out before latency rises.

use super::bounds::{Bounds, LimitError, is_used};
use super::round::{Meter, Round};
use super::{ConcurrencyLimit, Sample};
use crate::fixed::Q32;
use crate::time::{Instant, saturating_nanos};
use core::time::Duration;

/// A concurrency limit that follows the ratio of the latency without a queue to the latency now.
///
/// Each round of calls gives `gradient = tolerance × base / rtt`, at most 1 and at least ½. While it is 1 the limit grows by
/// √limit (by half while it has not met a queue yet), if at least three quarters of it are out; below 1 the limit shrinks to
/// `limit × gradient`, smoothed. It comes to rest where calls take `tolerance` times as long as without a queue.
///
/// The limit is bounded by the server, not only by its [`Bounds`]: it never grows in a round whose latency is beyond the
/// tolerance, and `base` is measured with half as many calls out (see [`Vegas`](super::Vegas), which measures it in the
/// same way), not averaged from calls at the limit, so a queue that lasts does not become the new normal.
///
/// *When not to use it:* where a call's own cost varies a hundredfold, so that a mean of a round says nothing; use
/// [`Aimd`](super::Aimd) with a time-out.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::fixed::Q32;
/// use divvy::limit::{Bounds, ConcurrencyLimit, Gradient, LimitError, Sample};
///
/// let mut limit = Gradient::new(Bounds::new(1, 1_000)?);
/// let mut now = Instant::ZERO;
/// for _ in 0..200 {
///     now = now.saturating_add(Duration::from_millis(1));
///     let in_flight = limit.limit();
///     limit.observe(now, Sample { latency: Duration::from_millis(10), in_flight, dropped: false });
/// }
/// assert!(limit.limit() > 20, "latency does not rise, so there is room");
/// // With a tolerance of 2 a limit whose half already queues would be content:
/// assert_eq!(Gradient::new(Bounds::new(1, 9)?).tolerance(Q32::from_int(2)), Err(LimitError::Tolerance));
/// # Ok::<(), LimitError>(())
/// ```
///
/// # Complexity
///
/// *O*(1); once a round trip a division in 32 steps and a square root. 144 bytes.
///
/// # Time
///
/// `now` is when the call ended. A `now` earlier than one seen before is taken as that one. While the clock stands still
/// no round ends, and the limit stays.
///
/// # Concurrency
///
/// Single owner (`&mut self`).
///
/// # References
///
/// Netflix concurrency-limits' `Gradient2Limit`, and what its issues and changes say went wrong: #88 (drift), #134 (creep
/// while the gradient is 0.8); Envoy's adaptive concurrency filter, which lowers the limit to measure the base.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Gradient {
    bounds: Bounds,
    limit: Q32,
    tolerance: Q32,
    smoothing: Q32,
    /// Whether the limit still grows by half each round.
    is_starting: bool,
    meter: Meter,
}

impl Gradient {
    /// Tolerates 1.25 times the latency without a queue, goes half of the way down each round, and probes every ten
    /// seconds.
    #[must_use]
    pub const fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            limit: Q32::from_int(bounds.initial),
            tolerance: Q32::from_bits(5 << 30),
            smoothing: Q32::from_bits(1 << 31),
            is_starting: true,
            meter: Meter::new(10_000_000_000),
        }
    }

    /// Calls may take `factor` times as long as without a queue.
    ///
    /// # Errors
    ///
    /// [`LimitError::Tolerance`] unless it is above 1 and at most 1.75: base is measured at half the limit, so from 2 on
    /// a queue of any length would be within it.
    pub const fn tolerance(mut self, factor: Q32) -> Result<Self, LimitError> {
        if factor.to_bits() <= Q32::ONE.to_bits() || factor.to_bits() > 7 << 30 {
            return Err(LimitError::Tolerance);
        }
        self.tolerance = factor;
        Ok(self)
    }

    /// Goes `share` of the way down each round.
    ///
    /// # Errors
    ///
    /// [`LimitError::Smoothing`] unless it is above 0 and at most 1.
    pub const fn smoothing(mut self, share: Q32) -> Result<Self, LimitError> {
        if share.to_bits() == 0 || share.to_bits() > Q32::ONE.to_bits() {
            return Err(LimitError::Smoothing);
        }
        self.smoothing = share;
        Ok(self)
    }

    /// Measures the base anew every so often, and at least 64 round trips apart. Sooner, 16 apart, in the
    /// beginning and when the limit has doubled or fallen by half.
    ///
    /// # Errors
    ///
    /// [`LimitError::ZeroProbe`].
    pub const fn probe_every(mut self, every: Duration) -> Result<Self, LimitError> {
        if every.is_zero() {
            return Err(LimitError::ZeroProbe);
        }
        self.meter = Meter::new(saturating_nanos(every));
        Ok(self)
    }

    /// What a call takes where nothing queues, as last measured; zero before the first round.
    #[must_use]
    pub const fn base(&self) -> Duration {
        Duration::from_nanos(self.meter.base())
    }

    fn adapt(&mut self, round: &Round) {
        // As far down as calls were dropped: a server that refuses what is too much says how much that is, and a single call
        // that timed out by itself says little.
        let gradient = self.gradient(round).min(round.kept).max(HALF);
        let limit = if gradient < Q32::ONE {
            self.is_starting = false;
            let less = self.limit.saturating_mul(Q32::ONE.saturating_sub(gradient));
            self.limit.saturating_sub(less.saturating_mul(self.smoothing))
        } else if is_used(round.most, self.limit.floor()) {
            let limit = self.limit.floor();
            let step = if self.is_starting { limit / 2 } else { limit.isqrt() };
            self.limit.saturating_add(Q32::from_int(step.max(1)))
        } else {
            return;
        };
        self.limit = limit.clamp(Q32::from_int(self.bounds.min), Q32::from_int(self.bounds.max));
    }

    fn gradient(&self, round: &Round) -> Q32 {
        // A quotient that does not fit is far above 1.
        Q32::from_ratio(self.tolerance.mul_int(round.base), round.rtt)
            .unwrap_or(Q32::ONE)
            .clamp(HALF, Q32::ONE)
    }
}

const HALF: Q32 = Q32::from_bits(1 << 31);

impl ConcurrencyLimit for Gradient {
    fn limit(&self) -> u32 {
        self.meter.held().unwrap_or(self.limit.floor())
    }

    fn observe(&mut self, now: Instant, sample: Sample) {
        if let Some(round) = self.meter.observe(now, &sample, self.limit.floor(), self.bounds.min) {
            self.adapt(&round);
        }
    }
}

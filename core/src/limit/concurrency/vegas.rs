//! As many as fill the server, and a few that wait.

use super::bounds::{Bounds, LimitError, is_used};
use super::round::{Meter, Round};
use super::{ConcurrencyLimit, Sample};
use crate::fixed::Q32;
use crate::time::{Instant, saturating_nanos};
use core::time::Duration;

/// A concurrency limit that keeps the queue at the server short: it estimates how many calls wait there, grows while they
/// are few and shrinks when they are many.
///
/// The estimate is Little's law: of `n` calls that are out, `n × (1 − base / rtt)` wait, where `base` is what a call
/// takes where nothing queues. The queue to keep is between half and one and a half times the square root of the limit
/// ([`queue`](Self::queue)), because a round of `n` calls measures its mean latency to within 1/√n, and so the queue to within √n.
///
/// `base` is measured again from time to time ([`probe_every`](Self::probe_every)) with half as many calls out, until a
/// round of them has ended: a base learnt from calls at the limit follows the queue and then permits ever more. In that time,
/// about five round trips, [`limit`](ConcurrencyLimit::limit) is half of what it was. A limit that nobody reaches, and whose calls
/// take no longer than the base, is not halved for that. Where many clients share a server, one client's pause does not
/// empty its queue, so each sees a part of the others' as the base.
///
/// *When not to use it:* where a call's own cost varies a hundredfold, so that a mean of a round says nothing; use
/// [`Aimd`](super::Aimd) with a time-out.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::limit::{Bounds, ConcurrencyLimit, LimitError, Sample, Vegas};
///
/// let mut limit = Vegas::new(Bounds::new(1, 1_000)?);
/// let mut now = Instant::ZERO;
/// for _ in 0..200 {
///     now = now.saturating_add(Duration::from_millis(1));
///     let in_flight = limit.limit();
///     limit.observe(now, Sample { latency: Duration::from_millis(10), in_flight, dropped: false });
/// }
/// assert!(limit.limit() > 20, "latency does not rise, so there is room");
/// // Without a new base the limit could drift for ever:
/// assert_eq!(Vegas::new(Bounds::new(1, 9)?).probe_every(Duration::ZERO), Err(LimitError::ZeroProbe));
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
/// Brakmo, O'Malley, Peterson: *TCP Vegas*, SIGCOMM 1994; the probe as in BBR (Cardwell et al., 2016). Netflix
/// concurrency-limits #165 and #37 (bases that grow too large, and lucky ones that are too small).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Vegas {
    bounds: Bounds,
    limit: u32,
    /// Grow below, shrink above: times the root of the limit.
    alpha: Q32,
    beta: Q32,
    /// Whether the limit still grows by half each round.
    is_starting: bool,
    meter: Meter,
}

impl Vegas {
    /// Keeps a queue of half a root of the limit to one and a half; probes every ten seconds.
    #[must_use]
    pub const fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            limit: bounds.initial,
            alpha: Q32::from_bits(1 << 31),
            beta: Q32::from_bits(3 << 31),
            is_starting: true,
            meter: Meter::new(10_000_000_000),
        }
    }

    /// Grows while fewer than `alpha` × √limit wait, shrinks when more than `beta` × √limit do.
    ///
    /// # Errors
    ///
    /// [`LimitError::Queue`] unless `alpha` is below `beta` and `beta` at most 2¹⁶.
    pub const fn queue(mut self, alpha: Q32, beta: Q32) -> Result<Self, LimitError> {
        if alpha.to_bits() >= beta.to_bits() || beta.to_bits() > Q32::from_int(1 << 16).to_bits() {
            return Err(LimitError::Queue);
        }
        (self.alpha, self.beta) = (alpha, beta);
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
        let Bounds { min, max, .. } = self.bounds;
        if round.dropped {
            self.is_starting = false;
            self.limit = (self.limit - self.limit.div_ceil(8)).max(min);
            return;
        }
        let root = u64::from(self.limit.isqrt());
        let (alpha, beta) = (self.alpha.mul_int(root), self.beta.mul_int(root));
        let out = self.limit.min(round.most);
        let waiting = Q32::from_ratio(round.rtt - round.base.min(round.rtt), round.rtt).unwrap_or(Q32::ZERO);
        let queue = waiting.mul_int(out.into());
        if queue > beta {
            self.is_starting = false;
            // Half of what is too much: the rest shows in the next round.
            let excess = (queue - alpha - (beta - alpha) / 2).div_ceil(2);
            self.limit = out.saturating_sub(u32::try_from(excess).unwrap_or(u32::MAX)).max(min);
        } else if queue < alpha.max(1) && is_used(round.most, self.limit) {
            let step = if self.is_starting { self.limit / 2 } else { self.limit.isqrt() / 2 };
            self.limit = self.limit.saturating_add(step.max(1)).min(max);
        }
    }
}

impl ConcurrencyLimit for Vegas {
    fn limit(&self) -> u32 {
        self.meter.held().unwrap_or(self.limit)
    }

    fn observe(&mut self, now: Instant, sample: Sample) {
        if let Some(round) = self.meter.observe(now, &sample, self.limit, self.bounds.min) {
            self.adapt(&round);
        }
    }
}

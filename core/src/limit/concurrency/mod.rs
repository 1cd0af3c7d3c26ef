//! How many at once: limits that adapt to what the calls tell, and the bulkhead that keeps to one.

mod aimd;
mod bounds;
mod bulkhead;
mod gradient;
mod round;
#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
mod shared;
#[cfg(all(test, not(divvy_loom)))]
#[allow(clippy::float_arithmetic, reason = "means over time and shares of a capacity, compared with bounds")]
mod tests;
mod vegas;

pub use aimd::Aimd;
pub use bounds::{Bounds, LimitError};
pub use bulkhead::{Admission, Bulkhead, BulkheadStats};
pub use gradient::Gradient;
#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
pub use shared::{Permit, SharedBulkhead};
pub use vegas::Vegas;

use crate::time::Instant;
use core::time::Duration;

/// What a call told when it ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Sample {
    /// How long it took.
    pub latency: Duration,
    /// How many calls were out just before it ended, itself included.
    pub in_flight: u32,
    /// Whether it was refused, or given up because it took too long: a sign that there was too much.
    pub dropped: bool,
}

/// How many calls may be out at once, learnt from those that were.
///
/// Each call that ends is told by [`observe`](Self::observe); [`limit`](Self::limit) is what to hold on to from then on, for
/// instance with [`Bulkhead::set_limit`]. The limit is never below the [`Bounds`], so that there is always a call to
/// learn from.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::limit::{Admission, Aimd, Bounds, Bulkhead, ConcurrencyLimit};
/// use divvy::storage::Inline;
///
/// let mut limit = Aimd::new(Bounds::new(1, 64)?.initial(2)?);
/// let mut bulkhead = Bulkhead::<Inline<64>>::new(limit.limit(), Duration::from_secs(5));
/// if let Admission::Yes(lease) = bulkhead.admit(Instant::ZERO) {
///     let now = Instant::from_millis(20);
///     let sample = bulkhead.complete(now, lease).expect("in time");
///     limit.observe(now, sample);
///     bulkhead.set_limit(limit.limit());
/// }
/// # Ok::<(), divvy::limit::LimitError>(())
/// ```
pub trait ConcurrencyLimit {
    /// How many calls may be out at once.
    #[must_use]
    fn limit(&self) -> u32;

    /// Learns from a call that ended at `now`.
    fn observe(&mut self, now: Instant, sample: Sample);
}

//! How often, and how many at once: rates that are never exceeded, limits on what runs at the same time, and what to turn
//! away when there is too much.

mod concurrency;
mod overload;
mod rate;

pub use concurrency::{
    Admission, Aimd, Bounds, Bulkhead, BulkheadStats, ConcurrencyLimit, Gradient, LimitError, Sample, Vegas,
};
#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
pub use concurrency::{Permit, SharedBulkhead};
pub use overload::{
    Codel, CodelError, CodelStats, Criticality, Law, LoadShed, LoadShedError, LoadShedStats, Order, Throttle,
    ThrottleConfig, ThrottleError, ThrottleStats, Verdict,
};
#[cfg(target_has_atomic = "64")]
pub use rate::SharedGcra;
pub use rate::{
    Crowded, Gcra, Hierarchy, Keyed, KeyedStats, LevelError, LevelId, OverBurst, Passage, Quota, QuotaError,
    Refund, Reservation, ReserveError, SlidingLog, WindowError,
};
#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
pub use rate::{Share, SharedGcra32, SplitGcra};

use crate::time::Instant;

/// The answer to "may one more go now?"
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "a cell that was not admitted must not go"]
pub enum Admit {
    /// It may, and has been counted.
    Yes,
    /// It may not; nothing changed.
    No {
        /// From this instant on it may, unless others go first.
        retry_at: Instant,
    },
}

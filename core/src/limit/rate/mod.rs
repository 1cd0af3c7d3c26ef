//! How often.

mod gcra;
mod hierarchy;
mod keyed;
mod log;
mod quota;
#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
mod shared;

pub use gcra::{Gcra, OverBurst, Refund, Reservation, ReserveError};
pub use hierarchy::{Hierarchy, LevelError, LevelId, Passage};
pub use keyed::{Crowded, Keyed, KeyedStats};
pub use log::{SlidingLog, WindowError};
pub use quota::{Quota, QuotaError};
#[cfg(target_has_atomic = "64")]
pub use shared::SharedGcra;
#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
pub use shared::{Share, SharedGcra32, SplitGcra};

//! How often, and how many at once: rates that are never exceeded, limits on what runs at the same time, and what to turn
//! away when there is too much.

mod rate;

pub use rate::{Gcra, OverBurst, Quota, QuotaError, Refund, Reservation, ReserveError};

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

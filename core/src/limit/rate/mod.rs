//! How often.

mod gcra;
mod quota;

pub use gcra::{Gcra, OverBurst, Refund, Reservation, ReserveError};
pub use quota::{Quota, QuotaError};

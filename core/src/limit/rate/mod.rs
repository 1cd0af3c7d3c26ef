//! How often.

mod gcra;
mod quota;

pub use gcra::Gcra;
pub use quota::{Quota, QuotaError};

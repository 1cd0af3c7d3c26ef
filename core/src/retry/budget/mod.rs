//! How much may be sent again, as a share of what was sent once.

mod config;
mod plain;
#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
mod shared;

#[cfg(all(test, divvy_loom))]
mod loom_tests;
#[cfg(all(test, not(divvy_loom)))]
mod tests;

pub use config::{BudgetConfig, BudgetError};
pub use plain::Budget;
#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
pub use shared::SharedBudget;

use crate::time::Instant;

/// Into how many slices the time to live is cut; under loom only as many as it takes to have an older one.
const SLICES: u32 = if cfg!(divvy_loom) { 2 } else { 10 };

/// Whether one more attempt may be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "a refused attempt must not be made"]
pub enum Spend {
    /// It may, and it is paid for.
    Yes,
    /// It may not: too much was sent again already.
    No {
        /// When one would be granted if nothing happened until then; [`Instant::MAX`] if only deposits can help. A
        /// deposit can make it sooner, somebody else's withdrawal later.
        retry_at: Instant,
    },
}

/// What retries and hedges are paid from: a [`Budget`], or a reference to a [`SharedBudget`].
pub trait Withdraw {
    /// Pays for one more attempt, if there is enough.
    fn withdraw(&mut self, now: Instant) -> Spend;
}

impl Withdraw for Budget {
    fn withdraw(&mut self, now: Instant) -> Spend {
        Self::withdraw(self, now)
    }
}

#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
impl Withdraw for &SharedBudget {
    fn withdraw(&mut self, now: Instant) -> Spend {
        SharedBudget::withdraw(self, now)
    }
}

/// What a budget has seen.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct BudgetStats {
    /// How many withdrawals would be granted now.
    pub balance: u32,
    /// First attempts so far.
    pub deposited: u64,
    /// Further attempts granted so far.
    pub withdrawn: u64,
    /// Further attempts refused so far.
    pub refused: u64,
}

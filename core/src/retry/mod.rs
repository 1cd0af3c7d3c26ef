//! Trying again: when, how often, when to give up, and when not to wait for the first try.
//!
//! [`Backoff`] says when the next attempt may be made, [`Budget`] whether there may be one at all (retries and hedges
//! spend the same budget), and [`Hedge`] when a second attempt is worth making while the first one still runs.

mod backoff;
mod budget;
mod hedge;

pub use backoff::{Backoff, BackoffError, Retry};
#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
pub use budget::SharedBudget;
pub use budget::{Budget, BudgetConfig, BudgetError, BudgetStats, Spend, Withdraw};
pub use hedge::{Hedge, HedgeConfig, HedgeError, HedgeStats, HedgeStep, NoHedge};

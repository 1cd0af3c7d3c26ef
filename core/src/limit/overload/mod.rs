//! What to turn away when there is too much: by how long it waited, by what was refused lately, by how much it matters.

mod codel;
mod load_shed;
#[cfg(all(test, not(divvy_loom)))]
mod tests;
mod throttle;

pub use codel::{Codel, CodelError, CodelStats, Law, Order};
pub use load_shed::{Criticality, LoadShed, LoadShedError, LoadShedStats};
pub use throttle::{Throttle, ThrottleConfig, ThrottleError, ThrottleStats};

/// Whether a piece of work is worth doing now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "work that is to be dropped must not be done"]
pub enum Verdict {
    /// Do it.
    Run,
    /// Refuse it now: that costs less than doing it too late.
    Drop,
}

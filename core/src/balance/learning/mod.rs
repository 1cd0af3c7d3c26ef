//! Policies that learn from what calls cost.

mod arms;
mod regression;
mod thompson;
mod ucb;

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "figures are checked against the formulas in floats")]
mod tests;

pub use regression::{Discipline, Fit, Regression};
pub use thompson::Thompson;
pub use ucb::Ucb;

//! What the scenes about protection are made of.

mod breaker;
mod chain;
mod choice;
mod hedging;
mod herd;
mod limiter;

pub use breaker::BreakerSim;
pub use chain::{ChainPlan, ChainSim};
pub use choice::{Coming, Deed};
pub use hedging::HedgingSim;
pub use herd::HerdSim;
pub use limiter::LimiterSim;

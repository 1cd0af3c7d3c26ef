//! What the scenes of the playground are made of.

mod breaker;
mod chain;
mod choice;
mod dispatch;
mod hedging;
mod hot;
mod limiter;
mod number;
mod ring;
mod stealing;
mod told;
mod traffic;

pub use breaker::BreakerSim;
pub use chain::{ChainPlan, ChainSim};
pub use choice::{Coming, Deed, RunTimes, Take, Victim};
pub use dispatch::{DispatchSim, policies};
pub use hedging::HedgingSim;
pub use hot::HotPartition;
pub use limiter::LimiterSim;
pub use ring::{RingPlan, ring_algorithms};
pub use stealing::{ActivityKind, EventKind, Place, StealingSim};
pub use traffic::Traffic;

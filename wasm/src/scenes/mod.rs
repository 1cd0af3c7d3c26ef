//! What the scenes about placing work are made of.

mod choice;
mod dispatch;
mod hot;
mod ring;
mod stealing;
mod told;
mod traffic;

pub use choice::{RunTimes, Take, Victim};
pub use dispatch::{DispatchSim, policies};
pub use hot::HotPartition;
pub use ring::{RingPlan, ring_algorithms};
pub use stealing::{ActivityKind, EventKind, Place, StealingSim};
pub use traffic::Traffic;

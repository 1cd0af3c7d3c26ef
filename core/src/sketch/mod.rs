//! What is learned by watching: summaries of a stream in memory that never grows.

mod histogram;
mod reservoir;
mod space_saving;

pub use histogram::{Histogram, buckets};
pub use reservoir::Reservoir;
pub use space_saving::{HeavyHitter, SpaceSaving};

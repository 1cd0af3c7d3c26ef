//! Kinds of workers: child processes, async tasks, workers that tune themselves, workers that are watched.

mod adaptive;
mod park;
pub mod process;

pub use adaptive::{AdaptiveError, BatchSize, Tuned};
pub use park::ThreadPark;

//! Kinds of workers: child processes, async tasks, workers that tune themselves, workers that are watched.

mod park;
pub mod process;

pub use park::ThreadPark;

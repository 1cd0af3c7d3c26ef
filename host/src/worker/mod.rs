//! Kinds of workers: child processes, async tasks, workers that tune themselves, workers that are watched.

mod park;

pub use park::ThreadPark;

//! Kinds of workers: child processes, async tasks, workers that tune themselves, workers that are watched.

mod adaptive;
mod monitored;
mod park;
pub mod process;
mod tasks;

pub use adaptive::{AdaptiveError, BatchSize, Tuned};
pub use monitored::{Health, MonitorConfig, MonitorError, MonitoredWorkers, Pulse, Replaced, WorkerReport};
pub use park::ThreadPark;
pub use tasks::AsyncWorkers;

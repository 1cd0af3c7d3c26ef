//! What is learned by watching: summaries of a stream in memory that never grows.

mod histogram;

pub use histogram::{Histogram, buckets};

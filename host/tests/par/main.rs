//! The parallel loops, sorts and map-reduce of `divvy_host::pool`, against what the standard library does in one thread.

mod bed;
mod drops;
mod examples;
mod iterators;
mod loops;
mod map_reduce;
mod panics;
mod sort;

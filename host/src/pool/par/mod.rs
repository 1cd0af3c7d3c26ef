//! Loops over slices and ranges, sorting and map-reduce on a [`Pool`](super::Pool).
//!
//! ```text
//! for_each, map, reduce   what a loop does with a block (`Body`)
//!      │
//! drive                   who runs which block: Static, Dynamic, Guided, Adaptive
//!      │        ╲
//! items, collect  grain   what there is to run over; how long a block should be
//! ```
//!
//! `sort` and `map_reduce` fork by themselves.

mod batches;
mod chunking;
mod collect;
mod drive;
mod grain;
mod items;
mod loops;
mod map_reduce;
mod sort;

pub use chunking::Chunking;
pub use items::Items;
pub use loops::Chunked;

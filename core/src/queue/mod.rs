//! Work that waits: between threads ([`Mpmc`], [`Spsc`]), in a worker's own hands ([`Deque`]), or in order of
//! importance.
//!
//! | | who puts in | who takes out | order |
//! |---|---|---|---|
//! | [`Mpmc`] | anyone | anyone | first in, first out |
//! | [`Spsc`] | one producer | one consumer | first in, first out |
//! | [`Deque`] | its owner | its owner, and thieves from the old end | owner: last in or first in, first out; thieves: oldest first |
//! | [`PriorityQueue`] | its owner | its owner | the highest level first, and waiting raises it |
//! | [`TimerWheel`] | its owner | its owner | when their time has come, the earliest tick first |
//!
//! [`Mpmc`], [`Spsc`] and [`Deque`] are shared by reference and need compare-and-swap. Where a target has none (`thumbv6m`,
//! `riscv32imc`), they are absent unless feature `portable-atomic` or `critical-section` supplies it.

use core::fmt;

#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
pub mod deque;
#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
pub mod mpmc;
pub mod priority;
#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
pub mod spsc;
pub mod timer_wheel;

#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
pub use deque::{Deque, Fifo, Lifo, Sharing, Steal, Stealer, Worker};
#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
pub use mpmc::Mpmc;
pub use priority::PriorityQueue;
#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
pub use spsc::Spsc;
pub use timer_wheel::TimerWheel;

/// A capacity that the structure cannot have. Nothing was allocated.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CapacityError {
    /// It holds nothing. Remedy: at least 1.
    Zero,
    /// Positions wrap around, so the capacity must divide their range. Remedy: the next power of two.
    NotPowerOfTwo,
    /// Positions would not tell a full structure from an empty one. Remedy: at most `max`.
    TooLarge {
        /// The largest capacity there is.
        max: u32,
    },
}

impl fmt::Display for CapacityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero => f.write_str("the capacity is zero; choose at least 1"),
            Self::NotPowerOfTwo => f.write_str("the capacity is not a power of two; choose the next one"),
            Self::TooLarge { max } => write!(f, "the capacity is too large; choose at most {max}"),
        }
    }
}

impl core::error::Error for CapacityError {}

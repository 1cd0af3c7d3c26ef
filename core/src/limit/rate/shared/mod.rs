//! One rate for many threads, cores and interrupt handlers.
//!
//! | | word | exact to | when |
//! |---|---|---|---|
//! | [`SharedGcra`] | 64 bits | a nanosecond, fractions carried | the target has 64-bit atomics |
//! | [`SharedGcra32`] | 32 bits | 8 ns, or 2⁻²⁸ of the burst's time | 32-bit chips |
//! | [`SplitGcra`] | 32 bits and none | as [`SharedGcra32`] | many admissions from several cores, and a burst to share |

mod limiter;
mod narrow;
mod split;
mod state;
mod ticks;
#[cfg(target_has_atomic = "64")]
mod wide;

#[cfg(all(test, divvy_loom))]
mod loom_tests;
#[cfg(all(test, not(divvy_loom)))]
mod tests;

pub use narrow::SharedGcra32;
pub use split::{Share, SplitGcra};
#[cfg(target_has_atomic = "64")]
pub use wide::SharedGcra;

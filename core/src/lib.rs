//! Work distribution that gives the same answers everywhere: on a microcontroller, in a browser, on a server's
//! threads and across a cluster.
//!
//! # The contract
//!
//! * **Time and chance are arguments.** What depends on time takes `now: Instant`, what depends on chance takes
//!   `rng: &mut impl Rng`. The core never reads a clock, a thread id or the environment. A clock that goes back is
//!   taken as not having moved: never a panic, never a refund.
//! * **Capacity is fixed at construction.** [`storage::Inline`] keeps everything in the value itself (`const fn new`,
//!   fits a `static`); with feature `alloc`, [`storage::Heap`] allocates once and never grows. Full is an answer, and
//!   the caller gets the item back.
//! * **The same answer everywhere.** Integers and fixed point only, nothing of a platform's word size in what is
//!   hashed or stored, one hash function with a published specification. The same seed and the same events give the
//!   same decisions, bit for bit.
//! * **Outcomes are types.** What is expected is an enum that must be used; what is wrong is a small error value that
//!   says the cause, the remedy and whether state changed.
//!
//! # The floors
//!
//! A piece of work is cut ([`partition`]), has a place ([`ring`]) or is given to whoever fits ([`balance`]), may go now or
//! later ([`breaker`], [`limit`], [`retry`]), is held ([`queue`], [`graph`]) and is run ([`sched`]). [`sketch`] is what is
//! learned by watching. All of them stand on the ground floor: [`time`], [`rng`], [`hash`], [`fixed`], [`storage`], `sync`,
//! [`lease`]. [`sim`] runs them on a virtual clock.
//!
//! # Features
//!
//! None by default. `alloc`: [`storage::Heap`], and the rings and policies that are chosen by name at run time. `defmt`: formatting on a microcontroller. `portable-atomic` and
//! `critical-section`: the shared queues on targets without compare-and-swap. `rand_core-0_10`: that crate's
//! generators as [`Rng`].
#![no_std]
#![deny(
    clippy::alloc_instead_of_core,
    clippy::float_arithmetic,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core
)]
// Tests run on a host and compare with its collections.
#![cfg_attr(test, allow(clippy::disallowed_types, clippy::std_instead_of_alloc, clippy::std_instead_of_core))]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod balance;
pub mod breaker;
pub mod fixed;
pub mod graph;
pub mod hash;
mod heap;
pub mod lease;
pub mod limit;
pub mod partition;
pub mod queue;
pub mod retry;
pub mod ring;
pub mod rng;
pub mod sched;
pub mod sim;
pub mod sketch;
pub mod storage;
#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
mod sync;
pub mod time;

/// The README's example is compiled and run like any other.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}

pub use rng::Rng;
pub use time::Instant;

//! Scenarios that every target must answer alike, and the scoreboard of divvy's quality figures.
//!
//! A [`Scenario`] drives one part of the core from a seed and feeds every decision to a [`Digest`]. What it must come
//! to is written in `tests/golden/digests.txt`. The host, the browser and both microcontroller boards call [`verify`]
//! and print its verdicts; the good ones must be the same lines on each of them:
//!
//! ```
//! let good = divvy_tests::verify("host", 0, &mut |verdict| println!("{verdict}"));
//! assert!(good, "a scenario came to another digest than the committed one");
//! ```
//!
//! Nothing here allocates, and no scenario takes more than [`STACK`] bytes of stack, so that a microcontroller's core
//! can run all of them; the boards measure it. `cargo run -p divvy-tests --example digests` prints the host's lines;
//! with `-- --bless` it rewrites the golden file, whose difference is then the review.
#![no_std]

mod digest;
mod golden;
mod scenarios;
mod verdict;

pub use digest::Digest;
pub use golden::golden;
pub use scenarios::{ALL, Scenario};
pub use verdict::{Verdict, verify};

/// The most bytes of stack that a scenario may take on a microcontroller.
pub const STACK: u32 = 4096;

//! divvy on two boards, both in QEMU: a dual Cortex-M33 (`mps2-an521`) and four RV32 harts (`virt`).
//!
//! Both run the same demo. The cores share a word count: core 0 makes all the tasks, and the others steal from it
//! through [`divvy::sched`]. What they come to is compared with what core 0 counts alone and with what the host counts.
//! Then each core runs tasks with deadlines, which were admitted before, by the board's timer.
//! Then they call a flaky device together, through one breaker and one limiter that must keep what they promise. Then
//! every core runs the scenarios of `divvy-tests`, and each digest must be the committed one. The exit code of QEMU says
//! whether all agreed.
//!
//! | | |
//! |---|---|
//! | [`words`], [`table`], [`wordcount`] | the word count, which knows of no cores |
//! | [`picks`] | what a pick costs, policy by policy |
//! | [`device`] | the flaky device, what stands before it, and who sees whether the promises are kept |
//! | [`team`], [`barrier`] | the cores that share it; threads can be cores too, and are in the tests |
//! | [`realtime`] | tasks with deadlines on every core: admission, a run, the account of it |
//! | [`costs`] | what a push, a pop, a steal, a wake-up and a deadline cost |
//! | [`machine`] | what all this needs of a machine |
//! | `demo` | what every core runs, and the log |
//! | `boards` | what differs: boot, lock, timer, waiting; the only unsafe code |
//! | `launch` | what a board's binary is when it is built for this machine |
//!
//! Nothing allocates: the targets' `alloc` is not even built.
#![cfg_attr(not(test), no_std)]

pub mod barrier;
#[cfg(target_os = "none")]
mod boards;
pub mod costs;
#[cfg(target_os = "none")]
mod demo;
pub mod device;
#[cfg(not(target_os = "none"))]
pub mod launch;
pub mod machine;
pub mod picks;
pub mod realtime;
pub mod table;
pub mod team;
pub mod wordcount;
pub mod words;

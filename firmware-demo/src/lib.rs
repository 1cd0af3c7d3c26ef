//! divvy on two boards, both in QEMU: a dual Cortex-M33 (`mps2-an521`) and four RV32 harts (`virt`).
#![cfg_attr(not(test), no_std)]

#[cfg(target_os = "none")]
mod boards;
#[cfg(target_os = "none")]
mod demo;
pub mod barrier;
pub mod table;
pub mod team;
pub mod wordcount;
pub mod words;

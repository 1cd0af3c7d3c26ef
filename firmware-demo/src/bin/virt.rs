//! The `virt` board. Built for this machine, its launcher.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
use divvy_firmware as _;

#[cfg(not(target_os = "none"))]
fn main() {}

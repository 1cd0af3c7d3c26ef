//! The firmware for both Cortex-M33 cores of QEMU's `mps2-an521`. Built for this machine, its launcher.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
use divvy_firmware as _;

#[cfg(all(target_os = "none", not(target_arch = "arm")))]
compile_error!(
    "this target is another board's; `cargo xtask firmware --board mps2-an521` builds this one for its own"
);

#[cfg(not(target_os = "none"))]
fn main() -> std::process::ExitCode {
    divvy_firmware::launch::launch("mps2-an521")
}

//! The firmware for the four RV32 harts of QEMU's `virt`. Built for this machine, its launcher.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
use divvy_firmware as _;

#[cfg(all(target_os = "none", not(target_arch = "riscv32")))]
compile_error!(
    "this target is another board's; `cargo xtask firmware --board virt` builds this one for its own"
);

#[cfg(not(target_os = "none"))]
fn main() -> std::process::ExitCode {
    divvy_firmware::launch::launch("virt")
}

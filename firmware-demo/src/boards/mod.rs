//! The boards. The one that is built for is `board` to the rest of the firmware, and each has the same names in it:
//!
//! | name | what it is |
//! |---|---|
//! | `NAME`, `CPU`, `CORES` | how the log calls it; how many cores it has |
//! | `core()` | which core is asking |
//! | `start_others()` | lets the other cores out of reset, or out of their waiting room: till then they execute nothing |
//! | `ticks()`, `TICKS_PER_MILLISECOND` | the board's timer, the same for all cores; it wraps |
//! | `wait()` | this core has nothing to do until it is woken; may return early |
//! | `wait_until(tick)` | this core has nothing to do until the timer has counted so far; may return early |
//! | `wake(core)` | ends that core's `wait`, or its next one |
//! | `turn()` | lets the other cores go on where they take turns, that is, while QEMU counts instructions |
//! | `takes_turns()` | whether they do; known once the others have started |
//! | `mask_interrupts()`, `restore_interrupts()` | for the lock |
//! | `stack()` | where this core's stack is |

// The logger behind every `defmt::info!`.
use defmt_semihosting as _;

mod lock;
pub(crate) mod stack;

#[cfg(target_arch = "arm")]
pub(crate) mod mps2_an521;
#[cfg(target_arch = "arm")]
pub(crate) use mps2_an521 as board;

#[cfg(target_arch = "riscv32")]
pub(crate) mod virt;
#[cfg(target_arch = "riscv32")]
pub(crate) use virt as board;

/// A panic on any core ends the run: exit code 101, as a panicking process has on a host.
///
/// The message goes through defmt unless this very core panicked while it was logging.
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    if !lock::is_mine() {
        defmt::error!("core {=usize} panicked: {}", board::core(), defmt::Display2Format(info));
    }
    semihosting::process::exit(101)
}

/// Whether QEMU counts instructions (`DIVVY_ICOUNT=1 ./qemu.sh`), so that the cores take turns of equal length.
pub(crate) fn is_counted() -> bool {
    semihosting::experimental::env::args::<128>().is_ok_and(|args| (&args).any(|arg| arg == Ok("icount")))
}

//! What both boards run.

use crate::boards::{board, stack};
use core::sync::atomic::{AtomicU32, Ordering};

static TURN: AtomicU32 = AtomicU32::new(0);
static FAILED: AtomicU32 = AtomicU32::new(0);

/// Runs on every core.
pub(crate) fn run() -> ! {
    stack::paint();
    let core = board::core();
    if core == 0 {
        defmt::info!("divvy on {=str}: {=usize} x {=str}", board::NAME, board::CORES, board::CPU);
        board::start_others();
    }
    while TURN.load(Ordering::Acquire) != core as u32 {
        board::wait();
    }
    let good = divvy_tests::verify(board::NAME, core as u32, &mut |v| {
        defmt::info!("{}", defmt::Display2Format(v));
    });
    let (used, size) = stack::used();
    defmt::info!("core {=usize} stack {=usize} of {=usize} time {=u32}", core, used, size, board::micros());
    if !good {
        FAILED.fetch_add(1, Ordering::Relaxed);
    }
    TURN.fetch_add(1, Ordering::AcqRel);
    board::wake();
    while TURN.load(Ordering::Acquire) != board::CORES as u32 {
        board::wait();
    }
    if core == 0 {
        semihosting::process::exit(FAILED.load(Ordering::Relaxed) as i32);
    }
    loop {
        board::wait();
    }
}

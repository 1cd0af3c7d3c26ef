//! What `cargo xtask test --only tsan` tries ThreadSanitizer on before it believes it: a cell handed over through a queue,
//! of which it must say nothing, and one handed over through a flag that orders nothing, which it must report.
#![allow(unsafe_code, reason = "a data race takes it")]

use std::cell::UnsafeCell;
use std::hint;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use divvy::queue::Mpmc;
use divvy::storage::Inline;

struct Shared(UnsafeCell<u32>);

// SAFETY: of `ORDERED`, the queue orders the two accesses. Those of `RACED` race, which is undefined behaviour, on purpose:
// on every machine that there is, the program reads one of the two values.
unsafe impl Sync for Shared {}

static ORDERED: Shared = Shared(UnsafeCell::new(0));
static RACED: Shared = Shared(UnsafeCell::new(0));

fn main() {
    // Threads that are joined are ordered by that: both looks are before the end of the scope.
    static QUEUE: Mpmc<u32, Inline<2>> = Mpmc::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            set(&ORDERED);
            QUEUE.push(1)
        });
        while QUEUE.pop().is_none() {
            hint::spin_loop();
        }
        eprintln!("ordered {}", get(&ORDERED));
    });

    static FLAG: AtomicBool = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            set(&RACED);
            // The mistake: it orders nothing. It would have to be Release and Acquire.
            FLAG.store(true, Ordering::Relaxed);
        });
        while !FLAG.load(Ordering::Relaxed) {
            hint::spin_loop();
        }
        eprintln!("raced {}", get(&RACED));
    });
}

#[inline(never)]
fn set(shared: &Shared) {
    // SAFETY: see `Shared`.
    unsafe { *shared.0.get() = 1 };
}

#[inline(never)]
fn get(shared: &Shared) -> u32 {
    // SAFETY: see `Shared`.
    unsafe { *shared.0.get() }
}

//! What `cargo xtask test --only tsan` tries ThreadSanitizer on before it believes it: a cell handed over through a queue,
//! of which it must say nothing, and one handed over through a flag that orders nothing, which it must report.
#![allow(unsafe_code, reason = "a data race takes it")]

use std::cell::UnsafeCell;
use std::hint;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use divvy::queue::Mpmc;
use divvy::storage::Inline;

struct Shared(UnsafeCell<u32>);

// SAFETY: of `ORDERED`, the queue orders the two accesses. Those of `RACED` race, which is undefined behaviour, on purpose:
// on every machine that there is, the program reads one of two values.
unsafe impl Sync for Shared {}

static ORDERED: Shared = Shared(UnsafeCell::new(0));
/// Several, as a report is not certain of each.
static RACED: [Shared; 8] = [const { Shared(UnsafeCell::new(0)) }; 8];

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

    static HANDED_OVER: AtomicUsize = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            for (at, shared) in RACED.iter().enumerate() {
                set(shared);
                // The mistake: it orders nothing. It would have to be Release and Acquire.
                HANDED_OVER.store(at + 1, Ordering::Relaxed);
                // Of a thread that did much since, or has ended, ThreadSanitizer forgets where it wrote, and is silent.
                thread::sleep(Duration::from_millis(20));
            }
        });
        let mut sum = 0;
        for (at, shared) in RACED.iter().enumerate() {
            while HANDED_OVER.load(Ordering::Relaxed) <= at {
                hint::spin_loop();
            }
            sum += get(shared);
        }
        eprintln!("raced {sum}");
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

//! What the tests stand on.

use divvy_host::pool::{Chunking, Policy, Pool};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

/// Pools of 1, 2, 3 and 8 threads with either policy, built once.
pub(crate) fn pools() -> &'static [Pool] {
    static POOLS: OnceLock<Vec<Pool>> = OnceLock::new();
    POOLS.get_or_init(|| {
        [
            (1, Policy::Heartbeat),
            (2, Policy::Heartbeat),
            (3, Policy::Eager),
            (8, Policy::Heartbeat),
            (8, Policy::Eager),
        ]
        .map(|(threads, policy)| Pool::builder().threads(threads).policy(policy).build().unwrap())
        .into()
    })
}

/// Every kind of chunking, with sizes that are odd, too large and none.
pub(crate) const CHUNKINGS: [Chunking; 9] = [
    Chunking::Static,
    Chunking::Dynamic { size: 0 },
    Chunking::Dynamic { size: 1 },
    Chunking::Dynamic { size: 7 },
    Chunking::Dynamic { size: usize::MAX },
    Chunking::Guided { min: 0 },
    Chunking::Guided { min: 3 },
    Chunking::Guided { min: usize::MAX },
    Chunking::Adaptive,
];

/// Every pool with every kind of chunking.
pub(crate) fn everywhere() -> impl Iterator<Item = (&'static Pool, Chunking)> {
    pools().iter().flat_map(|pool| CHUNKINGS.iter().map(move |chunking| (pool, *chunking)))
}

/// Something that takes a few microseconds, so that short lists are worth sharing too.
pub(crate) fn work(rounds: u64) -> u64 {
    (0..rounds).fold(1, |state, n| std::hint::black_box(state ^ n).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

/// Counts how many of its kind are alive.
#[derive(Debug)]
pub(crate) struct Counted<'a> {
    alive: &'a AtomicI64,
    pub(crate) value: u64,
}

impl<'a> Counted<'a> {
    pub(crate) fn new(alive: &'a AtomicI64, value: u64) -> Self {
        alive.fetch_add(1, Ordering::Relaxed);
        Self { alive, value }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The text that `call` panicked with.
pub(crate) fn panic_of<R>(call: impl FnOnce() -> R) -> &'static str {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(_) => panic!("it did not panic"),
        Err(panic) => panic.downcast_ref::<&str>().expect("the panic of the test"),
    }
}

/// Panics without the message that the hook would print.
pub(crate) fn give_up() -> ! {
    std::panic::resume_unwind(Box::new("given up"))
}

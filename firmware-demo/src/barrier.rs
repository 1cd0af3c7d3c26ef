//! Where the cores meet between two parts of the demo.

use crate::team::Machine;
use core::sync::atomic::{AtomicU32, Ordering};

/// Holds each of `CORES` cores until all of them have come; then it is ready for the next time.
#[derive(Debug)]
pub struct Barrier<const CORES: usize> {
    arrivals: AtomicU32,
}

impl<const CORES: usize> Barrier<CORES> {
    /// Nobody has come yet.
    pub const fn new() -> Self {
        Self { arrivals: AtomicU32::new(0) }
    }

    /// Waits for the others. What any core did before is seen by all of them after.
    pub fn meet(&self, machine: &impl Machine) {
        // Ordering: release publishes what this core did, acquire below shows what the others did.
        let mine = self.arrivals.fetch_add(1, Ordering::AcqRel);
        let all = (mine / CORES as u32 + 1).wrapping_mul(CORES as u32);
        if mine + 1 == all {
            for core in 0..CORES {
                machine.wake(core as u32);
            }
        }
        while self.arrivals.load(Ordering::Acquire) < all {
            machine.wait();
        }
    }
}

impl<const CORES: usize> Default for Barrier<CORES> {
    fn default() -> Self {
        Self::new()
    }
}

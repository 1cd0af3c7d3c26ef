//! Where the cores meet between two parts of the demo.

use core::sync::atomic::{AtomicU32, Ordering};
use divvy::sched::Park;

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

    /// Waits for the others as core `core`. What any core did before is seen by all of them after.
    pub fn meet(&self, core: usize, park: &impl Park) {
        // Ordering: release publishes what this core did, acquire below shows what the others did.
        let mine = self.arrivals.fetch_add(1, Ordering::AcqRel);
        let all = (mine / CORES as u32 + 1).wrapping_mul(CORES as u32);
        if mine + 1 == all {
            for other in 0..CORES {
                park.unpark(other as u32);
            }
        }
        while self.arrivals.load(Ordering::Acquire) < all {
            park.park(core as u32);
        }
    }
}

impl<const CORES: usize> Default for Barrier<CORES> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    /// Waits by letting others run.
    struct Yielding;

    impl Park for Yielding {
        fn park(&self, _core: u32) {
            thread::yield_now();
        }

        fn unpark(&self, _core: u32) {}
    }

    #[test]
    fn nobody_goes_on_before_all_have_come_time_after_time() {
        const CORES: usize = 3;
        const ROUNDS: u32 = 200;
        let barrier = Barrier::<CORES>::new();
        let come = [const { AtomicU32::new(0) }; CORES];
        thread::scope(|scope| {
            for core in 0..CORES {
                let (barrier, come) = (&barrier, &come);
                scope.spawn(move || {
                    for round in 1..=ROUNDS {
                        come[core].store(round, Ordering::Relaxed);
                        barrier.meet(core, &Yielding);
                        for other in come {
                            let other = other.load(Ordering::Relaxed);
                            // Another core may be in the next round already, but not through it.
                            assert!(other == round || other == round + 1, "{other} in round {round}");
                        }
                    }
                });
            }
        });
    }
}

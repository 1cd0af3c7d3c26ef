//! How a worker sleeps: by a token in the shared memory.

use std::sync::{Condvar, Mutex, PoisonError};

use divvy::sched::Park;

/// A token for each worker, which an unpark leaves and a park takes. The standard library waits for it by
/// `memory.atomic.wait32` and ends the wait by `memory.atomic.notify`, so a worker that sleeps costs nothing; the thread
/// that draws a page must not wait.
#[derive(Debug)]
pub(super) struct Tokens(Vec<(Mutex<bool>, Condvar)>);

impl Tokens {
    pub(super) fn new(workers: u32) -> Self {
        Self((0..workers).map(|_| (Mutex::new(false), Condvar::new())).collect())
    }
}

impl Park for Tokens {
    fn park(&self, worker: u32) {
        let Some((token, left)) = self.0.get(worker as usize) else { return };
        // A flag has no state in between that a panic could leave it in.
        let mut there = token.lock().unwrap_or_else(PoisonError::into_inner);
        while !*there {
            there = left.wait(there).unwrap_or_else(PoisonError::into_inner);
        }
        *there = false;
    }

    fn unpark(&self, worker: u32) {
        let Some((token, left)) = self.0.get(worker as usize) else { return };
        *token.lock().unwrap_or_else(PoisonError::into_inner) = true;
        left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_was_left_ends_the_next_park_and_several_are_one() {
        let tokens = Tokens::new(2);
        tokens.unpark(0);
        tokens.unpark(0);
        tokens.park(0);
        std::thread::scope(|scope| {
            let parked = scope.spawn(|| tokens.park(0));
            assert!(!parked.is_finished(), "the second token was the first");
            tokens.unpark(1);
            tokens.unpark(0);
        });
        tokens.park(1);
        tokens.unpark(7);
        tokens.park(7);
    }
}

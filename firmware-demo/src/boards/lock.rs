//! The critical section of a board with several cores, which defmt's logger needs.
//!
//! Masking interrupts keeps out this core's handlers, a spin lock the other cores. It nests: the core that has the
//! lock may take it again, and only the outermost release opens it.
#![allow(unsafe_code)]

use super::board;
use core::hint::spin_loop;
use core::sync::atomic::{AtomicU8, Ordering};
use critical_section::RawRestoreState;

const FREE: u8 = 0;
/// The core that holds the lock, plus one.
static OWNER: AtomicU8 = AtomicU8::new(FREE);

const WERE_ENABLED: u8 = 1;
const NESTED: u8 = 2;

fn me() -> u8 {
    board::core() as u8 + 1
}

/// Whether this core is inside the critical section.
pub(super) fn is_mine() -> bool {
    // Ordering: only this core ever stores its own number, so what it reads of it is its own last store.
    OWNER.load(Ordering::Relaxed) == me()
}

struct Lock;
critical_section::set_impl!(Lock);

// SAFETY: `acquire` returns only after this core alone changed `OWNER` from free to itself (or held it already), with
// its interrupts masked; no other core gets past the compare-and-exchange until the outermost `release`.
unsafe impl critical_section::Impl for Lock {
    unsafe fn acquire() -> RawRestoreState {
        let enabled = if board::mask_interrupts() { WERE_ENABLED } else { 0 };
        if is_mine() {
            return enabled | NESTED;
        }
        // Ordering: acquire, so that what the last owner wrote under the lock is seen under it here.
        while OWNER.compare_exchange_weak(FREE, me(), Ordering::Acquire, Ordering::Relaxed).is_err() {
            spin_loop();
        }
        enabled
    }

    unsafe fn release(state: RawRestoreState) {
        if state & NESTED == 0 {
            // Ordering: release, the other half of the acquire above.
            OWNER.store(FREE, Ordering::Release);
        }
        if state & WERE_ENABLED != 0 {
            // SAFETY: they were enabled when this section began, and the lock is no longer held by it.
            unsafe { board::restore_interrupts() };
        }
    }
}

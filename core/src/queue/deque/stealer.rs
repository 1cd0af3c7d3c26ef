//! The thieves' end.

use core::fmt;

use super::front::Front;
use super::worker::Order;
use super::{ASKED, Deque, OWNED, Steal, Worker};
use crate::storage::Storage;
use crate::sync::{Ordering, hint};

/// The thieves' end of a [`Deque`]; any number of them, on any thread.
pub struct Stealer<'a, T, S: Storage> {
    pub(super) deque: &'a Deque<T, S>,
}

/// How long a thief in whose way the owner was does nothing: about as long as it takes the word to come over from another
/// core a few times.
const PAUSE: u32 = if cfg!(divvy_loom) { 0 } else { 64 };

impl<T, S: Storage> Stealer<'_, T, S> {
    /// Takes the oldest item that is shared.
    pub fn steal_one(&self) -> Steal<T> {
        match self.book(|_| 1) {
            Steal::Success((position, _)) => {
                // SAFETY: booked just now, and moved out once.
                let item = unsafe { self.deque.take(position) };
                self.leave();
                Steal::Success(item)
            }
            Steal::Empty => Steal::Empty,
            Steal::Retry => Steal::Retry,
        }
    }

    /// Takes half of the items that are shared, rounded up, in one booking: the oldest is the answer, the others are
    /// pushed to `dest` in their order, and the answer says how many those were. Takes fewer where `dest` lacks room,
    /// but never none for that reason.
    ///
    /// A worker that steals from its own deque moves its oldest items to its newest end.
    pub fn steal_half<D: Storage, O: Order>(&self, dest: &Worker<'_, T, D, O>) -> Steal<(T, u32)> {
        self.steal_into(dest, |available| available.div_ceil(2))
    }

    /// Takes up to `size` of the items that are shared, as [`steal_half`](Self::steal_half) takes half of them; 0 counts
    /// as 1.
    pub fn steal_block<D: Storage, O: Order>(
        &self,
        dest: &Worker<'_, T, D, O>,
        size: u32,
    ) -> Steal<(T, u32)> {
        self.steal_into(dest, |_| size)
    }

    fn steal_into<D: Storage, O: Order>(
        &self,
        dest: &Worker<'_, T, D, O>,
        count: impl FnOnce(u32) -> u32,
    ) -> Steal<(T, u32)> {
        // Only the owner of `dest` fills it, and that is the caller: the room can only grow meanwhile.
        let room = dest.room();
        match self.book(|available| count(available).min(room + 1)) {
            Steal::Success((position, count)) => {
                // SAFETY: booked just now, and moved out once.
                let item = unsafe { self.deque.take(position) };
                // SAFETY: each is booked and moved out once, and there is room for what was booked less one.
                unsafe { dest.extend(count - 1, |i| self.deque.take(position + 1 + i)) };
                self.leave();
                Steal::Success((item, count - 1))
            }
            Steal::Empty => Steal::Empty,
            Steal::Retry => Steal::Retry,
        }
    }

    /// About how many items are shared: what the owner and other thieves do meanwhile may or may not be in it.
    pub fn len(&self) -> usize {
        let (shared, _) = self.deque.shared_now(Ordering::Acquire);
        let len = shared as usize;
        // What happens between two loads can make the difference negative: it is then empty, or nearly.
        if len > self.deque.capacity() { 0 } else { len }
    }

    /// Whether nothing was shared at some moment during this call. Unlike an attempt to steal, it asks for nothing.
    pub fn is_empty(&self) -> bool {
        let (shared, _) = self.deque.shared_now(Ordering::Acquire);
        shared == 0
    }

    /// Books items for a thief: steps 1 to 3 of the module's documentation. Answers the first position and the count,
    /// which is what `count` makes of the number of items there are: at least 1, and no more than that.
    pub(super) fn book(&self, count: impl FnOnce(u32) -> u32) -> Steal<(u32, u32)> {
        let deque = self.deque;
        // Ordering: Acquire pairs with the Release of the owner that took something: what was shared before is seen.
        let (shared, seen) = deque.shared_now(Ordering::Acquire);
        if shared == 0 {
            self.ask();
            return Steal::Empty;
        }
        if seen.has_thief() {
            return Steal::Retry;
        }
        let locked = seen.locked();
        // Ordering: Acquire as above, and it pairs with the Release of the thief before, whose reads are over.
        // A refusal carries nothing.
        if deque.front.compare_exchange(seen.0, locked.0, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return Steal::Retry;
        }
        // Ordering: Acquire pairs with the Release of `share`: the items are seen.
        let available = locked.len(deque.shared.load(Ordering::Acquire));
        if available > 0 {
            // If the owner took something since, `available` may be anything; the compare-and-swap then fails.
            let count = count(available).clamp(1, available);
            // Ordering: Release, for an owner that sees this instead of what the thief before wrote: that thief is done.
            deque.from.store(locked.head(), Ordering::Release);
            // Ordering: Release: an owner that sees this (Acquire) sees `from`.
            let booked = deque.front.compare_exchange(
                locked.0,
                locked.booked(count).0,
                Ordering::Release,
                Ordering::Relaxed,
            );
            if booked.is_ok() {
                return Steal::Success((locked.head(), count));
            }
        }
        self.leave();
        // The owner is at work: let it have the word for a while, lest each of its pops wait for it.
        for _ in 0..PAUSE {
            hint::spin_loop();
        }
        Steal::Retry
    }

    /// Lets other thieves in, and gives the slots that were booked back to the owner.
    pub(super) fn leave(&self) {
        // Ordering: Release: the reads of the slots are over before the owner (Acquire) writes them, and before the
        // next thief (Acquire) goes on.
        self.deque.front.fetch_and(Front::WITHOUT_THIEF, Ordering::Release);
    }

    /// Asks the owner, if there is one, to share what it keeps to itself.
    fn ask(&self) {
        // Ordering: Relaxed, the request carries nothing. A read-modify-write, lest it undo a change of the owner; only
        // where nobody has asked before, so that thieves in vain do not fight for the word.
        let owner = &self.deque.owner;
        if owner.load(Ordering::Relaxed) == OWNED {
            let _ = owner.compare_exchange(OWNED, ASKED, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

impl<T, S: Storage> Clone for Stealer<'_, T, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, S: Storage> Copy for Stealer<'_, T, S> {}

impl<T, S: Storage> fmt::Debug for Stealer<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stealer").field("is_empty", &self.is_empty()).finish()
    }
}

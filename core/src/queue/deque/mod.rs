//! A bounded work-stealing deque.
//!
//! # How it works
//!
//! Items lie between a head and a tail, in two parts. The older ones, from the head to the split, are *shared*: thieves
//! take from their old end. The newer ones, from the split to the tail, are the owner's alone. It pushes and pops there
//! without any atomic operation but one relaxed load, which tells it whether a thief has *asked*: found nothing shared.
//! To share is to move the split up to the tail. When the owner has nothing left of its own, it takes back from what is
//! shared.
//!
//! Why keep anything from thieves? A pop that takes an item which thieves can see must be ordered against them by a
//! read-modify-write or a full fence, whatever the algorithm (Attiya and others, *Laws of order*), and that costs more than
//! all the rest. An owner that shares each push at once pays it for each pop; one that shares on demand pays it for what
//! it takes back, not for what it never shared.
//!
//! All that says what may be *taken* is in one 32-bit word, `front`: the head, how many items were taken back, and
//! two bits that say what a thief is doing. The split is the number of items ever shared less those taken back, so
//! that sharing writes no word by compare-and-swap.
//!
//! A thief takes in four steps:
//!
//! 1. *Lock out other thieves*: set "a thief is looking" in `front`.
//! 2. *Look*: read how many items were shared, and decide how many to take.
//! 3. *Book*: move the head past them and set "a thief is moving", provided that `front` is still what step 1 wrote.
//!    From here on the items are the thief's: neither the owner nor another thief can take them.
//! 4. *Move* the items out, and then clear the two bits, which gives the slots back to the owner and lets others in.
//!
//! No slot is ever read before it is booked, so there is no race on its bytes, unlike in the deque of Chase and Lev.
//!
//! # Why the counters cannot be fooled
//!
//! The fear in a design like this is that a thief is stopped between steps 1 and 3, the counters come around in the
//! meantime to the very same value, and the booking succeeds on a stale view (the ABA problem). Counters of 16 bits
//! come around in milliseconds, and 64-bit compare-and-swap is not to be had on small chips. Here nothing depends on
//! the width of a counter: while a thief is between steps 1 and 3, no other thief gets past step 1; and whatever the
//! owner takes turns "looking" into "spoiled", which only the next step 1 could turn back, and that comes after this
//! thief has left. So step 3 succeeds only if nothing at all was taken since step 1, however long ago that was. What
//! the owner shared meanwhile only adds to what the thief sees. A single 32-bit word serves every target, and every
//! target runs the same code.
//!
//! # Which slots are free
//!
//! The owner may fill a slot when nobody holds or reads it. That is every slot before the head, except while a thief
//! is moving: then those from `from` on are not free. That thief wrote `from` before it booked, and it is read only
//! while `front` says "moving": a thief that was stopped before booking has said nothing that the owner believes.
#![allow(unsafe_code, reason = "slots are shared; each block says why it may touch one")]

mod front;
mod stealer;
mod worker;

use core::fmt;
use core::mem::MaybeUninit;

#[cfg(feature = "alloc")]
use super::CapacityError;
#[cfg(feature = "alloc")]
use crate::storage::Heap;
use crate::storage::{Inline, InlineSlots, Storage};
use crate::sync::{Alone, AtomicU32, Ordering, UnsafeCell, array_of, const_fn};
use front::{Front, MAX};

pub use stealer::Stealer;
pub use worker::{Fifo, Lifo, Order, Sharing, Worker};

/// There is no [`Worker`].
const NOBODY: u32 = 0;
/// There is a [`Worker`].
const OWNED: u32 = 1;
/// There is a [`Worker`], and a thief that found nothing shared.
const ASKED: u32 = 2;

/// A bounded double-ended queue of one worker's tasks, from which other workers steal.
///
/// Its owner, a [`Worker`], pushes at one end. It pops there too, last in first out: what was just made is still warm
/// in the cache ([`worker`](Self::worker)); or at the other end, first in first out, where tasks should start in the
/// order in which they came ([`fifo_worker`](Self::fifo_worker)). Thieves, through a [`Stealer`], take the oldest: in
/// divide-and-conquer work the largest piece. [`Stealer::steal_half`] moves half of the items in one booking.
///
/// *When not to use it:* where several threads put in (use [`Mpmc`](super::Mpmc)).
///
/// # Examples
///
/// ```
/// use divvy::queue::{Deque, Steal};
/// use divvy::storage::{Full, Inline};
///
/// static TASKS: Deque<u32, Inline<4>> = Deque::new();
/// static OTHERS: Deque<u32, Inline<4>> = Deque::new();
///
/// let worker = TASKS.worker().expect("nobody owns it yet");
/// assert!(TASKS.worker().is_none(), "there is one owner at a time");
/// for task in 1..=4 {
///     worker.push(task)?;
/// }
/// assert_eq!(worker.push(5), Err(Full(5)));
///
/// // The owner takes the newest, thieves the oldest:
/// assert_eq!(worker.pop(), Some(4));
/// assert_eq!(TASKS.stealer().steal_one(), Steal::Success(1));
///
/// // Another worker takes half of what is left (rounded up), and gets the oldest in hand:
/// let thief = OTHERS.worker().expect("nobody owns it yet");
/// assert_eq!(TASKS.stealer().steal_half(&thief), Steal::Success((2, 0)));
/// assert_eq!((worker.pop(), worker.pop()), (Some(3), None));
/// # Ok::<(), Full<u32>>(())
/// ```
///
/// For tasks so small that the order among threads would cost more than they do, an owner shares on demand:
///
/// ```
/// # use divvy::{queue::{Deque, Sharing, Steal}, storage::{Full, Inline}};
/// # let deque = Deque::<u32, Inline<4>>::new();
/// let worker = deque.worker().expect("nobody owns it yet");
/// worker.set_sharing(Sharing::OnDemand);
/// worker.push(1)?;
/// // Nobody has asked before, so there is nothing to see. Now a thief has asked:
/// assert_eq!(deque.stealer().steal_one(), Steal::Empty);
/// worker.push(2)?;
/// assert_eq!(deque.stealer().steal_one(), Steal::Success(1));
/// // Before it does something long, the owner shares without being asked:
/// worker.push(3)?;
/// worker.share();
/// assert_eq!(deque.stealer().len(), 2);
/// # Ok::<(), Full<u32>>(())
/// ```
///
/// # Complexity
///
/// *O*(1) per `push`, `pop` and `steal_one`; `steal_half` and `steal_block` move each item. `push` and `share` do no
/// read-modify-write (a [`Fifo`] owner's `share` on demand does one if it has popped since it shared last), `pop` does one
/// where it takes what was shared (one more for each change by a thief), a steal three. An owner that stays within one
/// function keeps its counters in registers. Four words, one of them on machines of 64 bits with two cache lines to itself,
/// and the size of an item times the capacity, which is a power of two from 1 to 2¹⁴; another one does not compile with
/// [`Inline`].
///
/// # Concurrency
///
/// What thieves can see, and so steal, is what the owner has *shared*. With [`Sharing::AtOnce`], as every worker begins,
/// that is every item, from its push until somebody takes it. With [`Sharing::OnDemand`] it is
///
/// * all items there are: after [`Worker::share`], after the worker was dropped, and after the first `push` or `pop` that
///   ends with items of the owner's own after a thief came in vain;
/// * less what the owner took back since: when it pops and has none of its own, the newer half of the shared items
///   ([`Fifo`]: all of them).
///
/// What was pushed or taken back since then is the owner's alone, and a worker that goes off to do something long
/// without `share` keeps it from the others for as long as that takes.
///
/// What can be relied on:
///
/// * `push` and `share` end in a bounded number of steps, whatever others do.
/// * `pop` retries only when a thief changed the head word since the owner last saw it, at most three times per attempt
///   to steal. It never
///   waits for a thief that was stopped.
/// * Stealing ends in a bounded number of steps, and answers [`Steal::Retry`] where it met another thief or the owner. A
///   thief that is stopped halfway keeps other thieves out until it goes on (they get `Retry`); the owner works on. If
///   the thief was stopped while it moves items out, it holds their slots, and a [`Fifo`] owner, which goes around, can
///   push up to them and is then told [`Full`](crate::storage::Full). So stealing is not lock-free, owning is.
/// * Every item is given out exactly once. A thief that is stopped for any length of time cannot be fooled by counters
///   that came around: the module's documentation says why.
///
/// # References
///
/// Arora, Blumofe, Plaxton: *Thread scheduling for multiprogrammed multiprocessors*, SPAA 1998 (the owner's end and
/// the thieves' end); Hendler, Shavit: *Non-blocking steal-half work queues*, PODC 2002; van Dijk, van de Pol: *Lace:
/// non-blocking split deque for work-stealing*, MuCoCoS 2014 (the two parts, sharing on demand); Attiya and others:
/// *Laws of order*, POPL 2011 (what sharing must cost). Booking the head before the slots are read is how the run queues of
/// Go and Tokio do it.
pub struct Deque<T, S: Storage> {
    /// The head, what was taken back, and what a thief is doing: see [`Front`]. Written by the owner (what it takes) and by
    /// thieves (the rest); read by all. Apart from the rest, which is mostly the owner's: else each step of a thief takes
    /// that from it too.
    front: Alone<AtomicU32>,
    /// How many items were ever shared. Written by the owner, read by all.
    shared: AtomicU32,
    /// Where the items begin that a thief is moving out. Written by the thief that looks, read by the owner while a
    /// thief is moving.
    from: AtomicU32,
    /// [`NOBODY`], [`OWNED`] or [`ASKED`]. Written by whoever becomes or stops being the owner, by the owner when it
    /// answers, and by thieves that ask.
    owner: AtomicU32,
    /// Written by the owner from the tail on; read by the owner and by the thief that booked.
    slots: S::Slots<UnsafeCell<MaybeUninit<T>>>,
}

/// What came of an attempt to steal.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "a stolen item is in the answer, and is lost if that is dropped"]
pub enum Steal<T> {
    /// Nothing was shared. The owner, if there is one, has been asked to share.
    Empty,
    /// This is what was stolen.
    Success(T),
    /// Another thief or the owner was at it in this moment. There may be more: try again, or try another victim.
    Retry,
}

impl<T> Steal<T> {
    /// What was stolen, if anything was.
    pub fn success(self) -> Option<T> {
        match self {
            Self::Success(stolen) => Some(stolen),
            Self::Empty | Self::Retry => None,
        }
    }
}

// SAFETY: items move from one thread to another, which `T: Send` allows; no reference to an item is ever shared.
// `owner` sees to it that there is one owner, and `Worker` is not `Sync`.
unsafe impl<T: Send, S: Storage> Sync for Deque<T, S> {}
// SAFETY: as above; the deque owns its items.
unsafe impl<T: Send, S: Storage> Send for Deque<T, S> {}

impl<T, const N: usize> Deque<T, Inline<N>> {
    const_fn! {
        /// An empty deque for `N` items, kept in the value itself.
        pub const fn new() -> Self {
            const {
                assert!(
                    N.is_power_of_two() && N <= MAX as usize,
                    "a deque's capacity is a power of two from 1 to 16384"
                );
            }
            Self::from_slots(InlineSlots(array_of!(UnsafeCell::new(MaybeUninit::uninit()))))
        }
    }
}

impl<T, const N: usize> Default for Deque<T, Inline<N>> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "alloc")]
impl<T> Deque<T, Heap> {
    /// An empty deque for `capacity` items, allocated now.
    ///
    /// # Errors
    ///
    /// [`CapacityError`] unless `capacity` is a power of two from 1 to 2¹⁴.
    pub fn with_capacity(capacity: usize) -> Result<Self, CapacityError> {
        match capacity {
            0 => Err(CapacityError::Zero),
            n if n > MAX as usize => Err(CapacityError::TooLarge { max: MAX }),
            n if !n.is_power_of_two() => Err(CapacityError::NotPowerOfTwo),
            n => Ok(Self::from_slots((0..n).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect())),
        }
    }
}

impl<T, S: Storage> Deque<T, S> {
    const_fn! {
        const fn from_slots(slots: S::Slots<UnsafeCell<MaybeUninit<T>>>) -> Self {
            Self {
                front: Alone(AtomicU32::new(0)),
                shared: AtomicU32::new(0),
                from: AtomicU32::new(0),
                owner: AtomicU32::new(NOBODY),
                slots,
            }
        }
    }

    /// Becomes the owner, last in first out, until the [`Worker`] is dropped; `None` while there is another.
    pub fn worker(&self) -> Option<Worker<'_, T, S>> {
        self.claim()
    }

    /// Becomes the owner, first in first out, until the [`Worker`] is dropped; `None` while there is another.
    ///
    /// ```
    /// # use divvy::{queue::Deque, storage::Inline};
    /// let deque = Deque::<u8, Inline<2>>::new();
    /// let worker = deque.fifo_worker().expect("nobody owns it yet");
    /// worker.push(1).and(worker.push(2))?;
    /// assert_eq!((worker.pop(), worker.pop(), worker.pop()), (Some(1), Some(2), None));
    /// # Ok::<(), divvy::storage::Full<u8>>(())
    /// ```
    pub fn fifo_worker(&self) -> Option<Worker<'_, T, S, Fifo>> {
        self.claim()
    }

    #[inline]
    fn claim<O: Order>(&self) -> Option<Worker<'_, T, S, O>> {
        // Ordering: Acquire pairs with the Release in `Worker::drop`: the slots and counters of the owner before are
        // seen. A refusal carries nothing.
        match self.owner.compare_exchange(NOBODY, OWNED, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => Some(Worker::new(self)),
            Err(_) => None,
        }
    }

    /// The thieves' end.
    pub const fn stealer(&self) -> Stealer<'_, T, S> {
        Stealer { deque: self }
    }

    /// How many items fit.
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    #[inline]
    fn slot(&self, position: u32) -> &UnsafeCell<MaybeUninit<T>> {
        // The capacity is a power of two and divides the range of positions.
        let index = position as usize & (self.slots.len() - 1);
        // SAFETY: both ways to make a deque see to it that there is a slot, and a number of which the bits are among those
        // of the number of slots less one is smaller than that.
        unsafe { self.slots.get_unchecked(index) }
    }

    /// Fills a slot.
    ///
    /// # Safety
    ///
    /// The caller is the owner, and the slot is free.
    #[inline]
    unsafe fn put(&self, position: u32, item: T) {
        // SAFETY: nobody else touches the slot, as the caller says.
        self.slot(position).with_mut(|slot| unsafe { (*slot).write(item) });
    }

    /// Moves an item out.
    ///
    /// # Safety
    ///
    /// There is an item at `position`, it is the caller's, and the caller moves it out once.
    #[inline]
    unsafe fn take(&self, position: u32) -> T {
        // SAFETY: nobody else touches the slot before the caller gives it up, and there is an item in it.
        self.slot(position).with(|slot| unsafe { (*slot).assume_init_read() })
    }

    /// How many items are shared, and the front that this follows from. To others than the owner the number means
    /// something only as long as the front stays.
    fn shared_now(&self, order: Ordering) -> (u32, Front) {
        // Ordering: Acquire where the caller is not the owner: what was shared before that front is seen.
        let front = Front(self.front.load(order));
        // Ordering: Acquire where the caller is not the owner: pairs with the Release of `share`.
        (front.len(self.shared.load(order)), front)
    }
}

impl<T, S: Storage> Drop for Deque<T, S> {
    fn drop(&mut self) {
        // Nobody else has a reference, so nobody is taking anything. What a forgotten worker kept to itself stays.
        let (shared, front) = self.shared_now(Ordering::Relaxed);
        for i in 0..shared {
            // SAFETY: it was shared and not taken.
            drop(unsafe { self.take(front.head() + i) });
        }
    }
}

impl<T, S: Storage> fmt::Debug for Deque<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deque")
            .field("capacity", &self.capacity())
            .field("is_empty", &self.stealer().is_empty())
            .finish()
    }
}

#[cfg(all(test, not(divvy_loom)))]
#[allow(clippy::disallowed_types, reason = "the model and the counters of the tests")]
mod tests;

#[cfg(all(test, divvy_loom))]
mod loom_tests;

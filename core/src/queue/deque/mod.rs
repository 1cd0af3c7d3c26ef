//! A bounded work-stealing deque.
//!
//! # How it works
//!
//! Items lie between a head and a tail. The owner pushes and pops at the tail, thieves take at the head. Both ends
//! must agree when they meet at the last item, so all that says what may be *taken* is in one 32-bit word, `front`:
//! the head, the number of pops, and two bits. The tail is the number of pushes less the number of pops, so that a
//! push writes no shared word by compare-and-swap.
//!
//! A thief takes in four steps:
//!
//! 1. *Lock out other thieves*: set `THIEF` and `INTACT` in `front`.
//! 2. *Look*: read the number of pushes, and decide how many items to take.
//! 3. *Book*: move the head past them and clear both bits, provided that `front` is still what step 1 wrote. From here
//!    on the items are the thief's: neither the owner nor another thief can take them.
//! 4. *Move* the items out, and then write `freed`, which gives their slots back to the owner.
//!
//! No slot is ever read before it is booked, so there is no race on its bytes, unlike in the deque of Chase and Lev.
//!
//! # Why the counters cannot be fooled
//!
//! The fear in a design like this is that a thief is stopped between steps 1 and 3, the counters come around in the
//! meantime to the very same value, and the booking succeeds on a stale view (the ABA problem). Counters of 16 bits
//! come around in milliseconds, and 64-bit compare-and-swap is not to be had on small chips. Here nothing depends on
//! the width of a counter: while a thief is between steps 1 and 3, no other thief gets past step 1, and each pop
//! clears `INTACT`, which only that thief could set again, and does not. So step 3 succeeds only if nothing at all was
//! taken since step 1, however long ago that was. A single 32-bit word serves every target, and every target runs
//! the same code.
#![allow(unsafe_code, reason = "slots are shared; each block says why it may touch one")]

use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;

#[cfg(feature = "alloc")]
use super::CapacityError;
#[cfg(feature = "alloc")]
use crate::storage::Heap;
use crate::storage::{Full, Inline, InlineSlots, Storage};
use crate::sync::{AtomicU32, Ordering, UnsafeCell, array_of, const_fn};

/// Positions are counted modulo 2¹⁵; a slot's index is its position modulo the capacity. Under loom they are counted
/// modulo 8, so that a model can see them come around.
const POSITION_BITS: u32 = if cfg!(divvy_loom) { 3 } else { 15 };
const POSITION: u32 = (1 << POSITION_BITS) - 1;

/// The largest capacity: half the range of positions, so that full and empty differ. (The models keep to 4.)
const MAX: u32 = 1 << 14;

/// A thief is between locking and booking.
const THIEF: u32 = 1 << 30;
/// Nothing was taken since that thief locked.
const INTACT: u32 = 1 << 31;

/// A bounded double-ended queue of one worker's tasks, from which other workers steal.
///
/// Its owner, a [`Worker`], pushes and pops at one end, last in first out: what was just made is still warm in the
/// cache. Thieves, through a [`Stealer`], take from the other end, oldest first: in divide-and-conquer work the
/// largest piece. [`Stealer::steal_half`] moves half of the items in one booking.
///
/// *When not to use it:* where several threads put in (use [`Mpmc`](super::Mpmc)), or where tasks must start in the
/// order in which they came: the owner's oldest task waits until the owner has done all newer ones or a thief comes.
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
/// # Complexity
///
/// *O*(1) per `push` (no compare-and-swap), `pop` (one) and `steal_one` (two); `steal_half` is two and a move of each
/// item. Four words, and the size of an item times the capacity, which is a power of two from 1 to 2¹⁴; another one
/// does not compile with [`Inline`].
///
/// # Concurrency
///
/// * `push` ends in a bounded number of steps, whatever others do.
/// * `pop` retries only when a thief changed the head word meanwhile, at most twice per attempt to steal. It never
///   waits for a thief that was stopped.
/// * `steal_one` and `steal_half` end in a bounded number of steps, and answer [`Steal::Retry`] where they met another
///   thief or the owner. A thief that is stopped halfway keeps other thieves out until it goes on (they get `Retry`),
///   and holds at most the slots that it booked; the owner works on. So stealing is not lock-free, owning is.
/// * Every item is given out exactly once. A thief that is stopped for any length of time cannot be fooled by counters
///   that came around: the module's documentation says why.
///
/// # References
///
/// Arora, Blumofe, Plaxton: *Thread scheduling for multiprogrammed multiprocessors*, SPAA 1998 (the owner's end and
/// the thieves' end); Hendler, Shavit: *Non-blocking steal-half work queues*, PODC 2002. Booking the head before
/// the slots are read is how the run queues of Go and Tokio do it.
pub struct Deque<T, S: Storage> {
    /// Head, pops, [`THIEF`], [`INTACT`]: see [`Front`]. Written by the owner (pops) and by thieves (the rest); read
    /// by all.
    front: AtomicU32,
    /// Pushes so far. Written by the owner, read by all.
    pushes: AtomicU32,
    /// The first position whose slot is not free: the head, or less while a thief moves items out. Written by the
    /// thief that booked; read by the owner and by the next thief.
    freed: AtomicU32,
    /// 1 while there is a [`Worker`]. Written by whoever becomes or stops being the owner.
    owned: AtomicU32,
    /// Written by the owner from the tail on; read by the owner and by the thief that booked.
    slots: S::Slots<UnsafeCell<MaybeUninit<T>>>,
}

/// The fields of [`Deque::front`]: the head in bits 0 to 14, the pops in bits 15 to 29, [`THIEF`] and [`INTACT`].
#[derive(Clone, Copy)]
struct Front(u32);

impl Front {
    const fn new(head: u32, pops: u32, flags: u32) -> Self {
        Self((head & POSITION) | (pops & POSITION) << POSITION_BITS | flags)
    }

    const fn head(self) -> u32 {
        self.0 & POSITION
    }

    const fn pops(self) -> u32 {
        self.0 >> POSITION_BITS & POSITION
    }

    const fn has_thief(self) -> bool {
        self.0 & THIEF != 0
    }

    /// The position after the last item, given the number of pushes.
    const fn tail(self, pushes: u32) -> u32 {
        pushes.wrapping_sub(self.pops()) & POSITION
    }

    /// The number of items, given the number of pushes.
    const fn len(self, pushes: u32) -> u32 {
        self.tail(pushes).wrapping_sub(self.head()) & POSITION
    }

    /// After the owner took one item: a thief that is looking must notice.
    const fn popped(self) -> Self {
        Self::new(self.head(), self.pops() + 1, self.0 & THIEF)
    }

    /// After a thief locked out the others.
    const fn locked(self) -> Self {
        Self(self.0 | THIEF | INTACT)
    }

    /// After the thief took `count` items.
    const fn booked(self, count: u32) -> Self {
        Self::new(self.head() + count, self.pops(), 0)
    }
}

/// What came of an attempt to steal.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "a stolen item is in the answer, and is lost if that is dropped"]
pub enum Steal<T> {
    /// There was nothing to steal.
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
// `owned` sees to it that there is one owner, and `Worker` is not `Sync`.
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
                front: AtomicU32::new(0),
                pushes: AtomicU32::new(0),
                freed: AtomicU32::new(0),
                owned: AtomicU32::new(0),
                slots,
            }
        }
    }

    /// Becomes the owner, until the [`Worker`] is dropped; `None` while there is another.
    pub fn worker(&self) -> Option<Worker<'_, T, S>> {
        // Ordering: Acquire pairs with the Release in `Worker::drop`: the slots and counters of the owner before are
        // seen. A refusal carries nothing.
        match self.owned.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => Some(Worker { deque: self, _not_sync: PhantomData }),
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

    fn slot(&self, position: u32) -> &UnsafeCell<MaybeUninit<T>> {
        // The capacity is a power of two and divides the range of positions.
        &self.slots[position as usize & (self.slots.len() - 1)]
    }

    /// The owner's push.
    fn push(&self, item: T) -> Result<(), Full<T>> {
        if self.spare_capacity() == 0 {
            return Err(Full(item));
        }
        // Ordering: Relaxed, the owner reads what it wrote itself; of `front` it needs only the pops, also its own.
        let pushes = self.pushes.load(Ordering::Relaxed);
        let tail = Front(self.front.load(Ordering::Relaxed)).tail(pushes);
        // SAFETY: the slot is past the tail, where thieves do not come before `pushes` says so, and it is free: the
        // thief that had it last has written `freed`.
        self.slot(tail).with_mut(|slot| unsafe { (*slot).write(item) });
        // Ordering: Release publishes the item to the Acquire of the thief that looks.
        self.pushes.store(pushes.wrapping_add(1), Ordering::Release);
        Ok(())
    }

    /// The owner's pop.
    fn pop(&self) -> Option<T> {
        // Ordering: Relaxed, the owner reads what it wrote itself; the compare-and-swap below sees to `front`.
        let pushes = self.pushes.load(Ordering::Relaxed);
        let mut front = Front(self.front.load(Ordering::Relaxed));
        loop {
            if front.len(pushes) == 0 {
                return None;
            }
            // Ordering: Release: a thief that sees this pop (Acquire) sees the pushes before it, so the tail that it
            // computes is never before the head. Nothing is learned from a thief's write but the head.
            match self.front.compare_exchange_weak(
                front.0,
                front.popped().0,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => {
                    let last = front.tail(pushes).wrapping_sub(1);
                    // SAFETY: the item was pushed, and `front` says that no thief has booked it; from now on none can,
                    // as it is past the tail.
                    return Some(self.slot(last).with(|slot| unsafe { (*slot).assume_init_read() }));
                }
                Err(now) => front = Front(now),
            }
        }
    }

    /// How many pushes are certain to succeed. The owner's.
    fn spare_capacity(&self) -> u32 {
        // Ordering: Relaxed for the owner's own counters. Acquire pairs with the Release of the thief that moved the
        // items out: its reads of the slots are over.
        let tail = Front(self.front.load(Ordering::Relaxed)).tail(self.pushes.load(Ordering::Relaxed));
        let held = tail.wrapping_sub(self.freed.load(Ordering::Acquire)) & POSITION;
        self.slots.len() as u32 - held
    }

    /// Books items for a thief: steps 1 to 3 of the module's documentation. Answers the first position and the count,
    /// which is what `count` makes of the number of items there are: at least 1, and no more than that.
    fn book(&self, count: impl FnOnce(u32) -> u32) -> Steal<(u32, u32)> {
        // Ordering: Acquire pairs with the Release of `pop`: the pushes before it are seen, and so below.
        let seen = Front(self.front.load(Ordering::Acquire));
        // Ordering: Acquire pairs with the Release of `push`.
        if seen.len(self.pushes.load(Ordering::Acquire)) == 0 {
            return Steal::Empty;
        }
        if seen.has_thief() {
            return Steal::Retry;
        }
        let locked = seen.locked();
        // Ordering: Acquire as above, and it pairs with the Release of the thief before, so that `freed` below is no
        // older than what that thief saw. A refusal carries nothing.
        if self.front.compare_exchange(seen.0, locked.0, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return Steal::Retry;
        }
        // Ordering: Acquire of `freed` orders the thief before before us: our own write of it comes later.
        let previous_thief_is_done = self.freed.load(Ordering::Acquire) == locked.head();
        // Ordering: Acquire pairs with the Release of `push`: the items are seen.
        let available = locked.len(self.pushes.load(Ordering::Acquire));
        if previous_thief_is_done && available > 0 {
            // If the owner popped since, `available` may be anything; the compare-and-swap then fails.
            let count = count(available).clamp(1, available);
            // Ordering: Release passes `freed`, as read above, on to the next thief's Acquire.
            let booked = self.front.compare_exchange(
                locked.0,
                locked.booked(count).0,
                Ordering::Release,
                Ordering::Relaxed,
            );
            if booked.is_ok() {
                return Steal::Success((locked.head(), count));
            }
        }
        // Ordering: Release as for the booking.
        self.front.fetch_and(!(THIEF | INTACT), Ordering::Release);
        Steal::Retry
    }

    /// Moves one booked item out.
    ///
    /// # Safety
    ///
    /// The caller booked `position`, and moves it out once.
    unsafe fn take(&self, position: u32) -> T {
        // SAFETY: a booked position is a pushed one, and the slot is the caller's until it writes `freed`.
        self.slot(position).with(|slot| unsafe { (*slot).assume_init_read() })
    }

    /// Gives the slots before `position` back to the owner.
    fn free_up_to(&self, position: u32) {
        // Ordering: Release: the reads of the slots are over before the owner (Acquire) writes them, and before the
        // next thief (Acquire) goes on.
        self.freed.store(position & POSITION, Ordering::Release);
    }
}

impl<T, S: Storage> Drop for Deque<T, S> {
    fn drop(&mut self) {
        // Nobody else has a reference: this is the owner now.
        while self.pop().is_some() {}
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

/// The owner of a [`Deque`]: pushes and pops at its tail. Not shared between threads, but may move to another one.
///
/// Dropping it leaves the items where they are and lets another worker take over. A worker that is forgotten
/// (`mem::forget`) owns the deque for good.
///
/// ```
/// # use divvy::{queue::Deque, storage::Inline};
/// let deque = Deque::<u8, Inline<2>>::new();
/// drop(deque.worker());
/// assert!(deque.worker().is_some());
/// ```
///
/// Two threads cannot share one:
///
/// ```compile_fail,E0277
/// # use divvy::{queue::Deque, storage::Inline};
/// let deque = Deque::<u8, Inline<2>>::new();
/// let worker = deque.worker().unwrap();
/// std::thread::scope(|scope| {
///     scope.spawn(|| worker.push(1));
/// });
/// ```
pub struct Worker<'a, T, S: Storage> {
    deque: &'a Deque<T, S>,
    _not_sync: PhantomData<Cell<()>>,
}

impl<'a, T, S: Storage> Worker<'a, T, S> {
    /// Adds `item` as the newest.
    ///
    /// # Errors
    ///
    /// [`Full`] gives the item back: every slot holds an item or is still being emptied by a thief. Nothing changed.
    pub fn push(&self, item: T) -> Result<(), Full<T>> {
        self.deque.push(item)
    }

    /// Takes the newest item.
    pub fn pop(&self) -> Option<T> {
        self.deque.pop()
    }

    /// Whether there is nothing to pop. `true` stays true until this worker pushes; after `false`, a thief may be
    /// faster.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The largest number of items that this worker could still pop: thieves may leave it fewer.
    pub fn len(&self) -> usize {
        // Ordering: Relaxed, the pushes are this worker's own and the rest is a bound.
        let pushes = self.deque.pushes.load(Ordering::Relaxed);
        Front(self.deque.front.load(Ordering::Relaxed)).len(pushes) as usize
    }

    /// The smallest number of pushes that will succeed from here: thieves may make room for more.
    pub fn spare_capacity(&self) -> usize {
        self.deque.spare_capacity() as usize
    }

    /// How many items fit.
    pub fn capacity(&self) -> usize {
        self.deque.capacity()
    }

    /// The thieves' end of the same deque.
    pub fn stealer(&self) -> Stealer<'a, T, S> {
        self.deque.stealer()
    }
}

impl<T, S: Storage> Drop for Worker<'_, T, S> {
    fn drop(&mut self) {
        // Ordering: Release hands the owner's slots and counters to the Acquire of the next owner.
        self.deque.owned.store(0, Ordering::Release);
    }
}

impl<T, S: Storage> fmt::Debug for Worker<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("capacity", &self.capacity()).field("len", &self.len()).finish()
    }
}

/// The thieves' end of a [`Deque`]; any number of them, on any thread.
pub struct Stealer<'a, T, S: Storage> {
    deque: &'a Deque<T, S>,
}

impl<T, S: Storage> Stealer<'_, T, S> {
    /// Takes the oldest item.
    pub fn steal_one(&self) -> Steal<T> {
        match self.deque.book(|_| 1) {
            Steal::Success((position, _)) => {
                // SAFETY: booked just now, and moved out once.
                let item = unsafe { self.deque.take(position) };
                self.deque.free_up_to(position + 1);
                Steal::Success(item)
            }
            Steal::Empty => Steal::Empty,
            Steal::Retry => Steal::Retry,
        }
    }

    /// Takes half of the items, rounded up, in one booking: the oldest is the answer, the others move to `dest` in
    /// their order, and the answer says how many those were. Takes fewer where `dest` lacks room, but never none for
    /// that reason.
    ///
    /// A worker that steals from its own deque moves its oldest items to its newest end.
    pub fn steal_half<D: Storage>(&self, dest: &Worker<'_, T, D>) -> Steal<(T, u32)> {
        let dest = dest.deque;
        // Only the owner of `dest` fills it, and that is the caller: the room can only grow meanwhile.
        let room = dest.spare_capacity();
        match self.deque.book(|available| available.div_ceil(2).min(room + 1)) {
            Steal::Success((position, count)) => {
                // SAFETY: booked just now, and moved out once.
                let item = unsafe { self.deque.take(position) };
                // Ordering: Relaxed, these are the caller's own counters, as in `push`.
                let pushes = dest.pushes.load(Ordering::Relaxed);
                let tail = Front(dest.front.load(Ordering::Relaxed)).tail(pushes);
                for i in 1..count {
                    // SAFETY: booked just now, and moved out once.
                    let moved = unsafe { self.deque.take(position + i) };
                    // SAFETY: past the tail of `dest` and within its room, as in `push`.
                    dest.slot(tail + i - 1).with_mut(|slot| unsafe { (*slot).write(moved) });
                }
                self.deque.free_up_to(position + count);
                // Ordering: Release publishes the items to those who steal them on, as in `push`.
                dest.pushes.store(pushes.wrapping_add(count - 1), Ordering::Release);
                Steal::Success((item, count - 1))
            }
            Steal::Empty => Steal::Empty,
            Steal::Retry => Steal::Retry,
        }
    }

    /// About how many items there are: what the owner and other thieves do meanwhile may or may not be in it.
    pub fn len(&self) -> usize {
        // Ordering: Acquire as in `book`.
        let front = Front(self.deque.front.load(Ordering::Acquire));
        let len = front.len(self.deque.pushes.load(Ordering::Acquire)) as usize;
        // A push and a pop between the two loads can make the difference negative: it is then empty, or nearly.
        if len > self.deque.capacity() { 0 } else { len }
    }

    /// Whether there was nothing to steal at some moment during this call.
    pub fn is_empty(&self) -> bool {
        // Ordering: Acquire as in `book`.
        let front = Front(self.deque.front.load(Ordering::Acquire));
        front.len(self.deque.pushes.load(Ordering::Acquire)) == 0
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

#[cfg(all(test, not(divvy_loom)))]
#[allow(clippy::disallowed_types, reason = "the model and the counters of the tests")]
mod tests;

#[cfg(all(test, divvy_loom))]
mod loom_tests;

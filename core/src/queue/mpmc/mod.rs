//! A bounded queue between any number of producers and consumers.
#![allow(unsafe_code, reason = "slots are shared; each block says why it may touch one")]

use core::fmt;
use core::mem::MaybeUninit;

#[cfg(feature = "alloc")]
use super::CapacityError;
#[cfg(feature = "alloc")]
use crate::storage::Heap;
use crate::storage::{Full, Inline, InlineSlots, Storage};
use crate::sync::{Alone, AtomicU32, Backoff, Ordering, UnsafeCell, array_of, const_fn, hint};

mod batch;

pub use batch::Drain;

/// The largest capacity: half the range of positions, so that a lap always has a bit to itself.
const MAX: u32 = 1 << 30;

/// A bit of the stamp: an item is in the cell.
const FILLED: u32 = 1;
/// A bit of the stamp: there is no item, and none will come; consumers pass over the cell. A producer leaves it in what
/// its batch claimed and did not fill.
const SKIPPED: u32 = 2;
const FLAGS: u32 = FILLED | SKIPPED;

/// A bounded first-in first-out queue that any number of threads, cores and interrupt handlers share by reference.
///
/// *When not to use it:* between one producer and one consumer ([`Spsc`](super::Spsc) needs no compare-and-swap), or for the tasks that a worker makes for itself ([`Deque`](super::Deque)).
///
/// # Examples
///
/// ```
/// use divvy::queue::Mpmc;
/// use divvy::storage::{Full, Inline};
///
/// static QUEUE: Mpmc<u32, Inline<2>> = Mpmc::new();
///
/// QUEUE.push(1)?;
/// QUEUE.push(2)?;
/// assert_eq!(QUEUE.push(3), Err(Full(3)));
/// assert_eq!((QUEUE.pop(), QUEUE.pop(), QUEUE.pop()), (Some(1), Some(2), None));
///
/// // Many at once cost one compare-and-swap; what does not fit stays in the iterator:
/// let mut items = [4, 5, 6].into_iter();
/// assert_eq!(QUEUE.push_batch(&mut items), 2);
/// assert_eq!(items.next(), Some(6));
/// assert!(QUEUE.pop_batch(8).eq([4, 5]));
/// # Ok::<(), Full<u32>>(())
/// ```
///
/// # Complexity
///
/// *O*(1) and one compare-and-swap per `push` or `pop` that meets no other, and per batch. Two words, on machines of 64
/// bits with two cache lines each, and per item its size plus one word (aligned). Any capacity from 1 to 2³⁰; another one
/// does not compile with [`Inline`].
///
/// # Concurrency
///
/// Neither call ever waits for another thread, so both may be made in an interrupt handler. A call retries only
/// after another one of its kind has taken a place. Yet the queue is **not lock-free**: a thread stopped halfway
/// through a call holds one place. While a `push` is stopped there, the items behind it are out of reach: `pop`
/// answers `None` once it comes to that place, though later pushes have ended. While a `pop` is stopped, `push`
/// answers [`Full`] once it comes around to that place, though there may be room behind it. Both end when the
/// stopped thread goes on; nothing is lost and nothing is out of order.
///
/// Positions have 32 bits. A thread that is stopped between reading a position and claiming it could be fooled only
/// if a multiple of at least 2³¹ items passed in the meantime; with the 8-bit positions that small chips tempt one
/// to use, 256 would do, which a preempted thread meets in practice.
///
/// # References
///
/// Vyukov: *Bounded MPMC queue*, 1024cores.net, 2010.
pub struct Mpmc<T, S: Storage> {
    /// The next position to fill. Written and read by producers.
    tail: Alone<AtomicU32>,
    /// The next position to empty. Written and read by consumers.
    head: Alone<AtomicU32>,
    cells: S::Slots<Cell<T>>,
}

/// A position is a lap in the high bits and the index of a cell in the low ones.
///
/// A cell's stamp says whose turn it is: the lap alone, the producer of that lap; the lap and [`FILLED`], its consumer; the
/// lap and [`SKIPPED`], whoever comes to it. So a new queue is all zeros.
struct Cell<T> {
    /// Written by whoever holds the cell, when done with it; read by everyone.
    stamp: AtomicU32,
    /// Written by the producer that claimed the position, read by the consumer that claimed it.
    item: UnsafeCell<MaybeUninit<T>>,
}

impl<T> Cell<T> {
    const_fn! {
        const fn new() -> Self {
            Self { stamp: AtomicU32::new(0), item: UnsafeCell::new(MaybeUninit::uninit()) }
        }
    }
}

// SAFETY: items move from one thread to another, which `T: Send` allows; no reference to an item is ever shared. A
// cell is touched only by the thread that claimed its position.
unsafe impl<T: Send, S: Storage> Sync for Mpmc<T, S> {}
// SAFETY: as above; the queue owns its items.
unsafe impl<T: Send, S: Storage> Send for Mpmc<T, S> {}

impl<T, const N: usize> Mpmc<T, Inline<N>> {
    const_fn! {
        /// An empty queue for `N` items, kept in the value itself.
        pub const fn new() -> Self {
            const { assert!(N >= 1 && N <= MAX as usize, "a queue holds from 1 to 2^30 items") };
            Self {
                tail: Alone(AtomicU32::new(0)),
                head: Alone(AtomicU32::new(0)),
                cells: InlineSlots(array_of!(Cell::new())),
            }
        }
    }
}

impl<T, const N: usize> Default for Mpmc<T, Inline<N>> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "alloc")]
impl<T> Mpmc<T, Heap> {
    /// An empty queue for `capacity` items, allocated now.
    ///
    /// # Errors
    ///
    /// [`CapacityError`] unless `capacity` is from 1 to 2³⁰.
    pub fn with_capacity(capacity: usize) -> Result<Self, CapacityError> {
        match capacity {
            0 => Err(CapacityError::Zero),
            n if n > MAX as usize => Err(CapacityError::TooLarge { max: MAX }),
            n => Ok(Self {
                tail: Alone(AtomicU32::new(0)),
                head: Alone(AtomicU32::new(0)),
                cells: (0..n).map(|_| Cell::new()).collect(),
            }),
        }
    }
}

impl<T, S: Storage> Mpmc<T, S> {
    /// Appends `item`.
    ///
    /// # Errors
    ///
    /// [`Full`] gives the item back: every place holds an item or is still being emptied. Nothing changed.
    pub fn push(&self, item: T) -> Result<(), Full<T>> {
        // Ordering: Relaxed, a position carries no data; the stamp does.
        let mut tail = self.tail.load(Ordering::Relaxed);
        let mut backoff = Backoff::new();
        loop {
            let (cell, lap) = self.cell(tail);
            // Ordering: Acquire pairs with the Release of the `pop` that emptied the cell: its read is over.
            let stamp = cell.stamp.load(Ordering::Acquire);
            if stamp == lap {
                // Ordering: Relaxed, as above. That the stamp is still `lap` follows from the position: it changes
                // only after someone claimed this very position.
                match self.tail.compare_exchange_weak(
                    tail,
                    self.after(tail),
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                ) {
                    Ok(_) => {
                        // SAFETY: the position is ours alone, and no consumer comes before the stamp says FILLED.
                        cell.item.with_mut(|slot| unsafe { (*slot).write(item) });
                        // Ordering: Release publishes the item to the Acquire of the `pop` that takes it.
                        cell.stamp.store(lap | FILLED, Ordering::Release);
                        return Ok(());
                    }
                    Err(_) => {
                        backoff.lost();
                        // Ordering: Relaxed, as above. After the pause: what was there before it is history.
                        tail = self.tail.load(Ordering::Relaxed);
                    }
                }
            } else if stamp & !FLAGS == self.lap_before(lap) {
                return Err(Full(item));
            } else {
                // Others have been around since `tail` was read.
                backoff.lost();
                // Ordering: Relaxed, as above.
                tail = self.tail.load(Ordering::Relaxed);
            }
        }
    }

    /// Takes the oldest item; `None` when there is none, or when the oldest is still being put in.
    pub fn pop(&self) -> Option<T> {
        // Ordering: Relaxed, a position carries no data; the stamp does.
        let mut head = self.head.load(Ordering::Relaxed);
        let mut backoff = Backoff::new();
        loop {
            let (cell, lap) = self.cell(head);
            // Ordering: Acquire pairs with the Release of the `push` that filled the cell: its write is over.
            let stamp = cell.stamp.load(Ordering::Acquire);
            if stamp == lap | FILLED {
                // Ordering: Relaxed, as in `push`.
                match self.head.compare_exchange_weak(
                    head,
                    self.after(head),
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                ) {
                    Ok(_) => {
                        // SAFETY: the position is ours alone, the stamp said that an item was written, and no
                        // producer comes before the stamp says so.
                        let item = cell.item.with(|slot| unsafe { (*slot).assume_init_read() });
                        // Ordering: Release hands the emptied cell to the Acquire of the `push` of the next lap.
                        cell.stamp.store(lap.wrapping_add(self.one_lap()), Ordering::Release);
                        return Some(item);
                    }
                    Err(_) => {
                        backoff.lost();
                        // Ordering: Relaxed, as above. After the pause: what was there before it is history.
                        head = self.head.load(Ordering::Relaxed);
                    }
                }
            } else if stamp == lap | SKIPPED {
                self.pass_over(head);
                // Ordering: Relaxed, as above.
                head = self.head.load(Ordering::Relaxed);
            } else if stamp == lap || stamp & !FLAGS == self.lap_before(lap) {
                return None;
            } else {
                // Others have been around since `head` was read.
                backoff.lost();
                // Ordering: Relaxed, as above.
                head = self.head.load(Ordering::Relaxed);
            }
        }
    }

    /// About how many places are claimed: items, and those that are just being put in. Exact when nobody else is at
    /// it.
    pub fn len(&self) -> usize {
        // Ordering: Acquire, the head first: what others put in meanwhile may be counted, but no item is taken twice.
        let head = self.head.load(Ordering::Acquire);
        let tail = self.tail.load(Ordering::Acquire);
        let mask = self.one_lap() - 1;
        let laps = (tail & !mask).wrapping_sub(head & !mask) / self.one_lap();
        let items =
            i64::from(laps) * self.capacity() as i64 + i64::from(tail & mask) - i64::from(head & mask);
        items.clamp(0, self.capacity() as i64) as usize
    }

    /// Whether a `pop` at some moment during this call would have answered `None`.
    pub fn is_empty(&self) -> bool {
        // Ordering: Relaxed and Acquire as in `pop`.
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            let (cell, lap) = self.cell(head);
            // Ordering: Acquire as in `pop`.
            let stamp = cell.stamp.load(Ordering::Acquire);
            if stamp == lap | FILLED {
                return false;
            }
            if stamp == lap || stamp & !FLAGS == self.lap_before(lap) {
                return true;
            }
            if stamp == lap | SKIPPED {
                self.pass_over(head);
            } else {
                hint::spin_loop();
            }
            // Ordering: Relaxed as in `pop`.
            head = self.head.load(Ordering::Relaxed);
        }
    }

    /// How many items fit.
    pub fn capacity(&self) -> usize {
        self.cells.len()
    }

    /// Moves the head past a skipped position, unless someone else has.
    #[cold]
    fn pass_over(&self, head: u32) {
        // Ordering: Relaxed, as in `pop`.
        let ours =
            self.head.compare_exchange(head, self.after(head), Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if ours {
            let (cell, lap) = self.cell(head);
            // Ordering: Release as in `pop`, though nothing was read.
            cell.stamp.store(lap.wrapping_add(self.one_lap()), Ordering::Release);
        }
    }

    /// What a lap adds to a position: more than any index, and at least 4, to keep the bits of [`FLAGS`] free.
    fn one_lap(&self) -> u32 {
        (self.cells.len() as u32).next_power_of_two().max(4)
    }

    fn lap_before(&self, lap: u32) -> u32 {
        lap.wrapping_sub(self.one_lap())
    }

    /// The cell of a position, and its lap.
    fn cell(&self, position: u32) -> (&Cell<T>, u32) {
        let mask = self.one_lap() - 1;
        (&self.cells[(position & mask) as usize], position & !mask)
    }

    /// The next position.
    fn after(&self, position: u32) -> u32 {
        let mask = self.one_lap() - 1;
        if (position & mask) + 1 < self.cells.len() as u32 {
            position + 1
        } else {
            (position & !mask).wrapping_add(self.one_lap())
        }
    }
}

impl<T, S: Storage> Drop for Mpmc<T, S> {
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}

impl<T, S: Storage> fmt::Debug for Mpmc<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mpmc")
            .field("capacity", &self.capacity())
            .field("is_empty", &self.is_empty())
            .finish()
    }
}

#[cfg(all(test, not(divvy_loom)))]
#[allow(clippy::disallowed_types, reason = "the model and the counters of the tests")]
mod tests;

#[cfg(all(test, divvy_loom))]
mod loom_tests;

//! A bounded queue between any number of producers and consumers.
#![allow(unsafe_code, reason = "slots are shared; each block says why it may touch one")]

use core::fmt;
use core::mem::MaybeUninit;

#[cfg(feature = "alloc")]
use super::CapacityError;
#[cfg(feature = "alloc")]
use crate::storage::Heap;
use crate::storage::{Full, Inline, InlineSlots, Storage};
use crate::sync::{AtomicU32, Backoff, Ordering, UnsafeCell, array_of, const_fn, hint};

/// The largest capacity: half the range of positions, so that a lap always has a bit to itself.
const MAX: u32 = 1 << 30;

/// The stamp's lowest bit: an item is in the cell.
const FILLED: u32 = 1;

/// A bounded first-in first-out queue that any number of threads, cores and interrupt handlers share by reference.
///
/// *When not to use it:* between one producer and one consumer (a single-producer ring is several times faster), or
/// for the tasks that a worker makes for itself ([`Deque`](super::Deque)).
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
/// # Ok::<(), Full<u32>>(())
/// ```
///
/// # Complexity
///
/// *O*(1) and one compare-and-swap per `push` or `pop` that meets no other. Two words, and per item its size plus
/// one word (aligned). Any capacity from 1 to 2³⁰; another one does not compile with [`Inline`].
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
    tail: AtomicU32,
    /// The next position to empty. Written and read by consumers.
    head: AtomicU32,
    cells: S::Slots<Cell<T>>,
}

/// A position is a lap in the high bits and the index of a cell in the low ones.
///
/// A cell's stamp says whose turn it is: the lap alone, the producer of that lap; the lap and [`FILLED`], its consumer.
/// So a new queue is all zeros.
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
            Self { tail: AtomicU32::new(0), head: AtomicU32::new(0), cells: InlineSlots(array_of!(Cell::new())) }
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
                tail: AtomicU32::new(0),
                head: AtomicU32::new(0),
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
                    Err(now) => {
                        tail = now;
                        backoff.lost();
                    }
                }
            } else if stamp | FILLED == self.lap_before(lap) | FILLED {
                return Err(Full(item));
            } else {
                hint::spin_loop();
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
                    Err(now) => {
                        head = now;
                        backoff.lost();
                    }
                }
            } else if stamp == lap || stamp == self.lap_before(lap) | FILLED {
                return None;
            } else {
                hint::spin_loop();
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
        let items = i64::from(laps) * self.capacity() as i64 + i64::from(tail & mask) - i64::from(head & mask);
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
            if stamp == lap || stamp == self.lap_before(lap) | FILLED {
                return true;
            }
            hint::spin_loop();
            // Ordering: Relaxed as in `pop`.
            head = self.head.load(Ordering::Relaxed);
        }
    }

    /// How many items fit.
    pub fn capacity(&self) -> usize {
        self.cells.len()
    }

    /// What a lap adds to a position: more than any index, and at least 2, to keep the bit of [`FILLED`] free.
    fn one_lap(&self) -> u32 {
        (self.cells.len() as u32).next_power_of_two().max(2)
    }

    fn lap_before(&self, lap: u32) -> u32 {
        lap.wrapping_sub(self.one_lap())
    }

    /// The cell of a position, and its lap.
    fn cell(&self, position: u32) -> (&Cell<T>, u32) {
        let mask = self.one_lap() - 1;
        (&self.cells[(position & mask) as usize], position & !mask)
    }

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
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;
    use std::sync::Arc;
    use std::vec::Vec;
    use std::{boxed::Box, thread};

    impl<T, S: Storage> Mpmc<T, S> {
        /// An empty queue `laps` laps before its positions wrap around.
        fn before_the_wrap(self, laps: u32) -> Self {
            let start = self.one_lap().wrapping_mul(laps).wrapping_neg();
            self.head.store(start, Ordering::Relaxed);
            self.tail.store(start, Ordering::Relaxed);
            self.cells.iter().for_each(|cell| cell.stamp.store(start, Ordering::Relaxed));
            self
        }
    }

    fn same_as_model<const N: usize>(pushes: &[Option<u16>], laps: u32) -> Result<(), TestCaseError> {
        let queue = Mpmc::<u16, Inline<N>>::new().before_the_wrap(laps);
        let mut model = VecDeque::new();
        for &push in pushes {
            match push {
                Some(item) if model.len() == N => prop_assert_eq!(queue.push(item), Err(Full(item))),
                Some(item) => {
                    prop_assert_eq!(queue.push(item), Ok(()));
                    model.push_back(item);
                }
                None => prop_assert_eq!(queue.pop(), model.pop_front()),
            }
            prop_assert_eq!(queue.is_empty(), model.is_empty());
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn behaves_like_a_bounded_fifo(
            pushes in prop::collection::vec(prop::option::of(any::<u16>()), 0..100),
            laps in 0u32..6,
        ) {
            same_as_model::<1>(&pushes, laps)?;
            same_as_model::<2>(&pushes, laps)?;
            same_as_model::<3>(&pushes, laps)?;
            same_as_model::<7>(&pushes, laps)?;
            same_as_model::<8>(&pushes, laps)?;
        }
    }

    #[test]
    fn every_item_passes_exactly_once_and_in_its_producers_order() {
        fn pass<const N: usize>(each: u64) {
            let queue = Box::new(Mpmc::<u64, Inline<N>>::new());
            let queue = &*queue;
            let mut taken: Vec<u64> = thread::scope(|scope| {
                for producer in 0..2u64 {
                    scope.spawn(move || {
                        for item in 0..each {
                            let mut item = producer << 32 | item;
                            while let Err(Full(back)) = queue.push(item) {
                                item = back;
                                thread::yield_now();
                            }
                        }
                    });
                }
                let consumers: [_; 2] = core::array::from_fn(|_| {
                    scope.spawn(|| {
                        let mut taken = Vec::new();
                        while taken.len() < each as usize {
                            match queue.pop() {
                                Some(item) => taken.push(item),
                                None => thread::yield_now(),
                            }
                        }
                        taken
                    })
                });
                consumers
                    .into_iter()
                    .flat_map(|consumer| {
                        let taken = consumer.join().unwrap();
                        for producer in 0..2 {
                            let mine = taken.iter().filter(|&&item| item >> 32 == producer);
                            assert!(mine.is_sorted());
                        }
                        taken
                    })
                    .collect()
            });
            taken.sort_unstable();
            assert!(
                taken.into_iter().eq((0..2).flat_map(|producer| (0..each).map(move |i| producer << 32 | i)))
            );
            assert!(queue.is_empty());
        }
        pass::<1>(2_000);
        pass::<3>(5_000);
        pass::<64>(100_000);
    }

    #[test]
    fn what_is_left_is_dropped_once() {
        let token = Arc::new(());
        let queue = Mpmc::<_, Inline<4>>::new();
        for _ in 0..3 {
            queue.push(Arc::clone(&token)).unwrap();
        }
        drop(queue.pop());
        queue.push(Arc::clone(&token)).unwrap();
        assert_eq!(Arc::strong_count(&token), 4);
        drop(queue);
        assert_eq!(Arc::strong_count(&token), 1);
    }

    /// What a preempted producer does to the others, as the documentation says: they are not blocked, and see `None`.
    #[test]
    fn a_push_stopped_halfway_hides_what_is_behind_it() {
        let queue = Mpmc::<u8, Inline<2>>::new();
        // The first half of a push: the place is claimed, the item is not there yet.
        let place = queue.tail.load(Ordering::Relaxed);
        queue.tail.store(queue.after(place), Ordering::Relaxed);
        assert_eq!(queue.push(2), Ok(()));
        assert_eq!(queue.push(3), Err(Full(3)));
        assert_eq!((queue.pop(), queue.is_empty()), (None, true));
        // The second half:
        let (cell, lap) = queue.cell(place);
        // SAFETY: this test claimed the place.
        cell.item.with_mut(|slot| unsafe { (*slot).write(1) });
        cell.stamp.store(lap | FILLED, Ordering::Release);
        assert_eq!((queue.pop(), queue.pop(), queue.pop()), (Some(1), Some(2), None));
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn a_heap_queue_has_the_capacity_that_was_asked_for() {
        let queue = Mpmc::<u8, Heap>::with_capacity(3).unwrap();
        assert_eq!((0..5).filter(|&item| queue.push(item).is_ok()).count(), 3);
        assert_eq!(Mpmc::<u8, Heap>::with_capacity(0).unwrap_err(), CapacityError::Zero);
        let error = Mpmc::<(), Heap>::with_capacity(usize::MAX).unwrap_err();
        assert_eq!(error, CapacityError::TooLarge { max: 1 << 30 });
    }

    #[test]
    fn sizes_are_as_documented() {
        assert_eq!(size_of::<Mpmc<u32, Inline<16>>>(), 8 + 16 * 8);
        assert_eq!(size_of::<Mpmc<u64, Inline<16>>>(), 8 + 16 * 16);
    }
}

#[cfg(all(test, divvy_loom))]
mod loom_tests {
    use super::*;
    use crate::sync::model;
    use loom::sync::Arc;
    use loom::thread::{self, JoinHandle};
    use std::boxed::Box;
    use std::vec::Vec;

    /// Boxed items, so that one taken twice or never shows as a double free or a leak. Nobody waits for anyone: what
    /// is refused is counted, what is left is taken at the end.
    type Queue<const N: usize> = Mpmc<Box<u32>, Inline<N>>;

    /// Pushes `items`, and answers those that were not refused.
    fn producer<const N: usize, const K: usize>(
        queue: &Arc<Queue<N>>,
        items: [u32; K],
    ) -> JoinHandle<Vec<u32>> {
        let queue = Arc::clone(queue);
        thread::spawn(move || items.into_iter().filter(|&item| queue.push(Box::new(item)).is_ok()).collect())
    }

    fn pop<const N: usize>(queue: &Queue<N>) -> Option<u32> {
        queue.pop().map(|item| *item)
    }

    #[test]
    fn loom_two_producers_and_a_consumer() {
        model("mpmc, 2 producers, 1 consumer, capacity 2", 6, 2, || {
            let queue = Arc::new(Queue::<2>::new());
            let producers = [producer(&queue, [1, 2]), producer(&queue, [10])];
            let mut taken: Vec<u32> = (0..2).filter_map(|_| pop(&queue)).collect();
            let mut given: Vec<u32> =
                producers.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
            taken.extend(core::iter::from_fn(|| pop(&queue)));
            assert!(queue.is_empty());
            // First in, first out: 1 never comes after 2.
            let place = |item| taken.iter().position(|&other| other == item);
            assert!(place(2).is_none() || place(1) < place(2), "{taken:?}");
            given.sort_unstable();
            taken.sort_unstable();
            assert_eq!(given, taken);
        });
    }

    #[test]
    fn loom_a_producer_and_two_consumers_over_one_place() {
        model("mpmc, 1 producer, 2 consumers, capacity 1", 6, 2, || {
            let queue = Arc::new(Queue::<1>::new());
            let consumers: Vec<_> = (0..2)
                .map(|_| {
                    let queue = Arc::clone(&queue);
                    thread::spawn(move || pop(&queue))
                })
                .collect();
            let given: Vec<u32> = (1..=3).filter(|&item| queue.push(Box::new(item)).is_ok()).collect();
            let mut taken: Vec<u32> =
                consumers.into_iter().filter_map(|thread| thread.join().unwrap()).collect();
            taken.extend(pop(&queue));
            taken.sort_unstable();
            assert_eq!(given, taken);
        });
    }

    #[test]
    fn loom_push_and_pop_by_both() {
        model("mpmc, 2 threads push and pop, capacity 2", 6, 3, || {
            let queue = Arc::new(Queue::<2>::new());
            let other = {
                let queue = Arc::clone(&queue);
                thread::spawn(move || {
                    queue.push(Box::new(1)).unwrap();
                    pop(&queue)
                })
            };
            queue.push(Box::new(2)).unwrap();
            let mut taken: Vec<u32> = pop(&queue).into_iter().collect();
            taken.extend(other.join().unwrap());
            taken.extend(core::iter::from_fn(|| pop(&queue)));
            taken.sort_unstable();
            assert_eq!(taken, [1, 2]);
        });
    }
}

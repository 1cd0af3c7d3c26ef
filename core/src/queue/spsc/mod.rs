//! A bounded queue between one producer and one consumer.
#![allow(unsafe_code, reason = "slots are shared; each block says why it may touch one")]

use core::fmt;
use core::mem::MaybeUninit;

#[cfg(feature = "alloc")]
use super::CapacityError;
#[cfg(feature = "alloc")]
use crate::storage::Heap;
use crate::storage::{Full, Inline, InlineSlots, Storage};
use crate::sync::{Alone, AtomicU32, Ordering, UnsafeCell, array_of, const_fn};

/// The largest capacity: half the range of positions, so that full and empty differ.
const MAX: u32 = 1 << 31;

/// In [`Spsc::ends`]: there is a producer.
const PRODUCER: u32 = 1;
/// In [`Spsc::ends`]: there is a consumer.
const CONSUMER: u32 = 2;

/// A bounded first-in first-out queue from one thread, core or interrupt handler to another.
///
/// Each end keeps its own position and remembers where it last saw the other one, so as long as there is room, or there
/// are items, neither looks at what the other writes.
///
/// *When not to use it:* where several put in or take out: [`Mpmc`](super::Mpmc).
///
/// # Examples
///
/// ```
/// use divvy::queue::Spsc;
/// use divvy::storage::{Full, Inline};
///
/// static SAMPLES: Spsc<u16, Inline<4>> = Spsc::new();
///
/// let mut producer = SAMPLES.producer().expect("nobody is it yet");
/// let mut consumer = SAMPLES.consumer().expect("nobody is it yet");
/// assert!(SAMPLES.producer().is_none(), "there is one at a time");
///
/// for sample in 1..=4 {
///     producer.push(sample)?;
/// }
/// assert_eq!(producer.push(5), Err(Full(5)));
/// assert_eq!((consumer.pop(), consumer.pop()), (Some(1), Some(2)));
///
/// // Many at once; what does not fit stays in the iterator:
/// let mut samples = [5, 6, 7].into_iter();
/// assert_eq!(producer.push_batch(&mut samples), 2);
/// assert_eq!(samples.next(), Some(7));
/// assert!(consumer.pop_batch(8).eq([3, 4, 5, 6]));
/// # Ok::<(), Full<u16>>(())
/// ```
///
/// # Complexity
///
/// *O*(1): a `push` or a `pop` is a load or two and a store, without a read-modify-write; a batch publishes once. Three
/// words, on machines of 64 bits with two cache lines each, and the items. The capacity is a power of two from 1 to 2³¹;
/// another one does not compile with [`Inline`].
///
/// # Concurrency
///
/// Every call ends in a bounded number of steps, whatever the other end does: wait-free. One that is stopped anywhere
/// withholds nothing but what it has not published.
///
/// # References
///
/// Lamport, *Specifying concurrent program modules*, TOPLAS 5(2), 1983. The remembered positions: Lee, Bu, Chandranmenon,
/// *A lock-free, cache-efficient shared ring buffer* (MCRingBuffer), 2010.
pub struct Spsc<T, S: Storage> {
    /// Items put in so far. Written by the producer, read by the consumer.
    tail: Alone<AtomicU32>,
    /// Items taken out so far. Written by the consumer, read by the producer.
    head: Alone<AtomicU32>,
    /// [`PRODUCER`] and [`CONSUMER`]. Written by whoever becomes or stops being one.
    ends: Alone<AtomicU32>,
    /// Written by the producer from the tail on, read by the consumer before it.
    slots: S::Slots<UnsafeCell<MaybeUninit<T>>>,
}

// SAFETY: items move from one thread to another, which `T: Send` allows; no reference to an item is ever shared. `ends`
// sees to it that there is one producer and one consumer, and their methods take `&mut self`.
unsafe impl<T: Send, S: Storage> Sync for Spsc<T, S> {}
// SAFETY: as above; the queue owns its items.
unsafe impl<T: Send, S: Storage> Send for Spsc<T, S> {}

impl<T, const N: usize> Spsc<T, Inline<N>> {
    const_fn! {
        /// An empty queue for `N` items, kept in the value itself.
        pub const fn new() -> Self {
            const {
                assert!(
                    N.is_power_of_two() && N <= MAX as usize,
                    "a queue's capacity is a power of two from 1 to 2^31"
                );
            }
            Self::from_slots(InlineSlots(array_of!(UnsafeCell::new(MaybeUninit::uninit()))))
        }
    }
}

impl<T, const N: usize> Default for Spsc<T, Inline<N>> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "alloc")]
impl<T> Spsc<T, Heap> {
    /// An empty queue for `capacity` items, allocated now.
    ///
    /// # Errors
    ///
    /// [`CapacityError`] unless `capacity` is a power of two from 1 to 2³¹.
    pub fn with_capacity(capacity: usize) -> Result<Self, CapacityError> {
        match capacity {
            0 => Err(CapacityError::Zero),
            n if n > MAX as usize => Err(CapacityError::TooLarge { max: MAX }),
            n if !n.is_power_of_two() => Err(CapacityError::NotPowerOfTwo),
            n => Ok(Self::from_slots((0..n).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect())),
        }
    }
}

impl<T, S: Storage> Spsc<T, S> {
    const_fn! {
        const fn from_slots(slots: S::Slots<UnsafeCell<MaybeUninit<T>>>) -> Self {
            Self {
                tail: Alone(AtomicU32::new(0)),
                head: Alone(AtomicU32::new(0)),
                ends: Alone(AtomicU32::new(0)),
                slots,
            }
        }
    }

    /// Becomes the producer, until the [`Producer`] is dropped; `None` while there is another.
    pub fn producer(&self) -> Option<Producer<'_, T, S>> {
        self.become_end(PRODUCER).then(|| {
            // Ordering: Relaxed, `become_end` saw what the producer before wrote.
            let tail = self.tail.load(Ordering::Relaxed);
            // Ordering: Acquire pairs with the Release of the consumer: its reads of the slots are over.
            Producer { queue: self, tail, head: self.head.load(Ordering::Acquire) }
        })
    }

    /// Becomes the consumer, until the [`Consumer`] is dropped; `None` while there is another.
    pub fn consumer(&self) -> Option<Consumer<'_, T, S>> {
        self.become_end(CONSUMER).then(|| {
            // Ordering: Relaxed, as for the producer.
            let head = self.head.load(Ordering::Relaxed);
            // Ordering: Acquire pairs with the Release of the producer: its writes of the slots are seen.
            Consumer { queue: self, head, tail: self.tail.load(Ordering::Acquire) }
        })
    }

    /// Whether there is a producer now: where there is none and nothing is left, nothing comes before there is another.
    pub fn has_producer(&self) -> bool {
        // Ordering: Acquire pairs with the Release of the producer that went: what it put in is seen.
        self.ends.load(Ordering::Acquire) & PRODUCER != 0
    }

    /// Whether there is a consumer now.
    pub fn has_consumer(&self) -> bool {
        // Ordering: Acquire as above.
        self.ends.load(Ordering::Acquire) & CONSUMER != 0
    }

    fn become_end(&self, end: u32) -> bool {
        // Ordering: Acquire pairs with the Release of whoever was it before: its position is seen.
        self.ends.fetch_or(end, Ordering::Acquire) & end == 0
    }

    fn leave_end(&self, end: u32) {
        // Ordering: Release hands the position to whoever is it next.
        self.ends.fetch_and(!end, Ordering::Release);
    }

    /// How many items fit.
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    fn slot(&self, position: u32) -> &UnsafeCell<MaybeUninit<T>> {
        // The capacity is a power of two and divides the range of positions.
        &self.slots[position as usize & (self.slots.len() - 1)]
    }
}

impl<T, S: Storage> Drop for Spsc<T, S> {
    fn drop(&mut self) {
        // Nobody else has a reference. A consumer that was forgotten is none any more.
        self.leave_end(CONSUMER);
        if let Some(mut consumer) = self.consumer() {
            while consumer.pop().is_some() {}
        }
    }
}

impl<T, S: Storage> fmt::Debug for Spsc<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spsc")
            .field("capacity", &self.capacity())
            .field("has_producer", &self.has_producer())
            .field("has_consumer", &self.has_consumer())
            .finish()
    }
}

/// The end of a [`Spsc`] that puts in. Dropping it leaves the items where they are and lets another take over; one that
/// is forgotten (`mem::forget`) stays the producer for good.
pub struct Producer<'a, T, S: Storage> {
    queue: &'a Spsc<T, S>,
    /// The next position to fill.
    tail: u32,
    /// Where the consumer was when last seen: it may be further on.
    head: u32,
}

impl<T, S: Storage> Producer<'_, T, S> {
    /// Appends `item`.
    ///
    /// # Errors
    ///
    /// [`Full`] gives the item back. Nothing changed.
    #[inline]
    pub fn push(&mut self, item: T) -> Result<(), Full<T>> {
        if self.room() == 0 {
            return Err(Full(item));
        }
        self.write(item);
        // Ordering: Release publishes the item to the Acquire of the consumer.
        self.queue.tail.store(self.tail, Ordering::Release);
        Ok(())
    }

    /// Appends as many of `items` as there is room for now, and answers how many those were; the others stay in `items`. All of
    /// them are published at once, at the end, also if `items.next()` panics.
    pub fn push_batch(&mut self, items: &mut impl Iterator<Item = T>) -> usize {
        struct Publish<'p, 'a, T, S: Storage>(&'p mut Producer<'a, T, S>);
        impl<T, S: Storage> Drop for Publish<'_, '_, T, S> {
            fn drop(&mut self) {
                // Ordering: Release as in `push`.
                self.0.queue.tail.store(self.0.tail, Ordering::Release);
            }
        }
        let room = self.spare_capacity();
        let mut pushed = 0;
        let publish = Publish(self);
        while pushed < room {
            let Some(item) = items.next() else { break };
            publish.0.write(item);
            pushed += 1;
        }
        pushed
    }

    /// How many pushes will succeed from here; the consumer may make room for more.
    pub fn spare_capacity(&mut self) -> usize {
        self.look();
        self.room() as usize
    }

    /// Writes into a place that is known to be free, unpublished.
    fn write(&mut self, item: T) {
        // SAFETY: the place is past the tail, where the consumer does not come before the tail says so, and less than the
        // capacity ahead of where the consumer was seen: its read of the place is over.
        self.queue.slot(self.tail).with_mut(|slot| unsafe { (*slot).write(item) });
        self.tail = self.tail.wrapping_add(1);
    }

    /// Places known to be free; looks at the consumer if there seem to be none.
    #[inline]
    fn room(&mut self) -> u32 {
        let capacity = self.queue.slots.len() as u32;
        if self.tail.wrapping_sub(self.head) == capacity {
            self.look();
        }
        capacity - self.tail.wrapping_sub(self.head)
    }

    fn look(&mut self) {
        // Ordering: Acquire pairs with the Release of the consumer: its reads of the slots are over.
        self.head = self.queue.head.load(Ordering::Acquire);
    }
}

impl<T, S: Storage> Drop for Producer<'_, T, S> {
    fn drop(&mut self) {
        self.queue.leave_end(PRODUCER);
    }
}

impl<T, S: Storage> fmt::Debug for Producer<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").field("queue", self.queue).finish_non_exhaustive()
    }
}

/// The end of a [`Spsc`] that takes out. Dropping it leaves the items where they are and lets another take over; one that
/// is forgotten (`mem::forget`) stays the consumer for good.
pub struct Consumer<'a, T, S: Storage> {
    queue: &'a Spsc<T, S>,
    /// The next position to empty.
    head: u32,
    /// Where the producer was when last seen: it may be further on.
    tail: u32,
}

impl<'a, T, S: Storage> Consumer<'a, T, S> {
    /// Takes the oldest item.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        if self.known() == 0 {
            return None;
        }
        let item = self.read();
        self.publish();
        Some(item)
    }

    /// Takes up to `most` of the oldest items: an iterator over them. Their places become free all at once, when it is
    /// dropped; what was not taken out of it by then stays in the queue.
    pub fn pop_batch(&mut self, most: usize) -> Batch<'_, 'a, T, S> {
        let left = most.min(self.len());
        Batch { consumer: self, left }
    }

    /// How many pops will succeed from here; the producer may put in more.
    pub fn len(&mut self) -> usize {
        self.look();
        self.known() as usize
    }

    /// Whether there was nothing to take.
    pub fn is_empty(&mut self) -> bool {
        self.known() == 0
    }

    /// Reads an item that is known to be there; its place is not free yet.
    fn read(&mut self) -> T {
        // SAFETY: the place is before the tail, so the item was written and published; the producer does not come before
        // the head says so.
        let item = self.queue.slot(self.head).with(|slot| unsafe { (*slot).assume_init_read() });
        self.head = self.head.wrapping_add(1);
        item
    }

    fn publish(&self) {
        // Ordering: Release: the reads of the slots are over before the producer (Acquire) writes them.
        self.queue.head.store(self.head, Ordering::Release);
    }

    /// Items known to be there; looks at the producer if there seem to be none.
    #[inline]
    fn known(&mut self) -> u32 {
        if self.tail == self.head {
            self.look();
        }
        self.tail.wrapping_sub(self.head)
    }

    fn look(&mut self) {
        // Ordering: Acquire pairs with the Release of the producer: its writes of the slots are seen.
        self.tail = self.queue.tail.load(Ordering::Acquire);
    }
}

impl<T, S: Storage> Drop for Consumer<'_, T, S> {
    fn drop(&mut self) {
        self.queue.leave_end(CONSUMER);
    }
}

impl<T, S: Storage> fmt::Debug for Consumer<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("queue", self.queue).finish_non_exhaustive()
    }
}

/// Items on their way out of a [`Spsc`], the oldest first: see [`Consumer::pop_batch`].
#[must_use = "nothing is taken unless it is asked for items"]
pub struct Batch<'c, 'a, T, S: Storage> {
    consumer: &'c mut Consumer<'a, T, S>,
    left: usize,
}

impl<T, S: Storage> Iterator for Batch<'_, '_, T, S> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        self.left = self.left.checked_sub(1)?;
        Some(self.consumer.read())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T, S: Storage> ExactSizeIterator for Batch<'_, '_, T, S> {}

impl<T, S: Storage> Drop for Batch<'_, '_, T, S> {
    fn drop(&mut self) {
        self.consumer.publish();
    }
}

impl<T, S: Storage> fmt::Debug for Batch<'_, '_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("left", &self.left).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(divvy_loom)))]
#[allow(clippy::disallowed_types, reason = "the model and the counters of the tests")]
mod tests;

#[cfg(all(test, divvy_loom))]
mod loom_tests;

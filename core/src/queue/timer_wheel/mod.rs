//! Timers: a hierarchical timing wheel.

mod lists;
mod slots;
mod ticks;

use crate::storage::{Full, Inline, InlineSlots};
use crate::time::Instant;
use core::fmt;
use core::time::Duration;
#[cfg(feature = "alloc")]
use lists::LANE_BITS;
use lists::{Lists, NONE, Node};
pub use slots::Shape;
use slots::{level_of_slot, slot_of, start_of};
use ticks::Ticks;

/// A link is the number of a node, of a head, or none: 30 bits leave room for all.
const MAX_CAPACITY: u32 = 1 << 30;

/// A timer that was set: what [`TimerWheel::cancel`] takes.
///
/// A plain value; dropping it changes nothing. Once its timer has fired or was cancelled it is stale, and a wheel tells
/// (up to the 2³²nd reuse of the same place).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TimerId {
    slot: u32,
    generation: u32,
}

/// What [`TimerWheel::advance`] came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub enum Advance<T> {
    /// A timer fired; others may be due.
    Expired(T),
    /// No timer is due.
    Done,
    /// The steps did not suffice to tell. What was done stays done: call again.
    More,
}

/// A bounded set of timers, as a hierarchical timing wheel.
///
/// Time is cut into ticks of one resolution. A timer fires at the first [`expire`](Self::expire) whose `now` has reached
/// the first tick that does not begin before its deadline: never early, and never later than one tick after its deadline
/// if somebody asks then. Timers fire in the order of their ticks; the order of those of one tick is not specified, but
/// the same wherever the same calls are made of a wheel of the same storage and capacity. A deadline in the past joins
/// the tick at which the wheel stands, which is that of the last timer that fired, or the last tick at which there was
/// nothing to fire.
///
/// *When not to use it:* where the order within a tick matters, or for a handful of timers, for which a
/// [`PriorityQueue`](super::PriorityQueue) or an array is smaller.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::queue::TimerWheel;
/// use divvy::storage::{Full, Inline};
///
/// let mut timers = TimerWheel::<&str, Inline<2>>::new(Duration::from_millis(1));
/// let at = Instant::from_millis;
/// let slow = timers.insert(at(500), "give up")?;
/// timers.insert(at(20), "try again")?;
/// assert_eq!(timers.insert(at(30), "third"), Err(Full("third")));
///
/// assert_eq!(timers.next_deadline(), Some(at(20)));
/// assert_eq!(timers.expire(at(19)), None);
/// assert_eq!(timers.expire(at(25)), Some("try again"));
/// assert_eq!(timers.expire(at(25)), None);
///
/// assert_eq!(timers.cancel(slow), Some("give up"));
/// // Cancelled before: nothing to give back, and nothing changes.
/// assert_eq!(timers.cancel(slow), None);
/// # Ok::<(), Full<&str>>(())
/// ```
///
/// # Complexity
///
/// [`insert`](Self::insert) and [`cancel`](Self::cancel) are *O*(1). [`expire`](Self::expire) passes over empty time by
/// bit sets, however long it is, and moves a timer from a slot to one of a lower level less often than there are levels
/// (16 with [`Inline`], 8 with [`Heap`](crate::storage::Heap)) between its insertion and its firing; one call moves at
/// most all timers of one slot from each level, and [`advance`](Self::advance) no more than it is allowed to.
/// [`next_deadline`](Self::next_deadline) looks at the timers of one slot (during a divided `advance`, of two).
///
/// Bytes with [`Inline`]: 1.4 KiB, and for each timer 20 and the `Option` of its item, rounded up to a multiple of 8.
/// With [`Heap`](crate::storage::Heap) as much for each timer, and 8.4 KiB, or 143.4 KiB from a capacity of 65,536 on.
/// Items do not move until they fire.
///
/// # Time
///
/// `now` is the caller's clock. A `now` earlier than one seen before is taken as that one. Deadlines may be as far away
/// as [`Instant::MAX`]: the levels cover all 64 bits.
///
/// # Concurrency
///
/// Single owner (`&mut self`).
///
/// # References
///
/// Varghese and Lauck, *Hashed and hierarchical timing wheels*, SOSP 1987.
pub struct TimerWheel<T, S: Shape> {
    lists: Lists<T, S>,
    /// The level whose slot at the cursor is being moved to the levels below; 0 if none is.
    floor: u32,
    /// No timer has a tick before it.
    cursor: u64,
    /// The latest `now`.
    latest: Instant,
    /// Before it there is nothing to do; [`Instant::ZERO`] unless it is later than `latest`.
    wake: Instant,
    ticks: Ticks,
}

impl<T, const N: usize> TimerWheel<T, Inline<N>> {
    /// A wheel without timers, for up to `N`, with ticks of `resolution` (of a nanosecond, if that is zero).
    #[must_use]
    pub const fn new(resolution: Duration) -> Self {
        const { assert!(N <= MAX_CAPACITY as usize, "timers are numbered in 30 bits") };
        let lists = Lists::new([NONE; 256], InlineSlots([const { Node::EMPTY }; N]), 0);
        Self::from_lists(lists, resolution)
    }
}

#[cfg(feature = "alloc")]
impl<T> TimerWheel<T, crate::storage::Heap> {
    /// A wheel without timers, for up to `capacity` (at most 2³⁰), allocated now, with ticks of `resolution` (of a
    /// nanosecond, if that is zero).
    #[must_use]
    pub fn with_capacity(resolution: Duration, capacity: u32) -> Self {
        // Where all timers fit the caches there is nothing to wait for, and one lane is less work.
        Self::with_lanes(resolution, capacity, capacity >= 1 << 16)
    }

    /// A wheel whose slots have several lanes, or one.
    fn with_lanes(resolution: Duration, capacity: u32, several: bool) -> Self {
        let lane_bits = if several { LANE_BITS } else { 0 };
        let capacity = capacity.min(MAX_CAPACITY) as usize;
        let heads = crate::storage::Heap::STRIDE * ((1 << lane_bits) - 1) + crate::storage::Heap::SLOTS;
        let heads = alloc::vec![NONE; heads].into_boxed_slice();
        let nodes = (0..capacity).map(|_| Node::EMPTY).collect();
        Self::from_lists(Lists::new(heads, nodes, lane_bits), resolution)
    }
}

impl<T, S: Shape> TimerWheel<T, S> {
    const fn from_lists(lists: Lists<T, S>, resolution: Duration) -> Self {
        Self {
            lists,
            floor: 0,
            cursor: 0,
            latest: Instant::ZERO,
            wake: Instant::MAX,
            ticks: Ticks::new(resolution),
        }
    }

    /// Sets a timer: `item` comes back from [`expire`](Self::expire) when its deadline has passed.
    ///
    /// # Errors
    ///
    /// [`Full`] gives the item back; nothing changed.
    #[inline]
    pub fn insert(&mut self, deadline: Instant, item: T) -> Result<TimerId, Full<T>> {
        if self.lists.len() == 0 || deadline < self.wake {
            self.expect(deadline);
        }
        let tick = self.ticks.first_from(deadline).max(self.cursor);
        let (slot, generation) = self.lists.insert(self.cursor, tick, item)?;
        Ok(TimerId { slot, generation })
    }

    /// Takes a timer back before it fires: its item, or `None` if it has fired or was cancelled before, and then
    /// nothing changed.
    #[inline]
    pub fn cancel(&mut self, id: TimerId) -> Option<T> {
        self.lists.take(id.slot, id.generation)
    }

    /// Takes the next timer that is due. Call it until it answers `None`.
    #[inline]
    pub fn expire(&mut self, now: Instant) -> Option<T> {
        if now < self.wake {
            self.pass(now);
            return None;
        }
        self.next_due(now)
    }

    /// Like [`expire`](Self::expire), in at most `steps` steps (of one at least): for callers who may not work longer
    /// in one go.
    ///
    /// A step moves one timer to a slot of a lower level. Firing is not counted, as it looks at one timer.
    #[inline]
    pub fn advance(&mut self, now: Instant, steps: u32) -> Advance<T> {
        if now < self.wake {
            self.pass(now);
            return Advance::Done;
        }
        self.turn(now, steps.max(1))
    }

    /// Notes what time it is.
    // A branch, as a maximum would wait for what the last call wrote.
    #[inline]
    fn pass(&mut self, now: Instant) {
        if now > self.latest {
            self.latest = now;
        }
    }

    /// What `wake` should be if `tick` is the first at which there is something to do.
    #[inline]
    fn due_from(&self, tick: u64) -> Instant {
        let start = self.ticks.start(tick);
        if start > self.latest { start } else { Instant::ZERO }
    }

    /// Prepares for a timer that is the first or the next.
    // Out of line, as most are neither.
    #[inline(never)]
    fn expect(&mut self, deadline: Instant) {
        if self.lists.len() == 0 {
            // Nothing is in the way up to the latest `now`.
            self.floor = 0;
            self.cursor = self.cursor.max(self.ticks.of(self.latest));
        }
        let tick = self.ticks.first_from(deadline).max(self.cursor);
        self.wake = self.wake.min(self.due_from(tick));
    }

    // Out of line, so that what is in line is the answer that nothing is due.
    #[inline(never)]
    fn next_due(&mut self, now: Instant) -> Option<T> {
        loop {
            match self.turn(now, u32::MAX) {
                Advance::Expired(item) => return Some(item),
                Advance::Done => return None,
                Advance::More => {}
            }
        }
    }

    /// Does what is to be done until a timer fires, nothing is due, or the steps are used up.
    #[inline]
    fn turn(&mut self, now: Instant, mut steps: u32) -> Advance<T> {
        self.pass(now);
        self.wake = Instant::ZERO;
        loop {
            while self.floor > 0 {
                if steps == 0 {
                    return Advance::More;
                }
                steps -= self.descend(steps);
            }
            let Some(slot) = self.lists.first_slot() else {
                self.wake = Instant::MAX;
                return Advance::Done;
            };
            let start = start_of::<S>(slot, self.cursor);
            let due = self.ticks.start(start);
            if due > self.latest {
                self.wake = due;
                // Nothing is in the way up to now: what is inserted next goes to a lower level.
                self.cursor = self.cursor.max(self.ticks.of(self.latest));
                return Advance::Done;
            }
            self.cursor = start;
            self.floor = level_of_slot::<S>(slot);
            if self.floor > 0 {
                continue;
            }
            let Some((item, emptied)) = self.lists.pop(slot) else { return Advance::Done };
            if emptied {
                self.wake = match self.lists.first_slot() {
                    Some(next) => self.due_from(start_of::<S>(next, start)),
                    None => Instant::MAX,
                };
            }
            return Advance::Expired(item);
        }
    }

    /// Moves up to `most` timers from the slot at the cursor to the levels below: how many.
    fn descend(&mut self, most: u32) -> u32 {
        let slot = slot_of::<S>(self.floor, self.cursor);
        let (count, emptied) = self.lists.drain(slot, self.cursor, most);
        if emptied {
            self.floor = 0;
        }
        count
    }

    /// When the next timer fires: the beginning of its tick, which is its deadline or less than a tick after it.
    ///
    /// `None` if there are no timers. Before this instant [`expire`](Self::expire) answers `None`, from it on the timer,
    /// unless it is cancelled first.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let waiting = (self.floor > 0).then(|| slot_of::<S>(self.floor, self.cursor));
        let slots = self.lists.first_slot().into_iter().chain(waiting);
        let tick = slots.filter_map(|slot| self.lists.earliest(slot)).min()?;
        Some(self.ticks.start(tick))
    }

    /// How many timers wait.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.lists.len()
    }

    /// Whether no timer waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the next timer would be refused.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// How many timers fit.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.lists.capacity()
    }

    /// How long a tick is.
    #[must_use]
    pub const fn resolution(&self) -> Duration {
        self.ticks.resolution()
    }
}

impl<T, S: Shape> fmt::Debug for TimerWheel<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimerWheel")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

//! Timers: a hierarchical timing wheel.

mod chains;
mod slots;
mod ticks;

use crate::storage::{Full, Inline, InlineSlots};
use crate::time::Instant;
use chains::{Chains, Entry, Header, NONE};
use core::fmt;
use core::time::Duration;
pub use slots::Shape;
use slots::{SlotSet, level_of, level_of_slot, slot_of, start_of};
use ticks::Ticks;

/// Places of entries are numbered in 32 bits, and there are at most twice as many as timers, and some.
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

#[derive(Clone, Copy, Debug)]
struct Timer {
    generation: u32,
    /// Where its entry is, if there is one.
    place: u32,
}

impl Timer {
    const EMPTY: Self = Self { generation: 0, place: 0 };
}

/// A bounded set of timers, as a hierarchical timing wheel.
///
/// Time is cut into ticks of one resolution. A timer fires at the first [`expire`](Self::expire) whose `now` has reached
/// the first tick that does not begin before its deadline: never early, and never later than one tick after its deadline
/// if somebody asks then. Timers fire in the order of their ticks, those of one tick in the order in which they were
/// inserted. A deadline in the past joins the tick at which the wheel stands, which is that of the last timer that fired,
/// or the last tick at which there was nothing to fire.
///
/// *When not to use it:* where timers must fire in the order of their deadlines within a tick, or for a handful of
/// them, for which a [`PriorityQueue`](super::PriorityQueue) or an array is smaller.
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
/// Bytes with [`Inline`]: 1.5 KiB, and for each timer 36 and the `Option` of its item. With
/// [`Heap`](crate::storage::Heap) 8.5 KiB, and below a capacity of 1,024 as much for each timer; above, timers are kept
/// in blocks, and a million take 39 each and twice the `Option` of the item. Items move with their timers: keep large
/// ones elsewhere, and an index here.
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
/// Varghese and Lauck, *Hashed and hierarchical timing wheels*, SOSP 1987. The slots hold chains of blocks rather than
/// lists, as a list of timers that were set at different times is a cache miss for each.
pub struct TimerWheel<T, S: Shape> {
    timers: S::Slots<Timer>,
    /// Timers that were set and are free again: a stack.
    free: S::Slots<u32>,
    freed: u32,
    /// Timers from here on were never set.
    fresh: u32,
    /// The timers by the slot that their tick has.
    chains: Chains<T, S>,
    /// Which slots hold timers.
    occupied: SlotSet,
    /// The level whose slot at the cursor is being moved to the levels below; 0 if none is.
    floor: u32,
    /// No timer has a tick before it.
    cursor: u64,
    /// The latest `now`.
    latest: Instant,
    /// Before it there is nothing to do.
    wake: Instant,
    ticks: Ticks,
}

impl<T, const N: usize> TimerWheel<T, Inline<N>> {
    /// A wheel without timers, for up to `N`, with ticks of `resolution` (of a nanosecond, if that is zero).
    #[must_use]
    pub const fn new(resolution: Duration) -> Self {
        const { assert!(N <= MAX_CAPACITY as usize, "timers are numbered in 31 bits") };
        let chains =
            Chains::new(InlineSlots([Header::EMPTY; N]), InlineSlots([const { Entry::EMPTY }; N]), 0);
        Self::from_parts(InlineSlots([Timer::EMPTY; N]), InlineSlots([0; N]), chains, resolution)
    }
}

#[cfg(feature = "alloc")]
impl<T> TimerWheel<T, crate::storage::Heap> {
    /// A wheel without timers, for up to `capacity` (at most 2³⁰), allocated now, with ticks of `resolution` (of a
    /// nanosecond, if that is zero).
    #[must_use]
    pub fn with_capacity(resolution: Duration, capacity: u32) -> Self {
        let block_bits = match capacity {
            0..=1_023 => 0,
            1_024..=8_191 => 2,
            8_192..=262_143 => 4,
            _ => 5,
        };
        Self::with_blocks(resolution, capacity, block_bits)
    }

    /// A wheel that keeps timers in blocks of 2 to the power of `block_bits`.
    fn with_blocks(resolution: Duration, capacity: u32, block_bits: u32) -> Self {
        let capacity = capacity.min(MAX_CAPACITY) as usize;
        let chains = Chains::with_capacity(capacity, block_bits);
        let timers = alloc::vec![Timer::EMPTY; capacity].into_boxed_slice();
        let free = alloc::vec![0; capacity].into_boxed_slice();
        Self::from_parts(timers, free, chains, resolution)
    }
}

impl<T, S: Shape> TimerWheel<T, S> {
    const fn from_parts(
        timers: S::Slots<Timer>,
        free: S::Slots<u32>,
        chains: Chains<T, S>,
        resolution: Duration,
    ) -> Self {
        Self {
            timers,
            free,
            freed: 0,
            fresh: 0,
            chains,
            occupied: SlotSet::new(),
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
        let slot = match self.freed.checked_sub(1) {
            Some(top) => self.free[top as usize],
            None => self.fresh,
        };
        let Some(timer) = self.timers.get_mut(slot as usize) else { return Err(Full(item)) };
        timer.generation = timer.generation.wrapping_add(1);
        let generation = timer.generation;
        if self.occupied.is_empty() {
            // Nothing is in the way of the cursor.
            self.floor = 0;
            self.cursor = self.cursor.max(self.ticks.of(self.latest));
        }
        match self.freed.checked_sub(1) {
            Some(top) => self.freed = top,
            None => self.fresh += 1,
        }
        let tick = self.ticks.first_from(deadline).max(self.cursor);
        if deadline < self.wake {
            self.wake = self.wake.min(self.ticks.start(tick));
        }
        self.file(Entry::new(tick, slot, item));
        Ok(TimerId { slot, generation })
    }

    /// Takes a timer back before it fires: its item, or `None` if it has fired or was cancelled before, and then
    /// nothing changed.
    #[inline]
    pub fn cancel(&mut self, id: TimerId) -> Option<T> {
        let timer = self.timers.get(id.slot as usize).filter(|timer| timer.generation == id.generation)?;
        let place = timer.place;
        let item = self.chains.take(place, id.slot)?;
        self.release(id.slot);
        let closed = self.chains.close(place);
        if closed.emptied {
            self.occupied.remove(closed.slot.into());
        } else if closed.merged != NONE {
            let (start, entries) = self.chains.entries_of(closed.merged);
            for (place, entry) in (start..).zip(entries).filter(|(_, entry)| entry.item.is_some()) {
                self.timers[entry.timer as usize].place = place;
            }
        }
        Some(item)
    }

    /// Takes the next timer that is due. Call it until it answers `None`.
    #[inline]
    pub fn expire(&mut self, now: Instant) -> Option<T> {
        self.latest = self.latest.max(now);
        if self.latest < self.wake { None } else { self.next_due() }
    }

    /// Like [`expire`](Self::expire), in at most `steps` steps (of one at least): for callers who may not work longer
    /// in one go.
    ///
    /// A step looks at one place of a slot, and mostly moves the timer that is there. Firing is not counted, as it looks
    /// at 32 places at most.
    #[inline]
    pub fn advance(&mut self, now: Instant, steps: u32) -> Advance<T> {
        self.latest = self.latest.max(now);
        if self.latest < self.wake { Advance::Done } else { self.turn(steps.max(1)) }
    }

    // Out of line, so that what is in line is the answer that nothing is due.
    #[inline(never)]
    fn next_due(&mut self) -> Option<T> {
        loop {
            match self.turn(u32::MAX) {
                Advance::Expired(item) => return Some(item),
                Advance::Done => return None,
                Advance::More => {}
            }
        }
    }

    /// Does what is to be done until a timer fires, nothing is due, or the steps are used up.
    #[inline]
    fn turn(&mut self, mut steps: u32) -> Advance<T> {
        loop {
            while self.floor > 0 {
                if steps == 0 {
                    return Advance::More;
                }
                steps -= self.descend(steps);
            }
            let Some(slot) = self.occupied.first() else {
                self.wake = Instant::MAX;
                return Advance::Done;
            };
            let start = start_of::<S>(slot, self.cursor);
            self.wake = self.ticks.start(start);
            if self.wake > self.latest {
                // Nothing is in the way up to now: what is inserted next goes to a lower level.
                self.cursor = self.cursor.max(self.ticks.of(self.latest));
                return Advance::Done;
            }
            self.cursor = start;
            self.floor = level_of_slot::<S>(slot);
            if self.floor > 0 {
                continue;
            }
            let Some((timer, item, emptied)) = self.chains.pop(slot) else {
                self.occupied.remove(slot);
                continue;
            };
            self.release(timer);
            if emptied {
                self.occupied.remove(slot);
                self.wake = match self.occupied.first() {
                    Some(next) => self.ticks.start(start_of::<S>(next, start)),
                    None => Instant::MAX,
                };
            }
            return Advance::Expired(item);
        }
    }

    /// Moves up to `most` entries from the slot at the cursor to the levels below: how many.
    fn descend(&mut self, most: u32) -> u32 {
        let slot = slot_of::<S>(self.floor, self.cursor);
        let Self { timers, chains, occupied, cursor, .. } = self;
        let (count, emptied) = chains.drain(slot, most, |chains, entry| {
            let tick = entry.tick();
            let to = slot_of::<S>(level_of::<S>(*cursor ^ tick), tick);
            occupied.insert(to);
            let timer = entry.timer;
            timers[timer as usize].place = chains.append(to, entry);
        });
        if emptied {
            occupied.remove(slot);
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
        let slots = self.occupied.first().into_iter().chain(waiting);
        let tick = slots.filter_map(|slot| self.chains.earliest(slot)).min()?;
        Some(self.ticks.start(tick))
    }

    /// How many timers wait.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.fresh - self.freed
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
        self.timers.len() as u32
    }

    /// How long a tick is.
    #[must_use]
    pub const fn resolution(&self) -> Duration {
        self.ticks.resolution()
    }

    /// Puts `entry` into the slot of its tick.
    #[inline]
    fn file(&mut self, entry: Entry<T>) {
        let tick = entry.tick();
        let level = level_of::<S>(self.cursor ^ tick).max(self.floor);
        let slot = slot_of::<S>(level, tick);
        self.occupied.insert(slot);
        let timer = entry.timer;
        self.timers[timer as usize].place = self.chains.append(slot, entry);
    }

    /// Makes the place of a timer that is gone ready for another.
    #[inline]
    fn release(&mut self, slot: u32) {
        self.free[self.freed as usize] = slot;
        self.freed += 1;
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

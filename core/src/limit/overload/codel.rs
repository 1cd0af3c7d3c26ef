//! By how long it waited.

use super::Verdict;
use crate::time::{Instant, nanos};
use core::fmt;
use core::time::Duration;

/// Why a gate was refused. Nothing was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CodelError {
    /// The target is zero, so everything that waits at all would be too late. Remedy: 5 ms, or a few service times.
    ZeroTarget,
    /// The interval is not longer than the target. Remedy: 100 ms, or twenty targets.
    ShortInterval,
    /// The target or the interval does not fit 63 bits of nanoseconds (292 years). Remedy: a shorter one.
    TooLong,
}

impl fmt::Display for CodelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ZeroTarget => "the target of a CoDel gate must be longer than zero",
            Self::ShortInterval => "the interval of a CoDel gate must be longer than its target",
            Self::TooLong => "a duration of a CoDel gate must be below 292 years",
        })
    }
}

impl core::error::Error for CodelError {}

/// What a [`Codel`] drops while the queue stands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Law {
    /// Everything that waited for longer than twice the target. For servers, whose callers do not slow down when one
    /// request is dropped.
    #[default]
    Server,
    /// One after an interval, the next after interval/√2, interval/√3 and so on. For packets, whose senders slow down when one
    /// is dropped: RFC 8289.
    Packet,
}

/// From which end to take the next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Order {
    /// The oldest first.
    Fifo,
    /// The newest first: it has the best chance to be in time, and of the others some will be too late anyway.
    Lifo,
}

/// What a [`Codel`] did so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CodelStats {
    /// How many it let run.
    pub run: u64,
    /// How many it dropped.
    pub dropped: u64,
    /// How often the queue began to stand.
    pub overloads: u64,
    /// Whether it stands now.
    pub is_overloaded: bool,
}

/// Controlled delay: drops what waited for too long, once the queue has been standing for a while.
///
/// A queue that fills and empties again does good: it carries a burst. A queue that stands only adds its delay to everything.
/// So not its length counts but how long it takes to pass it: while each item that is taken has waited for
/// longer than the `target` for a whole `interval`, the queue stands. The gate keeps no items: ask it for a
/// [`verdict`](Self::verdict) about each one that you take from your own queue, and drop what it says before any work is done.
///
/// By default a queue that stands drops whatever waited for more than twice the target ([`Law::Server`]), so no more than
/// the first interval of an overload is served late, and the server is busy with what is still in time. An overload ends
/// an interval after the last drop, or when you say that the queue was [`emptied`](Self::emptied); one that returns within
/// an interval is known at once.
///
/// [`order`](Self::order) says from which end to take next: adaptive LIFO takes the newest while the queue stands. Then the
/// oldest stay behind, so first take away from the old end what the gate says is too late:
///
/// ```
/// # use core::time::Duration;
/// # use divvy::Instant;
/// # use divvy::limit::{Codel, CodelError, Order, Verdict};
/// # use std::collections::VecDeque;
/// fn next(now: Instant, gate: &mut Codel, queue: &mut VecDeque<Instant>) -> Option<Instant> {
///     loop {
///         let oldest = *queue.front()?;
///         if gate.is_late(now, oldest) {
///             let _ = gate.verdict(now, oldest); // it counts the drop
///             queue.pop_front();
///             continue;
///         }
///         let item = match gate.order() {
///             Order::Fifo => queue.pop_front()?,
///             Order::Lifo => queue.pop_back()?,
///         };
///         if gate.verdict(now, item) == Verdict::Run {
///             return Some(item);
///         }
///     }
/// }
/// # let mut gate = Codel::new(Duration::from_millis(5), Duration::from_millis(100))?;
/// # let mut queue = VecDeque::from([Instant::ZERO]);
/// # assert!(next(Instant::from_millis(1), &mut gate, &mut queue).is_some());
/// # Ok::<(), CodelError>(())
/// ```
///
/// *When not to use it:* for work that must be done however late, which is what a queue with a bound is for; or where callers
/// wait for less than the target anyway.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::limit::{Codel, CodelError, Order, Verdict};
///
/// let ms = Instant::from_millis;
/// let mut gate = Codel::new(Duration::from_millis(5), Duration::from_millis(100))?;
/// // Each item waited for 50 ms. For an interval that may be a burst:
/// assert_eq!(gate.verdict(ms(50), ms(0)), Verdict::Run);
/// assert_eq!(gate.verdict(ms(149), ms(99)), Verdict::Run);
/// // From then on the queue stands:
/// assert_eq!(gate.verdict(ms(150), ms(100)), Verdict::Drop);
/// assert_eq!((gate.verdict(ms(150), ms(140)), gate.order()), (Verdict::Run, Order::Lifo));
/// assert_eq!(Codel::new(Duration::ZERO, Duration::from_millis(100)), Err(CodelError::ZeroTarget));
/// # Ok::<(), CodelError>(())
/// ```
///
/// # Complexity
///
/// *O*(1); a drop by [`Law::Packet`] takes a 128-bit square root and division. 120 bytes.
///
/// # Time
///
/// `now` is when the item is taken from the queue. A `now` earlier than one seen before is taken as that one, and an item
/// queued later than that has not waited.
///
/// # Concurrency
///
/// Single owner (`&mut self`), as is the end of a queue from which items are taken.
///
/// # References
///
/// RFC 8289 (Nichols, Jacobson: *Controlled delay active queue management*), with its defaults of 5 ms and 100 ms;
/// Maurer: *Fail at scale*, ACM Queue 13(8), 2015, for servers and for adaptive LIFO.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Codel {
    target: u64,
    interval: u64,
    law: Law,
    latest: u64,
    /// Since when each item that was taken had waited for longer than the target.
    above_since: Option<u64>,
    is_overloaded: bool,
    /// When something was dropped last, or the overload was noticed.
    last_late: u64,
    /// When the last overload ended.
    ended: Option<u64>,
    packet: Packet,
    run: u64,
    dropped: u64,
    overloads: u64,
}

impl Codel {
    /// A gate for a queue in which items may wait for `target`, and for longer than that during an `interval`.
    ///
    /// # Errors
    ///
    /// [`CodelError`].
    pub const fn new(target: Duration, interval: Duration) -> Result<Self, CodelError> {
        let (Some(target), Some(interval)) = (nanos(target), nanos(interval)) else {
            return Err(CodelError::TooLong);
        };
        if target == 0 {
            return Err(CodelError::ZeroTarget);
        }
        if interval <= target {
            return Err(CodelError::ShortInterval);
        }
        if interval > u64::MAX / 2 {
            return Err(CodelError::TooLong);
        }
        Ok(Self {
            target,
            interval,
            law: Law::Server,
            latest: 0,
            above_since: None,
            is_overloaded: false,
            last_late: 0,
            ended: None,
            packet: Packet { count: 0, last_count: 0, drop_next: 0, is_due: false },
            run: 0,
            dropped: 0,
            overloads: 0,
        })
    }

    /// Drops by `law`.
    #[must_use]
    pub const fn law(mut self, law: Law) -> Self {
        self.law = law;
        self
    }

    /// Whether to do what was put into the queue at `queued_at` and is taken from it now.
    pub fn verdict(&mut self, now: Instant, queued_at: Instant) -> Verdict {
        self.latest = self.latest.max(now.as_nanos());
        let waited = self.latest.saturating_sub(queued_at.as_nanos());
        let is_dropped = match self.law {
            Law::Server => self.is_dropped_by_server(waited),
            Law::Packet => self.is_dropped_as_packet(waited),
        };
        if is_dropped {
            self.dropped = self.dropped.saturating_add(1);
            Verdict::Drop
        } else {
            self.run = self.run.saturating_add(1);
            Verdict::Run
        }
    }

    /// Says that the queue was found empty: it does not stand.
    pub fn emptied(&mut self, now: Instant) {
        self.latest = self.latest.max(now.as_nanos());
        self.above_since = None;
        // By the packet law an overload ends with the next packet that did not wait.
        if self.is_overloaded && self.law == Law::Server {
            self.end();
        }
    }

    /// From which end of the queue to take the next item.
    #[must_use]
    pub const fn order(&self) -> Order {
        if self.is_overloaded { Order::Lifo } else { Order::Fifo }
    }

    /// Whether the queue stands.
    #[must_use]
    pub const fn is_overloaded(&self) -> bool {
        self.is_overloaded
    }

    /// Whether [`verdict`](Self::verdict) would drop this item by [`Law::Server`]: the queue stands, and it waited for more
    /// than twice the target. Nothing changes. Always `false` by [`Law::Packet`], which drops by the clock.
    #[must_use]
    pub fn is_late(&self, now: Instant, queued_at: Instant) -> bool {
        let now = self.latest.max(now.as_nanos());
        self.law == Law::Server
            && self.is_overloaded
            && self.exceeds_twice(now.saturating_sub(queued_at.as_nanos()))
    }

    /// What it did so far.
    #[must_use]
    pub const fn stats(&self) -> CodelStats {
        CodelStats {
            run: self.run,
            dropped: self.dropped,
            overloads: self.overloads,
            is_overloaded: self.is_overloaded,
        }
    }

    const fn exceeds_twice(&self, waited: u64) -> bool {
        // The target is below 2⁶³.
        waited > 2 * self.target
    }

    fn is_dropped_by_server(&mut self, waited: u64) -> bool {
        if !self.is_overloaded && !self.begins_to_stand(waited) {
            return false;
        }
        if self.exceeds_twice(waited) {
            self.last_late = self.latest;
            return true;
        }
        if self.latest - self.last_late >= self.interval {
            self.end();
        }
        false
    }

    /// Whether the queue stands from now on.
    fn begins_to_stand(&mut self, waited: u64) -> bool {
        if waited <= self.target {
            self.above_since = None;
            return false;
        }
        let since = *self.above_since.get_or_insert(self.latest);
        let returns = self.ended.is_some_and(|ended| self.latest - ended < self.interval);
        if self.latest - since < self.interval && !(returns && self.exceeds_twice(waited)) {
            return false;
        }
        self.begin();
        true
    }

    fn begin(&mut self) {
        self.is_overloaded = true;
        self.overloads = self.overloads.saturating_add(1);
        self.last_late = self.latest;
    }

    fn end(&mut self) {
        self.is_overloaded = false;
        self.above_since = None;
        self.ended = Some(self.latest);
    }

    fn is_dropped_as_packet(&mut self, waited: u64) -> bool {
        let now = self.latest;
        let is_above = waited >= self.target;
        let stands = if is_above {
            now - *self.above_since.get_or_insert(now) >= self.interval
        } else {
            self.above_since = None;
            false
        };
        if !self.is_overloaded {
            if !stands {
                return false;
            }
            let interval = self.interval;
            self.begin();
            self.packet.begin(now, interval);
            return true;
        }
        if !stands {
            self.is_overloaded = false;
            self.packet.is_due = false;
            return false;
        }
        self.packet.is_dropped(now, self.interval)
    }
}

/// What the packet law remembers while it drops.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Packet {
    /// How many it dropped since it began to, or a part of those of the last time.
    count: u32,
    last_count: u32,
    drop_next: u64,
    /// Whether the time of the next drop is to be set: only if the packet after a drop had to wait as well.
    is_due: bool,
}

impl Packet {
    fn begin(&mut self, now: u64, interval: u64) {
        // Soon after the last time it goes on at about the rate that was enough then.
        let delta = self.count.saturating_sub(self.last_count);
        let is_soon = now.saturating_sub(self.drop_next) < interval.saturating_mul(16);
        self.count = if delta > 1 && is_soon { delta } else { 1 };
        self.drop_next = now.saturating_add(spacing(interval, self.count));
        self.last_count = self.count;
        self.is_due = false;
    }

    fn is_dropped(&mut self, now: u64, interval: u64) -> bool {
        if self.is_due {
            self.is_due = false;
            self.drop_next = self.drop_next.saturating_add(spacing(interval, self.count));
        }
        if now < self.drop_next {
            return false;
        }
        self.count = self.count.saturating_add(1);
        self.is_due = true;
        true
    }
}

/// `interval / √count`, within a nanosecond.
pub(super) fn spacing(interval: u64, count: u32) -> u64 {
    // The root with 48 fraction bits.
    let root = (u128::from(count.max(1)) << 96).isqrt();
    ((u128::from(interval) << 48) / root) as u64
}

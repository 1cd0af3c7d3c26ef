//! Cells taken ahead of their time, and given back when they are not used.

use super::{Gcra, OverBurst, Span};
use crate::time::Instant;
use core::fmt;
use core::num::NonZeroU32;

/// Why nothing was reserved. Nothing changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ReserveError {
    /// More cells than the burst. Remedy: reserve fewer at a time, or give the quota a larger burst.
    OverBurst(OverBurst),
    /// The bucket would not be full again before the end of the clock (584 years). Remedy: release what is reserved and
    /// not needed.
    TooLate,
}

impl fmt::Display for ReserveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OverBurst(over) => over.fmt(f),
            Self::TooLate => {
                f.write_str("so much is reserved that the clock ends before it has gone; release some")
            }
        }
    }
}

impl core::error::Error for ReserveError {}

impl From<OverBurst> for ReserveError {
    fn from(over: OverBurst) -> Self {
        Self::OverBurst(over)
    }
}

/// What giving back brought.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Refund {
    /// Every unused cell can be taken again.
    All,
    /// Only a part of them: meanwhile the bucket would have been full without them, or others were promised an instant
    /// that relies on them.
    Part,
    /// Nothing: there was nothing unused, so much time has passed that it makes no difference any more, or the burst was
    /// changed since.
    None,
}

/// Cells taken from a [`Gcra`], and when they may go.
///
/// It is neither `Copy` nor `Clone`: what it stands for is given back once at most. Dropping it keeps the cells taken,
/// which is what to do when they were used.
#[derive(Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "the cells are taken, and may not go before the reservation says"]
pub struct Reservation {
    at: Instant,
    cells: u32,
    epoch: u32,
    /// The limiter's count of cells taken, these among them.
    taken: u64,
    /// When the bucket would be full again if nothing were taken after these.
    full: Instant,
    /// The latest instant that the limiter promises without the cells that were not used.
    promised: Instant,
}

impl Reservation {
    /// From this instant on the cells may go.
    #[must_use]
    pub const fn at(&self) -> Instant {
        self.at
    }

    /// How many cells are left that were not used.
    #[must_use]
    pub const fn cells(&self) -> u32 {
        self.cells
    }

    /// Uses up to `n` of the cells, which are then not given back by [`Gcra::release`]. Returns how many there were.
    pub const fn spend(&mut self, n: u32) -> u32 {
        let spent = if n < self.cells { n } else { self.cells };
        self.cells -= spent;
        if spent > 0 && self.at.as_nanos() > self.promised.as_nanos() {
            self.promised = self.at;
        }
        spent
    }
}

impl Gcra {
    /// Takes `n` cells as soon as the quota allows, now or later, and says when they may go. Whoever comes after waits
    /// for what is left.
    ///
    /// To wait for no longer than so long, ask [`next_free_n`](Self::next_free_n) first.
    ///
    /// # Errors
    ///
    /// [`ReserveError`] if `n` is more than the burst or more is reserved than the clock can tell. Nothing changed.
    ///
    /// # Examples
    ///
    /// A job that may cost up to five cells, and gives back what it did not need:
    ///
    /// ```
    /// use core::num::NonZeroU32;
    /// use core::time::Duration;
    /// use divvy::Instant;
    /// use divvy::limit::{Gcra, Quota, Refund};
    ///
    /// let five = NonZeroU32::new(5).expect("five is not zero");
    /// let mut limit = Gcra::new(Quota::new(five, Duration::from_secs(1))?.burst(five)?);
    /// let mut job = limit.reserve(Instant::ZERO, five)?;
    /// assert_eq!(job.at(), Instant::ZERO);
    /// // The next one would have to wait…
    /// assert_eq!(limit.next_free(Instant::ZERO), Instant::from_millis(200));
    /// assert_eq!(job.spend(2), 2);
    /// // …until the first turns out to be cheap.
    /// assert_eq!(limit.release(Instant::ZERO, job), Refund::All);
    /// assert_eq!(limit.available(Instant::ZERO), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reserve(&mut self, now: Instant, n: NonZeroU32) -> Result<Reservation, ReserveError> {
        self.within_burst(n)?;
        let n = n.get();
        let now = now.max(self.latest);
        let at = self.quota.earliest(self.next, n).max(now);
        // As if they were admitted then: they may go on a whole nanosecond, up to one later than the bucket has room.
        let next = self.next.max(Span::at(at)).add(self.quota.times(n), self.quota.cells);
        if next.is_never() {
            return Err(ReserveError::TooLate);
        }
        self.latest = now;
        self.next = next;
        let full = next.ceil();
        self.counting = self.counting.max(full);
        self.taken = self.taken.wrapping_add(u64::from(n));
        let promised = self.promised;
        self.promised = promised.max(at);
        Ok(Reservation { at, cells: n, epoch: self.epoch, taken: self.taken, full, promised })
    }

    /// Gives back the cells of `reservation` that were not used, as far as that gives nobody more than the quota.
    ///
    /// The limiter is then as if those cells had never been taken, or a little stricter: cells whose time has passed
    /// (the bucket would have been full without them) and cells that an instant promised to somebody else relies on stay
    /// taken. So cells that were used never exceed the quota in any interval, in whichever order reservations are
    /// made, used and released.
    ///
    /// Under another rate than when they were reserved, cells count as cells. After a change of the *burst*, what was
    /// reserved before it is not given back. A reservation belongs to the limiter that gave it; another one takes at most
    /// its own cells for it.
    pub fn release(&mut self, now: Instant, reservation: Reservation) -> Refund {
        let now = self.see(now);
        let unused = self.quota.times(reservation.cells);
        let after = self.taken.wrapping_sub(reservation.taken);
        let late = now >= reservation.full || reservation.epoch != self.epoch;
        if late || reservation.cells == 0 || self.next.is_never() {
            return Refund::None;
        }
        if after == 0 {
            // The last that was taken: the limiter forgets that it ever was.
            self.taken = self.taken.wrapping_sub(u64::from(reservation.cells));
            self.promised = reservation.promised;
        }
        let quota = &self.quota;
        // Without these cells the bucket is full again at `next − unused` if nothing was taken since, and otherwise not
        // before what was taken since has drained, from the latest instant at which it goes.
        let Ok(after) = u32::try_from(after) else { return Refund::None };
        let floor = Span::at(now.max(self.promised)).add(quota.times(after), quota.cells);
        let without = self.next.sub(unused, quota.cells);
        if !self.next.after(floor.nanos, floor.part) {
            return Refund::None;
        }
        self.next = without.max(floor);
        if floor.after(without.nanos, without.part) { Refund::Part } else { Refund::All }
    }
}

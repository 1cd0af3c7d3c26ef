//! A rate that is never exceeded, kept as one instant.

mod requota;
mod reserve;
#[cfg(test)]
mod tests;

pub use reserve::{Refund, Reservation, ReserveError};

use super::quota::{Quota, Span};
use crate::limit::Admit;
use crate::time::Instant;
use core::fmt;
use core::num::NonZeroU32;

/// More cells than the burst of the quota: they could never go at once. Nothing changed. Remedy: ask for fewer at a
/// time, or give the quota a larger burst.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct OverBurst {
    /// The most that may go at once.
    pub burst: u32,
}

impl fmt::Display for OverBurst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "more cells than the burst of {}: ask for fewer at a time or allow a larger burst",
            self.burst
        )
    }
}

impl core::error::Error for OverBurst {}

/// A rate limiter that keeps one instant: the generic cell rate algorithm. It is the token bucket, and the leaky bucket
/// as a meter: all three admit the same cells.
///
/// In any interval of length *L* it admits at most `burst + L × cells / per` cells, and if cells come no faster than
/// that it refuses none. As a token bucket: it starts with `burst` tokens, gains `cells` tokens each `per` up to `burst`,
/// and each cell takes one. Only it keeps no tokens and needs no timer: the one instant says when the bucket would be
/// full again.
///
/// *When not to use it:* for "never more than `burst` in any window of `per`" (that is a [`SlidingLog`](super::SlidingLog):
/// here a window that starts with a full bucket holds the burst and what is gained meanwhile), to limit how many run at
/// the same time (a bulkhead), or where several cores share one limit without a lock.
///
/// # Examples
///
/// ```
/// use core::num::NonZeroU32;
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::limit::{Admit, Gcra, OverBurst, Quota, QuotaError};
///
/// let five = NonZeroU32::new(5).expect("five is not zero");
/// let mut limit = Gcra::new(Quota::new(five, Duration::from_secs(1))?);
/// assert_eq!(limit.admit(Instant::ZERO), Admit::Yes);
/// assert_eq!(limit.admit(Instant::ZERO), Admit::No { retry_at: Instant::from_millis(200) });
/// assert_eq!(limit.admit(Instant::from_millis(200)), Admit::Yes);
///
/// // Cells may cost more than one, and the quota may change. What is in the bucket stays in it: nothing, here.
/// let now = Instant::from_millis(400);
/// assert_eq!(limit.admit_n(now, five), Err(OverBurst { burst: 1 }));
/// limit.set_quota(now, Quota::new(five, Duration::from_secs(1))?.burst(five)?);
/// assert_eq!(limit.admit_n(now, five), Ok(Admit::No { retry_at: Instant::from_millis(1_200) }));
/// assert_eq!(limit.admit_n(Instant::from_millis(1_200), five), Ok(Admit::Yes));
/// # Ok::<(), QuotaError>(())
/// ```
///
/// # Complexity
///
/// *O*(1). One cell is admitted or refused without division; several at once cost one division of 64 bits by 32, a
/// change of quota four of 128 bits. 96 bytes, 40 of them the quota's.
///
/// # Time
///
/// `now` is when the cell would go. A `now` earlier than one seen before is taken as that one: a clock that goes back
/// refunds nothing, and refuses nothing that would have gone before it did. An instant past the end of the clock (584
/// years) is never: what would have to be remembered until then is remembered for ever, so the limit holds there too.
///
/// # Concurrency
///
/// Single owner (`&mut self`).
///
/// # Errors
///
/// [`OverBurst`] for more cells at once than the burst: a wait that would never end is not offered. [`ReserveError`] from
/// [`reserve`](Self::reserve).
///
/// # References
///
/// ITU-T I.371, *Traffic control and congestion control in B-ISDN*, annex A (virtual scheduling).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Gcra {
    quota: Quota,
    /// When the next cell would arrive if they came evenly, the theoretical arrival time: when the bucket is full again.
    next: Span,
    latest: Instant,
    /// Until when giving back a reservation can make a difference. Only until then cells are counted.
    counting: Instant,
    /// Cells counted so far, modulo 2⁶⁴: what was taken after a reservation is the difference of two of these.
    taken: u64,
    /// The latest instant that a reservation was promised.
    promised: Instant,
    /// How often the burst was changed, modulo 2³².
    epoch: u32,
}

impl Gcra {
    /// A limiter that has admitted nothing yet: the bucket is full.
    #[must_use]
    pub const fn new(quota: Quota) -> Self {
        Self {
            quota,
            next: Span::ZERO,
            latest: Instant::ZERO,
            counting: Instant::ZERO,
            taken: 0,
            promised: Instant::ZERO,
            epoch: 0,
        }
    }

    /// Admits one cell now, or says when it may go.
    #[inline]
    pub fn admit(&mut self, now: Instant) -> Admit {
        let now = self.see(now);
        match self.quota.admit(self.next, now) {
            Ok(next) => {
                self.take(now, next, 1);
                Admit::Yes
            }
            Err(retry_at) => Admit::No { retry_at },
        }
    }

    /// Admits `n` cells now, all or none, or says when they may go.
    ///
    /// # Errors
    ///
    /// [`OverBurst`] if `n` is more than the burst. Nothing changed.
    #[inline]
    pub fn admit_n(&mut self, now: Instant, n: NonZeroU32) -> Result<Admit, OverBurst> {
        self.within_burst(n)?;
        let now = self.see(now);
        Ok(match self.quota.admit_n(self.next, now, n.get()) {
            Ok(next) => {
                self.take(now, next, n.get());
                Admit::Yes
            }
            Err(retry_at) => Admit::No { retry_at },
        })
    }

    /// The earliest instant, not before `now`, at which a cell would be admitted. Nothing changes.
    #[must_use]
    #[inline]
    pub fn next_free(&self, now: Instant) -> Instant {
        let now = now.max(self.latest);
        self.quota.earliest(self.next, 1).max(now)
    }

    /// The earliest instant, not before `now`, at which `n` cells would be admitted together. Nothing changes.
    ///
    /// # Errors
    ///
    /// [`OverBurst`] if `n` is more than the burst.
    pub fn next_free_n(&self, now: Instant, n: NonZeroU32) -> Result<Instant, OverBurst> {
        self.within_burst(n)?;
        let now = now.max(self.latest);
        Ok(self.quota.earliest(self.next, n.get()).max(now))
    }

    /// How many cells would be admitted at once now: the whole tokens in the bucket. Nothing changes.
    #[must_use]
    pub fn available(&self, now: Instant) -> u32 {
        self.quota.available(self.next, now.max(self.latest))
    }

    /// The quota in force.
    #[must_use]
    pub const fn quota(&self) -> Quota {
        self.quota
    }

    /// The latest time seen. The branch is hardly ever taken, so what is remembered does not wait for what was.
    #[inline]
    fn see(&mut self, now: Instant) -> Instant {
        if now < self.latest {
            return self.latest;
        }
        self.latest = now;
        now
    }

    #[inline]
    fn take(&mut self, now: Instant, next: Span, n: u32) {
        self.next = next;
        if now < self.counting {
            self.taken = self.taken.wrapping_add(u64::from(n));
        }
    }

    #[inline]
    fn within_burst(&self, n: NonZeroU32) -> Result<(), OverBurst> {
        let burst = self.quota.burst;
        if n.get() > burst { Err(OverBurst { burst }) } else { Ok(()) }
    }
}

/// The algorithm itself, for whoever keeps the instant: `next` is when the bucket is full again.
impl Quota {
    /// The `next` after one cell at `now`, or when it may go.
    #[inline]
    pub(in crate::limit::rate) const fn admit(&self, next: Span, now: Instant) -> Result<Span, Instant> {
        let now = now.as_nanos();
        // As far as `next` may lie ahead. Past the end of time everything but never is near enough.
        let ahead = now.saturating_add(self.tolerance.nanos);
        if next.after(ahead, self.tolerance.part) {
            return Err(next.less(self.tolerance));
        }
        // Branches that are well foreseen, where a conditional move would have every call wait for the one before.
        if next.nanos < now {
            return match now.checked_add(self.cell.nanos) {
                Some(nanos) => Ok(Span { nanos, part: self.cell.part }),
                None => Ok(Span::NEVER),
            };
        }
        Ok(next.step(self.cell, self.cells))
    }

    /// The `next` after `n` cells, no more than the burst, at `now`, or when they may go.
    #[inline]
    pub(in crate::limit::rate) fn admit_n(&self, next: Span, now: Instant, n: u32) -> Result<Span, Instant> {
        if n == 1 {
            return self.admit(next, now);
        }
        let tolerance = self.times(self.burst - n);
        if next.after(now.as_nanos().saturating_add(tolerance.nanos), tolerance.part) {
            return Err(next.less(tolerance));
        }
        Ok(next.max(Span::at(now)).add(self.times(n), self.cells))
    }

    /// When `n` cells, no more than the burst, may go: possibly long ago.
    #[inline]
    pub(in crate::limit::rate) const fn earliest(&self, next: Span, n: u32) -> Instant {
        let tolerance = if n == 1 { self.tolerance } else { self.times(self.burst - n) };
        if next.after(tolerance.nanos, tolerance.part) { next.less(tolerance) } else { Instant::ZERO }
    }

    /// How many cells may go at once at `now`.
    pub(in crate::limit::rate) fn available(&self, next: Span, now: Instant) -> u32 {
        let taken = self.taken(next, now).div_ceil(u128::from(self.per_nanos()));
        u128::from(self.burst).saturating_sub(taken) as u32
    }

    /// What is missing in the bucket at `now`, in parts of 1/cells ns: `per` of them are one cell.
    pub(in crate::limit::rate) const fn taken(&self, next: Span, now: Instant) -> u128 {
        if next.is_never() {
            return u128::MAX;
        }
        if next.nanos < now.as_nanos() {
            return 0;
        }
        (next.nanos - now.as_nanos()) as u128 * self.cells as u128 + next.part as u128
    }
}

/// What is only asked for spans known to be in order.
impl Span {
    /// The first whole nanosecond at or after this less `tolerance`, which is not later than this.
    #[inline]
    const fn less(self, tolerance: Self) -> Instant {
        if self.is_never() {
            return Instant::MAX;
        }
        let part = (self.part > tolerance.part) as u64;
        Instant::from_nanos((self.nanos - tolerance.nanos).saturating_add(part))
    }

    /// This, which is not never, and one `cell` more.
    #[inline]
    const fn step(self, cell: Self, cells: u32) -> Self {
        let (mut part, mut carry) = (self.part, 0);
        if cell.part > 0 {
            // What is left until the next nanosecond does not depend on this span, so only one subtraction waits for it.
            let (less, no_carry) = part.overflowing_sub(cells - cell.part);
            part = if no_carry { part + cell.part } else { less };
            carry = !no_carry as u64;
        }
        match cell.nanos.checked_add(carry) {
            Some(more) => match self.nanos.checked_add(more) {
                Some(nanos) => Self { nanos, part },
                None => Self::NEVER,
            },
            None => Self::NEVER,
        }
    }
}

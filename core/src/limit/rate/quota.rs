//! A rate and its burst, without rounding.

use crate::time::{Instant, nanos};
use core::fmt;
use core::num::NonZeroU32;
use core::time::Duration;

/// Why a quota was refused. Nothing was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum QuotaError {
    /// The period is zero, so there would be no limit. Remedy: a period of at least a nanosecond.
    ZeroPeriod,
    /// The time that the burst stands for (burst × period / cells) does not fit 64 bits of nanoseconds (584 years).
    /// Remedy: a smaller burst or a shorter period.
    TooLong,
}

impl fmt::Display for QuotaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ZeroPeriod => "the period of a quota must be longer than zero",
            Self::TooLong => "the burst of a quota must be worth less than 584 years",
        })
    }
}

impl core::error::Error for QuotaError {}

/// A rate: so many cells per period, and how many may come at once.
///
/// One cell is one start, request or message. Between two cells lies `per / cells`, exactly: a fraction of a
/// nanosecond is carried, not rounded, so 3 per second is 3 per second for ever. (A caller who asks again at `retry_at`,
/// the first whole nanosecond, is late by a part of one. With a burst of 1 that part is lost, with 2 it is made up for.)
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Quota {
    pub(super) cells: u32,
    /// How many cells the bucket holds.
    pub(super) burst: u32,
    /// The time of one cell.
    pub(super) cell: Span,
    /// How far ahead of its time a cell may come: burst − 1 cells.
    pub(super) tolerance: Span,
}

impl Quota {
    /// `cells` each `per`, evenly spaced: a burst of one.
    ///
    /// # Errors
    ///
    /// [`QuotaError`] if the period is zero or too long.
    pub const fn new(cells: NonZeroU32, per: Duration) -> Result<Self, QuotaError> {
        let Some(per) = nanos(per) else { return Err(QuotaError::TooLong) };
        if per == 0 {
            return Err(QuotaError::ZeroPeriod);
        }
        let cells = cells.get();
        let cell = Span { nanos: per / cells as u64, part: (per % cells as u64) as u32 };
        Ok(Self { cells, burst: 1, cell, tolerance: Span::ZERO })
    }

    /// Up to `burst` cells at once after a pause.
    ///
    /// # Errors
    ///
    /// [`QuotaError::TooLong`] if that many cells stand for more than 584 years.
    pub const fn burst(mut self, burst: NonZeroU32) -> Result<Self, QuotaError> {
        self.burst = burst.get();
        self.tolerance = self.times(self.burst - 1);
        if self.tolerance.is_never() { Err(QuotaError::TooLong) } else { Ok(self) }
    }

    /// How many cells may go each [`per`](Self::per).
    #[must_use]
    pub const fn cells(&self) -> u32 {
        self.cells
    }

    /// The period in which [`cells`](Self::cells) may go.
    #[must_use]
    pub const fn per(&self) -> Duration {
        Duration::from_nanos(self.per_nanos())
    }

    /// How many cells may go at once after a pause.
    #[must_use]
    pub const fn burst_size(&self) -> u32 {
        self.burst
    }

    pub(super) const fn per_nanos(&self) -> u64 {
        self.cell.nanos * self.cells as u64 + self.cell.part as u64
    }

    /// The time of `n` cells; [`Span::NEVER`] where 64 bits of nanoseconds do not hold it.
    #[inline]
    pub(super) const fn times(&self, n: u32) -> Span {
        if n == 1 {
            return self.cell;
        }
        // In parts of 1/cells ns; the second product stays below 2⁶⁴.
        let Some(nanos) = self.cell.nanos.checked_mul(n as u64) else { return Span::NEVER };
        let parts = self.cell.part as u64 * n as u64;
        let Some(nanos) = nanos.checked_add(parts / self.cells as u64) else { return Span::NEVER };
        Span { nanos, part: (parts % self.cells as u64) as u32 }
    }
}

/// A time in nanoseconds and `cells`-ths of one.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) struct Span {
    pub(super) nanos: u64,
    pub(super) part: u32,
}

impl Span {
    pub(super) const ZERO: Self = Self { nanos: 0, part: 0 };
    /// Later than any time: what a sum becomes that 64 bits of nanoseconds do not hold. Its part is none that a time has.
    pub(super) const NEVER: Self = Self { nanos: u64::MAX, part: u32::MAX };

    #[inline]
    pub(super) const fn is_never(self) -> bool {
        self.part == u32::MAX
    }

    #[inline]
    pub(super) const fn at(now: Instant) -> Self {
        Self { nanos: now.as_nanos(), part: 0 }
    }

    /// Whether this is later than `nanos` and `part`.
    #[inline]
    pub(super) const fn after(self, nanos: u64, part: u32) -> bool {
        self.nanos > nanos || (self.nanos == nanos && self.part > part)
    }

    #[inline]
    pub(super) const fn max(self, other: Self) -> Self {
        if other.after(self.nanos, self.part) { other } else { self }
    }

    #[inline]
    pub(super) const fn add(self, other: Self, cells: u32) -> Self {
        // Both parts are below `cells`, or the sum is never anyway.
        let (parts, no_carry) = self.part.overflowing_sub(cells.wrapping_sub(other.part));
        let part = if no_carry { self.part.wrapping_add(other.part) } else { parts };
        let (nanos, over) = self.nanos.overflowing_add(other.nanos);
        let (nanos, carried_over) = nanos.overflowing_add(!no_carry as u64);
        if over | carried_over | self.is_never() | other.is_never() {
            return Self::NEVER;
        }
        Self { nanos, part }
    }

    /// At least zero; never stays never.
    #[inline]
    pub(super) const fn sub(self, other: Self, cells: u32) -> Self {
        if self.is_never() {
            return self;
        }
        let borrow = self.part < other.part;
        let part = self.part as u64 + if borrow { cells as u64 } else { 0 } - other.part as u64;
        match self.nanos.checked_sub(other.nanos) {
            Some(nanos) if nanos >= borrow as u64 => Self { nanos: nanos - borrow as u64, part: part as u32 },
            _ => Self::ZERO,
        }
    }

    /// The first whole nanosecond at or after this.
    pub(super) const fn ceil(self) -> Instant {
        Instant::from_nanos(self.nanos.saturating_add((self.part > 0) as u64))
    }
}

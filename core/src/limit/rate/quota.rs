//! A rate and its burst, without rounding.

use crate::time::nanos;
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
        Ok(Self { cells, cell, tolerance: Span::ZERO })
    }

    /// Up to `burst` cells at once after a pause.
    ///
    /// # Errors
    ///
    /// [`QuotaError::TooLong`] if that many cells stand for more than 584 years.
    pub const fn burst(mut self, burst: NonZeroU32) -> Result<Self, QuotaError> {
        // (burst − 1) × cell, in parts of 1/cells ns; both products stay below 2⁶⁴ or are refused.
        let ahead = burst.get() as u64 - 1;
        let parts = ahead * self.cell.part as u64;
        let Some(whole) = ahead.checked_mul(self.cell.nanos) else { return Err(QuotaError::TooLong) };
        let Some(nanos) = whole.checked_add(parts / self.cells as u64) else {
            return Err(QuotaError::TooLong);
        };
        self.tolerance = Span { nanos, part: (parts % self.cells as u64) as u32 };
        Ok(self)
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

    pub(super) const fn add(self, other: Self, cells: u32) -> Self {
        let parts = self.part as u64 + other.part as u64;
        let carry = parts >= cells as u64;
        let part = if carry { parts - cells as u64 } else { parts };
        Self { nanos: self.nanos.saturating_add(other.nanos).saturating_add(carry as u64), part: part as u32 }
    }

    /// At least zero.
    pub(super) const fn sub(self, other: Self, cells: u32) -> Self {
        let borrow = self.part < other.part;
        let part = self.part as u64 + if borrow { cells as u64 } else { 0 } - other.part as u64;
        match self.nanos.checked_sub(other.nanos) {
            Some(nanos) if nanos >= borrow as u64 => Self { nanos: nanos - borrow as u64, part: part as u32 },
            _ => Self::ZERO,
        }
    }
}

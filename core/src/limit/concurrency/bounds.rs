//! Where a limit begins, and what it never leaves.

use core::fmt;

/// Why a concurrency limit was refused. Nothing was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum LimitError {
    /// The lower bound is 0: no call would ever go, so nothing would be learnt again. Remedy: at least 1.
    ZeroMin,
    /// The upper bound is below the lower one. Remedy: exchange them.
    MaxBelowMin,
    /// The limit would begin outside its bounds. Remedy: begin within them.
    InitialOutside,
    /// The factor of a decrease is 0, or 1 and more. Remedy: 0.5 to 0.95.
    Decrease,
    /// The queue to shrink at is not longer than the queue to grow at, or beyond 2¹⁶.
    /// Remedy: 0.5 and 1.5.
    Queue,
    /// The tolerance is not above 1 or is above 1.75. Remedy: 1.25.
    Tolerance,
    /// The smoothing is 0 or above 1. Remedy: 0.2 to 1.
    Smoothing,
    /// The time between two probes is zero. Remedy: some hundred round trips.
    ZeroProbe,
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ZeroMin => "the lower bound of a limit must be at least 1",
            Self::MaxBelowMin => "the upper bound of a limit must be at least the lower one",
            Self::InitialOutside => "a limit must begin within its bounds",
            Self::Decrease => "the factor of a decrease must be above 0 and below 1",
            Self::Queue => {
                "the queue to shrink at must be longer than the queue to grow at, and at most 2^16"
            }
            Self::Tolerance => "the tolerance must be above 1 and at most 1.75",
            Self::Smoothing => "the smoothing must be above 0 and at most 1",
            Self::ZeroProbe => "the time between two probes must be longer than zero",
        })
    }
}

impl core::error::Error for LimitError {}

/// The lowest and the highest limit, and the first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Bounds {
    pub(super) min: u32,
    pub(super) max: u32,
    pub(super) initial: u32,
}

impl Bounds {
    /// From `min` to `max`, beginning at 20 or as near to it as they allow.
    ///
    /// # Errors
    ///
    /// [`LimitError::ZeroMin`], [`LimitError::MaxBelowMin`].
    pub const fn new(min: u32, max: u32) -> Result<Self, LimitError> {
        if min == 0 {
            return Err(LimitError::ZeroMin);
        }
        if max < min {
            return Err(LimitError::MaxBelowMin);
        }
        let initial = if min > 20 {
            min
        } else if max < 20 {
            max
        } else {
            20
        };
        Ok(Self { min, max, initial })
    }

    /// Begins at `limit`.
    ///
    /// # Errors
    ///
    /// [`LimitError::InitialOutside`].
    pub const fn initial(mut self, limit: u32) -> Result<Self, LimitError> {
        if limit < self.min || limit > self.max {
            return Err(LimitError::InitialOutside);
        }
        self.initial = limit;
        Ok(self)
    }
}

/// Whether so many out say something about the limit: at least three quarters of it. A limit that nobody reaches must
/// not grow.
pub(super) const fn is_used(in_flight: u32, limit: u32) -> bool {
    4 * in_flight as u64 >= 3 * limit as u64
}

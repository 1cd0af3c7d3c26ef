//! What a budget allows, checked once for both of its forms.

use super::{SLICES, Spend};
use crate::time::{Instant, nanos};
use core::fmt;
use core::time::Duration;

/// Why a budget was refused. Nothing was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum BudgetError {
    /// The share is so many of zero. Remedy: a denominator of at least 1; 1 of 5 is 20 %.
    ZeroDenominator,
    /// Deposits would be gone at once. Remedy: a time to live of some seconds.
    ZeroTtl,
    /// The time to live does not fit 64 bits of nanoseconds (584 years). Remedy: a shorter one.
    TooLong,
    /// The floor comes to less than one attempt in the whole time to live, so it would allow none. Remedy: a longer
    /// time to live, or a floor of 0, which says so.
    FloorBelowOne,
    /// The floor comes to 2³² attempts or more in the time to live. Remedy: a shorter time to live or a lower floor.
    FloorTooHigh,
}

impl fmt::Display for BudgetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ZeroDenominator => "the share of a budget must be so many of at least one",
            Self::ZeroTtl => "the time to live of a budget's deposits must be longer than zero",
            Self::TooLong => "the time to live of a budget's deposits must be below 584 years",
            Self::FloorBelowOne => {
                "the floor of a budget must come to one attempt within its time to live, or be 0"
            }
            Self::FloorTooHigh => {
                "the floor of a budget must come to less than 2^32 attempts within its time to live"
            }
        })
    }
}

impl core::error::Error for BudgetError {}

/// What a [`Budget`](super::Budget) or [`SharedBudget`](super::SharedBudget) allows.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::retry::{Budget, BudgetConfig, BudgetError};
///
/// // One retry for each ten first attempts, and one a second in any case, over the last 30 seconds:
/// let config = BudgetConfig::new().share(1, 10).floor(1).ttl(Duration::from_secs(30));
/// assert!(Budget::new(config).is_ok());
/// assert_eq!(Budget::new(config.ttl(Duration::ZERO)), Err(BudgetError::ZeroTtl));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BudgetConfig {
    part: u32,
    of: u32,
    per_second: u32,
    ttl: Duration,
}

impl BudgetConfig {
    /// A fifth of the first attempts, at least 10 a second, over the last 10 seconds: Finagle's defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self { part: 1, of: 5, per_second: 10, ttl: Duration::from_secs(10) }
    }

    /// Up to `part` further attempts for each `of` first ones, exactly: 1 of 5 grants one at the fifth. 0 leaves the
    /// floor alone.
    #[must_use]
    pub const fn share(mut self, part: u32, of: u32) -> Self {
        self.part = part;
        self.of = of;
        self
    }

    /// So many more a second, whatever the number of first attempts: who sends one request a minute may retry too.
    /// What that comes to in the time to live may be spent at once.
    #[must_use]
    pub const fn floor(mut self, per_second: u32) -> Self {
        self.per_second = per_second;
        self
    }

    /// How long a deposit can be spent, and a withdrawal counts.
    #[must_use]
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    pub(super) const fn check(self) -> Result<Rule, BudgetError> {
        if self.of == 0 {
            return Err(BudgetError::ZeroDenominator);
        }
        let Some(ttl) = nanos(self.ttl) else { return Err(BudgetError::TooLong) };
        if ttl == 0 {
            return Err(BudgetError::ZeroTtl);
        }
        let floor = self.per_second as u128 * ttl as u128 / 1_000_000_000;
        if self.per_second > 0 && floor == 0 {
            return Err(BudgetError::FloorBelowOne);
        }
        if floor > u32::MAX as u128 {
            return Err(BudgetError::FloorTooHigh);
        }
        Ok(Rule { part: self.part, of: self.of, floor: floor as u32, slice: ttl.div_ceil(SLICES as u64) })
    }
}

impl Default for BudgetConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// A configuration that was checked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) struct Rule {
    part: u32,
    of: u32,
    /// What is granted without any deposit, in the whole time to live.
    floor: u32,
    /// The nanoseconds of a slice: a tenth of the time to live, rounded up.
    pub(super) slice: u64,
}

impl Rule {
    /// Whether one more fits: withdrawals + 1 ≤ floor + deposits × part / of.
    pub(super) const fn grants(&self, deposits: u64, withdrawals: u64) -> bool {
        let floor = self.floor as u64;
        if withdrawals < floor {
            return true;
        }
        // More first attempts than 32 bits hold count as that many: less is granted, never more.
        let deposits = if deposits > u32::MAX as u64 { u32::MAX as u64 } else { deposits };
        match (withdrawals - floor + 1).checked_mul(self.of as u64) {
            Some(asked) => asked <= deposits * self.part as u64,
            None => false,
        }
    }

    /// How many more fit.
    pub(super) const fn balance(&self, deposits: u64, withdrawals: u64) -> u32 {
        let deposits = if deposits > u32::MAX as u64 { u32::MAX as u64 } else { deposits };
        let earned = deposits * self.part as u64 / self.of as u64;
        let left = earned.saturating_add(self.floor as u64).saturating_sub(withdrawals);
        if left > u32::MAX as u64 { u32::MAX } else { left as u32 }
    }

    /// The refusal in slice `slice`, of which the deposits and withdrawals in the whole window are given, and those of
    /// one slice after the other, the oldest first.
    pub(super) fn refusal(
        &self,
        slice: u64,
        mut deposits: u64,
        mut withdrawals: u64,
        oldest_first: impl Iterator<Item = (u32, u32)>,
    ) -> Spend {
        for (later, (deposited, withdrawn)) in (slice..).skip(1).zip(oldest_first) {
            deposits = deposits.saturating_sub(deposited.into());
            withdrawals = withdrawals.saturating_sub(withdrawn.into());
            if self.grants(deposits, withdrawals) {
                let begin = later.saturating_mul(self.slice);
                return Spend::No { retry_at: Instant::from_nanos(begin) };
            }
        }
        Spend::No { retry_at: Instant::MAX }
    }
}

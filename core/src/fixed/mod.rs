//! Numbers between the integers, without floats.

mod exp;

pub use exp::{exp2, exp2_neg, neg_log2};

use core::fmt;

/// An unsigned fixed-point number with 32 integer and 32 fraction bits (the Q notation's UQ32.32).
///
/// Factors, ratios and shares are kept in it, so that a decision which depends on them is the same on a chip without
/// a floating-point unit. Every operation rounds down and says what happens at the edge; none panics.
///
/// *When not to use it:* below 2⁻³² or above 2³², and for statistics that a host prints: floats are fine there.
///
/// # Examples
///
/// ```
/// use divvy::fixed::Q32;
///
/// let factor = Q32::from_ratio(3, 2).expect("3/2 fits");
/// assert_eq!(factor.mul_int(100), 150);
/// assert_eq!(factor.to_string(), "1.500000");
/// // A ratio that does not fit, and one without meaning, are refused:
/// assert_eq!(Q32::from_ratio(1 << 33, 1), None);
/// assert_eq!(Q32::from_ratio(1, 0), None);
/// ```
///
/// # Complexity
///
/// *O*(1) without 128-bit arithmetic, division in 32 steps; 8 bytes.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Q32(u64);

impl Q32 {
    /// 0.
    pub const ZERO: Self = Self(0);
    /// 1.
    pub const ONE: Self = Self(1 << 32);
    /// The natural logarithm of 2, rounded to the nearest.
    pub const LN_2: Self = Self(2_977_044_472);
    /// The largest number: 2³² − 2⁻³².
    pub const MAX: Self = Self(u64::MAX);

    /// The whole number `n`.
    pub const fn from_int(n: u32) -> Self {
        Self((n as u64) << 32)
    }

    /// `numerator / denominator` rounded down, or `None` if the denominator is 0 or the quotient reaches 2³².
    pub const fn from_ratio(numerator: u64, denominator: u64) -> Option<Self> {
        if denominator == 0 || numerator / denominator > u32::MAX as u64 {
            return None;
        }
        let mut bits = numerator / denominator;
        let mut rest = numerator % denominator;
        let mut i = 0;
        while i < 32 {
            // The remainder doubles; a bit that leaves the word counts as well.
            let carry = rest >> 63 == 1;
            rest <<= 1;
            bits <<= 1;
            if carry || rest >= denominator {
                rest = rest.wrapping_sub(denominator);
                bits |= 1;
            }
            i += 1;
        }
        Some(Self(bits))
    }

    /// The number whose value is `bits` × 2⁻³².
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The value × 2³².
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The whole part.
    pub const fn floor(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// This plus `other`, or `None` from 2³² on.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(bits) => Some(Self(bits)),
            None => None,
        }
    }

    /// This plus `other`, at most [`Q32::MAX`].
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// This less `other`, at least zero.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// This times `other` rounded down, or `None` from 2³² on.
    pub const fn checked_mul(self, other: Self) -> Option<Self> {
        match self.checked_mul_int(other.0) {
            Some(bits) => Some(Self(bits)),
            None => None,
        }
    }

    /// This times `other` rounded down, at most [`Q32::MAX`].
    pub const fn saturating_mul(self, other: Self) -> Self {
        Self(self.mul_int(other.0))
    }

    /// This times the whole number `n`, rounded down, or `None` if 64 bits do not hold it.
    pub const fn checked_mul_int(self, n: u64) -> Option<u64> {
        let (whole, part) = (self.0 >> 32, self.0 & 0xFFFF_FFFF);
        let part = part * (n >> 32) + ((part * (n & 0xFFFF_FFFF)) >> 32);
        match whole.checked_mul(n) {
            Some(whole) => whole.checked_add(part),
            None => None,
        }
    }

    /// This times the whole number `n`, rounded down, at most `u64::MAX`.
    pub const fn mul_int(self, n: u64) -> u64 {
        match self.checked_mul_int(n) {
            Some(product) => product,
            None => u64::MAX,
        }
    }
}

/// Six decimals, rounded down.
impl fmt::Display for Q32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = ((self.0 & 0xFFFF_FFFF) * 1_000_000) >> 32;
        write!(f, "{}.{micros:06}", self.floor())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;

    proptest! {
        #[test]
        fn ratios_are_the_exact_quotient_rounded_down(numerator: u64, denominator: u64) {
            let exact = (u128::from(numerator) << 32).checked_div(u128::from(denominator));
            let expected = exact.and_then(|bits| u64::try_from(bits).ok());
            prop_assert_eq!(Q32::from_ratio(numerator, denominator).map(Q32::to_bits), expected);
        }

        #[test]
        fn products_are_exact_rounded_down(bits: u64, n: u64) {
            let exact = u64::try_from((u128::from(bits) * u128::from(n)) >> 32).ok();
            prop_assert_eq!(Q32(bits).checked_mul_int(n), exact);
            prop_assert_eq!(Q32(bits).mul_int(n), exact.unwrap_or(u64::MAX));
            prop_assert_eq!(Q32(bits).checked_mul(Q32(n)), exact.map(Q32));
            prop_assert_eq!(Q32(bits).saturating_mul(Q32(n)), exact.map_or(Q32::MAX, Q32));
        }
    }

    #[test]
    fn the_edges_hold() {
        assert_eq!(Q32::from_ratio(u64::MAX, u64::MAX), Some(Q32::ONE));
        assert_eq!(Q32::from_ratio(u64::MAX - 1, u64::MAX).map(Q32::to_bits), Some(u64::from(u32::MAX)));
        assert_eq!(Q32::MAX.checked_add(Q32::from_bits(1)), None);
        assert_eq!(Q32::MAX.saturating_add(Q32::ONE), Q32::MAX);
        assert_eq!(Q32::ZERO.saturating_sub(Q32::ONE), Q32::ZERO);
        assert_eq!(Q32::from_int(7).floor(), 7);
        assert_eq!(Q32::MAX.to_string(), "4294967295.999999");
    }
}

//! How sure a breaker must be that a rate is really too high.

use crate::fixed::Q32;

/// How sure a breaker must be that the true rate, not only the counted one, reaches its threshold.
///
/// Six failures of ten calls may be bad luck where three of ten are usual. With a confidence, a rate trips only if the
/// lower end of its one-sided Wilson score interval reaches the threshold too, so that few calls must all be bad and many
/// need only be a little too bad.
///
/// *When not to use it:* with windows of hundreds of calls, whose counted rate says enough; it then only delays.
///
/// # Examples
///
/// ```
/// use divvy::breaker::Confidence;
/// use divvy::fixed::Q32;
///
/// let half = Q32::from_ratio(1, 2).expect("1/2 fits");
/// // Three failures of four calls prove nothing, thirty of forty do:
/// assert!(!Confidence::P95.reaches(3, 4, half));
/// assert!(Confidence::P95.reaches(30, 40, half));
/// ```
///
/// # Complexity
///
/// *O*(1): four products of 128 bits, on a failure only; 8 bytes.
///
/// # References
///
/// Wilson: *Probable inference, the law of succession, and statistical inference*, JASA 22(158), 1927.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Confidence {
    /// The square of the normal quantile, rounded up.
    z2: Q32,
}

impl Confidence {
    /// 90 % sure.
    pub const P90: Self = Self { z2: Q32::from_bits(7_053_944_401) };
    /// 95 % sure.
    pub const P95: Self = Self { z2: Q32::from_bits(11_620_220_654) };
    /// 99 % sure.
    pub const P99: Self = Self { z2: Q32::from_bits(23_243_909_591) };
    /// 99.9 % sure.
    pub const P999: Self = Self { z2: Q32::from_bits(41_014_943_550) };
    /// 99.9999 % sure.
    pub const P999999: Self = Self { z2: Q32::from_bits(97_044_969_276) };

    /// As sure as the quantile `z` of the normal distribution: 1.645 is 95 %. 0 asks for nothing more than the rate.
    #[must_use]
    pub const fn from_z(z: Q32) -> Self {
        // Rounded up, so that the bound is never the weaker for it.
        Self { z2: z.saturating_mul(z).saturating_add(Q32::from_bits((z.to_bits() > 0) as u64)) }
    }

    /// Whether `part` of `calls` shows with this confidence that the true rate is at least `rate`.
    ///
    /// No rounding can turn a no into a yes. At a rate of 1 all calls suffice, however few.
    #[must_use]
    pub const fn reaches(self, part: u32, calls: u32, rate: Q32) -> bool {
        // The lower end of the interval is at least θ where p ≥ θ and (p − θ)² ≥ z² θ (1 − θ) / n: the interval is all θ
        // that the score test does not reject. Multiplied by n² and in 2⁻³²: both sides are whole numbers.
        let theta = rate.to_bits();
        if theta > Q32::ONE.to_bits() || calls == 0 {
            return false;
        }
        let counted = (part as u64) << 32;
        // θ ≤ 2³² and n < 2³²: below 2⁶⁴.
        let expected = theta * calls as u64;
        if counted < expected {
            return false;
        }
        let above = (counted - expected) as u128;
        // θ (1 − θ) ≤ 2⁶², z² < 2⁶⁴: the product fits; divided by 2³² and rounded up it is below 2⁹⁵.
        let spread = theta as u128 * (Q32::ONE.to_bits() - theta) as u128 * self.z2.to_bits() as u128;
        let spread = (spread + 0xFFFF_FFFF) >> 32;
        above * above >= spread * calls as u128
    }
}

/// The least part of `calls` that reaches `rate`: `rate × calls`, rounded up.
pub(super) const fn needed(rate: Q32, calls: u32) -> u32 {
    // Rates are at most 2³²: the sum is below 2⁶⁴ and the quotient at most `calls`.
    ((rate.to_bits() * calls as u64 + 0xFFFF_FFFF) >> 32) as u32
}

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "the textbook formula is the judge")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The textbook formula.
    fn lower_bound(part: u32, calls: u32, z: f64) -> f64 {
        let (n, p) = (f64::from(calls), f64::from(part) / f64::from(calls));
        let middle = p + z * z / (2.0 * n);
        let spread = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        (middle - spread) / (1.0 + z * z / n)
    }

    fn real(q: Q32) -> f64 {
        q.to_bits() as f64 / 2f64.powi(32)
    }

    /// Quantiles of the normal distribution as tables print them.
    #[test]
    fn the_named_confidences_are_the_quantiles() {
        for (confidence, z) in [
            (Confidence::P90, 1.281_551_565_544_6),
            (Confidence::P95, 1.644_853_626_951_472),
            (Confidence::P99, 2.326_347_874_040_841),
            (Confidence::P999, 3.090_232_306_167_813),
            (Confidence::P999999, 4.753_424_308_822_899),
        ] {
            let error = real(confidence.z2) - z * z;
            assert!((0.0..1e-9).contains(&error), "{confidence:?}: {error}");
        }
        let z = Q32::from_ratio(1_644_853_627, 1_000_000_000).unwrap();
        assert!((real(Confidence::from_z(z).z2) - real(Confidence::P95.z2)).abs() < 1e-8);
    }

    #[test]
    fn none_asks_for_the_rate_alone() {
        let third = Q32::from_ratio(1, 3).unwrap();
        let none = Confidence::from_z(Q32::ZERO);
        for calls in 1..60 {
            for part in 0..=calls {
                assert_eq!(none.reaches(part, calls, third), part >= needed(third, calls));
            }
        }
        assert!(!none.reaches(0, 0, third), "no call shows anything");
        assert!(!none.reaches(9, 9, Q32::MAX), "more than every call is never reached");
    }

    #[test]
    fn needed_is_the_exact_product_rounded_up() {
        assert_eq!(needed(Q32::ONE, u32::MAX), u32::MAX);
        assert_eq!(needed(Q32::from_bits(1), u32::MAX), 1);
        let half = Q32::from_ratio(1, 2).unwrap();
        assert_eq!([0, 1, 2, 99, 100].map(|n| needed(half, n)), [0, 1, 1, 50, 50]);
        // Thirds are rounded down in binary; a third of three is still one.
        assert_eq!(needed(Q32::from_ratio(1, 3).unwrap(), 3_000_000), 1_000_000);
    }

    /// Every count of every small window against the formula in floats; only where both sides are the same to twelve
    /// digits may the two differ, and then only towards no.
    #[test]
    fn agrees_with_the_formula_in_floats_for_every_count_of_small_windows() {
        let mut compared = 0;
        for (confidence, z) in
            [(Confidence::P90, 1.281_551_565_544_6), (Confidence::P99, 2.326_347_874_040_841)]
        {
            for rate in [1, 10, 25, 50, 77, 99].map(|percent| Q32::from_ratio(percent, 100).unwrap()) {
                for calls in 1..200 {
                    for part in 0..=calls {
                        let bound = lower_bound(part, calls, z);
                        let says = confidence.reaches(part, calls, rate);
                        if (bound - real(rate)).abs() > 1e-9 {
                            assert_eq!(says, bound > real(rate), "{part} of {calls} at {rate}");
                            compared += 1;
                        }
                    }
                }
            }
        }
        assert!(compared > 200_000);
    }

    proptest! {
        #[test]
        fn agrees_with_the_formula_in_floats(calls in 1u32.., share in 0.0f64..=1.0, rate in 1u64..1 << 32, z in 0.01f64..6.0) {
            let part = (f64::from(calls) * share) as u32;
            let z = Q32::from_bits((z * 2f64.powi(32)) as u64);
            let rate = Q32::from_bits(rate);
            let bound = lower_bound(part, calls, real(z));
            let says = Confidence::from_z(z).reaches(part, calls, rate);
            if (bound - real(rate)).abs() > 1e-7 * real(rate).max(bound) {
                prop_assert_eq!(says, bound > real(rate), "{} of {}: {} against {}", part, calls, bound, real(rate));
            }
        }

        /// Never a panic and never weaker than the plain rate, at any edge.
        #[test]
        fn is_never_weaker_than_the_rate(part: u32, calls: u32, rate in 0u64..=1 << 32, z: u64) {
            let rate = Q32::from_bits(rate);
            if Confidence::from_z(Q32::from_bits(z)).reaches(part, calls, rate) {
                prop_assert!(part >= needed(rate, calls));
            }
        }
    }
}

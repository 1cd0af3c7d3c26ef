//! How a member that is new, or well again, comes to its full share.

use crate::fixed::{Q32, exp2_neg, neg_log2};
use crate::time::saturating_nanos;
use core::time::Duration;

/// A slow start: for a while a new member gets less than its share, so that caches fill and code warms up first.
///
/// A member's share at `age` is `max(minimum, (age / window)^(1 / aggression))` of what it would get otherwise. It
/// begins when the member is inserted, and again when it comes back after it was down or ejected.
///
/// The fleet's policy stays as it is: a member that is starting is turned down as often as its share says and the policy
/// is asked again, so this works with every policy. With a key, the draw depends on key and member alone: a key that
/// came to the new member stays there.
///
/// *When not to use it:* when all members begin together (there is nobody to take the rest: shares are then equal, and
/// so is the traffic), or for policies that weigh load, which see a slow newcomer by themselves.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::balance::SlowStart;
/// use divvy::fixed::Q32;
///
/// let start = SlowStart::new(Duration::from_secs(30));
/// let share = |secs| start.share(Duration::from_secs(secs)).to_string();
/// assert_eq!((share(15), share(60)), ("0.500000".into(), "1.000000".into()));
/// // Never below the minimum, which is a tenth unless it is set:
/// assert_eq!(share(0), "0.100000");
/// ```
///
/// # References
///
/// The slow start mode of Envoy's round robin and least request policies, which has the same law.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub struct SlowStart {
    window: Duration,
    aggression: Q32,
    minimum: Q32,
}

impl SlowStart {
    /// A slow start of this length that rises evenly, from a tenth of the full share.
    pub const fn new(window: Duration) -> Self {
        // 0.1, rounded up so that it shows as that.
        Self { window, aggression: Q32::ONE, minimum: Q32::from_bits(429_496_730) }
    }

    /// How fast the share rises: above 1 fast at first, below 1 late.
    pub const fn aggression(mut self, aggression: Q32) -> Self {
        self.aggression = aggression;
        self
    }

    /// The least share, at most 1.
    pub const fn minimum(mut self, minimum: Q32) -> Self {
        self.minimum = minimum;
        self
    }

    /// The share of its full traffic that a member of this `age` gets. 1 if the parameters are refused by
    /// [`Fleet::configure`](super::Fleet::configure).
    #[must_use]
    pub const fn share(&self, age: Duration) -> Q32 {
        match self.parts() {
            Some((window, inverse, minimum)) => share(saturating_nanos(age), window, inverse, minimum),
            None => Q32::ONE,
        }
    }

    /// The window in nanoseconds, 1 / aggression × 2¹⁶ and the minimum × 2³², if they make sense.
    pub(super) const fn parts(&self) -> Option<(u64, u32, u32)> {
        let window = saturating_nanos(self.window);
        let minimum = self.minimum.to_bits();
        let inverse = match Q32::from_ratio(Q32::ONE.to_bits(), self.aggression.to_bits()) {
            Some(inverse) => (inverse.to_bits() + (1 << 15)) >> 16,
            None => return None,
        };
        if window == 0 || minimum > Q32::ONE.to_bits() || inverse > u32::MAX as u64 {
            return None;
        }
        let minimum = if minimum > u32::MAX as u64 { u32::MAX } else { minimum as u32 };
        Some((window, inverse as u32, minimum))
    }
}

/// The share at `age`, of a slow start with these [`parts`](SlowStart::parts).
pub(super) const fn share(age: u64, window: u64, inverse: u32, minimum: u32) -> Q32 {
    if age >= window {
        return Q32::ONE;
    }
    // Below 1, so it fits.
    let passed = match Q32::from_ratio(age, window) {
        Some(passed) => passed,
        None => Q32::ONE,
    };
    let risen = if inverse == 1 << 16 {
        passed
    } else {
        let halvings = neg_log2(passed.to_bits() << 32);
        exp2_neg(Q32::from_bits((inverse as u64) << 16).saturating_mul(halvings))
    };
    if risen.to_bits() < minimum as u64 { Q32::from_bits(minimum as u64) } else { risen }
}

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "the share is checked against the formula in floats")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_share_is_the_formula(age in 0u64..2_000_000, window in 1u64..1_000_000, tenths in 1u32..50, min in 0u32..100) {
            let start = SlowStart::new(Duration::from_nanos(window))
                .aggression(Q32::from_ratio(tenths.into(), 10).expect("small"))
                .minimum(Q32::from_ratio(min.into(), 100).expect("small"));
            let passed = (age as f64 / window as f64).min(1.0);
            let exact = passed.powf(10.0 / f64::from(tenths)).max(f64::from(min) / 100.0);
            let share = start.share(Duration::from_nanos(age)).to_bits() as f64 / (1u64 << 32) as f64;
            prop_assert!((share - exact).abs() < 1e-4, "{share} {exact}");
        }
    }

    #[test]
    fn the_share_never_falls() {
        let start = SlowStart::new(Duration::from_nanos(1_000)).aggression(Q32::from_int(2));
        let shares: std::vec::Vec<_> = (0..1_100).map(|age| start.share(Duration::from_nanos(age))).collect();
        assert!(shares.is_sorted());
        assert_eq!(shares[1_000], Q32::ONE);
    }
}

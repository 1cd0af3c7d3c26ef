//! How uneven loads are.

use crate::fixed::Q32;

/// The skew factor of `loads`: the largest over the mean. `None` without load, or from 2³² on.
///
/// 1 is perfectly even, the number of parts is everything on one of them, and it is never more. Exact rounded down as
/// long as `largest × parts` fits 64 bits, and to 63 significant bits beyond.
///
/// # Examples
///
/// ```
/// use divvy::fixed::Q32;
/// use divvy::partition::skew;
///
/// assert_eq!(skew(&[10, 10, 10]), Some(Q32::ONE));
/// assert_eq!(skew(&[30, 0, 0]), Some(Q32::from_int(3)));
/// assert_eq!(skew(&[]), None);
/// ```
#[must_use]
pub fn skew(loads: &[u64]) -> Option<Q32> {
    of(loads.iter().copied())
}

/// The skew factor of loads that are in no slice.
pub(super) fn of(loads: impl Iterator<Item = u64>) -> Option<Q32> {
    let (mut largest, mut total, mut parts) = (0, 0u128, 0u128);
    for load in loads {
        largest = load.max(largest);
        total += u128::from(load);
        parts += 1;
    }
    let scaled = u128::from(largest) * parts;
    // The largest is at least the mean, so `scaled` is the greater of the two: what makes it fit makes both fit.
    let shift = (u128::BITS - scaled.leading_zeros()).saturating_sub(u64::BITS);
    Q32::from_ratio((scaled >> shift) as u64, (total >> shift) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn skew_lies_between_one_and_the_number_of_parts(loads in prop::collection::vec(0u64..1 << 40, 1..50)) {
            match skew(&loads) {
                None => prop_assert!(loads.iter().all(|load| *load == 0)),
                Some(skew) => {
                    prop_assert!(skew >= Q32::ONE);
                    prop_assert!(skew <= Q32::from_int(loads.len() as u32));
                }
            }
        }
    }

    #[test]
    fn skew_survives_loads_that_overflow() {
        assert_eq!(skew(&[u64::MAX, u64::MAX]), Some(Q32::ONE));
        assert_eq!(skew(&[u64::MAX, 0, 0]), Some(Q32::from_int(3)));
        assert_eq!(skew(&[0, 0]), None);
    }
}

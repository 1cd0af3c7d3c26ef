//! The unstable sort of a part that one thread sorts alone.

use std::cmp::Ordering;

/// How many pairs of neighbours are looked at, and how many of them may be out of order in a list that counts as
/// nearly sorted.
const PAIRS: usize = 64;
const OUT_OF_ORDER: usize = 6;
/// Shorter lists are not worth the look.
const LEAST: usize = 1_024;
/// If more than one item in this many is an outlier, the list was not nearly sorted.
const OUTLIERS: usize = 8;

/// Sorts `list`; equal items may change their order.
///
/// The standard library's sort takes as long for a list that is nearly sorted as for any other. Here the items that are
/// out of order are set aside first, and merged after they were sorted.
pub(super) fn sort<T>(list: &mut [T], compare: &impl Fn(&T, &T) -> Ordering) {
    if list.len() >= LEAST && looks_nearly_sorted(list, compare) {
        let in_order = set_aside(list, compare);
        if list.len() - in_order <= list.len() / OUTLIERS {
            list[in_order..].sort_unstable_by(compare);
            // It finds the two runs, and merges them.
            return list.sort_by(compare);
        }
    }
    list.sort_unstable_by(compare);
}

/// Whether `list`, of [`PAIRS`] items and more, has few neighbours that are out of order.
pub(super) fn looks_nearly_sorted<T>(list: &[T], compare: &impl Fn(&T, &T) -> Ordering) -> bool {
    let step = list.len() / PAIRS;
    let pairs = (0..PAIRS).map(|pair| pair * step);
    pairs.filter(|first| compare(&list[*first], &list[first + 1]).is_gt()).count() <= OUT_OF_ORDER
}

/// Moves items to the end until those before are in order, and says how many these are. Of two neighbours that are out
/// of order both are moved, as nobody knows which of them is the stranger; after too many of them it gives up.
///
/// After Cook, Kim: *Best sorting algorithm for nearly sorted lists*, Communications of the ACM 23(11), 1980.
fn set_aside<T>(list: &mut [T], compare: &impl Fn(&T, &T) -> Ordering) -> usize {
    let mut in_order = 0;
    for index in 0..list.len() {
        if in_order > 0 && compare(&list[in_order - 1], &list[index]).is_gt() {
            in_order -= 1;
            if index - in_order > list.len() / OUTLIERS {
                return in_order;
            }
        } else {
            list.swap(in_order, index);
            in_order += 1;
        }
    }
    in_order
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_sorts_what_is_nearly_sorted(swaps in prop::collection::vec((0usize..3_000, 0usize..3_000), 0..400)) {
            let mut list: Vec<usize> = (0..3_000).map(|n| n / 2).collect();
            let expected = list.clone();
            for (a, b) in swaps {
                list.swap(a, b);
            }
            let in_order = set_aside(&mut list, &usize::cmp);
            prop_assert!(list[..in_order].is_sorted());
            sort(&mut list, &usize::cmp);
            prop_assert_eq!(list, expected);
        }
    }

    #[test]
    fn few_strangers_are_few_outliers() {
        let mut list: Vec<u32> = (0..10_000).collect();
        for index in (0..9_000).step_by(300) {
            list.swap(index, index + 700);
        }
        assert!(looks_nearly_sorted(&list, &u32::cmp));
        assert!(set_aside(&mut list, &u32::cmp) >= 10_000 - 4 * 30);
        let mut random: Vec<u32> = (0..10_000u32).map(|n| n.wrapping_mul(0x9E37_79B1)).collect();
        assert!(!looks_nearly_sorted(&random, &u32::cmp));
        assert!(set_aside(&mut random, &u32::cmp) < 10_000 - 10_000 / 8, "it gives up early");
    }
}

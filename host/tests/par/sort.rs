//! Sorts against the standard library's, on orders and disorders of many kinds.

use crate::bed::{Counted, give_up, panic_of, pools};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use proptest::prelude::*;
use std::cmp::Reverse;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Lists of 60,000 that sorts are known to stumble over, long enough to be sorted in parallel.
fn lists() -> Vec<(&'static str, Vec<u64>)> {
    const LEN: u64 = 60_000;
    let mut rng = Xoshiro256PlusPlus::seed(7);
    let mut random = |below: u64| -> Vec<u64> { (0..LEN).map(|_| rng.next_u64() % below).collect() };
    let sorted: Vec<u64> = (0..LEN).collect();
    let mut nearly = sorted.clone();
    for index in (0..LEN as usize - 1_000).step_by(997) {
        nearly.swap(index, index + 613);
    }
    let mut tail = sorted.clone();
    tail.rotate_left(5);
    vec![
        ("random", random(u64::MAX)),
        ("two values", random(2)),
        ("sixteen values", random(16)),
        ("many duplicates", random(250)),
        ("all equal", vec![3; LEN as usize]),
        ("sorted", sorted.clone()),
        ("reversed", sorted.iter().rev().copied().collect()),
        ("nearly sorted", nearly),
        ("sorted with a few at the end", tail),
        ("organ pipes", sorted.iter().map(|n| (*n).min(LEN - n)).collect()),
        ("saw", sorted.iter().map(|n| n % 1_000).collect()),
        ("zeros and one", sorted.iter().map(|n| u64::from(*n == LEN / 2)).collect()),
    ]
}

#[test]
fn unstable_sorts_sort() {
    for (name, list) in lists() {
        let mut expected = list.clone();
        expected.sort_unstable();
        for pool in pools() {
            let mut sorted = list.clone();
            pool.par_sort_unstable(&mut sorted);
            assert_eq!(sorted, expected, "{name} {pool:?}");
            pool.par_sort_unstable_by_key(&mut sorted, |n| Reverse(*n));
            assert!(sorted.iter().eq(expected.iter().rev()), "{name} {pool:?}");
        }
    }
}

/// By a part of the value, so that what is equal can be told apart.
#[test]
fn stable_sorts_keep_equal_items_in_order() {
    for (name, list) in lists() {
        let tagged: Vec<(u64, u32)> =
            list.into_iter().zip(0..).map(|(value, index)| (value % 1_000, index)).collect();
        let mut expected = tagged.clone();
        expected.sort_by_key(|item| item.0);
        for pool in pools() {
            let mut sorted = tagged.clone();
            pool.par_sort_by_key(&mut sorted, |item| item.0);
            assert_eq!(sorted, expected, "{name} {pool:?}");
        }
    }
}

#[test]
fn a_long_list_is_partitioned_and_merged_in_parallel() {
    let mut rng = Xoshiro256PlusPlus::seed(8);
    for below in [u64::MAX, 1_000] {
        let list: Vec<u64> = (0..1_000_003).map(|_| rng.next_u64() % below).collect();
        let mut expected = list.clone();
        expected.sort_unstable();
        for pool in pools() {
            let mut sorted = list.clone();
            pool.par_sort_unstable(&mut sorted);
            assert!(sorted == expected, "unstable {pool:?}");
            let mut sorted = list.clone();
            pool.par_sort(&mut sorted);
            assert!(sorted == expected, "stable {pool:?}");
        }
    }
}

#[test]
fn strings_are_sorted() {
    let mut rng = Xoshiro256PlusPlus::seed(9);
    let list: Vec<String> = (0..30_000).map(|_| format!("{:x}", rng.next_u64() % 20_000)).collect();
    let mut expected = list.clone();
    expected.sort();
    for pool in pools() {
        let (mut stable, mut unstable) = (list.clone(), list.clone());
        pool.par_sort(&mut stable);
        pool.par_sort_unstable(&mut unstable);
        assert_eq!((&stable, &unstable), (&expected, &expected));
    }
}

#[test]
fn short_lists_and_items_without_size() {
    for pool in pools() {
        for len in [0, 1, 2, 3, 4_096, 4_097, 4_098] {
            let mut list: Vec<u32> = (0..len).rev().collect();
            pool.par_sort_unstable(&mut list);
            assert!(list.is_sorted());
            list.reverse();
            pool.par_sort(&mut list);
            assert!(list.is_sorted() && list.len() == len as usize);
        }
        let mut nothings = vec![(); 100_000];
        pool.par_sort(&mut nothings);
        pool.par_sort_unstable(&mut nothings);
        pool.par_sort_by(&mut nothings, |_, _| std::cmp::Ordering::Greater);
        pool.par_sort_unstable_by(&mut nothings, |_, _| std::cmp::Ordering::Less);
        assert_eq!(nothings.len(), 100_000);
    }
}

/// A comparison that panics at some point, wherever the sort is then: each item is still there once.
#[test]
fn a_comparison_that_panics_loses_no_item() {
    let mut rng = Xoshiro256PlusPlus::seed(10);
    let alive = AtomicI64::new(0);
    for pool in &pools()[1..4] {
        for stable in [true, false] {
            let comparisons = AtomicU64::new(0);
            let mut at = 1;
            loop {
                comparisons.store(0, Ordering::Relaxed);
                let mut list: Vec<Counted<'_>> =
                    (0..20_000).map(|_| Counted::new(&alive, rng.next_u64() % 5_000)).collect();
                let mut values: Vec<u64> = list.iter().map(|item| item.value).collect();
                values.sort_unstable();
                let compare = |a: &Counted<'_>, b: &Counted<'_>| {
                    if comparisons.fetch_add(1, Ordering::Relaxed) == at {
                        give_up();
                    }
                    a.value.cmp(&b.value)
                };
                let sort = || match stable {
                    true => pool.par_sort_by(&mut list, compare),
                    false => pool.par_sort_unstable_by(&mut list, compare),
                };
                let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(sort)).is_err();
                if !panicked {
                    assert!(list.is_sorted_by_key(|item| item.value));
                }
                let mut after: Vec<u64> = list.iter().map(|item| item.value).collect();
                after.sort_unstable();
                assert!(after == values, "{pool:?}, stable: {stable}, at comparison {at}");
                drop(list);
                assert_eq!(alive.load(Ordering::Relaxed), 0);
                if !panicked {
                    break;
                }
                at += 1 + at / 7;
            }
            assert!(at > 100_000, "the panics went through the whole sort");
        }
    }
    assert_eq!(panic_of(|| pools()[1].par_sort_by(&mut vec![2; 9_000], |_, _| give_up())), "given up");
}

/// A comparison that is no order: it ends, perhaps by a panic, and each item is there once.
#[test]
#[expect(clippy::borrowed_box, reason = "boxes, so that one that is lost or doubled shows")]
fn a_comparison_without_order_loses_no_item() {
    let mut rng = Xoshiro256PlusPlus::seed(11);
    for pool in pools() {
        for stable in [true, false] {
            let state = AtomicU64::new(3);
            let mut list: Vec<Box<u64>> = (0..30_000).map(|n| Box::new(n ^ (rng.next_u64() % 2))).collect();
            let mut values: Vec<u64> = list.iter().map(|item| **item).collect();
            let coin = |_: &Box<u64>, _: &Box<u64>| {
                let next = state.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
                ((next.wrapping_mul(next) >> 33) & 3).cmp(&1)
            };
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match stable {
                true => pool.par_sort_by(&mut list, coin),
                false => pool.par_sort_unstable_by(&mut list, coin),
            }));
            let mut after: Vec<u64> = list.iter().map(|item| **item).collect();
            after.sort_unstable();
            values.sort_unstable();
            assert_eq!(after, values);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn sorts_are_those_of_one_thread(
        list in prop::collection::vec(any::<u16>(), 4_000..12_000),
        modulus in 1u16..500,
        pool in 1usize..5,
    ) {
        let tagged: Vec<(u16, usize)> =
            list.iter().enumerate().map(|(index, n)| (n % modulus, index)).collect();
        let mut expected = tagged.clone();
        expected.sort_by_key(|item| item.0);
        let mut sorted = tagged.clone();
        pools()[pool].par_sort_by(&mut sorted, |a, b| a.0.cmp(&b.0));
        prop_assert_eq!(&sorted, &expected);
        let mut sorted = tagged;
        pools()[pool].par_sort_unstable(&mut sorted);
        prop_assert_eq!(&sorted, &expected);
    }
}

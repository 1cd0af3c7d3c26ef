//! Map-reduce against a sorted map.

use crate::bed::{everywhere, pools, work};
use proptest::prelude::*;
use std::collections::BTreeMap;

#[test]
fn words_are_counted_and_come_sorted() {
    let lines: Vec<String> =
        (0..400u64).map(|n| format!("w{} w{} all w{}", n % 7, n % 31, n * n % 13)).collect();
    let mut expected = BTreeMap::new();
    for word in lines.iter().flat_map(|line| line.split(' ')) {
        *expected.entry(word).or_insert(0) += 1;
    }
    let expected: Vec<_> = expected.into_iter().collect();
    for (pool, chunking) in everywhere() {
        let counted = pool.chunked(chunking).map_reduce(
            &lines,
            |line, emit| {
                work(50);
                line.split(' ').for_each(|word| emit(word, 1));
            },
            |count, more| *count += more,
        );
        assert_eq!(counted, expected, "{pool:?} {chunking:?}");
    }
}

/// The values of a key are reduced in the order of the input, and within an item in the order they were emitted in.
#[test]
fn values_keep_their_order() {
    for (pool, chunking) in everywhere() {
        let lists = pool.chunked(chunking).map_reduce(
            0u32..600,
            |n, emit| {
                // Long enough for others to join.
                work(2_000);
                emit(n % 3, vec![n]);
                emit(n % 3, vec![n + 1_000]);
            },
            |list, mut more| list.append(&mut more),
        );
        for (key, list) in &lists {
            let expected: Vec<u32> =
                (0..600).filter(|n| n % 3 == *key).flat_map(|n| [n, n + 1_000]).collect();
            assert_eq!(*list, expected, "{pool:?} {chunking:?}");
        }
        assert_eq!(lists.len(), 3);
    }
}

#[test]
fn nothing_emitted_is_nothing_reduced() {
    for (pool, chunking) in everywhere() {
        let none = pool.chunked(chunking).map_reduce(0..100, |_, _: &mut dyn FnMut(u32, u32)| (), |_, _| ());
        assert_eq!(none, []);
        let none = pool.chunked(chunking).map_reduce(0..0, |n, emit| emit(n, n), |_, _| ());
        assert_eq!(none, []);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn sums_by_key_are_those_of_a_map(
        pairs in prop::collection::vec((any::<u16>(), any::<u32>()), 0..3_000),
        keys in 1u16..2_000,
        pool in 0usize..5,
    ) {
        let mut expected = BTreeMap::new();
        for (key, value) in &pairs {
            *expected.entry((key % keys).to_string()).or_insert(0) += u64::from(*value);
        }
        let summed = pools()[pool].map_reduce(
            &pairs,
            |(key, value), emit| emit((key % keys).to_string(), u64::from(*value)),
            |sum, more| *sum += more,
        );
        prop_assert_eq!(summed, expected.into_iter().collect::<Vec<_>>());
    }
}

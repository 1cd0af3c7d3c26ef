//! Loops over slices, ranges and pairs of them.

use crate::bed::{everywhere, pools, work};
use divvy_host::pool::{Chunking, Pool};
use proptest::prelude::*;
use std::sync::atomic::{AtomicU32, Ordering};

#[test]
fn each_index_comes_exactly_once() {
    for (pool, chunking) in everywhere() {
        for len in [0usize, 1, 2, 3, 7, 64, 1_000] {
            let seen: Vec<AtomicU32> = (0..len).map(|_| AtomicU32::new(0)).collect();
            pool.chunked(chunking).par_for_each(0..len, |index| {
                work(if index % 97 == 5 { 4_000 } else { 20 });
                seen[index].fetch_add(1, Ordering::Relaxed);
            });
            assert!(seen.iter().all(|seen| seen.load(Ordering::Relaxed) == 1), "{pool:?} {chunking:?} {len}");
        }
    }
}

#[test]
fn mutable_slices_are_cut_without_overlap() {
    for (pool, chunking) in everywhere() {
        let mut list = vec![1u64; 1_237];
        pool.chunked(chunking).par_for_each((0u32..2_000, &mut list), |(index, item)| {
            work(30);
            *item += u64::from(index);
        });
        assert!(list.iter().zip(1..).all(|(item, expected)| *item == expected), "{pool:?} {chunking:?}");
    }
}

#[test]
fn a_map_keeps_the_order() {
    for (pool, chunking) in everywhere() {
        for len in [0, 1, 2, 5, 999] {
            let input: Vec<u64> = (0..len).collect();
            let mapped = pool.chunked(chunking).par_map(&input, |n| {
                work(30 + 1_000 * u64::from(n % 50 == 0));
                n.to_string()
            });
            assert_eq!(mapped, input.iter().map(u64::to_string).collect::<Vec<_>>(), "{pool:?} {chunking:?}");
        }
    }
}

#[test]
fn a_map_may_make_items_without_size() {
    for pool in pools() {
        assert_eq!(pool.par_map(0..1_000, |_| work(20)).len(), 1_000);
        assert_eq!(pool.par_map(0..1_000_000, |_| ()).len(), 1_000_000);
    }
}

/// An operator that is associative and not commutative.
#[test]
fn a_reduction_combines_in_the_order_of_the_input() {
    for (pool, chunking) in everywhere() {
        let digits: Vec<u32> = (0..300).collect();
        let expected: String = digits.iter().map(|digit| format!("{digit},")).collect();
        let text = |digit: &u32| {
            // Long enough for others to join.
            work(3_000);
            format!("{digit},")
        };
        let mapped = pool.chunked(chunking).par_map_reduce(&digits, text, |left, right| left + &right);
        assert_eq!(mapped.as_ref(), Some(&expected), "{pool:?} {chunking:?}");
        let folded = pool.chunked(chunking).par_reduce(
            &digits,
            String::new,
            |line, digit| line + &text(digit),
            |left, right| left + &right,
        );
        assert_eq!(folded, expected, "{pool:?} {chunking:?}");
    }
}

#[test]
fn nothing_comes_of_nothing() {
    for (pool, chunking) in everywhere() {
        let none: &[u64] = &[];
        assert_eq!(pool.chunked(chunking).par_map_reduce(none, |n| *n, u64::max), None);
        assert_eq!(pool.chunked(chunking).par_reduce(none, || 7, |sum, n| sum + n, |left, _| left), 7);
        assert!(pool.chunked(chunking).par_map(none, |n| *n).is_empty());
    }
}

/// The grouping that the documentation promises: of blocks of a size always, of static and guided ones on pools of as
/// many threads.
#[test]
fn what_is_said_to_fix_the_grouping_does() {
    let parts: Vec<f64> = (1..5_000).map(|n| 1.0 / f64::from(n)).collect();
    let sum = |pool: &Pool, chunking| {
        let add = |left: f64, right: f64| left + right;
        let slow = |sum, part: &f64| {
            work(20);
            sum + part
        };
        pool.chunked(chunking).par_reduce(&parts, || 0.0, slow, add).to_bits()
    };
    let blocks: f64 =
        parts.chunks(100).map(|block| block.iter().sum::<f64>()).fold(0.0, |sum, block| sum + block);
    for pool in pools() {
        assert_eq!(sum(pool, Chunking::Dynamic { size: 100 }), blocks.to_bits());
    }
    for chunking in [Chunking::Static, Chunking::Guided { min: 10 }] {
        let first = sum(&pools()[4], chunking);
        for _ in 0..20 {
            assert_eq!(sum(&pools()[4], chunking), first);
            assert_eq!(sum(&pools()[3], chunking), first);
        }
    }
}

#[test]
fn loops_in_loops_end_on_every_pool() {
    for pool in pools() {
        for chunking in [Chunking::Static, Chunking::Dynamic { size: 1 }, Chunking::Adaptive] {
            let outer = pool.chunked(chunking);
            let sums = outer.par_map(0u64..20, |outer_index| {
                let squares = outer.par_map(0..50u64, |index| {
                    work(100);
                    index * outer_index
                });
                outer.par_reduce(&squares, || 0, |sum, n| sum + n, |left, right| left + right)
            });
            assert_eq!(sums, (0..20).map(|n| n * 1_225).collect::<Vec<_>>());
        }
    }
}

/// Two pools whose loops call each other's.
#[test]
fn loops_across_pools_end() {
    let (a, b) = (&pools()[1], &pools()[2]);
    let sums = a.par_map(0u64..30, |n| {
        b.chunked(Chunking::Dynamic { size: 1 })
            .par_map(0u64..10, |m| {
                a.par_reduce(0..n, || 0, |sum, k| sum + work(k) % 2 + m, |left, right| left + right)
            })
            .len()
    });
    assert_eq!(sums, [10; 30]);
}

#[test]
fn many_threads_share_a_pool() {
    let pool = &pools()[1];
    std::thread::scope(|scope| {
        for seed in 0..4u64 {
            scope.spawn(move || {
                for round in 0..50 {
                    let list: Vec<u64> = (0..200).map(|n| n * seed + round).collect();
                    let sum = pool.chunked(Chunking::Dynamic { size: 9 }).par_reduce(
                        &list,
                        || 0,
                        |sum, n| {
                            work(20);
                            sum + n
                        },
                        |left, right| left + right,
                    );
                    assert_eq!(sum, list.iter().sum::<u64>());
                }
            });
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn maps_and_sums_are_those_of_one_thread(
        list in prop::collection::vec(any::<u32>(), 0..600),
        pool in 0usize..5,
        kind in 0usize..4,
        size in 0usize..700,
        rounds in 0u64..200,
    ) {
        let chunking = [
            Chunking::Static, Chunking::Dynamic { size }, Chunking::Guided { min: size }, Chunking::Adaptive,
        ][kind];
        let pool = pools()[pool].chunked(chunking);
        let slow = |n: &u32| {
            work(rounds);
            u64::from(*n)
        };
        prop_assert_eq!(pool.par_map(&list, slow), list.iter().map(slow).collect::<Vec<_>>());
        prop_assert_eq!(
            pool.par_map_reduce(&list, slow, |left, right| left + right),
            list.iter().map(slow).reduce(|left, right| left + right)
        );
    }
}

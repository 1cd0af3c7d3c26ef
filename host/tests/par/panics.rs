//! A panic in a loop reaches the caller, stops the rest, and leaves the pool as it was.

use crate::bed::{everywhere, give_up, panic_of, pools, work};
use divvy_host::pool::Chunking;
use std::sync::atomic::{AtomicU32, Ordering};

#[test]
fn the_pool_works_on_after_a_panic() {
    for (pool, chunking) in everywhere() {
        for at in [0, 99] {
            let text = panic_of(|| {
                pool.chunked(chunking).par_for_each(0..100, |n| {
                    work(50);
                    if n == at {
                        give_up();
                    }
                });
            });
            assert_eq!(text, "given up");
        }
        assert_eq!(pool.chunked(chunking).par_map(0..3, |n| n), [0, 1, 2]);
    }
}

#[test]
fn no_block_begins_once_the_caller_has_the_panic() {
    for (pool, chunking) in everywhere() {
        let begun = AtomicU32::new(0);
        panic_of(|| {
            pool.chunked(chunking).par_for_each(0..300, |n| {
                begun.fetch_add(1, Ordering::Relaxed);
                work(200);
                if n % 100 == 50 {
                    give_up();
                }
            });
        });
        let then = begun.load(Ordering::Relaxed);
        work(200_000);
        assert_eq!(begun.load(Ordering::Relaxed), then, "{pool:?} {chunking:?}");
    }
}

/// One block panics at once; of the 10,000 others, which take long, only those that ran already may end.
#[test]
fn a_panic_saves_the_rest_of_the_work() {
    let begun = AtomicU32::new(0);
    let pool = &pools()[1];
    panic_of(|| {
        pool.chunked(Chunking::Dynamic { size: 1 }).par_for_each(0..10_000, |n| {
            begun.fetch_add(1, Ordering::Relaxed);
            if n == 5 {
                give_up();
            }
            work(10_000);
        });
    });
    assert!(begun.into_inner() < 9_000);
}

#[test]
fn an_iterator_that_panics_is_not_asked_again() {
    for (pool, chunking) in everywhere() {
        let mut asked = 0;
        let iter = std::iter::from_fn(|| {
            asked += 1;
            work(50);
            if asked == 40 {
                give_up();
            }
            Some(asked)
        });
        assert_eq!(panic_of(|| pool.chunked(chunking).par_for_each_of(iter, |_| ())), "given up");
        assert_eq!(asked, 40);
    }
}

#[test]
fn every_function_of_map_reduce_may_panic() {
    for pool in pools() {
        for part in 0..3 {
            let text = panic_of(|| {
                pool.map_reduce(
                    0u64..3_000,
                    |n, emit| {
                        work(20);
                        if part == 0 && n == 2_000 {
                            give_up();
                        }
                        emit(n % 10, n);
                    },
                    |sum, n| {
                        if part == 1 && n == 2_000 {
                            give_up();
                        }
                        if part == 2 && n % 10 == 3 && *sum > 0 {
                            give_up();
                        }
                        *sum += n;
                    },
                )
            });
            assert_eq!(text, "given up");
        }
    }
}

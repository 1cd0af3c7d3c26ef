//! What is built is dropped once: counted.

use crate::bed::{Counted, everywhere, give_up, panic_of, pools, work};
use std::sync::atomic::{AtomicI64, Ordering};

#[test]
fn the_results_of_a_map_are_owned_by_the_list() {
    let alive = AtomicI64::new(0);
    for (pool, chunking) in everywhere() {
        let list = pool.chunked(chunking).par_map(0u64..500, |n| {
            work(50);
            Counted::new(&alive, n)
        });
        assert_eq!(alive.load(Ordering::Relaxed), 500);
        assert!(list.iter().zip(0..).all(|(item, n)| item.value == n));
        drop(list);
        assert_eq!(alive.load(Ordering::Relaxed), 0);
    }
}

#[test]
fn a_panic_drops_what_was_built() {
    let alive = AtomicI64::new(0);
    for (pool, chunking) in everywhere() {
        for at in [0, 1, 250, 499] {
            let text = panic_of(|| {
                pool.chunked(chunking).par_map(0u64..500, |n| {
                    work(50);
                    if n == at {
                        give_up();
                    }
                    Counted::new(&alive, n)
                })
            });
            assert_eq!((text, alive.load(Ordering::Relaxed)), ("given up", 0), "{pool:?} {chunking:?} {at}");
        }
    }
}

#[test]
fn a_panic_in_a_reduction_drops_the_partial_results() {
    let alive = AtomicI64::new(0);
    for (pool, chunking) in everywhere() {
        let combine_panics = |left: Counted<'_>, right: Counted<'_>| {
            if left.value < 100 && right.value >= 100 {
                give_up();
            }
            Counted::new(&alive, left.value.max(right.value))
        };
        let text = panic_of(|| {
            pool.chunked(chunking).par_map_reduce(
                0u64..200,
                |n| {
                    work(50);
                    Counted::new(&alive, n)
                },
                combine_panics,
            )
        });
        assert_eq!((text, alive.load(Ordering::Relaxed)), ("given up", 0), "{pool:?} {chunking:?}");
    }
}

#[test]
fn an_iterator_s_items_are_dropped_when_the_loop_panics() {
    let alive = AtomicI64::new(0);
    for (pool, chunking) in everywhere() {
        let items: Vec<_> = (0..400).map(|n| Counted::new(&alive, n)).collect();
        let text = panic_of(|| {
            pool.chunked(chunking).par_for_each_of(items, |item| {
                work(50);
                if item.value == 123 {
                    give_up();
                }
            });
        });
        assert_eq!((text, alive.load(Ordering::Relaxed)), ("given up", 0), "{pool:?} {chunking:?}");
    }
}

#[test]
fn map_reduce_drops_every_key_and_value() {
    let alive = AtomicI64::new(0);
    for pool in pools() {
        let count = |panics: bool| {
            pool.map_reduce(
                0u64..5_000,
                |n, emit| {
                    emit(n % 100, Counted::new(&alive, n));
                    if panics && n == 4_000 {
                        give_up();
                    }
                },
                |sum, more| sum.value += more.value,
            )
            .len()
        };
        assert_eq!(count(false), 100);
        assert_eq!(panic_of(|| count(true)), "given up");
        assert_eq!(alive.load(Ordering::Relaxed), 0);
    }
}

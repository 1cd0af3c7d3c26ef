//! Loops over iterators, in batches.

use crate::bed::{everywhere, work};
use std::sync::atomic::{AtomicU32, Ordering};

/// An iterator whose length nobody knows, or that promises too little.
#[test]
fn each_item_comes_exactly_once() {
    for (pool, chunking) in everywhere() {
        for len in [0usize, 1, 2, 17, 400] {
            for promised in [false, true] {
                let seen: Vec<AtomicU32> = (0..len).map(|_| AtomicU32::new(0)).collect();
                let each = |index: usize| {
                    work(50);
                    seen[index].fetch_add(1, Ordering::Relaxed);
                };
                if promised {
                    pool.chunked(chunking).par_for_each_of(0..len, each);
                } else {
                    pool.chunked(chunking).par_for_each_of((0..len).filter(|_| true), each);
                }
                assert!(
                    seen.iter().all(|seen| seen.load(Ordering::Relaxed) == 1),
                    "{pool:?} {chunking:?} {len} {promised}"
                );
            }
        }
    }
}

/// It is not asked again after it has ended.
#[test]
fn an_iterator_that_begins_again_is_not_asked_to() {
    for (pool, chunking) in everywhere() {
        let (mut next, count) = (0u32, AtomicU32::new(0));
        let iter = std::iter::from_fn(|| {
            next += 1;
            (next != 31).then_some(next)
        });
        pool.chunked(chunking).par_for_each_of(iter, |_| {
            work(100);
            count.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(count.into_inner(), 30, "{pool:?} {chunking:?}");
    }
}

/// Items may borrow, and need not be `Sync`.
#[test]
fn items_move_into_the_loop() {
    let text = "a few words\nin some\nlines";
    for (pool, chunking) in everywhere() {
        let letters = AtomicU32::new(0);
        let cells = text.lines().map(std::cell::Cell::new);
        pool.chunked(chunking).par_for_each_of(cells, |line| {
            letters.fetch_add(line.take().len() as u32, Ordering::Relaxed);
        });
        assert_eq!(letters.into_inner(), 23);
    }
}

use super::*;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::Arc;
use std::vec::Vec;
use std::{boxed::Box, thread};

impl<T, S: Storage> Mpmc<T, S> {
    /// An empty queue `laps` laps before its positions wrap around.
    fn before_the_wrap(self, laps: u32) -> Self {
        let start = self.one_lap().wrapping_mul(laps).wrapping_neg();
        self.head.store(start, Ordering::Relaxed);
        self.tail.store(start, Ordering::Relaxed);
        self.cells.iter().for_each(|cell| cell.stamp.store(start, Ordering::Relaxed));
        self
    }
}

fn same_as_model<const N: usize>(pushes: &[Option<u16>], laps: u32) -> Result<(), TestCaseError> {
    let queue = Mpmc::<u16, Inline<N>>::new().before_the_wrap(laps);
    let mut model = VecDeque::new();
    for &push in pushes {
        match push {
            Some(item) if model.len() == N => prop_assert_eq!(queue.push(item), Err(Full(item))),
            Some(item) => {
                prop_assert_eq!(queue.push(item), Ok(()));
                model.push_back(item);
            }
            None => prop_assert_eq!(queue.pop(), model.pop_front()),
        }
        prop_assert_eq!(queue.is_empty(), model.is_empty());
    }
    Ok(())
}

proptest! {
    #[test]
    fn behaves_like_a_bounded_fifo(
        pushes in prop::collection::vec(prop::option::of(any::<u16>()), 0..100),
        laps in 0u32..6,
    ) {
        same_as_model::<1>(&pushes, laps)?;
        same_as_model::<2>(&pushes, laps)?;
        same_as_model::<3>(&pushes, laps)?;
        same_as_model::<7>(&pushes, laps)?;
        same_as_model::<8>(&pushes, laps)?;
    }
}

/// An iterator that is not as long as it says.
struct Says<I>(usize, I);

impl<I: Iterator> Iterator for Says<I> {
    type Item = I::Item;
    fn next(&mut self) -> Option<I::Item> {
        self.1.next()
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0, Some(self.0))
    }
}

impl<I: Iterator> ExactSizeIterator for Says<I> {}

/// A push or a pop of so many; a push says that it has so many more.
type Step = (bool, usize, usize);

fn batches_are_as_model<const N: usize>(steps: &[Step], laps: u32) -> Result<(), TestCaseError> {
    let queue = Mpmc::<u32, Inline<N>>::new().before_the_wrap(laps);
    let (mut model, mut skipped, mut next) = (VecDeque::new(), 0, 0u32);
    for &(is_push, count, more) in steps {
        if is_push {
            // Places that were passed over are free again once a consumer came by.
            let room = N - model.len();
            let mut items = Says(count + more, next..next + count as u32);
            let pushed = queue.push_batch(&mut items);
            prop_assert!(pushed <= room.min(count));
            prop_assert!(
                pushed + skipped >= room.min(count),
                "{pushed} of {count} into {room}, {skipped} skipped"
            );
            skipped += (count + more).min(room) - pushed.min((count + more).min(room));
            model.extend(next..next + pushed as u32);
            next += pushed as u32;
            prop_assert_eq!(items.next(), (pushed < count).then_some(next));
            next += 1;
        } else if more % 3 == 0 {
            prop_assert_eq!(queue.pop(), model.pop_front());
        } else {
            let taken: Vec<u32> = queue.pop_batch(count).collect();
            prop_assert!(taken.len() <= count && (!taken.is_empty() || count == 0 || model.is_empty()));
            prop_assert!(taken.iter().copied().eq(model.drain(..taken.len())));
        }
        prop_assert_eq!(queue.is_empty(), model.is_empty());
        if model.is_empty() {
            skipped = 0;
        }
    }
    prop_assert!(core::iter::from_fn(|| queue.pop()).eq(model));
    Ok(())
}

proptest! {
    #[test]
    fn batches_behave_like_a_bounded_fifo(
        steps in prop::collection::vec((any::<bool>(), 0usize..12, prop_oneof![Just(0usize), 0usize..4]), 0..60),
        laps in 0u32..6,
    ) {
        batches_are_as_model::<1>(&steps, laps)?;
        batches_are_as_model::<3>(&steps, laps)?;
        batches_are_as_model::<8>(&steps, laps)?;
    }
}

#[test]
fn a_batch_whose_source_panics_keeps_what_came_and_the_places_come_back() {
    let queue = Mpmc::<u8, Inline<4>>::new();
    for round in 0..20 {
        let mut items = Says(4, (0..4).inspect(|item| assert_ne!(*item, 2, "the source fails")));
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| queue.push_batch(&mut items)));
        assert!(failed.is_err(), "round {round}");
        assert_eq!((queue.pop(), queue.pop(), queue.pop()), (Some(0), Some(1), None));
        assert!(queue.is_empty());
        assert_eq!(queue.push_batch(&mut [7, 8, 9, 10].into_iter()), 4);
        assert_eq!(queue.push(11), Err(Full(11)));
        assert!(queue.pop_batch(9).eq([7, 8, 9, 10]));
    }
}

#[test]
fn what_is_not_taken_out_of_a_batch_is_dropped() {
    let token = Arc::new(());
    let queue = Mpmc::<_, Inline<4>>::new();
    assert_eq!(queue.push_batch(&mut core::iter::repeat_n(&token, 4).map(Arc::clone)), 4);
    let mut batch = queue.pop_batch(3);
    assert_eq!((batch.len(), Arc::strong_count(&token)), (3, 5));
    // The places are not free before the items are out.
    assert_eq!(queue.push(Arc::clone(&token)).map_err(drop), Err(()));
    assert!(batch.next().is_some());
    drop(batch);
    assert_eq!(Arc::strong_count(&token), 2);
    assert_eq!(queue.len(), 1);
}

#[test]
fn a_batch_whose_consumer_panics_is_dropped_and_its_places_are_free() {
    let token = Arc::new(());
    let queue = Mpmc::<_, Inline<4>>::new();
    for round in 0..10 {
        assert_eq!(
            queue.push_batch(&mut core::iter::repeat_n(&token, 4).map(Arc::clone)),
            4,
            "round {round}"
        );
        let mut seen = 0;
        let batch = std::panic::AssertUnwindSafe(queue.pop_batch(3));
        let failed = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| {
            { batch }.0.for_each(|_| {
                seen += 1;
                assert!(seen < 2, "the consumer fails");
            });
        }));
        assert!(failed.is_err());
        assert_eq!((queue.len(), Arc::strong_count(&token)), (1, 2));
        assert!(queue.pop().is_some());
    }
}

/// The fear with positions of 8 bits: a thread reads a position, is stopped while the ring comes around to the same
/// number, and claims a place that is somebody else's.
#[test]
fn whoever_was_stopped_while_others_went_around_claims_nothing() {
    for rounds in [256 / 8, 65_536 / 8] {
        let queue = Mpmc::<u32, Inline<8>>::new();
        // The stopped producer's view, and the stopped consumer's.
        let (tail, head) = (queue.tail.load(Ordering::Relaxed), queue.head.load(Ordering::Relaxed));
        for item in 0..rounds * 8 {
            queue.push(item).unwrap();
            assert_eq!(queue.pop(), Some(item));
        }
        for (end, seen) in [(&queue.tail, tail), (&queue.head, head)] {
            let claim = end.compare_exchange(seen, queue.after(seen), Ordering::Relaxed, Ordering::Relaxed);
            assert!(claim.is_err(), "after {rounds} rounds");
        }
    }
}

#[test]
fn batches_of_many_threads_lose_and_double_nothing() {
    const EACH: u64 = 60_000;
    let queue = Mpmc::<u64, Inline<48>>::new();
    let queue = &queue;
    let mut taken: Vec<u64> = thread::scope(|scope| {
        for producer in 0..2u64 {
            scope.spawn(move || {
                let mut items = (0..EACH as u32).map(|item| producer << 32 | u64::from(item));
                while items.len() > 0 {
                    let len = items.len().min(1 + items.len() % 32);
                    // Now and then more is said than there is.
                    let says = len + usize::from(len % 7 == 0);
                    let mut batch = Says(says, items.by_ref().take(len)).peekable();
                    while batch.peek().is_some() {
                        if queue.push_batch(&mut batch) == 0 {
                            thread::yield_now();
                        }
                    }
                }
            });
        }
        let consumers = [1usize, 32].map(|most| {
            scope.spawn(move || {
                let mut taken = Vec::new();
                while taken.len() < EACH as usize {
                    let left = EACH as usize - taken.len();
                    let before = taken.len();
                    taken.extend(queue.pop_batch(most.min(left)));
                    if taken.len() == before {
                        thread::yield_now();
                    }
                }
                for producer in 0..2 {
                    assert!(taken.iter().filter(|&&item| item >> 32 == producer).is_sorted());
                }
                taken
            })
        });
        consumers.into_iter().flat_map(|consumer| consumer.join().unwrap()).collect()
    });
    taken.sort_unstable();
    assert!(
        taken.into_iter().eq((0..2).flat_map(|producer| (0..EACH).map(move |item| producer << 32 | item)))
    );
    assert!(queue.is_empty());
}

#[test]
fn every_item_passes_exactly_once_and_in_its_producers_order() {
    fn pass<const N: usize>(each: u64) {
        let queue = Box::new(Mpmc::<u64, Inline<N>>::new());
        let queue = &*queue;
        let mut taken: Vec<u64> = thread::scope(|scope| {
            for producer in 0..2u64 {
                scope.spawn(move || {
                    for item in 0..each {
                        let mut item = producer << 32 | item;
                        while let Err(Full(back)) = queue.push(item) {
                            item = back;
                            thread::yield_now();
                        }
                    }
                });
            }
            let consumers: [_; 2] = core::array::from_fn(|_| {
                scope.spawn(|| {
                    let mut taken = Vec::new();
                    while taken.len() < each as usize {
                        match queue.pop() {
                            Some(item) => taken.push(item),
                            None => thread::yield_now(),
                        }
                    }
                    taken
                })
            });
            consumers
                .into_iter()
                .flat_map(|consumer| {
                    let taken = consumer.join().unwrap();
                    for producer in 0..2 {
                        let mine = taken.iter().filter(|&&item| item >> 32 == producer);
                        assert!(mine.is_sorted());
                    }
                    taken
                })
                .collect()
        });
        taken.sort_unstable();
        assert!(taken.into_iter().eq((0..2).flat_map(|producer| (0..each).map(move |i| producer << 32 | i))));
        assert!(queue.is_empty());
    }
    pass::<1>(2_000);
    pass::<3>(5_000);
    pass::<64>(100_000);
}

#[test]
fn what_is_left_is_dropped_once() {
    let token = Arc::new(());
    let queue = Mpmc::<_, Inline<4>>::new();
    for _ in 0..3 {
        queue.push(Arc::clone(&token)).unwrap();
    }
    drop(queue.pop());
    queue.push(Arc::clone(&token)).unwrap();
    assert_eq!(Arc::strong_count(&token), 4);
    drop(queue);
    assert_eq!(Arc::strong_count(&token), 1);
}

/// What a preempted producer does to the others, as the documentation says: they are not blocked, and see `None`.
#[test]
fn a_push_stopped_halfway_hides_what_is_behind_it() {
    let queue = Mpmc::<u8, Inline<2>>::new();
    // The first half of a push: the place is claimed, the item is not there yet.
    let place = queue.tail.load(Ordering::Relaxed);
    queue.tail.store(queue.after(place), Ordering::Relaxed);
    assert_eq!(queue.push(2), Ok(()));
    assert_eq!(queue.push(3), Err(Full(3)));
    assert_eq!((queue.pop(), queue.is_empty()), (None, true));
    // The second half:
    let (cell, lap) = queue.cell(place);
    // SAFETY: this test claimed the place.
    cell.item.with_mut(|slot| unsafe { (*slot).write(1) });
    cell.stamp.store(lap | FILLED, Ordering::Release);
    assert_eq!((queue.pop(), queue.pop(), queue.pop()), (Some(1), Some(2), None));
}

#[cfg(feature = "alloc")]
#[test]
fn a_heap_queue_has_the_capacity_that_was_asked_for() {
    let queue = Mpmc::<u8, Heap>::with_capacity(3).unwrap();
    assert_eq!((0..5).filter(|&item| queue.push(item).is_ok()).count(), 3);
    assert_eq!(Mpmc::<u8, Heap>::with_capacity(0).unwrap_err(), CapacityError::Zero);
    let error = Mpmc::<(), Heap>::with_capacity(usize::MAX).unwrap_err();
    assert_eq!(error, CapacityError::TooLarge { max: 1 << 30 });
}

#[test]
fn sizes_are_as_documented() {
    // The two ends; apart from each other and from the items where there are cache lines.
    let ends = if cfg!(target_pointer_width = "64") { 2 * 128 } else { 8 };
    assert_eq!(size_of::<Mpmc<u32, Inline<16>>>(), ends + 16 * 8);
    assert_eq!(size_of::<Mpmc<u64, Inline<16>>>(), ends + 16 * 16);
}

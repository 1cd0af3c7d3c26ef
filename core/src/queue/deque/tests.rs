use super::*;
use proptest::prelude::*;
use std::boxed::Box;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread;
use std::vec::Vec;

impl<T, S: Storage> Deque<T, S> {
    /// An empty deque whose counters have come this far.
    fn starting_at(self, head: u32, pops: u32) -> Self {
        self.front.store(Front::new(head, pops, 0).0, Ordering::Relaxed);
        self.freed.store(head & POSITION, Ordering::Relaxed);
        self.pushes.store(head.wrapping_add(pops), Ordering::Relaxed);
        self
    }
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Push(u16),
    Pop,
    StealOne,
    StealHalf,
    PopOther,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => any::<u16>().prop_map(Op::Push),
        1 => Just(Op::Pop),
        1 => Just(Op::StealOne),
        1 => Just(Op::StealHalf),
        1 => Just(Op::PopOther),
    ]
}

fn same_as_model<const N: usize, const M: usize>(
    ops: &[Op],
    head: u32,
    pops: u32,
) -> Result<(), TestCaseError> {
    let deque = Deque::<u16, Inline<N>>::new().starting_at(head, pops);
    let other = Deque::<u16, Inline<M>>::new().starting_at(pops, head);
    let (worker, thief) = (deque.worker().unwrap(), other.worker().unwrap());
    let (mut model, mut other_model) = (VecDeque::new(), VecDeque::new());
    for &op in ops {
        match op {
            Op::Push(item) if model.len() == N => prop_assert_eq!(worker.push(item), Err(Full(item))),
            Op::Push(item) => {
                prop_assert_eq!(worker.push(item), Ok(()));
                model.push_back(item);
            }
            Op::Pop => prop_assert_eq!(worker.pop(), model.pop_back()),
            Op::PopOther => prop_assert_eq!(thief.pop(), other_model.pop_back()),
            Op::StealOne => {
                let expected = model.pop_front().map_or(Steal::Empty, Steal::Success);
                prop_assert_eq!(worker.stealer().steal_one(), expected);
            }
            Op::StealHalf => {
                let count = model.len().div_ceil(2).min(M - other_model.len() + 1);
                let expected = match model.pop_front() {
                    Some(first) => {
                        other_model.extend(model.drain(..count - 1));
                        Steal::Success((first, count as u32 - 1))
                    }
                    None => Steal::Empty,
                };
                prop_assert_eq!(worker.stealer().steal_half(&thief), expected);
            }
        }
        // Alone, the bounds are exact.
        prop_assert_eq!(worker.len(), model.len());
        prop_assert_eq!(worker.spare_capacity(), N - model.len());
        prop_assert_eq!(worker.is_empty(), model.is_empty());
        prop_assert_eq!(worker.stealer().is_empty(), model.is_empty());
        prop_assert_eq!(thief.len(), other_model.len());
    }
    Ok(())
}

proptest! {
    #[test]
    fn behaves_like_a_bounded_deque(
        ops in prop::collection::vec(op(), 0..120),
        // Either counter may be about to come around.
        head in prop_oneof![Just(0), POSITION - 20..=POSITION],
        pops in prop_oneof![Just(0), POSITION - 20..=POSITION],
    ) {
        same_as_model::<1, 4>(&ops, head, pops)?;
        same_as_model::<2, 1>(&ops, head, pops)?;
        same_as_model::<8, 4>(&ops, head, pops)?;
        same_as_model::<16, 16>(&ops, head, pops)?;
    }
}

#[test]
fn the_largest_deque_fills_and_empties_at_any_place() {
    for head in [0, 1, POSITION] {
        let deque = Box::new(Deque::<u32, Inline<{ MAX as usize }>>::new().starting_at(head, POSITION - 3));
        let worker = deque.worker().unwrap();
        for item in 0..MAX {
            assert_eq!(worker.push(item), Ok(()));
        }
        assert_eq!(worker.push(0), Err(Full(0)));
        assert_eq!(worker.len(), MAX as usize);
        assert_eq!(deque.stealer().steal_one(), Steal::Success(0));
        assert!((1..MAX).rev().eq(core::iter::from_fn(|| worker.pop())));
    }
}

/// A thief that stands between looking and booking finds out about a pop, wherever the counters stand.
#[test]
fn a_pop_spoils_the_booking_of_a_thief_that_looked_before() {
    let deque = Deque::<u8, Inline<4>>::new();
    let worker = deque.worker().unwrap();
    worker.push(1).unwrap();
    let popped_meanwhile = |available| {
        assert_eq!(worker.pop(), Some(1));
        // Now bring the counter of pops around to where it was:
        for _ in 1..=POSITION {
            worker.push(7).unwrap();
            worker.pop().unwrap();
        }
        available
    };
    assert_eq!(deque.book(popped_meanwhile), Steal::Retry);
    assert_eq!((worker.pop(), deque.stealer().steal_one()), (None, Steal::Empty));
}

#[test]
fn a_thief_keeps_other_thieves_out_but_not_the_owner() {
    let deque = Deque::<u8, Inline<4>>::new();
    let worker = deque.worker().unwrap();
    for item in 1..=4 {
        worker.push(item).unwrap();
    }
    // Between locking and booking:
    let looking = |_| {
        assert_eq!(deque.stealer().steal_one(), Steal::Retry);
        1
    };
    let Steal::Success((position, 1)) = deque.book(looking) else { panic!("nobody was in the way") };
    // Between booking and freeing:
    assert_eq!(deque.stealer().steal_one(), Steal::Retry);
    assert_eq!(worker.push(5), Err(Full(5)), "the slot is not free yet");
    assert_eq!(worker.pop(), Some(4));
    assert_eq!(worker.push(6), Ok(()));
    // SAFETY: booked above, and moved out once.
    assert_eq!(unsafe { deque.take(position) }, 1);
    deque.free_up_to(position + 1);
    assert_eq!(worker.push(7), Ok(()));
    assert_eq!(deque.stealer().steal_one(), Steal::Success(2));
    let rest: Vec<u8> = core::iter::from_fn(|| worker.pop()).collect();
    assert_eq!(rest, [7, 6, 3]);
}

#[test]
fn stealing_from_oneself_turns_the_oldest_into_the_newest() {
    let deque = Deque::<u8, Inline<4>>::new();
    let worker = deque.worker().unwrap();
    for item in 1..=4 {
        worker.push(item).unwrap();
    }
    // There is no room for more than the one in hand.
    assert_eq!(worker.stealer().steal_half(&worker), Steal::Success((1, 0)));
    assert_eq!(worker.stealer().steal_half(&worker), Steal::Success((2, 1)));
    assert_eq!((worker.pop(), worker.pop(), worker.pop()), (Some(3), Some(4), None));
}

#[test]
fn every_item_is_taken_exactly_once() {
    const ITEMS: u32 = 200_000;
    fn run<const N: usize>(thieves: u32) {
        let deque = Box::new(Deque::<Box<u32>, Inline<N>>::new().starting_at(POSITION - 5, POSITION - 7));
        let deque = &*deque;
        let taken = AtomicUsize::new(0);
        let taken = &taken;
        let mut items: Vec<u32> = thread::scope(|scope| {
            let owner = scope.spawn(move || {
                let worker = deque.worker().unwrap();
                let mut mine = Vec::new();
                for item in 0..ITEMS {
                    let mut item = Box::new(item);
                    while let Err(Full(back)) = worker.push(item) {
                        item = back;
                        mine.extend(worker.pop());
                    }
                    if *mine.last().map_or(&0, |item| item) % 3 == 0 {
                        mine.extend(worker.pop());
                    }
                }
                mine.extend(core::iter::from_fn(|| worker.pop()));
                taken.fetch_add(mine.len(), Ordering::AcqRel);
                mine
            });
            let thieves: Vec<_> = (0..thieves)
                .map(|thief| {
                    scope.spawn(move || {
                        let own = Deque::<Box<u32>, Inline<8>>::new();
                        let own = own.worker().unwrap();
                        let mut mine = Vec::new();
                        let mut counted = 0;
                        while taken.load(Ordering::Acquire) < ITEMS as usize {
                            if thief % 2 == 0 {
                                mine.extend(deque.stealer().steal_one().success());
                            } else if let Steal::Success((item, _)) = deque.stealer().steal_half(&own) {
                                mine.push(item);
                                mine.extend(core::iter::from_fn(|| own.pop()));
                            }
                            taken.fetch_add(mine.len() - counted, Ordering::AcqRel);
                            counted = mine.len();
                            thread::yield_now();
                        }
                        mine
                    })
                })
                .collect();
            let mut items: Vec<Box<u32>> = owner.join().unwrap();
            items.extend(thieves.into_iter().flat_map(|thief| thief.join().unwrap()));
            items.into_iter().map(|item| *item).collect()
        });
        items.sort_unstable();
        assert!(items.into_iter().eq(0..ITEMS));
    }
    run::<1>(1);
    run::<4>(2);
    run::<256>(3);
}

#[test]
fn what_is_left_is_dropped_once_and_owners_may_change() {
    let token = Arc::new(());
    let deque = Deque::<_, Inline<4>>::new();
    let worker = deque.worker().unwrap();
    assert!(deque.worker().is_none());
    for _ in 0..3 {
        worker.push(Arc::clone(&token)).unwrap();
    }
    drop(deque.stealer().steal_one());
    drop(worker);
    let worker = deque.worker().unwrap();
    worker.push(Arc::clone(&token)).unwrap();
    assert_eq!((worker.len(), Arc::strong_count(&token)), (3, 4));
    drop(worker.pop());
    drop(worker);
    drop(deque);
    assert_eq!(Arc::strong_count(&token), 1);
}

#[cfg(feature = "alloc")]
#[test]
fn a_heap_deque_has_the_capacity_that_was_asked_for_or_says_why_not() {
    let deque = Deque::<u8, Heap>::with_capacity(4).unwrap();
    let worker = deque.worker().unwrap();
    assert_eq!((0..9).filter(|&item| worker.push(item).is_ok()).count(), 4);
    let refused = |capacity| Deque::<u8, Heap>::with_capacity(capacity).unwrap_err();
    assert_eq!(refused(0), CapacityError::Zero);
    assert_eq!(refused(3), CapacityError::NotPowerOfTwo);
    assert_eq!(refused(1 << 15), CapacityError::TooLarge { max: 1 << 14 });
}

#[test]
fn sizes_are_as_documented() {
    assert_eq!(size_of::<Deque<u32, Inline<64>>>(), 16 + 64 * 4);
    assert_eq!(size_of::<Deque<u64, Inline<8>>>(), 16 + 8 * 8);
}

#[test]
fn the_ends_move_between_threads() {
    fn both<T: Send + Sync>(_: &T) {}
    fn sends<T: Send>(_: &T) {}
    let deque = Deque::<Cell<u8>, Inline<2>>::new();
    both(&deque);
    both(&deque.stealer());
    sends(&deque.worker());
}

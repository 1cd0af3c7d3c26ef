use super::*;
use crate::storage::Full;
use core::cell::Cell;
use front::POSITION;
use proptest::prelude::*;
use std::boxed::Box;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::vec::Vec;

impl<T, S: Storage> Deque<T, S> {
    /// An empty deque whose counters have come this far.
    fn starting_at(self, head: u32, taken_back: u32) -> Self {
        self.front.store(Front::new(head, taken_back, 0).0, Ordering::Relaxed);
        self.shared.store(head.wrapping_add(taken_back), Ordering::Relaxed);
        self
    }
}

/// An owner of either order.
enum Owner<'a, S: Storage> {
    Lifo(Worker<'a, u16, S>),
    Fifo(Worker<'a, u16, S, Fifo>),
}

/// What the documentation says of a deque, with nobody else around.
struct Model {
    items: VecDeque<u16>,
    capacity: usize,
    /// How many of them, from the oldest on, are shared.
    shared: usize,
    is_fifo: bool,
    /// A thief came in vain.
    asked: bool,
    at_once: bool,
}

impl Model {
    fn new(capacity: usize) -> Self {
        Self { items: VecDeque::new(), capacity, shared: 0, is_fifo: false, asked: false, at_once: true }
    }

    fn push(&mut self, item: u16) -> Result<(), Full<u16>> {
        if self.items.len() == self.capacity {
            return Err(Full(item));
        }
        self.items.push_back(item);
        self.after_push();
        Ok(())
    }

    fn pop(&mut self) -> Option<u16> {
        if self.items.is_empty() {
            return None;
        }
        let item = if self.is_fifo {
            if self.shared > 0 {
                self.shared = if self.at_once { self.shared - 1 } else { 0 };
            }
            self.items.pop_front()
        } else {
            if self.shared == self.items.len() {
                self.shared -= if self.at_once { 1 } else { self.shared.div_ceil(2) };
            }
            self.items.pop_back()
        };
        self.answer();
        item
    }

    fn share(&mut self) {
        if self.shared < self.items.len() {
            self.shared = self.items.len();
            self.asked &= self.at_once;
        }
    }

    fn after_push(&mut self) {
        if self.at_once {
            self.share();
        } else {
            self.answer();
        }
    }

    fn answer(&mut self) {
        if self.asked && !self.at_once {
            self.share();
        }
    }

    fn set_sharing(&mut self, sharing: Sharing) {
        self.at_once = sharing == Sharing::AtOnce;
        if self.at_once {
            self.share();
        }
    }

    fn change_owner(&mut self, is_fifo: bool) {
        self.set_sharing(Sharing::AtOnce);
        self.asked = false;
        self.is_fifo = is_fifo;
    }

    fn steal_one(&mut self) -> Steal<u16> {
        if self.shared == 0 {
            self.asked = true;
            return Steal::Empty;
        }
        self.shared -= 1;
        Steal::Success(self.items.pop_front().unwrap())
    }

    fn steal(&mut self, dest: &mut Self, count: usize) -> Steal<(u16, u32)> {
        let count = count.clamp(1, self.shared.max(1)).min(dest.capacity - dest.items.len() + 1);
        let Steal::Success(first) = self.steal_one() else { return Steal::Empty };
        self.shared -= count - 1;
        dest.items.extend(self.items.drain(..count - 1));
        dest.after_push();
        Steal::Success((first, count as u32 - 1))
    }
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Push(u16),
    Pop,
    Share,
    StealOne,
    StealHalf,
    StealBlock(u32),
    PopOther,
    SetSharing(Sharing),
    ChangeOwner(bool),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => any::<u16>().prop_map(Op::Push),
        4 => Just(Op::Pop),
        2 => Just(Op::Share),
        2 => Just(Op::StealOne),
        2 => Just(Op::StealHalf),
        2 => (0..6u32).prop_map(Op::StealBlock),
        2 => Just(Op::PopOther),
        1 => prop_oneof![1 => Just(Sharing::AtOnce), 2 => Just(Sharing::OnDemand)].prop_map(Op::SetSharing),
        1 => any::<bool>().prop_map(Op::ChangeOwner),
    ]
}

/// Calls the same method of an owner of either order.
macro_rules! either {
    ($owner:expr, $worker:ident => $body:expr) => {
        match &$owner {
            Owner::Lifo($worker) => $body,
            Owner::Fifo($worker) => $body,
        }
    };
}

fn same_as_model<const N: usize, const M: usize>(
    ops: &[Op],
    head: u32,
    taken_back: u32,
) -> Result<(), TestCaseError> {
    let deque = Deque::<u16, Inline<N>>::new().starting_at(head, taken_back);
    let other = Deque::<u16, Inline<M>>::new().starting_at(taken_back, head);
    let mut owner = Owner::Lifo(deque.worker().unwrap());
    let (thief, stealer) = (other.worker().unwrap(), deque.stealer());
    let (mut model, mut other_model) = (Model::new(N), Model::new(M));
    for &op in ops {
        match op {
            Op::Push(item) => prop_assert_eq!(either!(owner, worker => worker.push(item)), model.push(item)),
            Op::Pop => prop_assert_eq!(either!(owner, worker => worker.pop()), model.pop()),
            Op::Share => {
                either!(owner, worker => worker.share());
                model.share();
            }
            Op::StealOne => prop_assert_eq!(stealer.steal_one(), model.steal_one()),
            Op::StealHalf => {
                let half = model.shared.div_ceil(2);
                prop_assert_eq!(stealer.steal_half(&thief), model.steal(&mut other_model, half));
            }
            Op::StealBlock(size) => {
                let expected = model.steal(&mut other_model, size as usize);
                prop_assert_eq!(stealer.steal_block(&thief, size), expected);
            }
            Op::PopOther => prop_assert_eq!(thief.pop(), other_model.pop()),
            Op::SetSharing(sharing) => {
                either!(owner, worker => worker.set_sharing(sharing));
                model.set_sharing(sharing);
            }
            Op::ChangeOwner(is_fifo) => {
                drop(owner);
                owner = match is_fifo {
                    false => Owner::Lifo(deque.worker().unwrap()),
                    true => Owner::Fifo(deque.fifo_worker().unwrap()),
                };
                model.change_owner(is_fifo);
            }
        }
        // Alone, the bounds are exact.
        prop_assert_eq!(either!(owner, worker => worker.len()), model.items.len());
        prop_assert_eq!(either!(owner, worker => worker.is_empty()), model.items.is_empty());
        prop_assert_eq!(either!(owner, worker => worker.spare_capacity()), N - model.items.len());
        prop_assert_eq!((stealer.len(), stealer.is_empty()), (model.shared, model.shared == 0));
        prop_assert_eq!((thief.len(), other.stealer().len()), (other_model.items.len(), other_model.shared));
    }
    Ok(())
}

proptest! {
    #[test]
    fn behaves_like_a_bounded_deque(
        ops in prop::collection::vec(op(), 0..150),
        // Either counter may be about to come around.
        head in prop_oneof![Just(0), POSITION - 20..=POSITION],
        taken_back in prop_oneof![Just(0), POSITION - 20..=POSITION],
    ) {
        same_as_model::<1, 4>(&ops, head, taken_back)?;
        same_as_model::<2, 1>(&ops, head, taken_back)?;
        same_as_model::<8, 4>(&ops, head, taken_back)?;
        same_as_model::<16, 16>(&ops, head, taken_back)?;
    }
}

#[test]
fn the_largest_deque_fills_and_empties_at_any_place() {
    for head in [0, 1, POSITION] {
        let deque = Box::new(Deque::<u32, Inline<{ MAX as usize }>>::new().starting_at(head, POSITION - 3));
        for sharing in [Sharing::AtOnce, Sharing::OnDemand] {
            let worker = deque.worker().unwrap();
            worker.set_sharing(sharing);
            for item in 0..MAX {
                assert_eq!(worker.push(item), Ok(()));
            }
            assert_eq!(worker.push(0), Err(Full(0)));
            assert_eq!(worker.len(), MAX as usize);
            assert!((0..MAX).rev().eq(core::iter::from_fn(|| worker.pop())));
            drop(worker);
            let worker = deque.fifo_worker().unwrap();
            worker.set_sharing(sharing);
            for item in 0..MAX {
                assert_eq!(worker.push(item), Ok(()));
            }
            assert_eq!(worker.push(0), Err(Full(0)));
            worker.share();
            assert_eq!(deque.stealer().steal_one(), Steal::Success(0));
            assert!((1..MAX).eq(core::iter::from_fn(|| worker.pop())));
        }
    }
}

#[test]
fn an_owner_sees_its_items_though_the_head_came_around_since_it_last_looked() {
    fn check<O: Order>(worker: &Worker<'_, u32, Inline<4>, O>) {
        // As many as there are positions, and all but the last are stolen.
        for item in 0..=POSITION {
            assert_eq!(worker.push(item), Ok(()));
            if item < POSITION {
                assert_eq!(worker.stealer().steal_one(), Steal::Success(item));
            }
        }
        assert_eq!(worker.len(), 1);
        assert_eq!((worker.pop(), worker.pop()), (Some(POSITION), None));
    }
    let deque = Deque::new();
    check(&deque.worker().unwrap());
    check(&deque.fifo_worker().unwrap());
}

#[test]
fn an_owner_that_shares_at_once_hides_nothing() {
    let deque = Deque::<u32, Inline<8>>::new();
    fn check<O: Order>(worker: &Worker<'_, u32, Inline<8>, O>) {
        for item in 0..6 {
            worker.push(item).unwrap();
            assert_eq!(worker.stealer().len(), item as usize + 1);
        }
        for left in (0..6).rev() {
            assert!(worker.pop().is_some());
            assert_eq!(worker.stealer().len(), left);
        }
    }
    check(&deque.worker().unwrap());
    check(&deque.fifo_worker().unwrap());
}

/// A request is answered by the first call that leaves the owner something of its own, and only by that.
#[test]
fn who_asks_is_answered() {
    let deque = Deque::<u8, Inline<8>>::new();
    let (worker, stealer) = (deque.worker().unwrap(), deque.stealer());
    worker.set_sharing(Sharing::OnDemand);
    worker.push(1).unwrap();
    worker.push(2).unwrap();
    assert!(stealer.is_empty(), "looking is not asking");
    worker.push(3).unwrap();
    assert_eq!(stealer.len(), 0);
    assert_eq!(stealer.steal_one(), Steal::Empty);
    assert_eq!(worker.pop(), Some(3));
    assert_eq!(stealer.len(), 2, "the pop has answered");
    worker.push(4).unwrap();
    assert_eq!((stealer.len(), worker.len()), (2, 3), "and nobody has asked again");
    // An empty deque cannot answer, so the request stays:
    while worker.pop().is_some() {}
    assert_eq!(stealer.steal_one(), Steal::Empty);
    assert_eq!(worker.pop(), None);
    worker.push(5).unwrap();
    assert_eq!(stealer.steal_one(), Steal::Success(5));
    // Nobody is there to be asked:
    drop(worker);
    assert_eq!(stealer.steal_one(), Steal::Empty);
    let worker = deque.worker().unwrap();
    worker.set_sharing(Sharing::OnDemand);
    worker.push(6).unwrap();
    assert!(stealer.is_empty());
    // Who returns to sharing at once shows what there is:
    worker.set_sharing(Sharing::AtOnce);
    assert_eq!(stealer.len(), 1);
}

/// A thief that stands between looking and booking finds out that something was taken, wherever the counters stand.
#[test]
fn what_the_owner_takes_spoils_the_booking_of_a_thief_that_looked_before() {
    fn check<O: Order>(worker: &Worker<'_, u8, Inline<4>, O>, sharing: Sharing) {
        worker.set_sharing(sharing);
        worker.push(1).unwrap();
        worker.share();
        let popped_meanwhile = |available| {
            assert_eq!(worker.pop(), Some(1));
            // Now bring the counters around to where they were:
            for _ in 1..=POSITION {
                worker.push(7).unwrap();
                worker.share();
                worker.pop().unwrap();
            }
            available
        };
        assert_eq!(worker.stealer().book(popped_meanwhile), Steal::Retry);
        assert_eq!((worker.pop(), worker.stealer().steal_one()), (None, Steal::Empty));
    }
    for sharing in [Sharing::AtOnce, Sharing::OnDemand] {
        let deque = Deque::new();
        check(&deque.worker().unwrap(), sharing);
        check(&deque.fifo_worker().unwrap(), sharing);
    }
}

#[test]
fn a_thief_keeps_other_thieves_out_but_not_the_owner() {
    let deque = Deque::<u8, Inline<4>>::new();
    let (worker, stealer) = (deque.worker().unwrap(), deque.stealer());
    for item in 1..=4 {
        worker.push(item).unwrap();
    }
    // Between locking and booking:
    let looking = |_| {
        assert_eq!(stealer.steal_one(), Steal::Retry);
        1
    };
    let Steal::Success((position, 1)) = stealer.book(looking) else { panic!("nobody was in the way") };
    // Between booking and leaving:
    assert_eq!(stealer.steal_one(), Steal::Retry);
    assert_eq!(worker.push(5), Err(Full(5)), "the slot is not free yet");
    assert_eq!(worker.pop(), Some(4));
    assert_eq!(worker.push(6), Ok(()));
    assert_eq!((worker.push(7), worker.spare_capacity()), (Err(Full(7)), 0));
    // SAFETY: booked above, and moved out once.
    assert_eq!(unsafe { deque.take(position) }, 1);
    stealer.leave();
    assert_eq!(worker.push(7), Ok(()));
    assert_eq!(stealer.steal_one(), Steal::Success(2));
    let rest: Vec<u8> = core::iter::from_fn(|| worker.pop()).collect();
    assert_eq!(rest, [7, 6, 3]);
}

/// A thief that is stopped for good just before it books, having said already where it would begin, costs the owner
/// nothing, however far that one goes on.
#[test]
fn a_thief_that_never_books_holds_no_slot() {
    fn check<O: Order>(
        deque: &Deque<u32, Inline<4>>,
        worker: &Worker<'_, u32, Inline<4>, O>,
        sharing: Sharing,
    ) {
        worker.set_sharing(sharing);
        worker.push(0).unwrap();
        worker.share();
        let front = Front(deque.front.load(Ordering::Relaxed));
        deque.front.store(front.locked().0, Ordering::Relaxed);
        deque.from.store(front.head(), Ordering::Relaxed);
        assert_eq!(worker.pop(), Some(0));
        for round in 0..2 * POSITION {
            for item in 0..4 {
                assert_eq!(worker.push(item), Ok(()), "round {round}");
            }
            if round % 3 > 0 {
                worker.share();
            }
            assert_eq!(deque.stealer().steal_one().success(), None);
            assert_eq!(core::iter::from_fn(|| worker.pop()).count(), 4);
        }
        deque.stealer().leave();
    }
    for sharing in [Sharing::AtOnce, Sharing::OnDemand] {
        let deque = Deque::new();
        check(&deque, &deque.worker().unwrap(), sharing);
        check(&deque, &deque.fifo_worker().unwrap(), sharing);
    }
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

/// Owners of both orders, sharing or not, and thieves of all kinds, on threads.
#[test]
fn every_item_is_taken_exactly_once() {
    const ITEMS: u32 = 100_000;
    fn own<S: Storage, O: Order>(worker: &Worker<'_, Box<u32>, S, O>) -> Vec<u32> {
        let mut mine: Vec<Box<u32>> = Vec::new();
        for item in 0..ITEMS {
            if item % 1_000 == 0 {
                worker.set_sharing(if item % 4_000 == 0 { Sharing::AtOnce } else { Sharing::OnDemand });
            }
            let mut item = Box::new(item);
            while let Err(Full(back)) = worker.push(item) {
                item = back;
                mine.extend(worker.pop());
            }
            match *mine.last().map_or(&0, |item| item) % 16 {
                0 | 5 | 10 => mine.extend(worker.pop()),
                3 => worker.share(),
                15 => mine.extend(core::iter::from_fn(|| worker.pop())),
                _ => {}
            }
        }
        mine.extend(core::iter::from_fn(|| worker.pop()));
        mine.into_iter().map(|item| *item).collect()
    }
    fn run<const N: usize>(thieves: u32, is_fifo: bool) {
        let deque = Box::new(Deque::<Box<u32>, Inline<N>>::new().starting_at(POSITION - 5, POSITION - 7));
        let deque = &*deque;
        let done = &AtomicBool::new(false);
        let mut items: Vec<u32> = thread::scope(|scope| {
            let owner = scope.spawn(move || {
                let mine = match is_fifo {
                    false => own(&deque.worker().unwrap()),
                    true => own(&deque.fifo_worker().unwrap()),
                };
                done.store(true, Ordering::Release);
                mine
            });
            let thieves: Vec<_> = (0..thieves)
                .map(|thief| {
                    scope.spawn(move || {
                        let own = Deque::<Box<u32>, Inline<8>>::new();
                        let own = own.fifo_worker().unwrap();
                        let mut mine = Vec::new();
                        while !done.load(Ordering::Acquire) {
                            let stolen = match thief {
                                0 => deque.stealer().steal_half(&own).success(),
                                1 => deque.stealer().steal_one().success().map(|item| (item, 0)),
                                _ => deque.stealer().steal_block(&own, 3).success(),
                            };
                            if let Some((item, moved)) = stolen {
                                let before = mine.len();
                                mine.push(item);
                                mine.extend(core::iter::from_fn(|| own.pop()));
                                assert_eq!(mine.len() - before, moved as usize + 1);
                            }
                            thread::yield_now();
                        }
                        mine
                    })
                })
                .collect();
            let mut items = owner.join().unwrap();
            items.extend(thieves.into_iter().flat_map(|thief| thief.join().unwrap()).map(|item| *item));
            items
        });
        items.sort_unstable();
        assert!(items.into_iter().eq(0..ITEMS));
    }
    for is_fifo in [false, true] {
        run::<1>(1, is_fifo);
        run::<4>(2, is_fifo);
        run::<256>(3, is_fifo);
    }
}

#[test]
fn what_is_left_is_dropped_once_and_owners_may_change() {
    let token = Arc::new(());
    let deque = Deque::<_, Inline<4>>::new();
    let worker = deque.worker().unwrap();
    assert!(deque.worker().is_none());
    worker.set_sharing(Sharing::OnDemand);
    for _ in 0..3 {
        worker.push(Arc::clone(&token)).unwrap();
    }
    drop(worker);
    assert_eq!(deque.stealer().len(), 3, "whoever leaves shares");
    drop(deque.stealer().steal_one());
    let worker = deque.fifo_worker().unwrap();
    worker.push(Arc::clone(&token)).unwrap();
    assert_eq!((worker.len(), Arc::strong_count(&token)), (3, 4));
    drop((worker.pop(), worker.pop()));
    drop(worker);
    drop(deque);
    assert_eq!(Arc::strong_count(&token), 1);
}

#[test]
fn a_forgotten_worker_owns_for_good_and_loses_only_what_it_kept() {
    let token = Arc::new(());
    let deque = Deque::<_, Inline<4>>::new();
    let worker = deque.worker().unwrap();
    worker.push(Arc::clone(&token)).unwrap();
    worker.set_sharing(Sharing::OnDemand);
    worker.push(Arc::clone(&token)).unwrap();
    core::mem::forget(worker);
    assert!(deque.worker().is_none());
    drop(deque);
    assert_eq!(Arc::strong_count(&token), 2);
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
    // One word is apart from the rest where there are cache lines.
    let words = |items: usize| {
        if cfg!(target_pointer_width = "64") { 128 + (12 + items).next_multiple_of(128) } else { 16 + items }
    };
    assert_eq!(size_of::<Deque<u32, Inline<64>>>(), words(64 * 4));
    assert_eq!(size_of::<Deque<u64, Inline<8>>>(), words(8 * 8));
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

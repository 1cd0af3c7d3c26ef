use super::*;
use crate::storage::Full;
use crate::sync::model;
use loom::sync::Arc;
use loom::thread;
use std::boxed::Box;
use std::vec::Vec;

/// Boxed items, so that one taken twice or never shows as a double free or a leak.
type Tasks<const N: usize> = Deque<Box<u32>, Inline<N>>;

/// Tries once; `Retry` counts as nothing.
fn steal_one<const N: usize>(deque: &Tasks<N>) -> Option<u32> {
    deque.stealer().steal_one().success().map(|item| *item)
}

/// Pushes, and tells `items` of what did not fit.
fn push<const N: usize, O: Order>(
    worker: &Worker<'_, Box<u32>, Inline<N>, O>,
    item: u32,
    items: &mut Vec<u32>,
) {
    if let Err(Full(item)) = worker.push(Box::new(item)) {
        items.push(*item);
    }
}

fn pop<const N: usize, O: Order>(worker: &Worker<'_, Box<u32>, Inline<N>, O>, items: &mut Vec<u32>) {
    items.extend(worker.pop().map(|item| *item));
}

fn drain<const N: usize>(deque: &Tasks<N>, into: &mut Vec<u32>) {
    let worker = deque.worker().unwrap();
    while let Some(item) = worker.pop() {
        into.push(*item);
    }
}

fn assert_each_once(mut items: Vec<u32>, count: u32) {
    items.sort_unstable();
    assert_eq!(items, (1..=count).collect::<Vec<_>>());
}

/// What `owner` does on this thread while `thief` works `thieves` times on others: each of `count` items is taken once.
fn each_once_with<const N: usize, O: Order>(
    count: u32,
    thieves: usize,
    sharing: Sharing,
    claim: fn(&Tasks<N>) -> Option<Worker<'_, Box<u32>, Inline<N>, O>>,
    before: fn(&Worker<'_, Box<u32>, Inline<N>, O>, &mut Vec<u32>),
    owner: fn(&Worker<'_, Box<u32>, Inline<N>, O>, &mut Vec<u32>),
    thief: fn(&Tasks<N>) -> Vec<u32>,
) {
    let deque = Arc::new(Tasks::<N>::new());
    let mut items = Vec::new();
    let worker = claim(&deque).unwrap();
    worker.set_sharing(sharing);
    before(&worker, &mut items);
    let thieves: Vec<_> = (0..thieves)
        .map(|_| {
            let deque = Arc::clone(&deque);
            thread::spawn(move || thief(&deque))
        })
        .collect();
    owner(&worker, &mut items);
    drop(worker);
    items.extend(thieves.into_iter().flat_map(|thread| thread.join().unwrap()));
    drain(&deque, &mut items);
    assert_each_once(items, count);
}

/// One theft into a deque of the thief's own.
fn steal_half(deque: &Tasks<4>) -> Vec<u32> {
    let own = Tasks::<4>::new();
    let mut items = Vec::new();
    let stolen = deque.stealer().steal_half(&own.worker().unwrap());
    if let Steal::Success((item, moved)) = stolen {
        drain(&own, &mut items);
        assert_eq!(items.len(), moved as usize);
        items.push(*item);
    }
    items
}

#[test]
fn loom_owner_and_a_thief() {
    model("deque, owner shares on demand, 1 thief", 5, 2, || {
        each_once_with::<4, Lifo>(
            3,
            1,
            Sharing::OnDemand,
            Deque::worker,
            |_, _| (),
            |worker, items| {
                push(worker, 1, items);
                push(worker, 2, items);
                worker.share();
                pop(worker, items);
                push(worker, 3, items);
                pop(worker, items);
            },
            |deque| [steal_one(deque), steal_one(deque)].into_iter().flatten().collect(),
        );
    });
}

#[test]
fn loom_fifo_owner_and_a_thief() {
    model("deque, fifo owner shares on demand, 1 thief", 5, 2, || {
        each_once_with::<4, Fifo>(
            4,
            1,
            Sharing::OnDemand,
            Deque::fifo_worker,
            |_, _| (),
            |worker, items| {
                push(worker, 1, items);
                push(worker, 2, items);
                push(worker, 3, items);
                worker.share();
                // This takes all that are left, and pops one.
                pop(worker, items);
                push(worker, 4, items);
                // What is shared now begins further on.
                worker.share();
                pop(worker, items);
            },
            |deque| [steal_one(deque), steal_one(deque)].into_iter().flatten().collect(),
        );
    });
}

#[test]
fn loom_owners_that_share_at_once_and_a_thief() {
    fn run<O: Order>(claim: fn(&Tasks<4>) -> Option<Worker<'_, Box<u32>, Inline<4>, O>>) {
        each_once_with::<4, O>(
            3,
            1,
            Sharing::AtOnce,
            claim,
            |_, _| (),
            |worker, items| {
                push(worker, 1, items);
                push(worker, 2, items);
                pop(worker, items);
                push(worker, 3, items);
                pop(worker, items);
            },
            |deque| [steal_one(deque), steal_one(deque)].into_iter().flatten().collect(),
        );
    }
    model("deque, owner shares at once, 1 thief", 4, 2, || run::<Lifo>(Deque::worker));
    model("deque, fifo owner shares at once, 1 thief", 4, 2, || run::<Fifo>(Deque::fifo_worker));
}

/// A change of sharing, and of the owner with its order, while a thief takes half.
#[test]
fn loom_the_owner_changes() {
    model("deque, a lifo owner and then a fifo one, 1 thief", 4, 2, || {
        let deque = Arc::new(Tasks::<4>::new());
        let thief = {
            let deque = Arc::clone(&deque);
            thread::spawn(move || steal_half(&deque))
        };
        let mut items = Vec::new();
        let first = deque.worker().unwrap();
        first.set_sharing(Sharing::OnDemand);
        push(&first, 1, &mut items);
        push(&first, 2, &mut items);
        first.set_sharing(Sharing::AtOnce);
        pop(&first, &mut items);
        drop(first);
        let second = deque.fifo_worker().unwrap();
        push(&second, 3, &mut items);
        second.set_sharing(Sharing::OnDemand);
        push(&second, 4, &mut items);
        pop(&second, &mut items);
        drop(second);
        items.extend(thief.join().unwrap());
        drain(&deque, &mut items);
        assert_each_once(items, 4);
    });
}

#[test]
fn loom_the_last_item_goes_to_one() {
    model("deque, 1 item, owner and 2 thieves", 6, 2, || {
        each_once_with::<2, Lifo>(
            1,
            2,
            Sharing::AtOnce,
            Deque::worker,
            |worker, items| {
                push(worker, 1, items);
            },
            pop,
            |deque| steal_one(deque).into_iter().collect(),
        );
    });
}

#[test]
fn loom_the_last_item_goes_to_one_of_a_fifo_owner_and_thieves() {
    model("deque, 2 items, fifo owner and 2 thieves", 5, 2, || {
        each_once_with::<2, Fifo>(
            2,
            2,
            Sharing::AtOnce,
            Deque::fifo_worker,
            |worker, items| {
                push(worker, 1, items);
                push(worker, 2, items);
            },
            |worker, items| {
                pop(worker, items);
                pop(worker, items);
            },
            |deque| steal_one(deque).into_iter().collect(),
        );
    });
}

#[test]
fn loom_half_is_taken_back_while_a_thief_looks() {
    model("deque, owner takes back one and half, thief takes half", 5, 2, || {
        each_once_with::<4, Lifo>(
            4,
            1,
            Sharing::OnDemand,
            Deque::worker,
            |worker, items| {
                for item in 1..=4 {
                    push(worker, item, items);
                }
                worker.share();
            },
            |worker, items| {
                pop(worker, items);
                pop(worker, items);
                pop(worker, items);
            },
            steal_half,
        );
    });
}

#[test]
fn loom_two_thieves_while_the_owner_reuses_slots() {
    model("deque, capacity 2, 3 pushes and a pop, 2 thieves", 5, 2, || {
        each_once_with::<2, Lifo>(
            3,
            2,
            Sharing::AtOnce,
            Deque::worker,
            |worker, items| {
                push(worker, 1, items);
                push(worker, 2, items);
            },
            |worker, items| {
                push(worker, 3, items);
                pop(worker, items);
            },
            |deque| steal_one(deque).into_iter().collect(),
        );
    });
}

#[test]
fn loom_a_fifo_owner_reuses_slots() {
    model("deque, capacity 2, fifo owner, 4 pushes and 2 pops, 1 thief", 4, 2, || {
        each_once_with::<2, Fifo>(
            4,
            1,
            Sharing::OnDemand,
            Deque::fifo_worker,
            |worker, items| {
                push(worker, 1, items);
                push(worker, 2, items);
                worker.share();
            },
            |worker, items| {
                pop(worker, items);
                push(worker, 3, items);
                pop(worker, items);
                push(worker, 4, items);
                worker.share();
            },
            |deque| [steal_one(deque), steal_one(deque)].into_iter().flatten().collect(),
        );
    });
}

#[test]
fn loom_half_moves_to_the_thief() {
    model("deque, steal_half against push, share and pop", 4, 2, || {
        each_once_with::<4, Lifo>(
            4,
            1,
            Sharing::AtOnce,
            Deque::worker,
            |worker, items| {
                push(worker, 1, items);
            },
            |worker, items| {
                // Shared while the thief looks: what it sees of them it may take.
                push(worker, 2, items);
                push(worker, 3, items);
                pop(worker, items);
                push(worker, 4, items);
                pop(worker, items);
            },
            steal_half,
        );
    });
}

#[test]
fn loom_what_was_stolen_is_stolen_on() {
    model("deque, steal_half and a second thief at the first one's deque", 6, 2, || {
        let deques = Arc::new([Tasks::<4>::new(), Tasks::<4>::new()]);
        let mut items = Vec::new();
        let worker = deques[0].worker().unwrap();
        for item in 1..=4 {
            push(&worker, item, &mut items);
        }
        let first = {
            let deques = Arc::clone(&deques);
            thread::spawn(move || {
                // Where it ends, the worker shares what it took.
                let stolen = deques[0].stealer().steal_half(&deques[1].worker().unwrap());
                stolen.success().map(|(item, _)| *item)
            })
        };
        let second = {
            let deques = Arc::clone(&deques);
            thread::spawn(move || steal_one(&deques[1]))
        };
        pop(&worker, &mut items);
        drop(worker);
        items.extend(first.join().unwrap());
        items.extend(second.join().unwrap());
        drain(&deques[0], &mut items);
        drain(&deques[1], &mut items);
        assert_each_once(items, 4);
    });
}

/// While the thief is between looking and booking, the owner's counters may come around to the very same value.
#[test]
fn loom_a_counter_that_came_around_fools_nobody() {
    model("deque, 8 items shared and taken back (counters modulo 8) against 1 thief", 3, 2, || {
        each_once_with::<1, Lifo>(
            8,
            1,
            Sharing::AtOnce,
            Deque::worker,
            |worker, items| {
                push(worker, 1, items);
            },
            |worker, items| {
                for next in 2..=9 {
                    pop(worker, items);
                    if next < 9 {
                        // Full while the thief is still moving the item out.
                        push(worker, next, items);
                    }
                }
            },
            |deque| steal_one(deque).into_iter().collect(),
        );
    });
}

/// Thieves and a fifo owner move the head, and may bring it around while another thief looks.
#[test]
fn loom_a_head_that_came_around_fools_nobody() {
    model(
        "deque, 9 items (positions modulo 8) stolen or popped first in first out, against 1 thief",
        2,
        1,
        || {
            each_once_with::<1, Fifo>(
                9,
                1,
                Sharing::AtOnce,
                Deque::fifo_worker,
                |_, _| (),
                |worker, items| {
                    for next in 1..=9 {
                        push(worker, next, items);
                        match next % 2 {
                            0 => pop(worker, items),
                            _ => items.extend(worker.stealer().steal_one().success().map(|item| *item)),
                        }
                    }
                },
                |deque| steal_one(deque).into_iter().collect(),
            );
        },
    );
}

#[test]
fn loom_two_thieves_take_halves() {
    model("deque, 2 thieves steal_half against pop and push", 3, 2, || {
        each_once_with::<4, Lifo>(
            4,
            2,
            Sharing::AtOnce,
            Deque::worker,
            |worker, items| {
                for item in 1..=3 {
                    push(worker, item, items);
                }
            },
            |worker, items| {
                pop(worker, items);
                push(worker, 4, items);
            },
            steal_half,
        );
    });
}

/// An owner that shares at once hides nothing, not for a moment: whoever looks sees the item that nobody takes.
#[test]
fn loom_who_shares_at_once_hides_nothing() {
    fn run<O: Order>(claim: fn(&Tasks<4>) -> Option<Worker<'_, Box<u32>, Inline<4>, O>>) {
        let deque = Arc::new(Tasks::<4>::new());
        let worker = claim(&deque).unwrap();
        worker.push(Box::new(1)).unwrap();
        let looker = {
            let deque = Arc::clone(&deque);
            thread::spawn(move || {
                for _ in 0..2 {
                    assert!(!deque.stealer().is_empty());
                }
            })
        };
        for item in 2..=4 {
            worker.push(Box::new(item)).unwrap();
            drop(worker.pop());
        }
        looker.join().unwrap();
    }
    model("deque, an owner that shares at once, and who looks", 6, 3, || run::<Lifo>(Deque::worker));
    model("deque, a fifo owner that shares at once, and who looks", 6, 3, || run::<Fifo>(Deque::fifo_worker));
}

/// A thief that came in vain is answered, whatever the owner did meanwhile.
#[test]
fn loom_no_request_is_lost() {
    model("deque, a request against push, share and pop", 6, 3, || {
        let deque = Arc::new(Tasks::<4>::new());
        let worker = deque.worker().unwrap();
        worker.set_sharing(Sharing::OnDemand);
        let thief = {
            let deque = Arc::clone(&deque);
            thread::spawn(move || steal_one(&deque))
        };
        let mut items = Vec::new();
        push(&worker, 1, &mut items);
        push(&worker, 2, &mut items);
        pop(&worker, &mut items);
        let stolen = thief.join().unwrap();
        items.extend(stolen);
        push(&worker, 3, &mut items);
        if stolen.is_none() {
            assert!(!deque.stealer().is_empty());
        }
        drop(worker);
        drain(&deque, &mut items);
        assert_each_once(items, 3);
    });
}

#[test]
fn loom_there_is_one_owner() {
    model("deque, 2 claims of the owner's role", 6, 4, || {
        let deque = Arc::new(Tasks::<4>::new());
        let claims: Vec<_> = [1, 2]
            .into_iter()
            .map(|item| {
                let deque = Arc::clone(&deque);
                thread::spawn(move || {
                    deque.worker().is_some_and(|worker| worker.push(Box::new(item)).is_ok())
                })
            })
            .collect();
        let claimed =
            claims.into_iter().map(|thread| thread.join().unwrap()).filter(|&claimed| claimed).count();
        let mut items = Vec::new();
        drain(&deque, &mut items);
        assert!(claimed >= 1);
        assert_eq!(items.len(), claimed);
    });
}

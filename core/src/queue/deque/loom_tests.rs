use super::*;
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

#[test]
fn loom_owner_and_a_thief() {
    model("deque, owner pushes and pops, 1 thief", 5, 2, || {
        let deque = Arc::new(Tasks::<4>::new());
        let thief = {
            let deque = Arc::clone(&deque);
            thread::spawn(move || [steal_one(&deque), steal_one(&deque)])
        };
        let worker = deque.worker().unwrap();
        let mut items = Vec::new();
        worker.push(Box::new(1)).unwrap();
        worker.push(Box::new(2)).unwrap();
        items.extend(worker.pop().map(|item| *item));
        worker.push(Box::new(3)).unwrap();
        items.extend(worker.pop().map(|item| *item));
        drop(worker);
        items.extend(thief.join().unwrap().into_iter().flatten());
        drain(&deque, &mut items);
        assert_each_once(items, 3);
    });
}

#[test]
fn loom_the_last_item_goes_to_one() {
    model("deque, 1 item, owner and 2 thieves", 6, 2, || {
        let deque = Arc::new(Tasks::<2>::new());
        let worker = deque.worker().unwrap();
        worker.push(Box::new(1)).unwrap();
        let thieves: Vec<_> = (0..2)
            .map(|_| {
                let deque = Arc::clone(&deque);
                thread::spawn(move || steal_one(&deque))
            })
            .collect();
        let mut items: Vec<u32> = worker.pop().map(|item| *item).into_iter().collect();
        drop(worker);
        items.extend(thieves.into_iter().filter_map(|thread| thread.join().unwrap()));
        drain(&deque, &mut items);
        assert_each_once(items, 1);
    });
}

#[test]
fn loom_two_thieves_while_the_owner_reuses_slots() {
    model("deque, capacity 2, 3 pushes and a pop, 2 thieves", 5, 2, || {
        let deque = Arc::new(Tasks::<2>::new());
        let worker = deque.worker().unwrap();
        worker.push(Box::new(1)).unwrap();
        worker.push(Box::new(2)).unwrap();
        let thieves: Vec<_> = (0..2)
            .map(|_| {
                let deque = Arc::clone(&deque);
                thread::spawn(move || steal_one(&deque))
            })
            .collect();
        let mut items = Vec::new();
        match worker.push(Box::new(3)) {
            Ok(()) => {}
            Err(Full(item)) => items.push(*item),
        }
        items.extend(worker.pop().map(|item| *item));
        drop(worker);
        items.extend(thieves.into_iter().filter_map(|thread| thread.join().unwrap()));
        drain(&deque, &mut items);
        assert_each_once(items, 3);
    });
}

#[test]
fn loom_half_moves_to_the_thief() {
    model("deque, steal_half against push and pop", 4, 2, || {
        let deque = Arc::new(Tasks::<4>::new());
        let worker = deque.worker().unwrap();
        worker.push(Box::new(1)).unwrap();
        let thief = {
            let deque = Arc::clone(&deque);
            thread::spawn(move || {
                let own = Tasks::<4>::new();
                let mut items = Vec::new();
                let stolen = deque.stealer().steal_half(&own.worker().unwrap());
                if let Steal::Success((item, moved)) = stolen {
                    drain(&own, &mut items);
                    assert_eq!(items.len(), moved as usize);
                    items.push(*item);
                }
                items
            })
        };
        // Pushed while the thief looks: what it sees of them it may take.
        worker.push(Box::new(2)).unwrap();
        worker.push(Box::new(3)).unwrap();
        let mut items = Vec::new();
        items.extend(worker.pop().map(|item| *item));
        if let Err(Full(item)) = worker.push(Box::new(4)) {
            items.push(*item);
        }
        items.extend(worker.pop().map(|item| *item));
        drop(worker);
        items.extend(thief.join().unwrap());
        drain(&deque, &mut items);
        assert_each_once(items, 4);
    });
}

#[test]
fn loom_what_was_stolen_is_stolen_on() {
    model("deque, steal_half and a second thief at the first one's deque", 6, 2, || {
        let deques = Arc::new([Tasks::<4>::new(), Tasks::<4>::new()]);
        let worker = deques[0].worker().unwrap();
        for item in 1..=4 {
            worker.push(Box::new(item)).unwrap();
        }
        let first = {
            let deques = Arc::clone(&deques);
            thread::spawn(move || {
                let stolen = deques[0].stealer().steal_half(&deques[1].worker().unwrap());
                stolen.success().map(|(item, _)| *item)
            })
        };
        let second = {
            let deques = Arc::clone(&deques);
            thread::spawn(move || steal_one(&deques[1]))
        };
        let mut items: Vec<u32> = worker.pop().map(|item| *item).into_iter().collect();
        drop(worker);
        items.extend(first.join().unwrap());
        items.extend(second.join().unwrap());
        drain(&deques[0], &mut items);
        drain(&deques[1], &mut items);
        assert_each_once(items, 4);
    });
}

/// While the thief is between looking and booking, the owner's counter may come around to the very same value.
#[test]
fn loom_a_counter_that_came_around_fools_nobody() {
    model("deque, 8 pops (counters modulo 8) against 1 thief", 3, 2, || {
        let deque = Arc::new(Deque::<u32, Inline<1>>::new());
        let worker = deque.worker().unwrap();
        worker.push(1).unwrap();
        let thief = {
            let deque = Arc::clone(&deque);
            thread::spawn(move || deque.stealer().steal_one().success())
        };
        let mut items = Vec::new();
        for next in 2..=9 {
            items.extend(worker.pop());
            if next < 9 {
                match worker.push(next) {
                    Ok(()) => {}
                    // The thief is still moving the item out.
                    Err(Full(item)) => items.push(item),
                }
            }
        }
        items.extend(thief.join().unwrap());
        items.extend(worker.pop());
        assert_each_once(items, 8);
    });
}

/// Thieves move the head, and may bring it around while another thief looks.
#[test]
fn loom_a_head_that_came_around_fools_nobody() {
    model("deque, 9 steals (positions modulo 8) against 1 thief", 2, 1, || {
        let deque = Arc::new(Deque::<u32, Inline<1>>::new());
        let thief = {
            let deque = Arc::clone(&deque);
            thread::spawn(move || deque.stealer().steal_one().success())
        };
        let worker = deque.worker().unwrap();
        let mut items = Vec::new();
        for next in 1..=9 {
            if let Err(Full(item)) = worker.push(next) {
                items.push(item);
            }
            items.extend(deque.stealer().steal_one().success());
        }
        items.extend(thief.join().unwrap());
        items.extend(worker.pop());
        assert_each_once(items, 9);
    });
}

#[test]
fn loom_two_thieves_take_halves() {
    model("deque, 2 thieves steal_half against pop and push", 3, 2, || {
        let deques = Arc::new([Tasks::<4>::new(), Tasks::<4>::new(), Tasks::<4>::new()]);
        let worker = deques[0].worker().unwrap();
        for item in 1..=3 {
            worker.push(Box::new(item)).unwrap();
        }
        let thieves = [1, 2].map(|index: usize| {
            let deques = Arc::clone(&deques);
            thread::spawn(move || {
                let stolen = deques[0].stealer().steal_half(&deques[index].worker().unwrap());
                stolen.success().map(|(item, _)| *item)
            })
        });
        let mut items: Vec<u32> = worker.pop().map(|item| *item).into_iter().collect();
        if let Err(Full(item)) = worker.push(Box::new(4)) {
            items.push(*item);
        }
        drop(worker);
        items.extend(thieves.into_iter().filter_map(|thread| thread.join().unwrap()));
        deques.iter().for_each(|deque| drain(deque, &mut items));
        assert_each_once(items, 4);
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

//! Threads that take several locks each, in orders that would end in a deadlock with plain mutexes.

use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy_host::lock::{LockError, OrderedMutex, lock_all};
use std::sync::Barrier;
use std::thread;

#[test]
fn five_philosophers_all_eat() {
    const MEALS: u32 = 2_000;
    let forks: [OrderedMutex<u32>; 5] = std::array::from_fn(|_| OrderedMutex::new("fork", 1, 0));
    let table = Barrier::new(5);
    thread::scope(|scope| {
        for seat in 0..5 {
            let (forks, table) = (&forks, &table);
            scope.spawn(move || {
                table.wait();
                for _ in 0..MEALS {
                    // Each takes the one on the left first, as in the tale.
                    let (mut left, mut right) = lock_all((&forks[seat], &forks[(seat + 1) % 5])).unwrap();
                    *left += 1;
                    thread::yield_now();
                    *right += 1;
                }
            });
        }
    });
    assert_eq!(forks.map(|fork| fork.into_inner().unwrap()), [2 * MEALS; 5]);
}

/// Random sets of ten locks with four ranks, in random order, as slices and arrays, and a lock of a higher rank inside.
#[test]
fn random_sets_in_random_order_lose_no_update() {
    const STEPS: u64 = 3_000;
    let locks: Vec<OrderedMutex<u64>> =
        (0..10).map(|index| OrderedMutex::new("lock", index % 4, 0)).collect();
    let top = OrderedMutex::new("top", 9, 0);
    let added: u64 = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|seed| {
                let (locks, top) = (&locks, &top);
                scope.spawn(move || {
                    let mut rng = Xoshiro256PlusPlus::seed(seed);
                    let mut added = 0;
                    for _ in 0..STEPS {
                        let mut set: Vec<&OrderedMutex<u64>> = Vec::new();
                        for _ in 0..1 + rng.below(5) {
                            let lock = &locks[rng.below(10) as usize];
                            if !set.iter().any(|other| std::ptr::eq(*other, lock)) {
                                set.push(lock);
                            }
                        }
                        for guard in &mut lock_all(set.as_slice()).unwrap() {
                            **guard += 1;
                            added += 1;
                            *top.lock().unwrap() += 1;
                        }
                    }
                    added
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(locks.into_iter().map(|lock| lock.into_inner().unwrap()).sum::<u64>(), added);
    assert_eq!(top.into_inner().unwrap(), added);
}

/// Each of three threads holds one lock and asks for the next in the circle. One of the three asks downwards: it is
/// refused, and gives way, so that the two others go on.
#[test]
fn a_circle_of_three_is_broken_by_the_one_who_asks_downwards() {
    let locks = [("a", 1), ("b", 2), ("c", 3)].map(|(name, rank)| OrderedMutex::new(name, rank, 0));
    let all_hold_one = Barrier::new(3);
    let answers = thread::scope(|scope| {
        let threads: [_; 3] = std::array::from_fn(|index| {
            let (locks, all_hold_one) = (&locks, &all_hold_one);
            scope.spawn(move || {
                let _mine = locks[index].lock().unwrap();
                all_hold_one.wait();
                let next = locks[(index + 1) % 3].lock();
                next.map(|_| ())
            })
        });
        threads.map(|thread| thread.join().unwrap())
    });
    assert_eq!((answers[0], answers[1]), (Ok(()), Ok(())));
    let Err(LockError::Order { held, wanted }) = answers[2] else { panic!("{:?}", answers[2]) };
    assert_eq!((held.name, held.rank, wanted.name, wanted.rank), ("c", 3, "a", 1));
    assert!(held.place.file().ends_with("circles.rs") && wanted.place.line() > held.place.line());
}

//! What one thread alone is refused.

use divvy_host::lock::{LockError, OrderedMutex, lock_all};

#[test]
fn an_error_names_both_locks_and_both_places() {
    let (low, high) = (OrderedMutex::new("low", 1, ()), OrderedMutex::new("high", 2, ()));
    let first = line!() + 1;
    let _high = high.lock().unwrap();
    let error = low.lock().unwrap_err();
    let file = file!();
    let text = error.to_string();
    for part in [
        "`low` (rank 1".to_owned(),
        "`high` (rank 2".to_owned(),
        format!("{file}:{first}:"),
        format!("{file}:{}:", first + 1),
    ] {
        assert!(text.contains(&part), "{part:?} is not in {text:?}");
    }
}

#[test]
fn a_lock_of_the_same_rank_is_refused_and_the_order_of_release_is_free() {
    let [a, b, c] = [("a", 1), ("b", 1), ("c", 2)].map(|(name, rank)| OrderedMutex::new(name, rank, ()));
    let held_a = a.lock().unwrap();
    assert!(matches!(b.lock(), Err(LockError::Order { held, .. }) if held.name == "a"));
    let held_c = c.lock().unwrap();
    drop(held_a);
    assert!(matches!(b.lock(), Err(LockError::Order { held, .. }) if held.name == "c"));
    drop(held_c);
    drop(b.lock().unwrap());
}

#[test]
fn a_refused_set_leaves_nothing_held() {
    let [a, b, c] = [("a", 1), ("b", 2), ("c", 3)].map(|(name, rank)| OrderedMutex::new(name, rank, ()));
    let held = b.lock().unwrap();
    assert!(matches!(lock_all((&c, &a)), Err(LockError::Order { held, wanted })
        if (held.name, wanted.name) == ("b", "a")));
    assert!(matches!(lock_all([&c, &b]), Err(LockError::Twice { wanted, .. }) if wanted.name == "b"));
    drop(held);
    assert!(
        matches!(lock_all([&a, &b, &a].as_slice()), Err(LockError::Twice { wanted, .. }) if wanted.name == "a")
    );
    for lock in [&a, &b, &c] {
        assert!(lock.try_lock().unwrap().is_some());
    }
    let guards = lock_all([&c, &a, &b]).unwrap();
    for lock in [&a, &b, &c] {
        assert!(matches!(lock.lock(), Err(LockError::Twice { .. })));
    }
    drop(guards);
    drop(a.lock().unwrap());
}

#[test]
fn guards_come_back_in_the_order_of_the_set() {
    let locks: [OrderedMutex<usize>; 6] =
        std::array::from_fn(|index| OrderedMutex::new("lock", 6 - index as u32, index));
    let [l0, l1, l2, l3, l4, l5] = &locks;
    let (g4, g1, g5, g0, g2, g3) = lock_all((l4, l1, l5, l0, l2, l3)).unwrap();
    assert_eq!([*g0, *g1, *g2, *g3, *g4, *g5], [0, 1, 2, 3, 4, 5]);
    drop((g0, g1, g2, g3, g4, g5));
    assert_eq!(lock_all([l3, l5, l0]).unwrap().map(|guard| *guard), [3, 5, 0]);
    assert_eq!(lock_all([l3, l5, l0].as_slice()).unwrap().iter().map(|guard| **guard).sum::<usize>(), 8);
    assert_eq!(lock_all::<[&OrderedMutex<u32>; 0]>([]).unwrap().len(), 0);
}

/// Not waiting cannot close a circle; but what `try_lock` took counts for those who wait later.
#[test]
fn try_lock_may_go_downwards() {
    let [a, b, c] = [("a", 1), ("b", 2), ("c", 3)].map(|(name, rank)| OrderedMutex::new(name, rank, ()));
    let held_b = b.lock().unwrap();
    let held_a = a.try_lock().unwrap().unwrap();
    assert!(matches!(a.try_lock(), Err(LockError::Twice { .. })));
    drop(c.lock().unwrap());
    drop(held_b);
    drop(b.lock().unwrap());
    drop(held_a);
    let held = c.lock().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| assert!(c.try_lock().unwrap().is_none()));
    });
    drop(held);
}

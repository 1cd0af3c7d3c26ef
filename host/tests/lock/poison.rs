//! A panic under a lock.

use divvy_host::lock::{LockError, OrderedMutex, lock_all};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

fn panic_under(lock: &OrderedMutex<Vec<u32>>) {
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut value = lock.lock().unwrap();
        value.push(1);
        // Without the message of the panic hook.
        resume_unwind(Box::new("halfway"));
    }));
    assert!(panicked.is_err());
}

#[test]
fn everyone_is_refused_until_somebody_repairs() {
    let lock = OrderedMutex::new("list", 1, Vec::<u32>::new());
    panic_under(&lock);
    for _ in 0..2 {
        let Err(LockError::Poisoned { wanted }) = lock.lock() else { panic!("the lock is poisoned") };
        assert_eq!(wanted.name, "list");
    }
    assert!(matches!(lock.try_lock(), Err(LockError::Poisoned { .. })));
    assert!(lock.is_poisoned());
    assert_eq!(lock.repair(std::mem::take), Ok(vec![1]));
    assert!(!lock.is_poisoned());
    assert!(lock.lock().unwrap().is_empty());
}

#[test]
fn a_panic_while_repairing_poisons() {
    let lock = OrderedMutex::new("list", 1, Vec::<u32>::new());
    for _ in 0..2 {
        let panicked = catch_unwind(AssertUnwindSafe(|| lock.repair(|_| resume_unwind(Box::new("again")))));
        assert!(panicked.is_err());
        assert!(lock.is_poisoned());
    }
    assert_eq!(lock.repair(|list| list.len()), Ok(0));
    assert_eq!(lock.into_inner(), Ok(vec![]));
}

#[test]
fn a_set_with_a_poisoned_lock_gives_the_others_back() {
    let [a, b, c] = [("a", 1), ("b", 2), ("c", 3)].map(|(name, rank)| OrderedMutex::new(name, rank, vec![]));
    panic_under(&b);
    assert!(matches!(lock_all((&c, &b, &a)), Err(LockError::Poisoned { wanted }) if wanted.name == "b"));
    for lock in [&a, &c] {
        drop(lock.lock().unwrap());
    }
    b.repair(Vec::clear).unwrap();
    assert_eq!(lock_all((&c, &b, &a)).unwrap().1.len(), 0);
}

/// The list of what a thread holds must not keep what was given back by unwinding.
#[test]
fn unwinding_gives_the_locks_back() {
    let (low, high) = (OrderedMutex::new("low", 1, Vec::<u32>::new()), OrderedMutex::new("high", 2, vec![]));
    panic_under(&high);
    drop(low.lock().unwrap());
    assert!(matches!(high.lock(), Err(LockError::Poisoned { .. })));
    drop(low.lock().unwrap());
    assert!(matches!(low.into_inner(), Ok(list) if list.is_empty()));
    assert!(matches!(high.into_inner(), Err(LockError::Poisoned { .. })));
}

//! Locks with their level in the type. What must not compile stands in the documentation of `LevelMutex`.

use divvy_host::lock::{LevelMutex, LockError, OrderedMutex, ThreadKey, lock_all};

#[test]
fn a_thread_has_one_key() {
    let key = ThreadKey::take().unwrap();
    assert!(ThreadKey::take().is_none());
    assert!(ThreadKey::take().is_none(), "a refusal gives nothing back");
    std::thread::scope(|scope| {
        scope.spawn(|| assert!(ThreadKey::take().is_some()));
    });
    drop(key);
    assert!(ThreadKey::take().is_some());
}

#[test]
fn levels_are_climbed_and_left() {
    let low: LevelMutex<u32, 1> = LevelMutex::new("low", 0);
    let middle: LevelMutex<u32, 5> = LevelMutex::new("middle", 0);
    let high: LevelMutex<u32, 9> = LevelMutex::new("high", 0);
    let mut key = ThreadKey::take().unwrap();
    let mut bottom = key.bottom();
    for _ in 0..2 {
        let (mut low, mut above) = low.lock(&mut bottom).unwrap();
        *low += 1;
        {
            let (mut high, _) = high.lock(&mut above).unwrap();
            *high += 1;
        }
        let (mut middle, mut above) = middle.lock(&mut above).unwrap();
        *middle += 1;
        let (mut high, _) = high.lock(&mut above).unwrap();
        *high += 1;
    }
    let (middle, _) = middle.lock(&mut bottom).unwrap();
    assert_eq!(*middle, 2);
    drop(middle);
    assert_eq!(*lock_all((high.ordered(), low.ordered())).unwrap().0, 4);
}

/// Those that are taken without a key are seen all the same.
#[test]
fn levels_and_ranks_are_one_order() {
    let level: LevelMutex<(), 2> = LevelMutex::new("level", ());
    let (below, above) = (OrderedMutex::new("below", 1, ()), OrderedMutex::new("above", 3, ()));
    let mut key = ThreadKey::take().unwrap();
    let mut bottom = key.bottom();
    let held = above.lock().unwrap();
    assert!(matches!(level.lock(&mut bottom), Err(LockError::Order { held, .. }) if held.name == "above"));
    drop(held);
    let (_level, _) = level.lock(&mut bottom).unwrap();
    assert!(matches!(below.lock(), Err(LockError::Order { held, .. }) if held.name == "level"));
    drop(above.lock().unwrap());
}

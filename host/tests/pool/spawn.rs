//! Tasks of their own.

use crate::each_pool;
use divvy::storage::Full;
use divvy_host::pool::{JoinError, Pool, Priority};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};

#[test]
fn results_come_back() {
    each_pool(|pool| {
        let handles: Vec<_> = (0..1000).map(|number| pool.spawn(move || number * 2)).collect();
        let sum: u64 = handles.into_iter().map(|handle| handle.join().unwrap()).sum();
        assert_eq!(sum, 999_000);
    });
}

#[test]
fn a_task_waits_for_the_tasks_that_it_spawned() {
    fn tree(pool: &Arc<Pool>, depth: u32) -> u32 {
        if depth == 0 {
            return 1;
        }
        let below: Vec<_> = (0..2)
            .map(|_| {
                let pool = Arc::clone(pool);
                pool.clone().spawn(move || tree(&pool, depth - 1))
            })
            .collect();
        below.into_iter().map(|handle| handle.join().unwrap()).sum()
    }
    for threads in [1, 2, 5] {
        let pool = Arc::new(Pool::new(threads).unwrap());
        let inner = Arc::clone(&pool);
        assert_eq!(pool.spawn(move || tree(&inner, 8)).join().unwrap(), 256);
    }
}

#[test]
fn dropping_the_pool_finishes_what_was_spawned() {
    let done = Arc::new(AtomicU32::new(0));
    let pool = Pool::new(2).unwrap();
    for _ in 0..1000 {
        let done = Arc::clone(&done);
        drop(pool.spawn(move || done.fetch_add(1, Ordering::Relaxed)));
    }
    drop(pool);
    assert_eq!(done.load(Ordering::Relaxed), 1000);
}

#[test]
fn a_task_that_did_not_begin_can_be_cancelled() {
    let pool = Pool::new(1).unwrap();
    let (release, held) = mpsc::channel::<()>();
    let (began, begun) = mpsc::channel::<()>();
    let first = pool.spawn(move || {
        began.send(()).unwrap();
        held.recv().unwrap()
    });
    begun.recv().unwrap();
    let token = Arc::new(());
    let kept = Arc::clone(&token);
    let second = pool.spawn(move || drop(kept));
    assert!(second.cancel() && second.is_finished());
    assert_eq!(Arc::strong_count(&token), 1, "what it captured is dropped at once");
    assert!(!first.cancel(), "it began");
    release.send(()).unwrap();
    first.join().unwrap();
    assert!(matches!(second.join(), Err(JoinError::Cancelled)));
}

#[test]
fn a_full_queue_gives_the_task_back() {
    let pool = Pool::builder().threads(1).queue_capacity(4).build().unwrap();
    let (release, held) = mpsc::channel::<()>();
    let (began, begun) = mpsc::channel::<()>();
    let first = pool.spawn(move || {
        began.send(()).unwrap();
        held.recv().unwrap()
    });
    begun.recv().unwrap();
    let queued: Vec<_> =
        (0..4).map(|number| pool.try_spawn(Priority::Normal, move || number).ok().unwrap()).collect();
    let Err(Full(call)) = pool.try_spawn(Priority::Normal, || 9) else { panic!("there was no room") };
    assert_eq!(call(), 9);
    // Another level has room of its own.
    let high = pool.try_spawn(Priority::High, || 5).ok().unwrap();
    release.send(()).unwrap();
    first.join().unwrap();
    assert_eq!(
        high.join().unwrap() + queued.into_iter().map(|handle| handle.join().unwrap()).sum::<i32>(),
        11
    );
}

#[test]
fn what_is_urgent_does_not_wait_for_a_workers_own_tasks() {
    let pool = Arc::new(Pool::new(1).unwrap());
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (inner, log) = (Arc::clone(&pool), Arc::clone(&order));
    let handles = pool.spawn(move || {
        [Priority::Normal, Priority::High].map(|priority| {
            let log = Arc::clone(&log);
            let task = move || log.lock().unwrap().push(priority);
            if priority == Priority::High { inner.spawn_at(priority, task) } else { inner.spawn(task) }
        })
    });
    handles.join().unwrap().into_iter().for_each(|handle| handle.join().unwrap());
    assert_eq!(*order.lock().unwrap(), [Priority::High, Priority::Normal]);
}

/// A worker takes several tasks from outside at once: it keeps to their order all the same, and others may take them over.
#[test]
fn tasks_from_outside_begin_in_their_order_and_do_not_wait_for_each_other() {
    let pool = Pool::new(1).unwrap();
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (release, held) = mpsc::channel::<()>();
    drop(pool.spawn(move || held.recv().unwrap()));
    // Fewer than it takes for the worker to look for what is less important first.
    for number in 0..40 {
        let order = Arc::clone(&order);
        drop(pool.spawn(move || order.lock().unwrap().push(number)));
    }
    release.send(()).unwrap();
    drop(pool);
    assert!(order.lock().unwrap().iter().copied().eq(0..40));

    // Each of these waits for the one after it.
    let pool = Pool::new(8).unwrap();
    let (mut ends, gate) = (Vec::new(), Arc::new(std::sync::Barrier::new(9)));
    for _ in 0..8 {
        let gate = Arc::clone(&gate);
        ends.push(pool.spawn(move || _ = gate.wait()));
    }
    gate.wait();
    ends.into_iter().for_each(|end| end.join().unwrap());
}

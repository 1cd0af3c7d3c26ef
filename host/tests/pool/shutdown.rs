//! The end of a pool, and pools of unusual sizes.

use crate::each_pool;
use divvy_host::pool::{JoinError, Policy, Pool, PoolError, Priority, Unfinished};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// A pool of one worker that is busy until the sender says so.
fn busy() -> (Pool, mpsc::Sender<()>, divvy_host::pool::Handle<()>) {
    let pool = Pool::new(1).unwrap();
    let (release, held) = mpsc::channel::<()>();
    let (began, begun) = mpsc::channel::<()>();
    let first = pool.spawn(move || {
        began.send(()).unwrap();
        let _ = held.recv();
    });
    begun.recv().unwrap();
    (pool, release, first)
}

#[test]
fn a_shutdown_drops_what_did_not_begin_and_waits_for_what_did() {
    let (pool, release, first) = busy();
    let token = Arc::new(());
    let queued: Vec<_> = (0..10)
        .map(|_| {
            let token = Arc::clone(&token);
            pool.spawn(move || drop(token))
        })
        .collect();
    let releaser = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        release.send(()).unwrap();
    });
    assert_eq!(pool.shutdown_timeout(Duration::from_secs(20)), Ok(()));
    releaser.join().unwrap();
    first.join().unwrap();
    for handle in queued {
        assert!(matches!(handle.join(), Err(JoinError::Cancelled)));
    }
    assert_eq!(Arc::strong_count(&token), 1);
}

#[test]
fn a_worker_that_does_not_return_is_left_to_itself() {
    let (pool, release, first) = busy();
    let second = pool.spawn(|| 1);
    assert_eq!(pool.shutdown_timeout(Duration::from_millis(10)), Err(Unfinished { workers: 1 }));
    assert!(matches!(second.join(), Err(JoinError::Cancelled)));
    assert!(!first.is_finished());
    release.send(()).unwrap();
    first.join().unwrap();
}

/// The task comes while its worker has just looked for one, as often as the threads of the machine let it.
#[test]
fn a_task_that_is_spawned_just_before_the_end_is_finished() {
    for round in 0..300 {
        let pool = Pool::new(1).unwrap();
        (0..round * 20).for_each(|_| std::hint::spin_loop());
        let handle = pool.spawn(move || round);
        drop(pool);
        assert_eq!(handle.join().unwrap(), round);
    }
}

#[test]
fn an_idle_pool_shuts_down_at_once() {
    for threads in [1, 4] {
        let pool = Pool::new(threads).unwrap();
        pool.join(|| (), || ());
        assert_eq!(pool.shutdown_timeout(Duration::from_secs(20)), Ok(()));
    }
}

#[test]
fn a_task_may_drop_the_last_of_its_own_pool() {
    let pool = Arc::new(Pool::new(2).unwrap());
    let (done, ended) = mpsc::channel();
    let inner = Arc::clone(&pool);
    drop(pool.spawn(move || {
        while Arc::strong_count(&inner) > 1 {
            std::thread::yield_now();
        }
        drop(inner);
        done.send(()).unwrap();
    }));
    drop(pool);
    ended.recv_timeout(Duration::from_secs(20)).unwrap();
}

#[test]
fn a_pool_of_hundreds_of_threads_works_and_ends() {
    let pool = Pool::builder().threads(300).stack_size(128 * 1024).build().unwrap();
    let sum = AtomicU32::new(0);
    pool.scope(|scope| {
        for _ in 0..3000 {
            scope.spawn(|_| {
                sum.fetch_add(1, Ordering::Relaxed);
            });
        }
    });
    assert_eq!(sum.into_inner(), 3000);
    assert_eq!(pool.stats().len(), 300);
}

#[test]
fn what_no_pool_can_be_is_said() {
    assert_eq!(Pool::new(0).unwrap_err(), PoolError::NoThreads);
    assert!(matches!(Pool::new(1 << 20).unwrap_err(), PoolError::TooManyThreads { .. }));
    assert_eq!(Pool::builder().threads(1).queue_capacity(3).build().unwrap_err(), PoolError::QueueCapacity);
    assert_eq!(
        Pool::builder().threads(1).deque_capacity(1 << 20).build().unwrap_err(),
        PoolError::QueueCapacity
    );
    let error = Pool::builder().threads(1).stack_size(usize::MAX / 2).build().unwrap_err();
    assert!(matches!(error, PoolError::Spawn(_)), "{error}");
}

#[test]
fn threads_have_names_and_cores() {
    let pool = Pool::builder().threads(2).name("resize").build().unwrap();
    // Queued, so that no guest calls it.
    let name = pool.spawn(|| std::thread::current().name().map(str::to_owned)).join().unwrap().unwrap();
    assert!(name == "resize-0" || name == "resize-1", "{name}");
    match Pool::builder().threads(3).pin_cores(true).build() {
        Ok(pool) => {
            let cores = pool.spawn(|| std::thread::available_parallelism().unwrap().get()).join().unwrap();
            assert_eq!(cores, 1, "the thread sees the one core that it may use");
        }
        Err(error) => assert!(matches!(error, PoolError::PinUnsupported | PoolError::Pin(_)), "{error}"),
    }
}

#[test]
fn a_tiny_deque_is_enough() {
    for policy in [Policy::Heartbeat, Policy::Eager] {
        let pool =
            Pool::builder().threads(3).deque_capacity(2).queue_capacity(2).policy(policy).build().unwrap();
        let sum = AtomicU32::new(0);
        pool.scope(|scope| {
            for _ in 0..1000 {
                scope.spawn(|scope| {
                    sum.fetch_add(1, Ordering::Relaxed);
                    scope.spawn(|_| {
                        sum.fetch_add(1, Ordering::Relaxed);
                    });
                });
            }
        });
        assert_eq!(sum.into_inner(), 2000);
        // From outside, 4 threads wait for room in a queue of 2.
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    let handles: Vec<_> = (0..200).map(|i| pool.spawn_at(Priority::Low, move || i)).collect();
                    assert_eq!(handles.into_iter().map(|handle| handle.join().unwrap()).sum::<i32>(), 19900);
                });
            }
        });
    }
}

#[test]
fn each_job_is_counted_where_it_was_done() {
    each_pool(|pool| {
        let handles: Vec<_> = (0..500).map(|i| pool.spawn(move || i)).collect();
        handles.into_iter().for_each(|handle| drop(handle.join()));
        let processed: u64 = pool.stats().iter().map(|worker| worker.processed).sum();
        assert_eq!(processed, 500);
        assert!(pool.stats().iter().all(|worker| worker.stolen <= worker.attempts.max(worker.stolen)));
    });
}

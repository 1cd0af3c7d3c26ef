//! Who sleeps, and who is woken.

use divvy_host::pool::{Policy, Pool, Priority};
use std::sync::{Arc, mpsc};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Waits until all workers sleep for good: until nobody's counters have changed for a while, or long enough.
fn settle(pool: &Pool) {
    let give_up = Instant::now() + Duration::from_secs(20);
    let mut before = pool.stats();
    loop {
        sleep(Duration::from_millis(30));
        let now = pool.stats();
        if now == before && now.iter().all(|worker| worker.parks > 0) || Instant::now() > give_up {
            return;
        }
        before = now;
    }
}

fn wakes(pool: &Pool) -> u64 {
    pool.stats().iter().map(|worker| worker.wakes).sum()
}

#[test]
fn one_task_wakes_one_of_many_sleeping_workers() {
    for policy in [Policy::Heartbeat, Policy::Eager] {
        let pool = Pool::builder().threads(64).policy(policy).stack_size(128 * 1024).build().unwrap();
        for priority in [Priority::Low, Priority::Normal, Priority::High] {
            settle(&pool);
            let before = wakes(&pool);
            pool.spawn_at(priority, || ()).join().unwrap();
            settle(&pool);
            assert_eq!(wakes(&pool) - before, 1, "{policy:?}, {priority:?}");
        }
    }
}

/// The calling thread takes a sleeper's seat, and who sleeps sleeps on.
#[test]
fn a_call_from_outside_wakes_nobody() {
    let pool = Pool::new(4).unwrap();
    settle(&pool);
    let (before, thread) = (wakes(&pool), std::thread::current().id());
    assert_eq!(pool.run(|_| std::thread::current().id()), thread);
    assert_eq!(wakes(&pool), before);
}

#[test]
fn an_idle_pool_does_not_stir() {
    let pool = Pool::new(8).unwrap();
    pool.join(|| (), || ());
    settle(&pool);
    let before = pool.stats();
    sleep(Duration::from_millis(100));
    assert_eq!(pool.stats(), before);
}

/// A fork is taken by a sleeping worker while its own worker is in a long call: nobody forks again to say so.
#[test]
fn a_long_frame_without_forks_shares_what_it_forked_before() {
    for policy in [Policy::Heartbeat, Policy::Eager] {
        let pool = Pool::builder().threads(2).policy(policy).build().unwrap();
        for _ in 0..20 {
            let (tell, told) = mpsc::channel();
            // The first branch waits for the second, so it ends only if another worker takes that.
            pool.join(
                move || {
                    told.recv_timeout(Duration::from_secs(20))
                        .expect("another worker takes the second branch")
                },
                move || tell.send(()).unwrap(),
            );
        }
    }
}

/// A worker shares the forks of a task that lay in its own queue when it forked the last time.
#[test]
fn forks_of_a_task_that_waited_in_the_queue_are_shared_too() {
    for policy in [Policy::Heartbeat, Policy::Eager] {
        let pool = Arc::new(Pool::builder().threads(2).policy(policy).build().unwrap());
        // The other worker is kept away until the task has begun.
        let (tell, held) = mpsc::channel::<()>();
        let (began, begun) = mpsc::channel();
        let other = pool.spawn(move || {
            began.send(()).unwrap();
            held.recv().unwrap();
        });
        begun.recv().unwrap();
        let inner = Arc::clone(&pool);
        let task = pool.spawn(move || {
            let forks = Arc::clone(&inner);
            let task = inner.spawn(move || {
                tell.send(()).unwrap();
                let (tell, told) = mpsc::channel();
                forks.join(
                    move || told.recv_timeout(Duration::from_secs(20)).expect("another worker takes it"),
                    move || tell.send(()).unwrap(),
                );
            });
            // The task lies there to be taken, so this fork says nothing.
            inner.join(|| (), || ());
            task
        });
        task.join().unwrap().join().unwrap();
        other.join().unwrap();
    }
}

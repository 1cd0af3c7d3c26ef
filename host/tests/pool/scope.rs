//! Scopes.

use crate::{each_pool, message};
use divvy_host::pool::{Policy, Pool, Priority, Scope};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

#[test]
fn all_tasks_have_ended_when_the_scope_has() {
    each_pool(|pool| {
        let count = AtomicU32::new(0);
        pool.scope(|scope| {
            for _ in 0..5000 {
                scope.spawn(|_| {
                    count.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        assert_eq!(count.load(Ordering::Relaxed), 5000);
    });
}

#[test]
fn tasks_spawn_tasks_and_borrow() {
    fn grow<'scope>(scope: &Scope<'scope>, depth: u32, count: &'scope AtomicU32) {
        count.fetch_add(1, Ordering::Relaxed);
        if depth > 0 {
            scope.spawn(move |scope| grow(scope, depth - 1, count));
            scope.spawn(move |scope| grow(scope, depth - 1, count));
        }
    }
    each_pool(|pool| {
        let count = AtomicU32::new(0);
        pool.scope(|scope| grow(scope, 10, &count));
        assert_eq!(count.load(Ordering::Relaxed), (1 << 11) - 1);
    });
}

#[test]
fn scopes_nest_in_forks_and_forks_in_scopes() {
    each_pool(|pool| {
        let count = AtomicU32::new(0);
        pool.join(
            || {
                pool.scope(|scope| {
                    (0..100).for_each(|_| {
                        scope.spawn(|_| {
                            pool.join(
                                || count.fetch_add(1, Ordering::Relaxed),
                                || count.fetch_add(1, Ordering::Relaxed),
                            );
                        })
                    })
                })
            },
            || {
                pool.scope(|scope| {
                    (0..100).for_each(|_| {
                        scope.spawn(|_| {
                            pool.scope(|scope| {
                                scope.spawn(|_| {
                                    count.fetch_add(1, Ordering::Relaxed);
                                })
                            })
                        })
                    })
                })
            },
        );
        assert_eq!(count.load(Ordering::Relaxed), 300);
    });
}

#[test]
fn other_threads_may_spawn_into_a_scope() {
    each_pool(|pool| {
        let count = AtomicU32::new(0);
        pool.scope(|scope| {
            std::thread::scope(|threads| {
                for _ in 0..3 {
                    threads.spawn(|| {
                        (0..100).for_each(|_| {
                            scope.spawn(|_| {
                                count.fetch_add(1, Ordering::Relaxed);
                            })
                        })
                    });
                }
            });
        });
        assert_eq!(count.load(Ordering::Relaxed), 300);
    });
}

#[test]
fn large_tasks_fit_too() {
    each_pool(|pool| {
        let (large, sum) = ([7_u64; 100], AtomicU32::new(0));
        pool.scope(|scope| {
            for _ in 0..100 {
                let sum = &sum;
                scope.spawn(move |_| {
                    sum.fetch_add(large.iter().sum::<u64>() as u32, Ordering::Relaxed);
                });
            }
        });
        assert_eq!(sum.into_inner(), 70_000);
    });
}

#[test]
fn a_panic_comes_back_when_all_tasks_have_ended() {
    each_pool(|pool| {
        let count = AtomicU32::new(0);
        let panic = catch_unwind(AssertUnwindSafe(|| {
            pool.scope(|scope| {
                for number in 0..100 {
                    let count = &count;
                    scope.spawn(move |_| {
                        count.fetch_add(1, Ordering::Relaxed);
                        if number % 50 == 7 {
                            panic!("one of them");
                        }
                    });
                }
            })
        }))
        .unwrap_err();
        assert_eq!((message(&*panic), count.load(Ordering::Relaxed)), ("one of them", 100));
        let panic = catch_unwind(AssertUnwindSafe(|| {
            pool.scope(|scope| {
                scope.spawn(|_| {
                    count.fetch_add(1, Ordering::Relaxed);
                });
                panic!("the body");
            })
        }))
        .unwrap_err();
        assert_eq!((message(&*panic), count.load(Ordering::Relaxed)), ("the body", 101));
    });
}

/// Waits for what another thread does soon, or fails.
fn wait_for(what: &AtomicBool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !what.load(Ordering::Acquire) {
        assert!(Instant::now() < end, "it never came");
        std::thread::yield_now();
    }
}

/// A worker tells the scope of the tasks that it finished before it turns to something that takes long.
#[test]
fn a_finished_task_is_not_held_back_by_what_its_worker_does_next() {
    for policy in [Policy::Heartbeat, Policy::Eager] {
        let pool = Pool::builder().threads(2).policy(policy).build().unwrap();
        let [started, open] = [const { AtomicBool::new(false) }; 2];
        let ended = Arc::new((AtomicBool::new(false), AtomicBool::new(false)));
        let next = pool.scope(|scope| {
            scope.spawn(|_| {
                started.store(true, Ordering::Release);
                wait_for(&open);
            });
            // This worker never comes to a queue before the other one has both.
            wait_for(&started);
            let flags = Arc::clone(&ended);
            let next = pool.spawn_at(Priority::High, move || {
                flags.0.store(true, Ordering::Release);
                wait_for(&flags.1);
            });
            open.store(true, Ordering::Release);
            wait_for(&ended.0);
            next
        });
        ended.1.store(true, Ordering::Release);
        next.join().unwrap();
    }
}

/// Tasks so short that stealing them does not pay, and then some that do: both come to an end, and once each.
#[test]
fn short_and_long_tasks_are_done_once() {
    each_pool(|pool| {
        let (short, long) = (AtomicU32::new(0), AtomicU32::new(0));
        for _ in 0..5 {
            pool.scope(|scope| {
                for i in 0..3000 {
                    if i % 500 == 499 {
                        scope.spawn(|_| {
                            std::thread::sleep(Duration::from_micros(200));
                            long.fetch_add(1, Ordering::Relaxed);
                        });
                    } else {
                        scope.spawn(|_| _ = short.fetch_add(1, Ordering::Relaxed));
                    }
                }
            });
        }
        assert_eq!((short.into_inner(), long.into_inner()), (5 * 2994, 5 * 6));
    });
}

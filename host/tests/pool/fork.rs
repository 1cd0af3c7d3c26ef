//! `run` and `join`.

use crate::{each_pool, message};
use divvy_host::pool::{Context, Pool};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

fn fib(cx: &mut Context, n: u32) -> u64 {
    if n < 2 {
        return u64::from(n);
    }
    let (a, b) = cx.join(|cx| fib(cx, n - 1), |cx| fib(cx, n - 2));
    a + b
}

#[test]
fn fib_comes_out_right() {
    each_pool(|pool| {
        assert_eq!(pool.run(|cx| fib(cx, 20)), 6765);
        assert_eq!(fib_without_context(pool, 12), 144);
    });
}

fn fib_without_context(pool: &Pool, n: u32) -> u64 {
    if n < 2 {
        return u64::from(n);
    }
    let (a, b) = pool.join(|| fib_without_context(pool, n - 1), || fib_without_context(pool, n - 2));
    a + b
}

/// What a branch leaves in the worker's deque lies on top of the fork: it is done first, and not taken for the fork.
#[test]
fn a_branch_may_leave_tasks_behind() {
    each_pool(|pool| {
        for round in 0..50 {
            let (tasks, second) = pool.run(|cx| {
                cx.join(|_| [0, 1, 2].map(|number| pool.spawn(move || round + number)), |_| 10 + round)
            });
            assert_eq!(second, 10 + round);
            assert_eq!(tasks.map(|task| task.join().unwrap()), [round, round + 1, round + 2]);
        }
    });
}

/// A chain on either side: forks nest as deep as there are links.
#[test]
fn lopsided_trees_of_forks_come_out_right() {
    fn left(cx: &mut Context, n: u32) -> u32 {
        if n == 0 {
            0
        } else {
            let (a, b) = cx.join(|cx| left(cx, n - 1), |_| 1);
            a + b
        }
    }
    fn right(cx: &mut Context, n: u32) -> u32 {
        if n == 0 {
            0
        } else {
            let (a, b) = cx.join(|_| 1, |cx| right(cx, n - 1));
            a + b
        }
    }
    each_pool(|pool| {
        assert_eq!(pool.run(|cx| left(cx, 2000)), 2000);
        assert_eq!(pool.run(|cx| right(cx, 2000)), 2000);
    });
}

#[test]
fn a_panic_in_either_branch_comes_back_when_both_have_ended() {
    each_pool(|pool| {
        let ended = AtomicU32::new(0);
        let long = || {
            std::thread::sleep(Duration::from_millis(2));
            ended.fetch_add(1, Ordering::SeqCst);
        };
        let panic = catch_unwind(AssertUnwindSafe(|| pool.join(long, || panic!("second")))).unwrap_err();
        assert_eq!((message(&*panic), ended.load(Ordering::SeqCst)), ("second", 1));
        let panic = catch_unwind(AssertUnwindSafe(|| pool.join(|| panic!("first"), long))).unwrap_err();
        assert_eq!(message(&*panic), "first");
        let before = ended.load(Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(ended.load(Ordering::SeqCst), before, "nothing runs on after the panic came back");
        assert_eq!(pool.run(|cx| fib(cx, 10)), 55, "the pool is as good as before");
    });
}

#[test]
fn a_panic_deep_down_unwinds_through_all_forks() {
    fn deep(cx: &mut Context, n: u32) -> u32 {
        if n == 0 {
            panic!("at the bottom");
        }
        cx.join(|cx| deep(cx, n - 1), |cx| fib(cx, 8)).0
    }
    each_pool(|pool| {
        for _ in 0..20 {
            let panic = catch_unwind(AssertUnwindSafe(|| pool.run(|cx| deep(cx, 50)))).unwrap_err();
            assert_eq!(message(&*panic), "at the bottom");
        }
        assert_eq!(pool.run(|cx| fib(cx, 15)), 610);
    });
}

#[test]
fn many_threads_call_into_one_pool() {
    each_pool(|pool| {
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        assert_eq!(pool.run(|cx| fib(cx, 12)), 144);
                    }
                });
            }
        });
    });
}

#[test]
fn pools_call_into_each_other_and_back() {
    for threads in [1, 2] {
        let (a, b) = (Pool::new(threads).unwrap(), Pool::new(threads).unwrap());
        for _ in 0..50 {
            let sum = a.run(|cx| {
                let (x, y) = cx.join(
                    |_| b.run(|cx| fib(cx, 10) + a.run(|cx| fib(cx, 11))),
                    |_| b.join(|| a.join(|| 1, || b.run(|cx| fib(cx, 5))).1, || 2).0,
                );
                x + y
            });
            assert_eq!(sum, 55 + 89 + 5);
        }
        // As above, from workers that are no guests.
        let (a, b) = (&a, &b);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope
                    .spawn(move || assert_eq!(a.run(|_| b.run(|_| a.run(|_| b.run(|cx| fib(cx, 15))))), 610));
            }
        });
    }
}

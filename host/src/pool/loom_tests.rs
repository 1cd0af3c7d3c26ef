//! How threads of a pool hand over to each other, under every interleaving: the pool itself, with small queues, and
//! without the time that it spends looking before it sleeps.
#![allow(unsafe_code, reason = "the models own the handles that they wait with")]

use crate::pool::Handle;
use crate::pool::Policy;
use crate::pool::Scope;
use crate::pool::call::promise::promise;
use crate::pool::life::builder::work;
use crate::pool::shared::injector::Priority;
use crate::pool::shared::waker;
use crate::pool::shared::{FINISH, Shared};
use crate::pool::sync::{self, Ordering};
use crate::pool::work::context::Context;
use crate::pool::work::current;
use loom::thread;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

/// Runs `body` under loom with at most `preemptions` forced switches per execution. Prints how many executions that took,
/// and fails if it was one: a model that explores nothing proves nothing.
fn model(name: &str, preemptions: usize, body: impl Fn() + Send + Sync + 'static) {
    let executions = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&executions);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 20_000;
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        body();
    });
    let executions = executions.load(Ordering::Relaxed);
    println!("loom model {name}: {executions} executions, {preemptions} preemptions");
    assert!(executions > 1, "loom model {name} explored a single execution: is it built with divvy_loom?");
}

/// A pool whose seats `threads` have a thread; the others are for the model's own.
fn pool(
    policy: Policy,
    seats: usize,
    threads: std::ops::Range<usize>,
) -> (Arc<Shared>, Vec<thread::JoinHandle<()>>) {
    let shared = Arc::new(Shared::new(policy, seats, 2, 2).unwrap());
    let threads = threads
        .map(|index| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || work(&shared, index))
        })
        .collect();
    (shared, threads)
}

/// Runs `body` on seat 0.
fn seated<R>(shared: &Arc<Shared>, body: impl FnOnce(&mut Context<'_>) -> R) -> R {
    let seat = &shared.seats[0];
    seat.sit_down(sync::current());
    current::occupy(shared, seat, || body(&mut Context::new(shared, seat)))
}

fn close((shared, threads): (Arc<Shared>, Vec<thread::JoinHandle<()>>)) {
    shared.phase.store(FINISH, Ordering::SeqCst);
    shared.wake_all();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

fn wakes(shared: &Shared) -> u64 {
    shared.seats.iter().map(|seat| seat.counts.read().wakes).sum()
}

/// A worker goes to sleep while a call comes from outside: as a guest of its seat, or through the queue.
#[test]
fn loom_a_call_that_comes_while_the_worker_goes_to_sleep_is_answered() {
    model("call from outside", 2, || {
        let pool = pool(Policy::Eager, 1, 0..1);
        let calls = AtomicU32::new(0);
        assert_eq!(pool.0.run(|_| calls.fetch_add(1, Ordering::Relaxed) + 7), 7);
        assert_eq!(calls.into_inner(), 1);
        close(pool);
    });
}

/// As above, through the queue only: the caller waits as a thread.
#[test]
fn loom_a_queued_call_wakes_who_waits_for_it() {
    model("queued call", 2, || {
        let pool = pool(Policy::Eager, 1, 0..1);
        let calls = AtomicU32::new(0);
        let call = |_: &mut Context<'_>| calls.fetch_add(1, Ordering::Relaxed) + 7;
        assert_eq!(pool.0.run_elsewhere(call), 7);
        assert_eq!(calls.into_inner(), 1);
        close(pool);
    });
}

/// One task, two sleepers (or about to be): one of them runs it, and at most one is woken.
#[test]
fn loom_one_task_wakes_one_at_most() {
    model("one of two", 1, || {
        let pool = pool(Policy::Eager, 2, 0..2);
        assert_eq!(pool.0.run_elsewhere(|_| 7), 7);
        assert!(wakes(&pool.0) <= 1);
        close(pool);
    });
}

/// Two threads come to the one seat, of which one at most is a guest.
#[test]
fn loom_one_at_a_time_has_the_seat() {
    model("two guests", 1, || {
        let pool = pool(Policy::Eager, 1, 0..1);
        let shared = Arc::clone(&pool.0);
        let other = thread::spawn(move || shared.run(|cx| cx.join(|_| 1, |_| 2)));
        assert_eq!(pool.0.run(|cx| cx.join(|_| 3, |_| 4)), (3, 4));
        assert_eq!(other.join().unwrap(), (1, 2));
        close(pool);
    });
}

/// A fork is taken, or taken back; either way it is called once, and its frame outlives the thief's last look at it.
#[test]
fn loom_a_fork_is_called_once_while_its_frame_is_there() {
    for policy in [Policy::Eager, Policy::Heartbeat] {
        model("fork", 2, move || {
            let pool = pool(policy, 2, 1..2);
            let calls = AtomicU32::new(0);
            let both =
                seated(&pool.0, |cx| cx.join(|_| 1, |_| 2 + 10 * calls.fetch_add(1, Ordering::Relaxed)));
            assert_eq!((both, calls.into_inner()), ((1, 2), 1));
            close(pool);
        });
        model("fork in a fork", 1, move || {
            let pool = pool(policy, 2, 1..2);
            let calls = AtomicU32::new(0);
            let call = || calls.fetch_add(1, Ordering::Relaxed);
            seated(&pool.0, |cx| cx.join(|cx| cx.join(|_| (), |_| call()), |_| call()));
            assert_eq!(calls.into_inner(), 2);
            close(pool);
        });
    }
}

/// Whichever branch panics, the panic comes back when nobody touches the frame any more.
#[test]
fn loom_a_panic_comes_back_when_the_thief_is_done() {
    for (first, second, expected) in [(0, 2, 2), (1, 0, 1), (1, 2, 1)] {
        model("panic", 2, move || {
            let pool = pool(Policy::Eager, 2, 1..2);
            let throw = |number: u32| {
                if number > 0 {
                    resume_unwind(Box::new(number))
                }
            };
            let result = catch_unwind(AssertUnwindSafe(|| {
                seated(&pool.0, |cx| cx.join(|_| throw(first), |_| throw(second)))
            }));
            assert_eq!(*result.unwrap_err().downcast::<u32>().unwrap(), expected);
            close(pool);
        });
    }
}

/// A scope ends after its tasks, whoever ran them, and one of them spawned the other.
#[test]
fn loom_a_scope_outlives_its_tasks() {
    model("scope", 2, || {
        let pool = pool(Policy::Eager, 2, 1..2);
        let calls = AtomicU32::new(0);
        seated(&pool.0, |cx| {
            cx.scope(|scope: &Scope<'_>| {
                scope.spawn(|scope| {
                    scope.spawn(|_| _ = calls.fetch_add(1, Ordering::Relaxed));
                    calls.fetch_add(1, Ordering::Relaxed);
                });
            });
        });
        assert_eq!(calls.into_inner(), 2);
        close(pool);
    });
}

/// A thief reports several tasks of a scope at once, before it turns to another scope's, and not after the scope's end: the
/// second scope may stand where the first one stood.
#[test]
fn loom_a_thief_reports_what_it_finished() {
    model("tasks in a row", 1, || {
        let pool = pool(Policy::Eager, 2, 1..2);
        let calls = AtomicU32::new(0);
        let call = || _ = calls.fetch_add(1, Ordering::Relaxed);
        seated(&pool.0, |cx| {
            cx.scope(|scope: &Scope<'_>| (0..2).for_each(|_| scope.spawn(|_| call())));
            cx.scope(|scope: &Scope<'_>| scope.spawn(|_| call()));
        });
        assert_eq!(calls.into_inner(), 3);
        close(pool);
    });
    model("scope in a task", 1, || {
        let pool = pool(Policy::Eager, 2, 1..2);
        let calls = AtomicU32::new(0);
        let call = || _ = calls.fetch_add(1, Ordering::Relaxed);
        seated(&pool.0, |cx| {
            cx.scope(|outer: &Scope<'_>| {
                outer.spawn(|_| call());
                outer.spawn(|_| pool.0.run(|cx| cx.scope(|inner: &Scope<'_>| inner.spawn(|_| call()))));
            });
        });
        assert_eq!(calls.into_inner(), 2);
        close(pool);
    });
}

/// A task is called once, and its result comes to who waits for it, however they meet.
#[test]
fn loom_a_handle_gets_the_result() {
    model("handle", 2, || {
        let pool = pool(Policy::Eager, 1, 0..1);
        let (task, job) = promise(|| 7);
        pool.0.push_or_wait(Priority::Normal, job);
        assert_eq!(Handle { task }.join().unwrap(), 7);
        close(pool);
    });
}

/// Cancelled or called, and freed once: by the queue or by the handle.
#[test]
fn loom_a_task_is_called_or_cancelled_and_freed() {
    for cancel in [false, true] {
        model("cancel and drop", 2, move || {
            let pool = pool(Policy::Eager, 1, 0..1);
            let freed = Arc::new(AtomicU32::new(0));
            let captured = Arc::clone(&freed);
            let (task, job) = promise(move || _ = captured.fetch_add(1, Ordering::Relaxed));
            pool.0.push_or_wait(Priority::Normal, job);
            let handle = Handle { task };
            let cancelled = cancel && handle.cancel();
            drop(handle);
            close(pool);
            assert_eq!(freed.load(Ordering::Relaxed), u32::from(!cancelled));
            assert_eq!(Arc::strong_count(&freed), 1);
        });
    }
}

/// Who registers twice is woken once more, or told that it is done already.
#[test]
fn loom_the_waiter_of_the_last_poll_is_woken() {
    model("poll twice", 2, || {
        let pool = pool(Policy::Eager, 1, 0..1);
        let (task, job) = promise(|| 7);
        pool.0.push_or_wait(Priority::Normal, job);
        // SAFETY: the handle is this thread's.
        let first = unsafe { task.wake_when_done(waker::this_thread()) };
        // SAFETY: as above.
        let second = unsafe { task.wake_when_done(waker::this_thread()) };
        assert!(second || !first);
        assert_eq!(Handle { task }.join().unwrap(), 7);
        close(pool);
    });
}

/// A worker that waits for another pool sleeps in its own one, and is woken there.
#[test]
fn loom_a_worker_of_another_pool_is_woken_in_its_own() {
    model("pool in a pool", 2, || {
        let pool = pool(Policy::Eager, 1, 0..1);
        let own = Arc::new(Shared::new(Policy::Eager, 1, 2, 2).unwrap());
        assert_eq!(seated(&own, |_| pool.0.run_elsewhere(|_| 7)), 7);
        close(pool);
    });
}

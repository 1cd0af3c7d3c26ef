use super::worker::INJECTOR_INTERVAL;
use super::*;
use crate::rng::{Rng, Xoshiro256PlusPlus};
use crate::sched::{CancelTree, Cancelled, Park};
use crate::storage::Full;
use core::time::Duration;
use proptest::prelude::*;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32 as Count, Ordering::SeqCst};
use std::thread::{self, Thread};
use std::vec::Vec;

type Sched<const W: usize> = Scheduler<u32, Inline<W>, Inline<64>, Inline<64>>;

fn task(next: Next<u32>) -> Option<u32> {
    match next {
        Next::Task { task, .. } => Some(task),
        Next::Idle => None,
    }
}

#[test]
fn one_task_wakes_exactly_one_of_many() {
    fn check<W: Storage, D: Storage, I: Storage>(sched: &Scheduler<u32, W, D, I>) {
        let mut workers: Vec<_> = (0..sched.workers()).map(|index| sched.worker(index).unwrap()).collect();
        for worker in &mut workers {
            assert_eq!(worker.park(), Parking::Sleep);
        }
        assert_eq!(sched.submit(7), Ok(Wake::Worker(0)));
        let woken: Vec<u32> = workers.iter().filter(|worker| worker.is_woken()).map(Worker::index).collect();
        assert_eq!(woken, [0]);
        let next = workers[0].next(&mut Xoshiro256PlusPlus::seed(1));
        assert_eq!(next, Next::Task { task: 7, from: Source::Injector, wake: Wake::Nobody });
        assert_eq!(workers.iter().filter(|worker| worker.is_woken()).count(), 1);
    }
    check(&Sched::<64>::new());
    #[cfg(feature = "alloc")]
    check(&Scheduler::<u32, Heap, Heap, Heap>::with_capacity(10_000, 1, 1).unwrap());
}

/// The platform of the tests: threads that park, and a count of those that were woken.
struct Platform<const W: usize> {
    sched: Sched<W>,
    threads: Mutex<Vec<Option<Thread>>>,
    asleep: Count,
    woken: Count,
    stop: AtomicBool,
}

impl<const W: usize> Platform<W> {
    fn new() -> Self {
        Self {
            sched: Sched::new(),
            threads: Mutex::new((0..W).map(|_| None).collect()),
            asleep: Count::new(0),
            woken: Count::new(0),
            stop: AtomicBool::new(false),
        }
    }

    fn wake(&self, wake: Wake) {
        if let Wake::Worker(worker) = wake {
            let thread = self.threads.lock().unwrap()[worker as usize].clone();
            thread.expect("only a thread that announced itself sleeps").unpark();
        }
    }

    fn work(
        &self,
        index: u32,
        mut run: impl FnMut(&Worker<'_, u32, Inline<W>, Inline<64>, Inline<64>>, u32),
    ) {
        self.threads.lock().unwrap()[index as usize] = Some(thread::current());
        let mut worker = self.sched.worker(index).unwrap();
        let mut rng = Xoshiro256PlusPlus::seed(index.into());
        loop {
            match worker.next(&mut rng) {
                Next::Task { task, wake, .. } => {
                    self.wake(wake);
                    run(&worker, task);
                }
                Next::Idle => {
                    if worker.park() == Parking::Sleep {
                        if self.stop.load(SeqCst) {
                            return;
                        }
                        self.asleep.fetch_add(1, SeqCst);
                        while !worker.is_woken() {
                            thread::park();
                        }
                        self.asleep.fetch_sub(1, SeqCst);
                        self.woken.fetch_add(1, SeqCst);
                    }
                }
            }
        }
    }

    fn stop(&self) {
        self.stop.store(true, SeqCst);
        while let Wake::Worker(worker) = self.sched.wake_one() {
            self.wake(Wake::Worker(worker));
        }
    }
}

/// Lets the threads end, also when an assertion fails.
struct StopOnDrop<'a, const W: usize>(&'a Platform<W>);

impl<const W: usize> Drop for StopOnDrop<'_, W> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

#[test]
fn each_task_to_sleeping_threads_wakes_one_thread() {
    const WORKERS: usize = 6;
    const TASKS: u32 = 300;
    let platform = Platform::<WORKERS>::new();
    let done = Count::new(0);
    thread::scope(|scope| {
        for index in 0..WORKERS as u32 {
            let (platform, done) = (&platform, &done);
            scope.spawn(move || {
                platform.work(index, |_, _| {
                    done.fetch_add(1, SeqCst);
                });
            });
        }
        let _stop = StopOnDrop(&platform);
        let all_asleep_after = |tasks| {
            // In this order: whoever ran the last task was counted as awake before.
            while done.load(SeqCst) < tasks || platform.asleep.load(SeqCst) < WORKERS as u32 {
                thread::yield_now();
            }
        };
        all_asleep_after(0);
        for task in 0..TASKS {
            let wake = platform.sched.submit(task).unwrap();
            assert_ne!(wake, Wake::Nobody);
            platform.wake(wake);
            all_asleep_after(task + 1);
            assert_eq!((done.load(SeqCst), platform.woken.load(SeqCst)), (task + 1, task + 1));
        }
    });
}

/// Tasks that make tasks, on threads that sleep and wake: each runs once, and the end is reached.
#[test]
fn a_tree_of_tasks_ends_with_each_task_run_once() {
    const WORKERS: usize = 4;
    const DEPTH: u32 = 15;
    let platform = Platform::<WORKERS>::new();
    let (left, refused) = (Count::new(1), Count::new(0));
    platform.sched.submit(DEPTH).map(|wake| assert_eq!(wake, Wake::Nobody)).unwrap();
    thread::scope(|scope| {
        for index in 0..WORKERS as u32 {
            let (platform, left, refused) = (&platform, &left, &refused);
            scope.spawn(move || {
                platform.work(index, |worker, depth| {
                    if depth > 0 {
                        left.fetch_add(2, SeqCst);
                        for _ in 0..2 {
                            match worker.push(depth - 1) {
                                Ok(wake) => platform.wake(wake),
                                // No room: count the subtree as run.
                                Err(Full(depth)) => {
                                    refused.fetch_add((2 << depth) - 1, SeqCst);
                                    left.fetch_sub(1, SeqCst);
                                }
                            }
                        }
                    }
                    if left.fetch_sub(1, SeqCst) == 1 {
                        platform.stop();
                    }
                });
            });
        }
    });
    let stats: Vec<_> = (0..WORKERS as u32).map(|index| platform.sched.stats(index).unwrap()).collect();
    let processed: u32 = stats.iter().map(|stats| stats.processed).sum();
    assert_eq!(processed + refused.load(SeqCst), (2 << DEPTH) - 1, "{stats:?}");
    assert_eq!(refused.load(SeqCst), 0, "depth first, a deque holds about one task per level");
    assert_eq!(stats.iter().map(|stats| stats.injected).sum::<u32>(), 1);
}

/// 100 tasks, 70 of them on worker 0 of 4: nobody is idle while there is work, and each task runs once.
#[test]
fn no_worker_is_idle_while_another_has_work() {
    for seed in 0..50 {
        let sched = Scheduler::<u32, Inline<4>, Inline<128>, Inline<1>>::new();
        let mut workers: [_; 4] = core::array::from_fn(|index| sched.worker(index as u32).unwrap());
        let mut rng = Xoshiro256PlusPlus::seed(seed);
        for item in 0..100 {
            let home = if item < 70 { 0 } else { 1 + item as usize % 3 };
            assert_eq!(workers[home].push(item), Ok(Wake::Nobody));
        }
        let mut ran: Vec<u32> = Vec::new();
        let mut busy_until = [0u32; 4];
        for now in 0.. {
            for (worker, busy_until) in workers.iter_mut().zip(&mut busy_until) {
                if *busy_until > now {
                    continue;
                }
                let waiting = sched.has_work();
                match worker.next(&mut rng) {
                    Next::Task { task, .. } => {
                        ran.push(task);
                        *busy_until = now + 10 + rng.below(91);
                    }
                    Next::Idle => assert!(!waiting, "idle while there is work"),
                }
            }
            if busy_until.iter().all(|&until| until <= now) && !sched.has_work() {
                break;
            }
        }
        ran.sort_unstable();
        assert!(ran.into_iter().eq(0..100));
        let stats: [WorkerStats; 4] = core::array::from_fn(|index| workers[index].stats());
        assert!(stats.iter().all(|stats| stats.processed >= 15), "{stats:?}");
        assert!(stats.iter().map(|stats| stats.stolen).sum::<u32>() >= 30, "{stats:?}");
    }
}

#[test]
fn a_thief_that_brings_home_more_wakes_another() {
    let sched = Sched::<3>::new();
    let mut workers: [_; 3] = core::array::from_fn(|index| sched.worker(index as u32).unwrap());
    for item in 0..4 {
        assert_eq!(workers[0].push(item), Ok(Wake::Nobody));
    }
    let mut rng = Xoshiro256PlusPlus::seed(1);
    assert_eq!(workers[2].park(), Parking::Stay, "there is work to be seen");
    // As if it had looked before the push:
    sched.waiter(2).prepare_park();
    let from = Source::Stolen { victim: 0, count: 2 };
    assert_eq!(workers[1].next(&mut rng), Next::Task { task: 0, from, wake: Wake::Worker(2) });
    assert_eq!(workers[1].stats().stolen, 2);
}

#[test]
fn a_submitted_task_does_not_starve_behind_tasks_that_make_tasks() {
    let sched = Sched::<1>::new();
    let mut worker = sched.worker(0).unwrap();
    let mut rng = Xoshiro256PlusPlus::seed(1);
    let _ = worker.push(0).unwrap();
    let _ = sched.submit(1).unwrap();
    let calls = (1..).find(|_| {
        let own = task(worker.next(&mut rng)) == Some(0);
        if own {
            let _ = worker.push(0).unwrap();
        }
        !own
    });
    assert!(calls.unwrap() <= u32::from(INJECTOR_INTERVAL));
}

#[test]
fn a_worker_that_stops_sleeping_by_itself_is_not_chosen() {
    let sched = Sched::<2>::new();
    let mut workers: [_; 2] = core::array::from_fn(|index| sched.worker(index as u32).unwrap());
    let mut rng = Xoshiro256PlusPlus::seed(1);
    assert!(workers[0].is_woken(), "who does not sleep need not wait");
    assert_eq!((workers[0].park(), workers[1].park()), (Parking::Sleep, Parking::Sleep));
    assert_eq!(workers[0].next(&mut rng), Next::Idle);
    assert_eq!(sched.submit(1), Ok(Wake::Worker(1)));
    // Nor is one that is gone:
    assert_eq!(task(workers[0].next(&mut rng)), Some(1));
    assert_eq!(workers[0].park(), Parking::Sleep);
    drop(workers);
    assert_eq!(sched.submit(2), Ok(Wake::Nobody));
}

#[test]
fn a_worker_exists_once_and_within_bounds() {
    let sched = Sched::<2>::new();
    let worker = sched.worker(1);
    assert!(worker.is_some() && sched.worker(1).is_none() && sched.worker(2).is_none());
    assert!(sched.stats(2).is_none());
    drop(worker);
    assert!(sched.worker(1).is_some());
}

#[cfg(feature = "alloc")]
#[test]
fn a_heap_scheduler_says_what_is_wrong_with_its_sizes() {
    let refused = |workers, deque, injector| {
        Scheduler::<u8, Heap, Heap, Heap>::with_capacity(workers, deque, injector).unwrap_err()
    };
    assert_eq!(refused(0, 1, 1), CapacityError::Zero);
    assert_eq!(refused(1, 3, 1), CapacityError::NotPowerOfTwo);
    assert_eq!(refused(1, 1, 0), CapacityError::Zero);
}

#[test]
fn sizes_are_as_documented() {
    // Where a deque keeps a word apart from others, the next deque begins on a cache line too.
    let (deque, line) = (size_of::<Deque<u32, Inline<64>>>(), align_of::<Deque<u32, Inline<64>>>());
    assert_eq!(size_of::<Seat<u32, Inline<64>>>(), (deque + 12 * 4).next_multiple_of(line));
    assert_eq!((size_of::<Life>(), size_of::<StealPolicy>()), (8, 24));
}

#[test]
fn it_is_shared_between_threads_and_its_workers_move() {
    fn both<T: Send + Sync>(_: &T) {}
    fn sends<T: Send>(_: &T) {}
    let sched = Scheduler::<core::cell::Cell<u8>, Inline<1>, Inline<1>, Inline<1>>::new();
    both(&sched);
    sends(&sched.worker(0));
}

/// Threads that park: the platform that [`Worker::run`] needs.
struct Threads<const W: usize>([std::sync::OnceLock<Thread>; W]);

impl<const W: usize> Threads<W> {
    fn new() -> Self {
        Self([const { std::sync::OnceLock::new() }; W])
    }

    fn enter(&self, worker: u32) {
        self.0[worker as usize].set(thread::current()).unwrap();
    }
}

impl<const W: usize> Park for Threads<W> {
    fn park(&self, _: u32) {
        thread::park();
    }

    fn unpark(&self, worker: u32) {
        self.0[worker as usize].get().expect("only a thread that announced itself sleeps").unpark();
    }
}

/// Closed while tasks make tasks and others submit: every run ends, and each task was run or given back once.
#[test]
fn a_closed_scheduler_is_drained_and_gives_back_what_comes_too_late() {
    const WORKERS: usize = 3;
    for round in 0..200 {
        let sched = Sched::<WORKERS>::new();
        let threads = Threads::<WORKERS>::new();
        let (ran, made, given_back) = (Count::new(0), Count::new(0), Count::new(0));
        thread::scope(|scope| {
            for index in 0..WORKERS as u32 {
                let (sched, threads, ran, made) = (&sched, &threads, &ran, &made);
                scope.spawn(move || {
                    threads.enter(index);
                    let mut worker = sched.worker(index).unwrap();
                    worker.run(threads, &mut Xoshiro256PlusPlus::seed(index.into()), |worker, depth| {
                        ran.fetch_add(1, SeqCst);
                        for _ in 0..if depth > 0 { 2 } else { 0 } {
                            if let Ok(wake) = worker.push(depth - 1) {
                                made.fetch_add(1, SeqCst);
                                wake.deliver(threads);
                            }
                        }
                    });
                    assert!(
                        worker.next(&mut Xoshiro256PlusPlus::seed(0)) == Next::Idle || !sched.life.is_ended()
                    );
                });
            }
            for _ in 0..2 {
                let (sched, threads, made, given_back) = (&sched, &threads, &made, &given_back);
                scope.spawn(move || {
                    for _ in 0..20 {
                        match sched.submit(3) {
                            Ok(wake) => {
                                made.fetch_add(1, SeqCst);
                                wake.deliver(threads);
                            }
                            Err(SubmitError::Closed(_)) => {
                                given_back.fetch_add(1, SeqCst);
                            }
                            Err(SubmitError::Full(_)) => thread::yield_now(),
                        }
                        for _ in 0..round % 7 {
                            thread::yield_now();
                        }
                    }
                });
            }
            for _ in 0..round % 11 {
                thread::yield_now();
            }
            sched.close().deliver(&threads);
        });
        let rest = core::iter::from_fn(|| sched.take_rest()).count() as u32;
        assert_eq!(ran.load(SeqCst) + rest, made.load(SeqCst), "round {round}");
        assert_eq!(sched.submit(9), Err(SubmitError::Closed(9)));
        assert!((0..WORKERS as u32).all(|index| sched.waiting(index) == Some(0)));
    }
}

#[test]
fn what_is_there_before_anybody_works_is_done_before_the_end() {
    let sched = Sched::<2>::new();
    let threads = Threads::<2>::new();
    for task in 0..10 {
        assert_eq!(sched.submit(task), Ok(Wake::Nobody));
    }
    assert_eq!(sched.injected(), 10);
    assert_eq!(sched.close(), Wake::Nobody);
    let mut ran = Vec::new();
    sched.worker(1).unwrap().run(&threads, &mut Xoshiro256PlusPlus::seed(1), |_, task| ran.push(task));
    assert!(ran.into_iter().eq(0..10));
    // Whoever comes late leaves at once.
    sched.worker(0).unwrap().run(&threads, &mut Xoshiro256PlusPlus::seed(1), |_, _| unreachable!());
    assert!(sched.is_closed() && sched.take_rest().is_none());
}

/// A task panics on one of two threads: the panic comes out, the other thread finishes what was left.
#[test]
fn what_a_panicking_worker_leaves_is_done_by_the_others() {
    let sched = Sched::<2>::new();
    let threads = Threads::<2>::new();
    let ran = Count::new(0);
    {
        let worker = sched.worker(0).unwrap();
        for task in 0..8 {
            let _ = worker.push(task).unwrap();
        }
    }
    sched.close().deliver(&threads);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        sched.worker(0).unwrap().run(&threads, &mut Xoshiro256PlusPlus::seed(1), |_, task| {
            assert_ne!(task, 6, "this task panics");
            ran.fetch_add(1, SeqCst);
        });
    }));
    assert!(panicked.is_err());
    sched.wake_one().deliver(&threads);
    sched.worker(1).unwrap().run(&threads, &mut Xoshiro256PlusPlus::seed(2), |_, _| {
        ran.fetch_add(1, SeqCst);
    });
    assert_eq!(ran.load(SeqCst), 7, "all but the one that panicked");
}

/// The clock of a platform goes into the account: 3 ticks pass each time somebody asks.
#[test]
fn idle_time_is_booked_where_there_is_a_clock() {
    struct Clocked(Count);
    impl Park for Clocked {
        fn park(&self, _: u32) {}
        fn unpark(&self, _: u32) {}
        fn now(&self) -> Option<crate::Instant> {
            Some(crate::Instant::from_nanos(self.0.fetch_add(3, SeqCst).into()))
        }
    }
    let sched = Sched::<1>::new();
    let _ = sched.close();
    let mut worker = sched.worker(0).unwrap();
    worker.run(&Clocked(Count::new(0)), &mut Xoshiro256PlusPlus::seed(1), |_, _| {});
    assert_eq!(worker.stats().idle, Duration::from_nanos(3));
    worker.add_idle(Duration::from_secs(5));
    assert_eq!(worker.stats().idle, Duration::new(5, 3));
}

#[test]
fn a_cancelled_task_comes_back_and_is_counted() {
    static SCOPES: CancelTree<Inline<4>> = CancelTree::new();
    let sched = Scheduler::<(u32, crate::sched::CancelToken), Inline<1>, Inline<8>, Inline<8>>::new();
    let (job, other) = (SCOPES.insert(None).unwrap(), SCOPES.insert(None).unwrap());
    for task in 0..8 {
        let _ = sched.submit((task, if task % 2 == 0 { job } else { other })).unwrap();
    }
    SCOPES.cancel(job);
    let mut worker = sched.worker(0).unwrap();
    let (mut ran, mut dropped) = (Vec::new(), Vec::new());
    while let Next::Task { task, .. } = worker.next(&mut Xoshiro256PlusPlus::seed(1)) {
        match worker.unless_cancelled(task, |(_, token)| SCOPES.is_cancelled(*token)) {
            Ok((number, _)) => ran.push(number),
            Err(Cancelled((number, _))) => dropped.push(number),
        }
    }
    assert_eq!((ran, dropped), (std::vec![1, 3, 5, 7], std::vec![0, 2, 4, 6]));
    assert_eq!((worker.stats().cancelled, worker.stats().processed), (4, 8));
}

#[test]
fn a_thief_of_one_takes_one_and_the_busiest_is_asked_first() {
    let policy = StealPolicy::new().victim(Victim::Busiest).take(Take::One);
    let sched = Sched::<4>::new().with_policy(policy);
    let mut workers: [_; 4] = core::array::from_fn(|index| sched.worker(index as u32).unwrap());
    for (worker, tasks) in [(1, 2), (2, 5)] {
        for task in 0..tasks {
            let _ = workers[worker].push(10 * worker as u32 + task).unwrap();
        }
    }
    assert_eq!(
        [0, 1, 2, 3, 4].map(|worker| sched.waiting(worker)),
        [Some(0), Some(2), Some(5), Some(0), None]
    );
    let mut rng = Xoshiro256PlusPlus::seed(1);
    let from = |victim| Source::Stolen { victim, count: 1 };
    let mut next = || workers[0].next(&mut rng);
    for task in [20, 21, 22] {
        assert_eq!(next(), Next::Task { task, from: from(2), wake: Wake::Nobody });
    }
    // Now they are equally long.
    assert_eq!(next(), Next::Task { task: 10, from: from(1), wake: Wake::Nobody });
    let stats = workers[0].stats();
    assert_eq!((stats.steal_attempts, stats.steals, stats.stolen), (4, 4, 4));
}

/// Near first: with groups of two, a worker takes from its neighbour while that has anything.
#[test]
fn the_neighbour_is_robbed_first() {
    let policy = StealPolicy::new().victim(Victim::Near(Groups::new(&[2]).unwrap())).take(Take::One);
    let sched = Sched::<8>::new().with_policy(policy);
    let mut workers: [_; 8] = core::array::from_fn(|index| sched.worker(index as u32).unwrap());
    for worker in [0, 1, 2, 4, 5, 6, 7] {
        for _ in 0..3 {
            let _ = workers[worker].push(worker as u32).unwrap();
        }
    }
    let mut rng = Xoshiro256PlusPlus::seed(3);
    let victims: Vec<u32> = (0..21).map(|_| task(workers[3].next(&mut rng)).unwrap()).collect();
    assert_eq!(victims[..3], [2; 3]);
    assert!(!victims[3..].contains(&2));
    assert_eq!(workers[3].next(&mut rng), Next::Idle);
}

#[test]
fn a_pull_moves_the_oldest_and_no_more_than_there_are() {
    let sched = Scheduler::<u32, Inline<2>, Inline<8>, Inline<1>>::new();
    let mut workers: [_; 2] = core::array::from_fn(|index| sched.worker(index as u32).unwrap());
    for task in 0..6 {
        let _ = workers[0].push(task).unwrap();
    }
    assert_eq!(workers[1].pull(0, 2), (2, Wake::Nobody));
    assert_eq!((sched.waiting(0), sched.waiting(1)), (Some(4), Some(2)));
    assert_eq!(workers[1].pull(0, 9).0, 4);
    assert_eq!((workers[1].pull(0, 9).0, workers[1].pull(1, 9).0, workers[1].pull(7, 9).0), (0, 0, 0));
    let mut rng = Xoshiro256PlusPlus::seed(1);
    let order: Vec<u32> = core::iter::from_fn(|| task(workers[1].next(&mut rng))).collect();
    assert_eq!(order, [5, 4, 3, 2, 1, 0]);
    assert_eq!(workers[1].stats().stolen, 6);
}

#[test]
fn wakes_given_are_wakes_received() {
    let sched = Sched::<3>::new();
    let mut workers: [_; 3] = core::array::from_fn(|index| sched.worker(index as u32).unwrap());
    let mut rng = Xoshiro256PlusPlus::seed(1);
    assert_eq!((workers[1].park(), workers[2].park()), (Parking::Sleep, Parking::Sleep));
    assert_eq!(workers[0].push(1), Ok(Wake::Worker(1)));
    assert_eq!(workers[0].push(2), Ok(Wake::Worker(2)));
    assert_eq!(workers[0].push(3), Ok(Wake::Nobody));
    for worker in [1, 2] {
        assert!(task(workers[worker].next(&mut rng)).is_some());
    }
    let counts = |index: u32| {
        let stats = sched.stats(index).unwrap();
        (stats.wakes, stats.woken, stats.parked)
    };
    assert_eq!([counts(0), counts(1), counts(2)], [(2, 0, 0), (0, 1, 1), (0, 1, 1)]);
}

/// A burst wakes as many as there are tasks; those who come find more, and wake nobody, as others are on the way.
#[test]
fn a_burst_wakes_as_many_as_there_are_tasks() {
    let sched = Sched::<40>::new();
    let mut workers: Vec<_> = (0..40).map(|index| sched.worker(index).unwrap()).collect();
    for worker in &mut workers {
        assert_eq!(worker.park(), Parking::Sleep);
    }
    for task in 0..10 {
        assert_eq!(sched.submit(task), Ok(Wake::Worker(task)));
    }
    let mut rng = Xoshiro256PlusPlus::seed(1);
    for task in 0..10 {
        let from = Source::Injector;
        assert_eq!(workers[task as usize].next(&mut rng), Next::Task { task, from, wake: Wake::Nobody });
    }
    assert_eq!(sched.coming.load(Ordering::Relaxed), 0);
    // With nobody on the way, who takes one of several wakes the next: worker 0 looked before the submits.
    for task in 0..3 {
        sched.injector.push(task).unwrap();
    }
    assert!(matches!(workers[0].next(&mut rng), Next::Task { wake: Wake::Worker(10), .. }));
    assert!(matches!(workers[1].next(&mut rng), Next::Task { wake: Wake::Nobody, .. }));
    assert!(matches!(workers[10].next(&mut rng), Next::Task { wake: Wake::Nobody, .. }));
}

/// Consolidated to two of four: the others are not woken, finish their own and leave the rest; raised again, they come.
#[test]
fn surplus_workers_finish_their_own_and_sleep_until_they_are_let() {
    let sched = Sched::<4>::new();
    let mut workers: [_; 4] = core::array::from_fn(|index| sched.worker(index as u32).unwrap());
    let mut rng = Xoshiro256PlusPlus::seed(1);
    assert_eq!(workers[3].push(1), Ok(Wake::Nobody));
    assert_eq!(workers[2].park(), Parking::Stay);
    assert_eq!(sched.set_awake(2), Wake::Nobody);
    assert_eq!([0, 1, 2, 3].map(|worker| workers[worker].is_surplus()), [false, false, true, true]);
    let _ = sched.submit(2).unwrap();
    assert_eq!(task(workers[3].next(&mut rng)), Some(1), "its own it finishes");
    assert_eq!(workers[3].next(&mut rng), Next::Idle, "the rest is for those who are let");
    assert_eq!((workers[3].park(), workers[2].park()), (Parking::Sleep, Parking::Sleep));
    assert_eq!(task(workers[0].next(&mut rng)), Some(2));
    assert_eq!((workers[0].park(), workers[1].park()), (Parking::Sleep, Parking::Sleep));
    assert_eq!(sched.submit(3), Ok(Wake::Worker(0)));
    assert_eq!(sched.submit(4), Ok(Wake::Worker(1)));
    assert_eq!(sched.submit(5), Ok(Wake::Nobody), "the others sleep on");
    // More are let, and there is work for them:
    assert_eq!(sched.set_awake(3), Wake::Worker(2));
    assert_eq!(task(workers[2].next(&mut rng)), Some(3));
    assert_eq!(sched.set_awake(0), Wake::Nobody);
    assert_eq!(sched.awake(), 1, "somebody must do the work");
    // Worker 1 was chosen for a task when it was let, and is not any more. Worker 0 is awake and will look.
    assert_eq!(workers[1].next(&mut rng), Next::Idle);
    assert_eq!(task(workers[0].next(&mut rng)), Some(4));
}

/// A surplus worker takes the work after all where every worker that is let sleeps: it was chosen for it before.
#[test]
fn a_surplus_worker_leaves_no_work_behind_that_nobody_was_woken_for() {
    let sched = Sched::<2>::new();
    let mut workers: [_; 2] = core::array::from_fn(|index| sched.worker(index as u32).unwrap());
    let mut rng = Xoshiro256PlusPlus::seed(1);
    assert_eq!(workers[1].park(), Parking::Sleep);
    assert_eq!(sched.submit(1), Ok(Wake::Worker(1)));
    // Worker 0 looked before the submit, as it were:
    sched.waiter(0).prepare_park();
    sched.awake.store(1, Ordering::Relaxed);
    assert!(workers[1].is_surplus());
    assert_eq!(task(workers[1].next(&mut rng)), Some(1));
    assert!(!sched.waiter(0).cancel());
}

proptest! {
    /// `k` tasks wake at most `k` workers, and none twice; and whoever is not woken would have found nothing to do that
    /// nobody was woken for.
    #[test]
    fn k_tasks_wake_at_most_k(asleep in prop::collection::vec(any::<bool>(), 40), tasks in 0u32..60, awake in 1u32..50) {
        let sched = Sched::<40>::new();
        let _ = sched.set_awake(awake);
        let mut workers: Vec<_> = (0..40).map(|index| sched.worker(index).unwrap()).collect();
        for (worker, asleep) in workers.iter_mut().zip(&asleep) {
            if *asleep {
                prop_assert_eq!(worker.park(), Parking::Sleep);
            }
        }
        let mut woken: Vec<u32> = (0..tasks).filter_map(|task| sched.submit(task).unwrap().worker()).collect();
        let sleepers = asleep.iter().take(awake as usize).filter(|asleep| **asleep).count();
        prop_assert_eq!(woken.len(), sleepers.min(tasks as usize));
        prop_assert!(woken.iter().all(|worker| asleep[*worker as usize] && workers[*worker as usize].is_woken()));
        woken.dedup();
        prop_assert_eq!(woken.len(), sleepers.min(tasks as usize));
        let is_woken = |(index, asleep): &(usize, &bool)| **asleep && workers[*index].is_woken();
        prop_assert_eq!(asleep.iter().enumerate().filter(is_woken).count(), woken.len());
    }
}

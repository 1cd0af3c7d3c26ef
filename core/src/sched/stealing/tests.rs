use super::*;
use crate::rng::Xoshiro256PlusPlus;
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
    let (seat, injector, events) = ((4 + 5) * 4 + 64 * 4, 2 * 4 + 16 * 8, 3 * 4);
    assert_eq!(size_of::<Scheduler<u32, Inline<2>, Inline<64>, Inline<16>>>(), 2 * seat + injector + events);
}

#[test]
fn it_is_shared_between_threads_and_its_workers_move() {
    fn both<T: Send + Sync>(_: &T) {}
    fn sends<T: Send>(_: &T) {}
    let sched = Scheduler::<core::cell::Cell<u8>, Inline<1>, Inline<1>, Inline<1>>::new();
    both(&sched);
    sends(&sched.worker(0));
}

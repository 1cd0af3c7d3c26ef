//! Workers that share nothing and send messages: a bounded channel in, a bounded channel out.
//!
//! `cargo run --release -p divvy-host --example message_passing`
//!
//! The channel is `divvy::queue::Mpmc`, which never waits, and a way to sleep: whoever finds it empty, or full, is an
//! [`EventCount`] waiter and parks its thread until the other side has moved. That it is bounded is what keeps a fast
//! producer from filling the memory: `send` waits until there is room.

use divvy::queue::Mpmc;
use divvy::sched::{EventCount, Park};
use divvy::storage::{Full, Heap, Inline};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, Thread};

const WORKERS: u32 = 3;
/// The workers and the main thread, which has the last number.
const THREADS: usize = WORKERS as usize + 1;
const MAIN: u32 = WORKERS;

/// Lets the threads of this program sleep, each under its number.
struct Threads([OnceLock<Thread>; THREADS]);

static THREAD: Threads = Threads([const { OnceLock::new() }; THREADS]);

impl Park for Threads {
    fn park(&self, _worker: u32) {
        thread::park();
    }

    fn unpark(&self, worker: u32) {
        if let Some(thread) = self.0[worker as usize].get() {
            thread.unpark();
        }
    }
}

/// A bounded channel: any thread sends, any thread receives.
struct Channel<T> {
    queue: Mpmc<T, Heap>,
    /// Threads that wait for an item, and threads that wait for room.
    receivers: EventCount<Inline<THREADS>>,
    senders: EventCount<Inline<THREADS>>,
    /// How many senders there still are. Without any, an empty channel is at its end.
    open: AtomicU32,
}

impl<T: Send> Channel<T> {
    fn new(capacity: usize, senders: u32) -> Self {
        Self {
            queue: Mpmc::with_capacity(capacity).expect("a capacity from 1 up"),
            receivers: EventCount::new(),
            senders: EventCount::new(),
            open: AtomicU32::new(senders),
        }
    }

    /// Waits until there is room. `me` is the number of the calling thread.
    fn send(&self, me: u32, mut item: T) {
        loop {
            match self.queue.push(item) {
                Ok(()) => break,
                Err(Full(back)) => item = back,
            }
            // Announce the sleep first and look once more, so that no wake-up falls between the two.
            let waiter = self.senders.waiter(me).expect("there is one for each thread");
            waiter.prepare_park();
            match self.queue.push(item) {
                Ok(()) => {
                    if waiter.cancel() {
                        // Somebody made room for a waiter and chose this one, which needed none: pass it on.
                        self.senders.notify_one().deliver(&THREAD);
                    }
                    break;
                }
                Err(Full(back)) => item = back,
            }
            while !waiter.is_woken() {
                THREAD.park(me);
            }
        }
        self.receivers.notify_one().deliver(&THREAD);
    }

    /// The next item, or `None` once all senders are done and the channel is empty.
    fn receive(&self, me: u32) -> Option<T> {
        loop {
            let waiter = self.receivers.waiter(me).expect("there is one for each thread");
            let mut item = self.queue.pop();
            if item.is_none() {
                waiter.prepare_park();
                // In this order: what was sent before the last sender left is seen by the look after it.
                let at_end = self.open.load(Ordering::Acquire) == 0;
                item = self.queue.pop();
                if item.is_none() && !at_end {
                    while !waiter.is_woken() {
                        THREAD.park(me);
                    }
                    continue;
                }
                if waiter.cancel() {
                    self.receivers.notify_one().deliver(&THREAD);
                }
            }
            if item.is_some() {
                self.senders.notify_one().deliver(&THREAD);
            }
            return item;
        }
    }

    /// A sender is done. The last one wakes all who wait.
    fn close(&self) {
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            for _ in 0..THREADS {
                self.receivers.notify_one().deliver(&THREAD);
            }
        }
    }
}

pub(crate) fn main() {
    /// Few places, so that both sides have to wait.
    const PLACES: usize = 4;
    const JOBS: u64 = 2_000;

    let jobs: Channel<u64> = Channel::new(PLACES, 1);
    let results: Channel<(u64, u64)> = Channel::new(PLACES, WORKERS);
    let _ = THREAD.0[MAIN as usize].set(thread::current());

    let (mut sum, mut done) = (0, [0u32; WORKERS as usize]);
    thread::scope(|scope| {
        for me in 0..WORKERS {
            let (jobs, results) = (&jobs, &results);
            scope.spawn(move || {
                let _ = THREAD.0[me as usize].set(thread::current());
                // The worker owns what it was sent, and keeps nothing that others could see.
                while let Some(n) = jobs.receive(me) {
                    results.send(me, (u64::from(me), steps_to_one(n)));
                }
                results.close();
            });
        }
        // The main thread is on both ends: it hands out one job for each result that it takes, once a few are out. If it
        // sent all jobs first, both channels would fill, and everyone would wait for everyone.
        let mut next = 1..=JOBS;
        for n in next.by_ref().take(PLACES) {
            jobs.send(MAIN, n);
        }
        let mut left = JOBS;
        while left > 0 {
            let Some((worker, steps)) = results.receive(MAIN) else { break };
            sum += steps;
            done[worker as usize] += 1;
            left -= 1;
            if let Some(n) = next.next() {
                jobs.send(MAIN, n);
            }
        }
        jobs.close();
    });

    println!("{JOBS} jobs, {sum} steps");
    for (worker, jobs) in done.iter().enumerate() {
        println!("worker {worker}: {jobs}");
    }
    assert_eq!(sum, (1..=JOBS).map(steps_to_one).sum::<u64>());
    assert_eq!(u64::from(done.iter().sum::<u32>()), JOBS);
}

/// How often a number is halved, or tripled and one added, until it is 1.
fn steps_to_one(mut n: u64) -> u64 {
    let mut steps = 0;
    while n != 1 {
        n = if n.is_multiple_of(2) { n / 2 } else { 3 * n + 1 };
        steps += 1;
    }
    steps
}

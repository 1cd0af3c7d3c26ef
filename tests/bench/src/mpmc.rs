//! Bounded queues that any thread may send to and receive from, 128 places, 64-bit items.

use crate::rounds::{Contender, StartingLine, cpu_time, nanosecond_table, time_each, undisturbed};
use std::cell::Cell;
use std::hint::black_box;
use std::thread;
use std::time::Instant;

const CAPACITY: usize = 128;
const BATCH: usize = 32;

/// A bounded queue.
trait Ring: Sync + 'static {
    const NAME: &str;
    fn new() -> Self;
    /// Whether there was room.
    fn push(&self, item: u64) -> bool;
    fn pop(&self) -> Option<u64>;
    /// How many of these there was room for, from the first one on.
    fn push_all(&self, items: &[u64]) -> usize {
        items.iter().take_while(|item| self.push(**item)).count()
    }
    /// Takes up to [`BATCH`] items: how many, and their sum.
    fn pop_all(&self) -> (usize, u64) {
        let mut taken = (0, 0u64);
        while taken.0 < BATCH {
            let Some(item) = self.pop() else { break };
            taken = (taken.0 + 1, taken.1.wrapping_add(item));
        }
        taken
    }
}

/// The baseline: one place, and not to be shared.
struct Place(Cell<u64>);

impl Place {
    fn pair(&self, item: u64) {
        self.0.set(item);
        black_box(self.0.get());
    }
}

impl Ring for crossbeam_queue::ArrayQueue<u64> {
    const NAME: &str = "crossbeam ArrayQueue";
    fn new() -> Self {
        Self::new(CAPACITY)
    }
    fn push(&self, item: u64) -> bool {
        self.push(item).is_ok()
    }
    fn pop(&self) -> Option<u64> {
        self.pop()
    }
}

// Upstream marks it deprecated because it is not lock-free; it is still what no_std users have. With `mpmc_large`, as
// its small indices were seen to hang.
type HeaplessQueue = heapless::mpmc::Queue<u64, CAPACITY>;

impl Ring for HeaplessQueue {
    const NAME: &str = "heapless mpmc (mpmc_large)";
    fn new() -> Self {
        #[expect(deprecated)]
        Self::new()
    }
    fn push(&self, item: u64) -> bool {
        self.enqueue(item).is_ok()
    }
    fn pop(&self) -> Option<u64> {
        self.dequeue()
    }
}

type Divvy = divvy::queue::Mpmc<u64, divvy::storage::Inline<CAPACITY>>;

impl Ring for Divvy {
    const NAME: &str = "divvy::queue::Mpmc";
    fn new() -> Self {
        Self::new()
    }
    fn push(&self, item: u64) -> bool {
        self.push(item).is_ok()
    }
    fn pop(&self) -> Option<u64> {
        self.pop()
    }
    fn push_all(&self, items: &[u64]) -> usize {
        self.push_batch(&mut items.iter().copied())
    }
    fn pop_all(&self) -> (usize, u64) {
        let batch = self.pop_batch(BATCH);
        (batch.len(), batch.fold(0, u64::wrapping_add))
    }
}

pub(crate) fn table(rounds: u32) -> Result<String, String> {
    let place = Place(Cell::new(0));
    let baseline = || Contender::new("baseline: one place", || time_each(1_000_000, |i| place.pair(i)));
    let alone = vec![
        baseline(),
        alone::<crossbeam_queue::ArrayQueue<u64>>(),
        alone::<HeaplessQueue>(),
        alone::<Divvy>(),
    ];
    let two = vec![
        baseline(),
        shared::<crossbeam_queue::ArrayQueue<u64>>(),
        shared::<HeaplessQueue>(),
        shared::<Divvy>(),
    ];
    let batches = vec![
        baseline(),
        batches::<crossbeam_queue::ArrayQueue<u64>>(),
        batches::<HeaplessQueue>(),
        batches::<Divvy>(),
    ];
    let passed = vec![
        baseline(),
        passed::<crossbeam_queue::ArrayQueue<u64>>(),
        passed::<HeaplessQueue>(),
        passed::<Divvy>(),
    ];
    Ok([
        nanosecond_table("one thread, push and pop", rounds, alone),
        nanosecond_table(
            "one thread, 32 pushed, then 32 popped, by item (peers one by one)",
            rounds,
            batches,
        ),
        nanosecond_table("two threads, each push and pop, by pair of both", rounds, two),
        nanosecond_table(
            "from one thread to another, up to 32 at once, by item (peers one by one)",
            rounds,
            passed,
        ),
    ]
    .join("\n"))
}

fn alone<R: Ring>() -> Contender<'static> {
    let ring = R::new();
    Contender::new(R::NAME, move || {
        time_each(500_000, |i| {
            assert!(ring.push(i));
            black_box(ring.pop());
        })
    })
}

/// Two threads on one queue; wall time by pair of push and pop, those of both threads counted.
fn shared<R: Ring>() -> Contender<'static> {
    const PAIRS: u64 = 1_000_000;
    let ring = R::new();
    Contender::new(R::NAME, move || {
        undisturbed(2 * PAIRS, || {
            let (ring, start) = (&ring, &StartingLine::new(2));
            let work = move || {
                start.wait();
                let (begin, before) = (Instant::now(), cpu_time());
                for i in 0..PAIRS {
                    while !ring.push(i) {
                        std::hint::spin_loop();
                    }
                    // What the one pushed the other may have popped: as many pops as pushes succeed in the end.
                    while ring.pop().is_none() {
                        std::hint::spin_loop();
                    }
                }
                (begin, Instant::now(), cpu_time() - before)
            };
            thread::scope(|scope| {
                let threads = [scope.spawn(work), scope.spawn(work)];
                let [one, other] = threads.map(|thread| thread.join().expect("the loop does not panic"));
                // From the first one's begin to the last one's end: threads that ran one after the other do not count.
                (one.1.max(other.1) - one.0.min(other.0), one.2.min(other.2))
            })
        })
    })
}

fn batches<R: Ring>() -> Contender<'static> {
    let ring = R::new();
    Contender::new(R::NAME, move || {
        time_each(50_000, |i| {
            let items = [i; BATCH];
            assert_eq!(ring.push_all(black_box(&items)), BATCH);
            black_box(ring.pop_all());
        }) / BATCH as f64
    })
}

/// One thread puts in, another takes out; wall time by item.
fn passed<R: Ring>() -> Contender<'static> {
    const ITEMS: usize = 2_000_000;
    let ring = R::new();
    Contender::new(R::NAME, move || {
        undisturbed(ITEMS as u64, || {
            let (ring, start) = (&ring, &StartingLine::new(2));
            let put = move || {
                let items = [1; BATCH];
                start.wait();
                let (begin, before) = (Instant::now(), cpu_time());
                let mut left = ITEMS;
                while left > 0 {
                    let pushed = ring.push_all(black_box(&items[..left.min(BATCH)]));
                    if pushed == 0 {
                        std::hint::spin_loop();
                    }
                    left -= pushed;
                }
                (begin, Instant::now(), cpu_time() - before)
            };
            let take = move || {
                start.wait();
                let (begin, before) = (Instant::now(), cpu_time());
                let (mut left, mut sum) = (ITEMS, 0);
                while left > 0 {
                    let (taken, of_them) = ring.pop_all();
                    if taken == 0 {
                        std::hint::spin_loop();
                    }
                    left -= taken;
                    sum += of_them;
                }
                assert_eq!(sum, ITEMS as u64);
                (begin, Instant::now(), cpu_time() - before)
            };
            thread::scope(|scope| {
                let (put, take) = (scope.spawn(put), scope.spawn(take));
                let [one, other] =
                    [put.join(), take.join()].map(|thread| thread.expect("the loop does not panic"));
                (one.1.max(other.1) - one.0.min(other.0), one.2.min(other.2))
            })
        })
    })
}

//! Bounded queues that any thread may send to and receive from, 128 places, 64-bit items.

use crate::rounds::{Contender, StartingLine, cpu_time, nanosecond_table, time_each, undisturbed};
use std::cell::Cell;
use std::hint::black_box;
use std::thread;
use std::time::Instant;

const CAPACITY: usize = 128;

/// A bounded queue.
trait Ring: Sync + 'static {
    const NAME: &str;
    fn new() -> Self;
    /// Whether there was room.
    fn push(&self, item: u64) -> bool;
    fn pop(&self) -> Option<u64>;
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
    Ok([
        nanosecond_table("one thread, push and pop", rounds, alone),
        nanosecond_table("two threads, each push and pop, by pair of both", rounds, two),
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
                (begin.elapsed(), cpu_time() - before)
            };
            thread::scope(|scope| {
                let threads = [scope.spawn(work), scope.spawn(work)];
                let [one, other] = threads.map(|thread| thread.join().expect("the loop does not panic"));
                (one.0.max(other.0), one.1.min(other.1))
            })
        })
    })
}

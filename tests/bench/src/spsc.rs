//! Bounded queues from one thread to another, 128 places, 64-bit items.

use crate::rounds::{Contender, StartingLine, cpu_time, nanosecond_table, time_each, undisturbed};
use divvy::queue::spsc;
use divvy::storage::Inline;
use std::hint::black_box;
use std::thread;
use std::time::Instant;

const CAPACITY: usize = 128;

/// A bounded queue with two ends.
trait Pipe: Send + 'static {
    const NAME: &str;
    type Producer<'a>: Send
    where
        Self: 'a;
    type Consumer<'a>: Send
    where
        Self: 'a;
    fn new() -> Self;
    fn ends(&mut self) -> (Self::Producer<'_>, Self::Consumer<'_>);
    /// Whether there was room.
    fn push(producer: &mut Self::Producer<'_>, item: u64) -> bool;
    fn pop(consumer: &mut Self::Consumer<'_>) -> Option<u64>;
}

struct Rtrb;

impl Pipe for Rtrb {
    const NAME: &str = "rtrb";
    type Producer<'a> = rtrb::Producer<u64>;
    type Consumer<'a> = rtrb::Consumer<u64>;
    fn new() -> Self {
        Self
    }
    fn ends(&mut self) -> (Self::Producer<'_>, Self::Consumer<'_>) {
        rtrb::RingBuffer::new(CAPACITY)
    }
    fn push(producer: &mut Self::Producer<'_>, item: u64) -> bool {
        producer.push(item).is_ok()
    }
    fn pop(consumer: &mut Self::Consumer<'_>) -> Option<u64> {
        consumer.pop().ok()
    }
}

/// It keeps one place free.
type HeaplessQueue = heapless::spsc::Queue<u64, { CAPACITY + 1 }>;

impl Pipe for HeaplessQueue {
    const NAME: &str = "heapless spsc";
    type Producer<'a> = heapless::spsc::Producer<'a, u64>;
    type Consumer<'a> = heapless::spsc::Consumer<'a, u64>;
    fn new() -> Self {
        Self::new()
    }
    fn ends(&mut self) -> (Self::Producer<'_>, Self::Consumer<'_>) {
        self.split()
    }
    fn push(producer: &mut Self::Producer<'_>, item: u64) -> bool {
        producer.enqueue(item).is_ok()
    }
    fn pop(consumer: &mut Self::Consumer<'_>) -> Option<u64> {
        consumer.dequeue()
    }
}

type Divvy = spsc::Spsc<u64, Inline<CAPACITY>>;

impl Pipe for Divvy {
    const NAME: &str = "divvy::queue::Spsc";
    type Producer<'a> = spsc::Producer<'a, u64, Inline<CAPACITY>>;
    type Consumer<'a> = spsc::Consumer<'a, u64, Inline<CAPACITY>>;
    fn new() -> Self {
        Self::new()
    }
    fn ends(&mut self) -> (Self::Producer<'_>, Self::Consumer<'_>) {
        (self.producer().expect("taken once"), self.consumer().expect("taken once"))
    }
    fn push(producer: &mut Self::Producer<'_>, item: u64) -> bool {
        producer.push(item).is_ok()
    }
    fn pop(consumer: &mut Self::Consumer<'_>) -> Option<u64> {
        consumer.pop()
    }
}

pub(crate) fn table(rounds: u32) -> Result<String, String> {
    let baseline = || {
        let mut place = 0;
        Contender::new("baseline: one place", move || {
            time_each(1_000_000, |i| {
                place = black_box(i);
                black_box(place);
            })
        })
    };
    let alone = vec![baseline(), alone::<Rtrb>(), alone::<HeaplessQueue>(), alone::<Divvy>()];
    let passed = vec![baseline(), passed::<Rtrb>(), passed::<HeaplessQueue>(), passed::<Divvy>()];
    Ok([
        nanosecond_table("one thread, push and pop", rounds, alone),
        nanosecond_table("from one thread to another, by item", rounds, passed),
    ]
    .join("\n"))
}

fn alone<P: Pipe>() -> Contender<'static> {
    let mut pipe = P::new();
    Contender::new(P::NAME, move || {
        let (mut producer, mut consumer) = pipe.ends();
        time_each(1_000_000, |i| {
            assert!(P::push(&mut producer, i));
            black_box(P::pop(&mut consumer));
        })
    })
}

fn passed<P: Pipe>() -> Contender<'static> {
    const ITEMS: u64 = 5_000_000;
    let mut pipe = P::new();
    Contender::new(P::NAME, move || {
        undisturbed(ITEMS, || {
            let start = &StartingLine::new(2);
            let (mut producer, mut consumer) = pipe.ends();
            thread::scope(|scope| {
                let put = scope.spawn(move || {
                    start.wait();
                    let (begin, before) = (Instant::now(), cpu_time());
                    for item in 0..ITEMS {
                        while !P::push(&mut producer, item) {
                            std::hint::spin_loop();
                        }
                    }
                    (begin, Instant::now(), cpu_time() - before)
                });
                let take = scope.spawn(move || {
                    start.wait();
                    let (begin, before) = (Instant::now(), cpu_time());
                    for expected in 0..ITEMS {
                        loop {
                            match P::pop(&mut consumer) {
                                Some(item) => {
                                    assert_eq!(item, expected);
                                    break;
                                }
                                None => std::hint::spin_loop(),
                            }
                        }
                    }
                    (begin, Instant::now(), cpu_time() - before)
                });
                let [one, other] =
                    [put.join(), take.join()].map(|thread| thread.expect("the loop does not panic"));
                // From the first one's begin to the last one's end.
                (one.1.max(other.1) - one.0.min(other.0), one.2.min(other.2))
            })
        })
    })
}

//! Work-stealing deques of 256 places, 64-bit items: what the owner pays alone, and with a thief beside it.

use crate::rounds::{Contender, StartingLine, cpu_time, nanosecond_table, time_each, undisturbed};
use divvy::queue::{self, Sharing};
use divvy::storage::Inline;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const CAPACITY: usize = 256;
const BURST: u64 = 64;

/// A deque with an owner's end and thieves.
trait Deque: Sync {
    const NAME: &str;
    type Worker<'a>: Send
    where
        Self: 'a;
    type Stealer<'a>: Send
    where
        Self: 'a;
    fn new() -> Self;
    /// The two ends, taken once.
    fn ends(&self) -> (Self::Worker<'_>, Self::Stealer<'_>);
    /// Whether there was room.
    fn push(worker: &Self::Worker<'_>, item: u64) -> bool;
    fn pop(worker: &Self::Worker<'_>) -> Option<u64>;
    /// Takes up to half of what the victim holds: one item in hand, the others in `thief`.
    fn steal(victim: &Self::Stealer<'_>, thief: &Self::Worker<'_>) -> Option<u64>;
}

struct St3;

impl Deque for St3 {
    const NAME: &str = "st3 LIFO";
    type Worker<'a> = st3::lifo::Worker<u64>;
    type Stealer<'a> = st3::lifo::Stealer<u64>;
    fn new() -> Self {
        Self
    }
    fn ends(&self) -> (Self::Worker<'_>, Self::Stealer<'_>) {
        let worker = st3::lifo::Worker::new(CAPACITY);
        let stealer = worker.stealer();
        (worker, stealer)
    }
    fn push(worker: &Self::Worker<'_>, item: u64) -> bool {
        worker.push(item).is_ok()
    }
    fn pop(worker: &Self::Worker<'_>) -> Option<u64> {
        worker.pop()
    }
    fn steal(victim: &Self::Stealer<'_>, thief: &Self::Worker<'_>) -> Option<u64> {
        Some(victim.steal_and_pop(thief, |available| available.div_ceil(2)).ok()?.0)
    }
}

struct St3Fifo;

impl Deque for St3Fifo {
    const NAME: &str = "st3 FIFO";
    type Worker<'a> = st3::fifo::Worker<u64>;
    type Stealer<'a> = st3::fifo::Stealer<u64>;
    fn new() -> Self {
        Self
    }
    fn ends(&self) -> (Self::Worker<'_>, Self::Stealer<'_>) {
        let worker = st3::fifo::Worker::new(CAPACITY);
        let stealer = worker.stealer();
        (worker, stealer)
    }
    fn push(worker: &Self::Worker<'_>, item: u64) -> bool {
        worker.push(item).is_ok()
    }
    fn pop(worker: &Self::Worker<'_>) -> Option<u64> {
        worker.pop()
    }
    fn steal(victim: &Self::Stealer<'_>, thief: &Self::Worker<'_>) -> Option<u64> {
        Some(victim.steal_and_pop(thief, |available| available.div_ceil(2)).ok()?.0)
    }
}

struct Crossbeam<const FIFO: bool>;

impl<const FIFO: bool> Deque for Crossbeam<FIFO> {
    const NAME: &str = if FIFO { "crossbeam-deque FIFO (grows)" } else { "crossbeam-deque LIFO (grows)" };
    type Worker<'a> = crossbeam_deque::Worker<u64>;
    type Stealer<'a> = crossbeam_deque::Stealer<u64>;
    fn new() -> Self {
        Self
    }
    fn ends(&self) -> (Self::Worker<'_>, Self::Stealer<'_>) {
        let worker =
            if FIFO { crossbeam_deque::Worker::new_fifo() } else { crossbeam_deque::Worker::new_lifo() };
        let stealer = worker.stealer();
        (worker, stealer)
    }
    fn push(worker: &Self::Worker<'_>, item: u64) -> bool {
        worker.push(item);
        true
    }
    fn pop(worker: &Self::Worker<'_>) -> Option<u64> {
        worker.pop()
    }
    fn steal(victim: &Self::Stealer<'_>, thief: &Self::Worker<'_>) -> Option<u64> {
        victim.steal_batch_and_pop(thief).success()
    }
}

type Slots = queue::Deque<u64, Inline<CAPACITY>>;

fn sharing(on_demand: bool) -> Sharing {
    if on_demand { Sharing::OnDemand } else { Sharing::AtOnce }
}

struct Divvy<const ON_DEMAND: bool>(Slots);

impl<const ON_DEMAND: bool> Deque for Divvy<ON_DEMAND> {
    const NAME: &str = if ON_DEMAND { "divvy LIFO, shared on demand" } else { "divvy LIFO, shared at once" };
    type Worker<'a> = queue::Worker<'a, u64, Inline<CAPACITY>>;
    type Stealer<'a> = queue::Stealer<'a, u64, Inline<CAPACITY>>;
    fn new() -> Self {
        Self(Slots::new())
    }
    fn ends(&self) -> (Self::Worker<'_>, Self::Stealer<'_>) {
        let worker = self.0.worker().expect("taken once");
        worker.set_sharing(sharing(ON_DEMAND));
        (worker, self.0.stealer())
    }
    fn push(worker: &Self::Worker<'_>, item: u64) -> bool {
        worker.push(item).is_ok()
    }
    fn pop(worker: &Self::Worker<'_>) -> Option<u64> {
        worker.pop()
    }
    fn steal(victim: &Self::Stealer<'_>, thief: &Self::Worker<'_>) -> Option<u64> {
        Some(victim.steal_half(thief).success()?.0)
    }
}

struct DivvyFifo<const ON_DEMAND: bool>(Slots);

impl<const ON_DEMAND: bool> Deque for DivvyFifo<ON_DEMAND> {
    const NAME: &str = if ON_DEMAND { "divvy FIFO, shared on demand" } else { "divvy FIFO, shared at once" };
    type Worker<'a> = queue::Worker<'a, u64, Inline<CAPACITY>, queue::Fifo>;
    type Stealer<'a> = queue::Stealer<'a, u64, Inline<CAPACITY>>;
    fn new() -> Self {
        Self(Slots::new())
    }
    fn ends(&self) -> (Self::Worker<'_>, Self::Stealer<'_>) {
        let worker = self.0.fifo_worker().expect("taken once");
        worker.set_sharing(sharing(ON_DEMAND));
        (worker, self.0.stealer())
    }
    fn push(worker: &Self::Worker<'_>, item: u64) -> bool {
        worker.push(item).is_ok()
    }
    fn pop(worker: &Self::Worker<'_>) -> Option<u64> {
        worker.pop()
    }
    fn steal(victim: &Self::Stealer<'_>, thief: &Self::Worker<'_>) -> Option<u64> {
        Some(victim.steal_half(thief).success()?.0)
    }
}

pub(crate) fn table(rounds: u32) -> Result<String, String> {
    let alone = |burst| {
        vec![
            vector(burst),
            alone::<St3>(burst),
            alone::<St3Fifo>(burst),
            alone::<Crossbeam<false>>(burst),
            alone::<Crossbeam<true>>(burst),
            alone::<Divvy<false>>(burst),
            alone::<DivvyFifo<false>>(burst),
            alone::<Divvy<true>>(burst),
            alone::<DivvyFifo<true>>(burst),
        ]
    };
    let stolen = vec![
        vector(BURST),
        stolen::<St3>(),
        stolen::<St3Fifo>(),
        stolen::<Crossbeam<false>>(),
        stolen::<Crossbeam<true>>(),
        stolen::<Divvy<false>>(),
        stolen::<DivvyFifo<false>>(),
        stolen::<Divvy<true>>(),
        stolen::<DivvyFifo<true>>(),
    ];
    Ok([
        nanosecond_table("owner alone, push and pop", rounds, alone(1)),
        nanosecond_table("owner alone, 64 pushes then 64 pops, by item", rounds, alone(BURST)),
        nanosecond_table("owner and a thief who takes half, by item", rounds, stolen),
    ]
    .join("\n"))
}

/// The baseline: a vector that nobody shares.
fn vector(burst: u64) -> Contender<'static> {
    let mut items = Vec::with_capacity(CAPACITY);
    Contender::new("baseline: a vector, not shared", move || {
        time_each(1_000_000 / burst, |i| {
            for item in 0..burst {
                items.push(black_box(i + item));
            }
            for _ in 0..burst {
                black_box(items.pop());
            }
        }) / burst as f64
    })
}

fn alone<D: Deque>(burst: u64) -> Contender<'static> {
    Contender::new(D::NAME, move || {
        let deque = D::new();
        let (worker, _stealer) = deque.ends();
        time_each(1_000_000 / burst, |i| {
            for item in 0..burst {
                assert!(D::push(&worker, i + item));
            }
            for _ in 0..burst {
                black_box(D::pop(&worker));
            }
        }) / burst as f64
    })
}

/// The owner pushes bursts and pops what is left of them; the thief steals and empties its own deque.
fn stolen<D: Deque>() -> Contender<'static> {
    const BURSTS: u64 = 20_000;
    Contender::new(D::NAME, || {
        undisturbed(BURSTS * BURST, || {
            let (deque, own) = (D::new(), D::new());
            let (owner, stealer) = deque.ends();
            let (thief, _) = own.ends();
            let (start, done) = (&StartingLine::new(2), &AtomicBool::new(false));
            let (elapsed, taken, cpu) = thread::scope(|scope| {
                let thief = scope.spawn(move || {
                    let mut taken = 0;
                    start.wait();
                    let before = cpu_time();
                    while !done.load(Ordering::Acquire) {
                        let mut item = D::steal(&stealer, &thief);
                        while let Some(got) = item {
                            black_box(got);
                            taken += 1;
                            item = D::pop(&thief);
                        }
                    }
                    (taken, cpu_time() - before)
                });
                let mut taken = 0;
                start.wait();
                let (begin, before) = (Instant::now(), cpu_time());
                for burst in 0..BURSTS {
                    for item in 0..BURST {
                        // First in, first out, a thief that was stopped halfway is in the way after a while. Then the owner
                        // keeps the item in hand.
                        taken += u64::from(!D::push(&owner, black_box(burst + item)));
                    }
                    while let Some(item) = D::pop(&owner) {
                        black_box(item);
                        taken += 1;
                    }
                }
                let elapsed = begin.elapsed();
                done.store(true, Ordering::Release);
                let cpu = cpu_time() - before;
                let (stolen, thief_cpu) = thief.join().expect("the thief does not panic");
                // Where next to nothing was stolen, the two did not meet: such a round is as good as disturbed.
                let met = stolen * 100 >= BURSTS * BURST;
                (elapsed, taken + stolen, if met { cpu.min(thief_cpu) } else { Duration::ZERO })
            });
            assert_eq!(taken, BURSTS * BURST, "{}: every item is taken once", D::NAME);
            (elapsed, cpu)
        })
    })
}

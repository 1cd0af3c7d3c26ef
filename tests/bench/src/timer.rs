//! Timers, delays uniform from 1 to 60,000 ticks of a millisecond, 32-bit items; for each timer.

use crate::rounds::{Contender, cpu_time, nanosecond_table};
use divvy::Instant;
use divvy::queue::TimerWheel;
use divvy::queue::timer_wheel::TimerId;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Heap;
use hierarchical_hash_wheel_timer::IdOnlyTimerEntry;
use hierarchical_hash_wheel_timer::wheels::{cancellable, quad_wheel};
use std::hint::black_box;
use std::rc::Rc;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio_util::time::{DelayQueue, delay_queue::Key};

const TICKS: u32 = 60_000;

/// A set of timers, made anew for each sample.
trait Timers: Sized {
    const NAME: &str;
    type Id;
    fn new(capacity: u32) -> Self;
    fn insert(&mut self, delay: u32, item: u32) -> Self::Id;
    fn cancel(&mut self, id: &Self::Id) -> bool;
    /// Fires all timers, tick by tick where that is how it is driven: how many.
    fn expire(&mut self) -> u32;
}

struct Divvy(TimerWheel<u32, Heap>);

impl Timers for Divvy {
    const NAME: &str = "divvy::queue::TimerWheel, each tick";
    type Id = TimerId;
    fn new(capacity: u32) -> Self {
        Self(TimerWheel::with_capacity(Duration::from_millis(1), capacity))
    }
    fn insert(&mut self, delay: u32, item: u32) -> TimerId {
        self.0.insert(Instant::from_millis(delay.into()), item).expect("there is room for all")
    }
    fn cancel(&mut self, id: &TimerId) -> bool {
        self.0.cancel(*id).is_some()
    }
    fn expire(&mut self) -> u32 {
        let mut fired = 0;
        for tick in 1..=u64::from(TICKS) {
            while let Some(item) = self.0.expire(Instant::from_millis(tick)) {
                black_box(item);
                fired += 1;
            }
        }
        fired
    }
}

/// The same, asked once when all are due, as `DelayQueue` is here.
struct DivvyAtOnce(Divvy);

impl Timers for DivvyAtOnce {
    const NAME: &str = "divvy::queue::TimerWheel, at once";
    type Id = TimerId;
    fn new(capacity: u32) -> Self {
        Self(Divvy::new(capacity))
    }
    fn insert(&mut self, delay: u32, item: u32) -> TimerId {
        self.0.insert(delay, item)
    }
    fn cancel(&mut self, id: &TimerId) -> bool {
        self.0.cancel(id)
    }
    fn expire(&mut self) -> u32 {
        let mut fired = 0;
        while let Some(item) = self.0.0.expire(Instant::from_millis(TICKS.into())) {
            black_box(item);
            fired += 1;
        }
        fired
    }
}

impl Timers for quad_wheel::QuadWheelWithOverflow<u32> {
    const NAME: &str = "hierarchical_hash_wheel_timer, each tick";
    type Id = ();
    fn new(_: u32) -> Self {
        Self::default()
    }
    fn insert(&mut self, delay: u32, item: u32) {
        self.insert_with_delay(item, Duration::from_millis(delay.into())).expect("it is not due");
    }
    fn cancel(&mut self, (): &()) -> bool {
        unreachable!("this kind cannot cancel")
    }
    fn expire(&mut self) -> u32 {
        let ticks = (0..TICKS).map(|_| self.tick().into_iter().map(black_box).count() as u32);
        ticks.sum()
    }
}

impl Timers for cancellable::QuadWheelWithOverflow<IdOnlyTimerEntry<u32>> {
    const NAME: &str = "hierarchical_hash_wheel_timer, cancellable";
    type Id = u32;
    fn new(_: u32) -> Self {
        Self::new()
    }
    fn insert(&mut self, delay: u32, item: u32) -> u32 {
        let delay = Duration::from_millis(delay.into());
        let entry = Rc::new(IdOnlyTimerEntry { id: item, delay });
        self.insert_ref_with_delay(entry, delay).expect("it is not due");
        item
    }
    fn cancel(&mut self, id: &u32) -> bool {
        self.cancel(id).is_ok()
    }
    fn expire(&mut self) -> u32 {
        let ticks = (0..TICKS).map(|_| self.tick().into_iter().map(black_box).count() as u32);
        ticks.sum()
    }
}

/// Whose clock stands until it is told to go.
static TOKIO: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("tokio starts")
});

struct Delays(DelayQueue<u32>);

impl Timers for Delays {
    const NAME: &str = "tokio-util DelayQueue, at once";
    type Id = Key;
    fn new(capacity: u32) -> Self {
        Self(DelayQueue::with_capacity(capacity as usize))
    }
    fn insert(&mut self, delay: u32, item: u32) -> Key {
        self.0.insert(item, Duration::from_millis(delay.into()))
    }
    fn cancel(&mut self, id: &Key) -> bool {
        self.0.try_remove(id).is_some()
    }
    fn expire(&mut self) -> u32 {
        TOKIO.block_on(tokio::time::advance(Duration::from_millis(u64::from(TICKS) + 1)));
        let mut context = Context::from_waker(Waker::noop());
        let mut fired = 0;
        while let Poll::Ready(Some(item)) = self.0.poll_expired(&mut context) {
            black_box(item.into_inner());
            fired += 1;
        }
        fired
    }
}

/// What is timed of a set of timers' life.
#[derive(Clone, Copy)]
enum Part {
    Insert,
    Expire,
    /// In the order of insertion.
    Cancel,
    /// In any other.
    CancelShuffled,
}

fn contender<'a, T: Timers + 'a>(part: Part, delays: &'a [u32], shuffled: &'a [u32]) -> Contender<'a> {
    Contender::new(T::NAME, move || {
        let count = delays.len() as u32;
        let mut timers = T::new(count);
        let mut ids = Vec::with_capacity(delays.len());
        let start = cpu_time();
        if matches!(part, Part::Insert) {
            // Writing ids to fresh memory would be timed too, and not every peer has ids.
            for (item, delay) in (0..).zip(delays) {
                black_box(timers.insert(*delay, item));
            }
        } else {
            ids.extend((0..).zip(delays).map(|(item, delay)| timers.insert(*delay, item)));
        }
        let inserted = cpu_time();
        let done = match part {
            Part::Insert => count,
            Part::Expire => timers.expire(),
            Part::Cancel => ids.iter().map(|id| u32::from(timers.cancel(id))).sum(),
            Part::CancelShuffled => {
                shuffled.iter().map(|at| u32::from(timers.cancel(&ids[*at as usize]))).sum()
            }
        };
        let end = cpu_time();
        assert_eq!(done, count, "{}", T::NAME);
        let taken = if matches!(part, Part::Insert) { inserted - start } else { end - inserted };
        taken.as_secs_f64() / f64::from(count)
    })
}

/// Writing the delays down in a list is the baseline.
struct List(Vec<u32>);

impl Timers for List {
    const NAME: &str = "baseline: a list";
    type Id = u32;
    fn new(capacity: u32) -> Self {
        Self(Vec::with_capacity(capacity as usize))
    }
    fn insert(&mut self, delay: u32, item: u32) -> u32 {
        self.0.push(delay);
        item
    }
    fn cancel(&mut self, id: &u32) -> bool {
        black_box(self.0[*id as usize]) > 0
    }
    fn expire(&mut self) -> u32 {
        self.0.drain(..).map(black_box).count() as u32
    }
}

pub(crate) fn table(rounds: u32) -> Result<String, String> {
    // DelayQueue wants a clock around it whatever is asked of it.
    let _context = TOKIO.enter();
    let mut rng = Xoshiro256PlusPlus::seed(0x71);
    let mut tables = Vec::new();
    for (count, rounds) in [(10_000u32, rounds), (1_000_000, rounds.div_ceil(4))] {
        let delays: Vec<u32> = (0..count).map(|_| 1 + rng.below(TICKS)).collect();
        let mut shuffled: Vec<u32> = (0..count).collect();
        for last in (1..count).rev() {
            shuffled.swap(last as usize, rng.below(last + 1) as usize);
        }
        for (name, part) in [
            ("insert", Part::Insert),
            ("expire", Part::Expire),
            ("cancel, first set first", Part::Cancel),
            ("cancel, in any order", Part::CancelShuffled),
        ] {
            let mut contenders = vec![
                contender::<List>(part, &delays, &shuffled),
                contender::<Divvy>(part, &delays, &shuffled),
            ];
            match part {
                Part::Insert => {
                    contenders
                        .push(contender::<quad_wheel::QuadWheelWithOverflow<u32>>(part, &delays, &shuffled));
                }
                Part::Expire => {
                    contenders
                        .push(contender::<quad_wheel::QuadWheelWithOverflow<u32>>(part, &delays, &shuffled));
                    contenders.push(contender::<DivvyAtOnce>(part, &delays, &shuffled));
                }
                Part::Cancel | Part::CancelShuffled => {
                    contenders.push(contender::<cancellable::QuadWheelWithOverflow<IdOnlyTimerEntry<u32>>>(
                        part, &delays, &shuffled,
                    ));
                }
            }
            contenders.push(contender::<Delays>(part, &delays, &shuffled));
            tables.push(nanosecond_table(&format!("{name}, {count} timers"), rounds, contenders));
        }
    }
    Ok(tables.join("\n"))
}

//! The timer wheel: how far from its deadline a timer fires, and how much work that is.

use crate::figure::{Bound, Figure};
use core::time::Duration;
use divvy::Instant;
use divvy::queue::TimerWheel;
use divvy::queue::timer_wheel::Advance;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::{Heap, Inline};

const TICK: u64 = 1_000_000;
const TIMERS: u32 = 100_000;

pub(crate) fn figures() -> Vec<Figure> {
    let mut rng = Xoshiro256PlusPlus::seed(0x71CC);
    let mut wheel = TimerWheel::<u64, Heap>::with_capacity(Duration::from_nanos(TICK), TIMERS);
    // As many near as far: up to 2⁴⁰ ns, which is 18 minutes.
    for _ in 0..TIMERS {
        let deadline = rng.next_u64() >> (24 + rng.below(24));
        wheel.insert(Instant::from_nanos(deadline), deadline).expect("there is room for all");
    }
    // Asked at each moment at which it wants to be, and halfway to it.
    let (mut early, mut latest, mut asked, mut steps) = (0u64, 0f64, 0u64, 0u64);
    while let Some(next) = wheel.next_deadline() {
        let next = next.as_nanos();
        for now in [next.saturating_sub(TICK / 2), next] {
            asked += 1;
            loop {
                match wheel.advance(Instant::from_nanos(now), 1) {
                    Advance::Expired(deadline) => {
                        early += u64::from(now < deadline);
                        latest = latest.max(now.saturating_sub(deadline) as f64 / TICK as f64);
                    }
                    Advance::More => steps += 1,
                    Advance::Done => break,
                }
            }
        }
    }
    // One timer, over all that 64 bits hold.
    let mut far = TimerWheel::<(), Inline<1>>::new(Duration::from_nanos(1));
    far.insert(Instant::from_nanos(u64::MAX - 0x1234), ()).expect("it is empty");
    let mut jump = 0u64;
    while far.advance(Instant::MAX, 1) == Advance::More {
        jump += 1;
    }
    let bound = "never early, at most a tick late: `queue::TimerWheel`";
    vec![
        Figure::new(
            format!("timer wheel: fired before the deadline, of {TIMERS} asked for {asked} times"),
            early as f64,
            Bound::Exactly(0.0),
            bound,
        ),
        Figure::new(
            "timer wheel: latest firing, in ticks after the deadline",
            latest,
            Bound::AtMost(1.0),
            bound,
        ),
        Figure::new(
            "timer wheel: steps for each timer from insertion to firing, delays up to 2²⁰ ticks",
            steps as f64 / f64::from(TIMERS),
            Bound::AtMost(7.0),
            "less than its eight levels: `queue::TimerWheel`",
        ),
        Figure::new(
            "timer wheel: steps for a jump of 584 years in ticks of a nanosecond",
            jump as f64,
            Bound::AtMost(15.0),
            "less than levels: `queue::TimerWheel`",
        ),
    ]
}

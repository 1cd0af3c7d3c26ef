//! Timers near and far, cancelled by good and by stale ids, under a clock that crawls, jumps by years and goes back.

use crate::Digest;
use core::time::Duration;
use divvy::Instant;
use divvy::queue::TimerWheel;
use divvy::queue::timer_wheel::{Advance, TimerId};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

const TIMERS: usize = 12;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    drive::<1>(&mut digest);
    drive::<7_000>(&mut digest);
    drive::<{ 3_600 * 1_000_000_000 }>(&mut digest);
    digest.finish()
}

// The wheel is made by the compiler: one that is put together at run time is on the stack in parts as well. Never inlined: the
// stack of one wheel at a time.
#[inline(never)]
fn drive<const RESOLUTION: u64>(digest: &mut Digest) {
    let mut rng = Xoshiro256PlusPlus::seed(0x71C4);
    let mut wheel = const { TimerWheel::<u32, Inline<TIMERS>>::new(Duration::from_nanos(RESOLUTION)) };
    let mut ids: [Option<TimerId>; TIMERS] = [None; TIMERS];
    let mut now = 1_000_000_000u64;
    for item in 0..1_000u32 {
        let distance = rng.next_u64() >> (20 + rng.below(44));
        match rng.below(16) {
            0..8 => {
                let inserted = wheel.insert(Instant::from_nanos(now.saturating_add(distance)), item);
                digest.feed(inserted.is_ok().into());
                ids[item as usize % TIMERS] = inserted.ok().or(ids[item as usize % TIMERS]);
            }
            8..11 => {
                let id = ids[rng.below(TIMERS as u32) as usize];
                digest.feed_option(id.and_then(|id| wheel.cancel(id)).map(u64::from));
            }
            11 => now = now.saturating_sub(distance),
            12 => {
                now = now.saturating_add(distance >> 8);
                // In small pieces: how many there are is part of the answer.
                loop {
                    match wheel.advance(Instant::from_nanos(now), 2) {
                        Advance::Expired(item) => digest.feed(item.into()),
                        Advance::More => digest.feed(u64::MAX),
                        Advance::Done => break,
                    }
                }
            }
            _ => {
                now = now.saturating_add(distance >> 12);
                while let Some(item) = wheel.expire(Instant::from_nanos(now)) {
                    digest.feed(item.into());
                }
            }
        }
        digest.feed_option(wheel.next_deadline().map(Instant::as_nanos));
    }
    while let Some(item) = wheel.expire(Instant::MAX) {
        digest.feed(item.into());
    }
    digest.feed(wheel.len().into());
}

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
    for resolution in [Duration::from_nanos(1), Duration::from_micros(7), Duration::from_secs(3_600)] {
        drive(&mut digest, resolution);
    }
    digest.finish()
}

fn drive(digest: &mut Digest, resolution: Duration) {
    let mut rng = Xoshiro256PlusPlus::seed(0x71C4);
    let mut wheel = TimerWheel::<u32, Inline<TIMERS>>::new(resolution);
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

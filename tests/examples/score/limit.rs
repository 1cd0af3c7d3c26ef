//! What a rate lets through, in any window and in the long run.

use crate::figure::{Bound, Figure};
use core::num::NonZeroU32;
use core::time::Duration;
use divvy::Instant;
use divvy::limit::{Admit, Crowded, Gcra, Keyed, Quota, SlidingLog};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

const SECOND: u64 = 1_000_000_000;

pub(crate) fn figures() -> Vec<Figure> {
    let mut figures = Vec::new();
    for (cells, burst) in [(5, 1), (3, 10), (1_000, 50)] {
        figures.push(Figure::new(
            format!("limit: most cells in any second, {cells} a second and a burst of {burst}, under a jumping clock"),
            most_in_a_second(cells, burst),
            Bound::AtMost(f64::from(cells + burst - 1)),
            "cells + burst − 1: GCRA, ITU-T I.371",
        ));
    }
    for (cells, seconds) in [(3, 100_000), (7, 100_000), (999_983, 2)] {
        figures.push(Figure::new(
            format!(
                "limit: cells in {seconds} s at {cells} a second and a burst of 2, asked for when told to"
            ),
            steady(cells, seconds),
            Bound::Exactly(f64::from(cells) * f64::from(seconds) + 1.0),
            "cells × seconds, and the burst once: no cell is lost to rounding",
        ));
    }
    figures.push(Figure::new(
        "limit: cells let through a nanosecond before the time that was told, of 100,000 refusals",
        early(),
        Bound::Exactly(0.0),
        "not before `retry_at`: `limit::Admit`",
    ));
    for (burst, most) in [(1, 100.0), (10, 109.0), (100, 199.0)] {
        figures.push(Figure::new(
            format!("limit: most cells in any half-open second, 100 a second and a burst of {burst}, asked for at once"),
            worst_second(burst),
            Bound::Exactly(most),
            "Q31: burst − 1 + ⌈T / t⌉, ITU-T I.371",
        ));
    }
    figures.push(Figure::new(
        "limit: most cells beyond the first burst and what each rate brings, in any window with 1,000 changes of quota",
        requota(),
        Bound::AtMost(0.0),
        "Q32 asks for the old burst and the new one; no change gives any away",
    ));
    figures.push(Figure::new(
        "limit: most cells in any window of a second, sliding log of 100, under a jumping clock",
        most_in_a_window(),
        Bound::Exactly(100.0),
        "the quota: no window holds more",
    ));
    figures.push(Figure::new(
        "limit: bytes of a keyed limiter for each key it can hold, of 10,000",
        (size_of::<Keyed<Inline<10_000>>>() / 10_000) as f64,
        Bound::AtMost(24.0),
        "a hash and an instant with its fraction",
    ));
    figures.push(Figure::new(
        "limit: new keys in a thousand that find no slot, of as many as fill three slots in four",
        crowded(),
        Bound::AtMost(10.0),
        "two sets of four slots to choose from: balanced allocations, Azar and others 1994",
    ));
    figures
}

/// Asks as early as a cell goes, from a full bucket on.
fn worst_second(burst: u32) -> f64 {
    let mut limiter = limiter(100, burst);
    let start = 1_000 * SECOND;
    let (mut now, mut admitted) = (start, 0u32);
    while now < start + SECOND {
        match limiter.admit(Instant::from_nanos(now)) {
            Admit::Yes => admitted += 1,
            Admit::No { retry_at } => now = retry_at.as_nanos(),
        }
    }
    f64::from(admitted)
}

/// Always asks for what may go, under quotas that change to and fro. The times of a cell are whole nanoseconds that divide
/// each other's, so everything is counted in the smallest part of a cell, without rounding.
fn requota() -> f64 {
    const PART: u64 = 1_000;
    // Cells a second, burst, and the parts of a cell that a nanosecond brings, times a million.
    let quotas = [(1_000u32, 5u32), (10_000, 80), (100_000, 1), (1_000_000, 200)];
    let mut rng = Xoshiro256PlusPlus::seed(32);
    let at = Instant::from_nanos;
    let mut current = quotas[0];
    let mut limiter = limiter(current.0, current.1);
    let mut now = 1_000 * SECOND;
    // When, cells admitted, and what the rates have brought so far, in millionths of a cell.
    let mut log = vec![(0u64, current.1, 0u64)];
    let mut brought = 0u64;
    for _ in 0..1_000 {
        for _ in 0..20 {
            // Whole microseconds, of which the slowest rate brings a thousandth of a cell each.
            let step = u64::from(rng.below(400)) * PART;
            now += step;
            brought += step / PART * u64::from(current.0);
            let cells = limiter.available(at(now));
            if let Some(n) = NonZeroU32::new(cells) {
                assert_eq!(limiter.admit_n(at(now), n), Ok(Admit::Yes));
                log.push((u64::from(cells) * 1_000_000, current.1, brought));
            }
        }
        current = quotas[rng.below(4) as usize];
        let count = |n: u32| NonZeroU32::new(n).expect("not zero");
        let quota = Quota::new(count(current.0), Duration::from_secs(1))
            .and_then(|quota| quota.burst(count(current.1)));
        limiter.set_quota(at(now), quota.expect("a valid quota"));
        log.push((0, current.1, brought));
    }
    let mut most = i64::MIN;
    for (i, start) in log.iter().enumerate() {
        let mut sum = 0;
        for event in &log[i..] {
            sum += event.0;
            let share = u64::from(start.1) * 1_000_000 + event.2 - start.2;
            most = most.max(sum as i64 - share as i64);
        }
    }
    most as f64 / 1e6
}

/// Asks twice as often as is allowed, with pauses and with a clock that goes back; time is the latest seen.
fn most_in_a_window() -> f64 {
    let count = NonZeroU32::new(100).expect("not zero");
    let mut limiter =
        SlidingLog::<Inline<100>>::new(count, Duration::from_secs(1)).expect("a slot for each cell");
    let mut rng = Xoshiro256PlusPlus::seed(100);
    let (mut now, mut latest) = (0, 0);
    let mut admitted: Vec<u64> = Vec::new();
    for _ in 0..1_000_000 {
        now = match rng.below(1_000) {
            0 => now - now.min(SECOND / 2),
            1 => now + SECOND,
            _ => now + u64::from(rng.below(10_000_000)),
        };
        latest = latest.max(now);
        if limiter.admit(Instant::from_nanos(now)) == Admit::Yes {
            admitted.push(latest);
        }
    }
    let (mut most, mut first) = (0, 0);
    for (last, at) in admitted.iter().enumerate() {
        while admitted[first] + SECOND <= *at {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most as f64
}

/// 7,500 keys at once in 10,000 slots.
fn crowded() -> f64 {
    let quota = Quota::new(NonZeroU32::MIN, Duration::from_secs(1)).expect("a valid quota");
    let mut limiter = Box::new(Keyed::<Inline<10_000>>::new(quota, Crowded::Refuse));
    let refused = (0..7_500u64).filter(|key| limiter.admit(Instant::ZERO, *key) != Admit::Yes).count();
    refused as f64 / 7.5
}

fn limiter(cells: u32, burst: u32) -> Gcra {
    let count = |n: u32| NonZeroU32::new(n).expect("not zero");
    let quota = Quota::new(count(cells), Duration::from_secs(1)).and_then(|quota| quota.burst(count(burst)));
    Gcra::new(quota.expect("a valid quota"))
}

/// Asks eight times as often as is allowed, with pauses and with a clock that goes back; time is the latest seen.
fn most_in_a_second(cells: u32, burst: u32) -> f64 {
    let mut rng = Xoshiro256PlusPlus::seed(cells.into());
    let mut limiter = limiter(cells, burst);
    let (mut now, mut latest) = (0, 0);
    let mut admitted: Vec<u64> = Vec::new();
    let step = SECOND as u32 / cells / 4;
    for _ in 0..1_000_000 {
        // A jump every three seconds or so.
        now = match rng.below(24 * cells) {
            0 => now - now.min(SECOND / 2),
            1 => now + 3 * SECOND,
            _ => now + u64::from(rng.below(step)),
        };
        latest = latest.max(now);
        if limiter.admit(Instant::from_nanos(now)) == Admit::Yes {
            admitted.push(latest);
        }
    }
    let mut most = 0;
    let mut first = 0;
    for (last, at) in admitted.iter().enumerate() {
        while admitted[first] + SECOND <= *at {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most as f64
}

/// Asks again exactly when it was told to. A burst of two makes up for coming back on a whole nanosecond, up to one late.
fn steady(cells: u32, seconds: u32) -> f64 {
    let mut limiter = limiter(cells, 2);
    let end = Instant::from_secs(seconds.into());
    let (mut now, mut admitted) = (Instant::ZERO, 0u64);
    while now < end {
        match limiter.admit(now) {
            Admit::Yes => admitted += 1,
            Admit::No { retry_at } => {
                assert!(retry_at > now, "the time to come back lies ahead");
                now = retry_at;
            }
        }
    }
    admitted as f64
}

/// Asks a nanosecond too early each time it was told when to come back.
fn early() -> f64 {
    let mut limiter = limiter(999_983, 1);
    let mut now = Instant::ZERO;
    let (mut refusals, mut early) = (0, 0);
    while refusals < 100_000 {
        if let Admit::No { retry_at } = limiter.admit(now) {
            refusals += 1;
            now = retry_at.saturating_sub(Duration::from_nanos(1));
            early += u32::from(limiter.admit(now) == Admit::Yes);
            now = retry_at;
        }
    }
    f64::from(early)
}

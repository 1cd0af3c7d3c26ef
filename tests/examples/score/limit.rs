//! What a rate lets through, in any window and in the long run.

use crate::figure::{Bound, Figure};
use core::num::NonZeroU32;
use core::time::Duration;
use divvy::Instant;
use divvy::limit::{Admit, Gcra, Quota};
use divvy::rng::{Rng, Xoshiro256PlusPlus};

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
    figures
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

//! What a rate that threads share lets through, and what a split one leaves in idle hands.

use crate::figure::{Bound, Figure};
use core::num::NonZeroU32;
use core::time::Duration;
use divvy::Instant;
use divvy::limit::{Admit, Quota, SharedGcra, SharedGcra32, SplitGcra};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use std::thread;

const SECOND: u64 = 1_000_000_000;

pub(crate) fn figures() -> Vec<Figure> {
    let mut figures = Vec::new();
    let (cells, burst) = (1_000_003, 500);
    let all = u64::from(cells + burst);
    let wide = SharedGcra::new(quota(cells, burst));
    let narrow = SharedGcra32::new(quota(cells, burst));
    let split = SplitGcra::new(quota(cells, burst), count(3), count(16));
    // Hands are empty at first and in the end.
    let in_hands = u64::from(burst - split.common_burst());
    for (name, admitted, all) in [
        ("SharedGcra", by_two(|| |now| wide.admit(now) == Admit::Yes), all),
        ("SharedGcra32", by_two(|| |now| narrow.admit(now) == Admit::Yes), all),
        (
            "SplitGcra",
            by_two(|| {
                let mut share = split.share().expect("a share for each thread");
                move |now| share.admit(now) == Admit::Yes
            }),
            all - in_hands,
        ),
    ] {
        figures.push(Figure::new(
            format!(
                "limit: cells that two threads got in 1 s at {cells} a second and a burst of {burst}, {name}"
            ),
            admitted as f64,
            Bound::AtMost(f64::from(burst + cells)),
            "burst + rate × time: GCRA, ITU-T I.371",
        ));
        figures.push(Figure::new(
            format!("limit: cells of those that nobody got, {name}"),
            all as f64 - admitted as f64,
            Bound::AtMost(1.0),
            "nothing is lost but a cell that falls on the end",
        ));
    }
    for shares in [2, 8] {
        let (burst, batch) = (1_000, 16);
        figures.push(Figure::new(
            format!("limit: most cells in any second by {shares} shares, 100 a second and a burst of {burst}, under a jumping clock"),
            most_by_shares(shares, burst, batch),
            Bound::AtMost(f64::from(100 + burst - 1)),
            "cells + burst − 1: GCRA, ITU-T I.371",
        ));
        figures.push(Figure::new(
            format!(
                "limit: cells of a burst of {burst} out of reach of one busy share while {} are idle",
                shares - 1
            ),
            out_of_reach(shares, burst, batch),
            Bound::AtMost(f64::from(shares * (batch - 1))),
            "shares × (batch − 1): `limit::SplitGcra`",
        ));
        figures.push(Figure::new(
            format!("limit: share of the rate that a busy share does not get while {} are idle", shares - 1),
            lost_rate(shares, burst, batch),
            Bound::Exactly(0.0),
            "the rate is not split: `limit::SplitGcra`",
        ));
    }
    figures
}

fn count(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("not zero")
}

fn quota(cells: u32, burst: u32) -> Quota {
    Quota::new(count(cells), Duration::from_secs(1))
        .and_then(|quota| quota.burst(count(burst)))
        .expect("a valid quota")
}

/// The burst at once; then two threads, each at every other microsecond for a second of their clocks, which drift apart as
/// the threads do. Whichever is ahead takes what there is, so the total is the same however they interleave.
fn by_two<A: FnMut(Instant) -> bool>(ask: impl Fn() -> A + Sync) -> u64 {
    let work = |start: u64, end: u64| {
        let mut ask = ask();
        let mut admitted = 0;
        for now in (start..=end).step_by(2_000) {
            while ask(Instant::from_nanos(now)) {
                admitted += 1;
            }
        }
        admitted
    };
    let at_once = work(0, 0);
    thread::scope(|scope| {
        let other = scope.spawn(|| work(1_000, SECOND));
        at_once + work(2_000, SECOND) + other.join().expect("it only asks")
    })
}

/// Shares chosen at random ask in bursts, with pauses and with a clock that goes back; some park.
fn most_by_shares(shares: u32, burst: u32, batch: u32) -> f64 {
    let mut rng = Xoshiro256PlusPlus::seed(shares.into());
    let split = SplitGcra::new(quota(100, burst), count(shares), count(batch));
    let mut hands: Vec<_> = (0..shares).map(|_| split.share().expect("a share for each")).collect();
    let (mut now, mut latest) = (0, 0);
    let mut admitted: Vec<u64> = Vec::new();
    for _ in 0..500_000 {
        now = match rng.below(2_000) {
            0 => now - now.min(SECOND / 2),
            1 => now + 15 * SECOND,
            _ => now + u64::from(rng.below(5_000_000)),
        };
        latest = latest.max(now);
        let hand = &mut hands[rng.below(shares) as usize];
        if hand.admit(Instant::from_nanos(latest)) == Admit::Yes {
            admitted.push(latest);
        }
        if rng.below(50) == 0 {
            hand.park(Instant::from_nanos(now));
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

/// All but one draw a batch and fall asleep with it; a long time later one asks for all there is.
fn out_of_reach(shares: u32, burst: u32, batch: u32) -> f64 {
    let split = SplitGcra::new(quota(100, burst), count(shares), count(batch));
    let mut hands: Vec<_> = (0..shares).map(|_| split.share().expect("a share for each")).collect();
    for hand in &mut hands[1..] {
        assert_eq!(hand.admit(Instant::ZERO), Admit::Yes, "the burst is there");
    }
    let later = Instant::from_secs(1_000);
    let got = (0..2 * burst).filter(|_| hands[0].admit(later) == Admit::Yes).count();
    f64::from(burst) - got as f64
}

/// One asks each time it is told to, for 1,000 seconds, after the burst is used up.
fn lost_rate(shares: u32, burst: u32, batch: u32) -> f64 {
    let split = SplitGcra::new(quota(100, burst), count(shares), count(batch));
    let mut hand = split.share().expect("the first share");
    let mut now = Instant::ZERO;
    while hand.admit(now) == Admit::Yes {}
    let mut admitted = 0u32;
    while now <= Instant::from_secs(1_000) {
        match hand.admit(now) {
            Admit::Yes => admitted += 1,
            Admit::No { retry_at } => now = retry_at,
        }
    }
    1.0 - f64::from(admitted) / 100_000.0
}

//! What a call through the breaker and the limiter costs on a chip.

use super::guard::{Guard, OfAll, OfOne};
use super::{BURST, CELL, Form, NEVER, WINDOW};
use core::hint::black_box;
use divvy::Instant;
use divvy::breaker::{Admit, Outcome};
use divvy::limit;

/// Calls in each row.
pub const CALLS: u32 = 1_000;

/// What [`CALLS`] calls came to.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What happened to each.
    pub what: &'static str,
    /// Ticks of the caller's clock for all of them, and calls that were answered otherwise, of which there must be none;
    /// of each form.
    pub forms: [(Form, u32, u32); 2],
}

/// Measures both forms and hands each row to `show`; `ticks` is read before and after.
pub fn measure(ticks: fn() -> u32, show: &mut dyn FnMut(Row)) {
    let plain = rows(&mut OfOne::new(), ticks);
    let shared = rows(&mut &OfAll::new(NEVER), ticks);
    for ((what, ticks, wrong), (_, shared_ticks, shared_wrong)) in plain.into_iter().zip(shared) {
        show(Row { what, forms: [(Form::Plain, ticks, wrong), (Form::Shared, shared_ticks, shared_wrong)] });
    }
}

#[inline(never)]
fn rows<G: Guard>(guard: &mut G, ticks: fn() -> u32) -> [(&'static str, u32, u32); 4] {
    let row = |what, (ticks, wrong)| (what, ticks, wrong);
    let now = Instant::from_millis((CALLS * CELL).into());
    [
        row("admitted by the limiter", time(ticks, |now| guard.limit(now) == limit::Admit::Yes)),
        row("refused by the limiter", {
            // What is left of the burst, and more.
            let left = (0..BURST).filter(|_| guard.limit(now) == limit::Admit::Yes).count();
            debug_assert!(left > 0);
            time(ticks, |_| guard.limit(black_box(now)) != limit::Admit::Yes)
        }),
        row(
            "admitted by the breaker, and well",
            time(ticks, |now| match guard.admit(now) {
                Admit::Yes(pass) => guard.complete(now, pass, Outcome::Success).is_ok(),
                Admit::No { .. } => false,
            }),
        ),
        row("refused by the breaker", {
            for _ in 0..WINDOW {
                if let Admit::Yes(pass) = guard.admit(now) {
                    // What it changes is seen below.
                    let _ = guard.complete(now, pass, Outcome::Failure);
                }
            }
            time(ticks, |_| matches!(guard.admit(black_box(now)), Admit::No { .. }))
        }),
    ]
}

/// Makes [`CALLS`] calls, as far apart as the quota asks: the ticks they took, and how many were not answered as expected.
fn time(ticks: fn() -> u32, mut call: impl FnMut(Instant) -> bool) -> (u32, u32) {
    let mut wrong = 0;
    let began = ticks();
    for nth in 0..CALLS {
        let now = Instant::from_nanos(u64::from(black_box(nth)) * (u64::from(CELL) * 1_000_000));
        wrong += u32::from(!call(now));
    }
    (ticks().wrapping_sub(began), wrong)
}

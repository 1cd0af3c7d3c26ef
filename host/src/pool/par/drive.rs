//! Who runs which block: the four ways to walk over `0..len`, whatever the body of the loop does.

use super::chunking::{Chunking, equal_part, guided_block};
use super::grain::Grain;
use crate::pool::threads::Pool;
use crate::pool::work::context::Context;
use std::mem;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What a loop does with a block of indices.
///
/// The driver hands out every index of `0..len` exactly once, unless a block panics: then some are not handed out.
pub(super) trait Body: Sync {
    /// What comes of a block.
    type Out: Send;

    /// Nothing comes of a block, so nothing must be kept in order.
    const UNIT: bool = false;

    /// Runs the block `range`, which is not empty. `before` is what came of the block just before it, if that is at
    /// hand; then what comes of both is returned.
    fn run(&self, before: Option<Self::Out>, range: Range<usize>) -> Self::Out;

    /// Makes one of what came of two neighbours.
    fn combine(&self, left: Self::Out, right: Self::Out) -> Self::Out;
}

/// Runs `body` over `0..len`. Nothing comes of an empty range.
///
/// The driver's own work ends when all blocks are done or when one panicked, and the panic then goes on to the caller.
pub(super) fn drive<B: Body>(pool: &Pool, len: usize, chunking: Chunking, body: &B) -> Option<B::Out> {
    let threads = pool.threads();
    let alone = match chunking {
        Chunking::Adaptive => return adaptive(pool, len, body),
        Chunking::Static => threads.min(len) <= 1,
        Chunking::Dynamic { size } => len <= size.max(1),
        Chunking::Guided { min } => len <= min.max(1),
    };
    if alone {
        return (len > 0).then(|| body.run(None, 0..len));
    }
    let stop = Stop::default();
    match chunking {
        Chunking::Static => {
            let parts = threads.min(len);
            pool.run(|cx| equal_parts(cx, body, &stop, len, parts, 0..parts))
        }
        Chunking::Dynamic { size } => {
            let (size, next) = (size.max(1), AtomicUsize::new(0));
            let blocks = len.div_ceil(size);
            claimed(pool, body, &stop, &|| {
                // Ordering: Relaxed, the count alone decides whose a block is. It passes `blocks` by one for each
                // claimer at most, and so cannot come around.
                let block = next.fetch_add(1, Ordering::Relaxed);
                (block < blocks).then(|| block * size..len.min((block + 1).saturating_mul(size)))
            })
        }
        Chunking::Guided { min } => {
            let next = AtomicUsize::new(0);
            claimed(pool, body, &stop, &|| {
                // Ordering: Relaxed, as above.
                let claim = |start| (start < len).then(|| start + guided_block(len - start, threads, min));
                let start = next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, claim).ok()?;
                Some(start..claim(start)?)
            })
        }
        Chunking::Adaptive => unreachable!("handled above"),
    }
}

/// Set when a block panicked: the others stop at their next one.
#[derive(Default)]
pub(super) struct Stop(AtomicBool);

impl Stop {
    pub(super) fn is_set(&self) -> bool {
        // Ordering: Relaxed, it only saves work.
        self.0.load(Ordering::Relaxed)
    }

    /// Runs a block, and tells the others if it panics.
    pub(super) fn watch<R>(&self, run: impl FnOnce() -> R) -> R {
        struct Unwinding<'a>(&'a Stop);
        impl Drop for Unwinding<'_> {
            fn drop(&mut self) {
                self.0.0.store(true, Ordering::Relaxed);
            }
        }
        let unwinding = Unwinding(self);
        let result = run();
        mem::forget(unwinding);
        result
    }
}

fn combine<B: Body>(body: &B, left: Option<B::Out>, right: Option<B::Out>) -> Option<B::Out> {
    match (left, right) {
        (Some(left), Some(right)) => Some(body.combine(left, right)),
        (left, right) => left.or(right),
    }
}

/// `Static`: forks until each has one part.
fn equal_parts<B: Body>(
    cx: &mut Context,
    body: &B,
    stop: &Stop,
    len: usize,
    parts: usize,
    mine: Range<usize>,
) -> Option<B::Out> {
    if mine.len() == 1 {
        // The other parts are for others at once: this one may take long.
        publish_all(cx);
        let part = equal_part(len, parts, mine.start);
        return (!stop.is_set()).then(|| stop.watch(|| body.run(None, part)));
    }
    let middle = mine.start + mine.len() / 2;
    let (left, right) = cx.join(
        |cx| equal_parts(cx, body, stop, len, parts, mine.start..middle),
        |cx| equal_parts(cx, body, stop, len, parts, middle..mine.end),
    );
    combine(body, left, right)
}

/// Gives away all open forks, which otherwise become public one at a time, when the one before was taken.
fn publish_all(cx: &Context<'_>) {
    while cx.seat().publish_oldest() {}
    cx.shared.notify();
}

/// `Dynamic` and `Guided`: whoever is free claims the next block.
fn claimed<B: Body>(
    pool: &Pool,
    body: &B,
    stop: &Stop,
    claim: &(impl Fn() -> Option<Range<usize>> + Sync),
) -> Option<B::Out> {
    let claimers = AtomicUsize::new(1);
    let mut done = pool.run(|cx| claimer(cx, body, stop, claim, &claimers));
    // Stable and nearly sorted: each claimer's blocks are in order.
    done.sort_by_key(|(start, _)| *start);
    done.into_iter().map(|(_, out)| out).reduce(|left, right| body.combine(left, right))
}

fn claimer<B: Body>(
    cx: &mut Context,
    body: &B,
    stop: &Stop,
    claim: &(impl Fn() -> Option<Range<usize>> + Sync),
    claimers: &AtomicUsize,
) -> Vec<(usize, B::Out)> {
    let mut done = Vec::new();
    loop {
        if cx.should_split() && one_more(claimers, cx.threads()) {
            let again = |cx: &mut Context| claimer(cx, body, stop, claim, claimers);
            let (left, right) = cx.join(again, again);
            done.extend(left);
            done.extend(right);
            return done;
        }
        let block = if stop.is_set() { None } else { claim() };
        let Some(block) = block else { return done };
        let start = block.start;
        let out = stop.watch(|| body.run(None, block));
        match done.last_mut() {
            Some((_, last)) if B::UNIT => *last = out,
            _ => done.push((start, out)),
        }
    }
}

/// Whether there may be one claimer more: there are never more than threads, and each fork adds one.
pub(super) fn one_more(claimers: &AtomicUsize, threads: usize) -> bool {
    // Ordering: Relaxed, only the number matters.
    claimers
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| (count < threads).then_some(count + 1))
        .is_ok()
}

/// `Adaptive`: the caller begins alone, and calls the pool when what is left is worth waking somebody.
fn adaptive<B: Body>(pool: &Pool, len: usize, body: &B) -> Option<B::Out> {
    let (mut grain, mut start, mut done) = (Grain::new(), 0, None);
    let parallel = pool.threads() > 1;
    while start < len {
        if parallel && grain.is_worth_waking(len - start) {
            let stop = Stop::default();
            let rest = pool.run(|cx| lazily(cx, body, &stop, start..len, grain));
            return combine(body, done, rest);
        }
        let block = start..start + grain.next(len - start);
        start = block.end;
        done = Some(grain.measure(block.len(), || body.run(done.take(), block)));
    }
    done
}

/// Runs block after block, and gives half of what is left away when somebody is idle.
fn lazily<B: Body>(
    cx: &mut Context,
    body: &B,
    stop: &Stop,
    mut rest: Range<usize>,
    mut grain: Grain,
) -> Option<B::Out> {
    let mut done = None;
    while !rest.is_empty() && !stop.is_set() {
        if grain.is_worth_splitting(rest.len()) && cx.should_split() {
            let middle = rest.start + rest.len() / 2;
            let (left, right) = cx.join(
                |cx| lazily(cx, body, stop, rest.start..middle, grain),
                |cx| lazily(cx, body, stop, middle..rest.end, grain),
            );
            return combine(body, combine(body, done, left), right);
        }
        let block = rest.start..rest.start + grain.next_of_shared(rest.len());
        rest.start = block.end;
        done = Some(grain.measure(block.len(), || stop.watch(|| body.run(done.take(), block))));
    }
    done
}

//! What about one round trip's calls had in common, and what a call takes where nothing queues.

use super::Sample;
use super::bounds::is_used;
use crate::fixed::Q32;
use crate::time::{Instant, saturating_nanos};

/// Fewer calls than this are no sample: a mean of them says little.
const FEWEST: u32 = 16;
/// How many round trips lie between two probes at first, and after the limit has doubled or halved. A probe takes about five
/// at half the limit.
const FEW_ROUNDS: u64 = 16;
/// How many lie between them at least, after that.
const MANY_ROUNDS: u64 = 64;
/// How many round trips a probe may take before it is given up.
const PATIENCE: u64 = 8;
/// Latencies are taken as at most this, 13 days, so that a round's sum fits.
const LONGEST: u64 = 1 << 50;

/// A round of calls under one limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Round {
    /// The mean latency of those that were not dropped, at least a nanosecond.
    pub(super) rtt: u64,
    /// What a call takes where nothing queues.
    pub(super) base: u64,
    /// The most calls that were out.
    pub(super) most: u32,
    /// Whether one was dropped. Then `rtt` and `base` may be 1 for want of a call that was not.
    pub(super) dropped: bool,
    /// The share that was not.
    pub(super) kept: Q32,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Tally {
    sum: u64,
    ended: u32,
    dropped: u32,
    most: u32,
}

impl Tally {
    const NONE: Self = Self { sum: 0, ended: 0, dropped: 0, most: 0 };

    fn add(&mut self, sample: &Sample) {
        self.most = self.most.max(sample.in_flight);
        if sample.dropped {
            self.dropped = self.dropped.saturating_add(1);
        } else {
            self.ended = self.ended.saturating_add(1);
            self.sum = self.sum.saturating_add(saturating_nanos(sample.latency).min(LONGEST));
        }
    }

    const fn count(&self) -> u32 {
        self.ended.saturating_add(self.dropped)
    }

    fn mean(&self) -> Option<u64> {
        self.sum.checked_div(u64::from(self.ended)).map(|mean| mean.max(1))
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Phase {
    /// Rounds under the limit.
    Open,
    /// Until no more than this many are out.
    Drain { held: u32, until: u64 },
    /// Rounds under this many.
    Probe { held: u32, until: u64 },
}

/// Divides calls into rounds and measures, every now and then, what a call takes where nothing queues.
///
/// A round begins a round trip after the last one ended, so that its calls went under the limit which that one brought,
/// and lasts at least another.
///
/// The latency without a queue cannot be learnt from calls at the limit: a minimum or an average of what is always
/// queued follows the queue. So the limit is halved from time to time, until no more than that are out and a round trip
/// has passed, and what the calls take then is the new base. Where even half the limit queues, the base is too
/// high, yet the limit's own latency is about twice that, so it shrinks: it comes to rest only where half of it does not queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) struct Meter {
    every: u64,
    /// How long to wait from one probe to the next; doubles up to `every`.
    wait: u64,
    due: u64,
    /// When the next probe is due if the limit has become another by far.
    early: u64,
    /// 0 before the first round.
    base: u64,
    /// The limit at the last probe.
    limit_then: u32,
    /// Whether a probe has confirmed the base.
    is_probed: bool,
    phase: Phase,
    /// Calls that end earlier went under another limit.
    opens: u64,
    tally: Tally,
    latest: Instant,
}

impl Meter {
    pub(super) const fn new(every: u64) -> Self {
        Self {
            every,
            wait: 0,
            due: 0,
            early: 0,
            base: 0,
            limit_then: 0,
            is_probed: false,
            phase: Phase::Open,
            opens: 0,
            tally: Tally::NONE,
            latest: Instant::ZERO,
        }
    }

    /// The limit while a probe runs.
    pub(super) const fn held(&self) -> Option<u32> {
        match self.phase {
            Phase::Open => None,
            Phase::Drain { held, .. } | Phase::Probe { held, .. } => Some(held),
        }
    }

    /// The latency without a queue; 0 while unknown.
    pub(super) const fn base(&self) -> u64 {
        self.base
    }

    /// Adds a call that ended; a round if that was its last one.
    pub(super) fn observe(&mut self, now: Instant, sample: &Sample, limit: u32, min: u32) -> Option<Round> {
        self.latest = self.latest.max(now);
        let now = self.latest.as_nanos();
        match self.phase {
            Phase::Drain { until, .. } | Phase::Probe { until, .. } if now >= until => {
                self.end_probe(now, limit);
                None
            }
            Phase::Drain { held, until } => {
                if sample.in_flight <= held {
                    self.phase = Phase::Probe { held, until };
                    // Those that are out now may have queued.
                    self.next_round(now, self.base.saturating_mul(2));
                }
                None
            }
            Phase::Probe { held, .. } => {
                self.add(now, sample)?;
                // Two round trips.
                if self.tally.ended < held.saturating_mul(2).max(FEWEST) {
                    return None;
                }
                self.learn(self.tally.mean().unwrap_or(self.base));
                self.end_probe(now, limit);
                None
            }
            Phase::Open => {
                self.add(now, sample)?;
                let rtt = self.tally.mean();
                let lasts = rtt.unwrap_or(self.base);
                if self.tally.count() < FEWEST || now - self.opens < lasts {
                    return None;
                }
                let round = self.close(rtt);
                self.next_round(now, lasts);
                self.consider_probe(now, &round, limit, min);
                Some(round)
            }
        }
    }

    /// Counts a call of the round that is open.
    fn add(&mut self, now: u64, sample: &Sample) -> Option<()> {
        if now < self.opens {
            return None;
        }
        if self.tally == Tally::NONE {
            // A pause belongs to no round.
            self.opens = now;
        }
        self.tally.add(sample);
        Some(())
    }

    fn close(&mut self, rtt: Option<u64>) -> Round {
        if let Some(rtt) = rtt {
            // Faster than with less: the base was too high, unless it is luck. The mean of n calls is off by about 1/√n.
            let luck = self.base / u64::from(self.tally.ended.isqrt().max(1)) * 4;
            if self.base == 0 || rtt.saturating_add(luck) < self.base {
                self.base = rtt;
            }
        }
        let base = self.base.max(1);
        let Tally { ended, dropped, most, .. } = self.tally;
        let all = u64::from(ended) + u64::from(dropped);
        let kept = Q32::from_ratio(ended.into(), all).unwrap_or(Q32::ONE);
        Round { rtt: rtt.unwrap_or(base), base, most, dropped: dropped > 0, kept }
    }

    /// Takes a latency without a queue into the base: averaged with what it was, unless it is another by far.
    fn learn(&mut self, rtt: u64) {
        let is_near = rtt.abs_diff(self.base) <= self.base / 8 * 3;
        self.base = if is_near { self.base.midpoint(rtt) } else { rtt };
        self.is_probed = true;
    }

    fn next_round(&mut self, now: u64, settle: u64) {
        self.opens = now.saturating_add(settle);
        self.tally = Tally::NONE;
    }

    fn consider_probe(&mut self, now: u64, round: &Round, limit: u32, min: u32) {
        if self.wait == 0 {
            self.schedule(now, limit, round.rtt);
        }
        // What shrank the limit may be a server that has become slower; and a base that was good enough for few calls need
        // not be for many.
        let is_other = limit <= self.limit_then / 2 || limit / 2 >= self.limit_then;
        if now < self.due && !(is_other && now >= self.early) {
            return;
        }
        let held = (limit.min(round.most) / 2).max(min);
        let is_confirmed = self.is_probed
            && !is_used(round.most, limit)
            && round.rtt <= self.base.saturating_add(self.base / 8);
        if held >= limit {
            // With fewer it cannot be measured.
            self.learn(round.rtt);
        }
        if held >= limit || is_confirmed {
            self.schedule(now, limit, round.rtt);
            return;
        }
        let until = now.saturating_add(round.rtt.saturating_mul(PATIENCE));
        self.phase = Phase::Drain { held, until };
    }

    fn end_probe(&mut self, now: u64, limit: u32) {
        self.phase = Phase::Open;
        self.schedule(now, limit, self.base);
        self.next_round(now, self.base);
    }

    fn schedule(&mut self, now: u64, limit: u32, rtt: u64) {
        let (few, many) = (rtt.saturating_mul(FEW_ROUNDS), rtt.saturating_mul(MANY_ROUNDS));
        self.wait = self.wait.saturating_mul(2).clamp(few, many.max(self.every));
        self.due = now.saturating_add(self.wait);
        self.early = now.saturating_add(few);
        self.limit_then = limit;
    }
}

//! One core that calls the device.

use super::guard::Guard;
use super::witness::{Tally, Witness};
use super::{Answer, PLACES, SLOW, answer};
use divvy::Instant;
use divvy::breaker::{Admit, Cause, Counts, Outcome, Pass, Transition};
use divvy::limit;
use divvy_tests::Digest;

/// A call that the device has not answered yet.
#[derive(Clone, Copy)]
struct UnderWay {
    pass: Pass,
    until: u32,
    outcome: Outcome,
    vanishes: bool,
    /// Of a probe, the half-open time that it belongs to, if that is certain.
    probes: Option<u32>,
}

/// One core that calls the device.
pub(super) struct Caller<'a, G> {
    guard: G,
    witness: &'a Witness,
    vanishing: bool,
    under_way: [Option<UnderWay>; PLACES],
    tally: Tally,
    digest: Digest,
}

pub(super) fn instant(millis: u32) -> Instant {
    Instant::from_millis(millis.into())
}

impl<'a, G: Guard> Caller<'a, G> {
    pub(super) fn new(guard: G, witness: &'a Witness, vanishing: bool) -> Self {
        let under_way = [None; PLACES];
        Self { guard, witness, vanishing, under_way, tally: Tally::default(), digest: Digest::new() }
    }

    /// Lives through one millisecond: takes the answers that have come, and may call.
    pub(super) fn live(&mut self, millis: u32, show: &mut dyn FnMut(Transition)) {
        self.take_answers(millis, show);
        let change = self.guard.advance(instant(millis));
        self.tell(change, show);
        let answer = answer(millis);
        let Some(place) = self.under_way.iter().position(Option::is_none).filter(|_| answer.wanted) else {
            return;
        };
        self.tally.asked += 1;
        let decision = self.ask(millis, answer, place);
        self.digest.feed(u64::from(millis) << 2 | decision);
    }

    fn ask(&mut self, millis: u32, answer: Answer, place: usize) -> u64 {
        let now = instant(millis);
        let before = self.guard.period(now);
        let Admit::Yes(pass) = self.guard.admit(now) else {
            self.tally.broken += 1;
            return 0;
        };
        // The breaker is asked first, so that what it refuses takes nothing from the quota. If the limiter refuses, the
        // pass is given back and says nothing.
        if self.guard.limit(now) != limit::Admit::Yes {
            self.tally.limited += 1;
            // No transition comes of a call that is ignored, and a pass that is stale is no longer owed.
            let _ = self.guard.complete(now, pass, Outcome::Ignored);
            return 1;
        }
        self.tally.admitted += 1;
        self.witness.call_goes(millis);
        // Where the state was another one before, it is not certain which one admitted the probe.
        let probes = (pass.is_probe() && self.guard.period(now) == before).then_some(before);
        if let Some(state) = probes {
            self.witness.probe_begins(state);
        }
        let Answer { takes, fails, vanishes, .. } = answer;
        let outcome = if fails { Outcome::Failure } else { Outcome::Success };
        let vanishes = vanishes && self.vanishing;
        self.under_way[place] = Some(UnderWay { pass, until: millis + takes, outcome, vanishes, probes });
        if pass.is_probe() { 3 } else { 2 }
    }

    /// Completes what is over by now, the earliest first.
    fn take_answers(&mut self, millis: u32, show: &mut dyn FnMut(Transition)) {
        loop {
            let over = self.under_way.iter_mut().filter(|call| call.is_some_and(|call| call.until <= millis));
            let Some(call) = over.min_by_key(|call| call.map(|call| call.until)).and_then(Option::take)
            else {
                return;
            };
            let now = instant(call.until);
            if let Some(state) = call.probes {
                self.witness.probe_ends(state);
            }
            self.tally.failed += u32::from(call.outcome == Outcome::Failure);
            self.tally.slow += u32::from(now.saturating_duration_since(call.pass.began()) > SLOW);
            if call.vanishes {
                self.tally.vanished += 1;
                continue;
            }
            match self.guard.complete(now, call.pass, call.outcome) {
                Ok(change) => self.tell(change, show),
                Err(_) => self.tally.stale += 1,
            }
        }
    }

    fn tell(&mut self, change: Option<Transition>, show: &mut dyn FnMut(Transition)) {
        let Some(change) = change else { return };
        self.digest.feed(change.at.as_nanos());
        self.digest.feed(change.why as u64);
        // Once it is open, the shared form no longer knows what its window held.
        if change.why != Cause::TimeOver {
            let Counts { calls, failures, slow } = change.counts;
            [calls, failures, slow].into_iter().for_each(|n| self.digest.feed(n.into()));
        }
        show(change);
    }

    /// Waits for the calls under way, and hands in what it counted.
    pub(super) fn end(mut self, show: &mut dyn FnMut(Transition)) -> u64 {
        self.take_answers(u32::MAX, show);
        self.witness.add(self.tally);
        self.digest.finish()
    }
}

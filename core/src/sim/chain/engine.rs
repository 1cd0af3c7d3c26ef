//! One event after the other.
//!
//! What follows at once from an event is noted as due at the same time, and is an event of its own. So nothing here calls
//! itself, however long the chain.

use core::time::Duration;

use super::edge::{Again, Outcome, Ticket};
use super::event::{End, Event, Failure, What};
use super::jobs::{Job, NONE, Stage, Timer};
use super::link::Fallback;
use super::tier::{Discipline, Fault};
use super::{Chain, Station};
use crate::limit::{Criticality, Order, Verdict};
use crate::retry::HedgeStep;
use crate::rng::SplitMix64;
use crate::storage::Storage;
use crate::time::saturating_nanos;
use crate::{Instant, Rng, fixed::Q32};

/// The request that comes next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) at: Instant,
    number: u64,
}

impl Arrival {
    pub(super) fn after(config: &super::Config, last: Instant, number: u64) -> Option<Self> {
        if number == config.requests {
            return None;
        }
        let at = config.next(last, draw(config.seed, number, Draw::Arrival))?;
        Some(Self { at, number })
    }
}

/// What is drawn for a request or one of its jobs; each is a sequence of its own.
#[derive(Clone, Copy, Debug)]
enum Draw {
    Arrival,
    Path,
    Priority,
    Work,
    Luck,
    Fault,
    /// Of one link.
    Share(u32),
    Cache(u32),
    Attempt(u32),
}

impl Draw {
    const fn salt(self) -> u64 {
        match self {
            Self::Arrival => 1,
            Self::Path => 2,
            Self::Priority => 3,
            Self::Work => 4,
            Self::Luck => 5,
            Self::Fault => 6,
            Self::Share(level) => 1 << 32 | level as u64,
            Self::Cache(level) => 2 << 32 | level as u64,
            Self::Attempt(attempt) => 3 << 32 | attempt as u64,
        }
    }
}

/// 64 bits that follow from these and from nothing else.
fn draw(seed: u64, index: u64, what: Draw) -> u64 {
    let mut mix = SplitMix64::seed(seed ^ index.wrapping_mul(0xD6E8_FEB8_6659_FD93));
    SplitMix64::seed(mix.next_u64() ^ what.salt().wrapping_mul(0x9E37_79B9_7F4A_7C15)).next_u64()
}

/// Whether `u`, any of 64 bits, falls into the share.
const fn falls(u: u64, share: Q32) -> bool {
    u >> 32 < share.to_bits()
}

/// What happens next, in the order in which things of one instant happen.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Next {
    Change,
    Job,
    Arrival,
}

impl<S: Storage, R: Storage, H: Storage> Chain<S, R, H> {
    /// When the next event is due; `None` once every request that will come has come and ended, or nothing more happens
    /// to those that have not.
    #[must_use]
    pub fn next_event_at(&self) -> Option<Instant> {
        self.next().map(|(at, _)| at)
    }

    fn next(&self) -> Option<(Instant, Next)> {
        let job = self.jobs.first().map(|(at, ..)| (at, Next::Job));
        let arrival = self.arrival.filter(|_| !self.stations.is_empty());
        let arrival = arrival.map(|arrival| (arrival.at, Next::Arrival));
        let live = [job, arrival].into_iter().flatten().min();
        // Once nothing else is to come, changes make a difference only to what waits for them.
        let change = self.change_at.filter(|_| live.is_some() || self.jobs.len() > 0);
        let change = change.map(|at| (at, Next::Change));
        [live, change].into_iter().flatten().min()
    }

    /// Moves the clock to the next event, and says what happened. `rng` is asked for the jitter of retries and the chance of
    /// throttles, and for nothing else.
    pub fn step(&mut self, rng: &mut impl Rng) -> Option<Event> {
        let (at, next) = self.next()?;
        self.now = at;
        let what = match next {
            Next::Change => self.change_next(),
            Next::Arrival => self.arrive()?,
            Next::Job => {
                let (_, timer, place) = self.jobs.first()?;
                match (timer, self.jobs.get(place).stage) {
                    (Timer::Work, Stage::Answering(end)) => self.answered(place, end, rng),
                    (Timer::Work, _) => self.worked(place),
                    (Timer::Next, Stage::Waiting) => self.hedge(place, rng),
                    (Timer::Next, _) => self.call(place, rng),
                    (Timer::Deadline, _) => self.give_up(place, rng),
                }
            }
        };
        self.touched = self.touched.max(at);
        Some(Event { at, what })
    }

    fn arrive(&mut self) -> Option<What> {
        let Arrival { at, number } = self.arrival?;
        self.arrival = Arrival::after(&self.config, at, number.wrapping_add(1));
        let seed = self.config.seed;
        let mut job = Job::new(number, draw(seed, number, Draw::Path), 0, at);
        job.low = falls(draw(seed, number, Draw::Priority), self.config.low);
        job.counted = at >= self.config.warm_up;
        job.next_at = at;
        let low = job.low;
        if job.counted {
            self.all.arrived += 1;
            self.important.arrived += u64::from(!low);
            if let Some(station) = self.stations.first_mut() {
                station.counts.calls.arrived += 1;
            }
        }
        let counted = job.counted;
        if self.jobs.insert(job).is_some() {
            return Some(What::Arrived { request: number });
        }
        let why = Failure::NoRoom;
        if counted {
            self.no_room += 1;
            self.count_request(End::Failed(why), low);
            if let Some(station) = self.stations.first_mut() {
                station.counts.end(End::Failed(why));
            }
        }
        Some(What::Refused { request: number, tier: 0, why })
    }

    fn count_request(&mut self, end: End, low: bool) {
        self.all.end(end);
        if !low {
            self.important.end(end);
        }
    }

    /// The caller at `place` makes an attempt.
    fn call(&mut self, place: u32, rng: &mut impl Rng) -> What {
        let now = self.now;
        let job = *self.jobs.get(place);
        self.jobs.set(place, |job| {
            job.stage = Stage::Waiting;
            job.next_at = Instant::MAX;
            job.attempts += 1;
        });
        let (request, tier) = (job.number, job.level);
        let attempt = job.attempts + 1;
        let station = &mut self.stations[tier as usize];
        if attempt == 1 {
            station.edge.first(now);
        } else if job.counted {
            station.counts.retries += 1;
        }
        let sent = if self.config.deadlines && now >= job.deadline {
            Err(Failure::Expired)
        } else {
            self.send(place, attempt, rng)
        };
        match sent {
            Ok(()) => {
                let hedge_at = self.stations[tier as usize].edge.hedge_at(now);
                self.jobs.set(place, |job| job.next_at = hedge_at);
                What::Called { request, tier, attempt, hedge: false }
            }
            Err(why) => {
                self.failed(place, why, rng);
                What::Refused { request, tier, why }
            }
        }
    }

    /// The caller at `place` has no answer yet and may send a second request.
    fn hedge(&mut self, place: u32, rng: &mut impl Rng) -> What {
        let job = *self.jobs.get(place);
        let (request, tier) = (job.number, job.level);
        self.jobs.set(place, |job| job.next_at = Instant::MAX);
        let station = &mut self.stations[tier as usize];
        let attempt = job.attempts + 1;
        let first = job.sent.iter().find(|sent| **sent != NONE);
        let since = first.map_or(job.called, |first| self.jobs.get(*first).since);
        match station.edge.hedge(self.now, since) {
            HedgeStep::Send => {}
            HedgeStep::Wait { until } => {
                self.jobs.set(place, |job| job.next_at = until);
                return What::NotHedged { request, tier };
            }
            HedgeStep::No(_) => return What::NotHedged { request, tier },
        }
        match self.send(place, attempt, rng) {
            Ok(()) => {
                let station = &mut self.stations[tier as usize];
                station.counts.hedges += u64::from(job.counted);
                self.jobs.set(place, |job| {
                    job.attempts += 1;
                    job.hedged = true;
                });
                What::Called { request, tier, attempt, hedge: true }
            }
            // The first one is still on its way.
            Err(why) => What::Refused { request, tier, why },
        }
    }

    /// Sends an attempt of the caller at `place` through the protections to the service.
    fn send(&mut self, place: u32, attempt: u32, rng: &mut impl Rng) -> Result<(), Failure> {
        let now = self.now;
        let caller = *self.jobs.get(place);
        let tier = caller.level;
        let station = &mut self.stations[tier as usize];
        let ticket = station.edge.admit(now, rng);
        if caller.counted {
            station.counts.held_back += u64::from(ticket.is_err());
        }
        let ticket = ticket?;
        let refusal = station.refusal(caller.low);
        if let Some(why) = refusal {
            station.counts.turned_away += u64::from(caller.counted);
            let outcome = Outcome::Ended(End::Failed(why));
            station.edge.complete(now, ticket, outcome);
            return Err(why);
        }
        let path = draw(caller.path, u64::from(tier), Draw::Attempt(attempt));
        let mut job = Job::new(caller.number, path, tier + 1, now);
        job.caller = place;
        job.stage = Stage::Queued;
        job.deadline = now.saturating_add(station.edge.timeout);
        if self.config.deadlines {
            job.deadline = job.deadline.min(caller.deadline);
        }
        (job.low, job.counted) = (caller.low, caller.counted);
        (job.pass, job.place) = (ticket.pass, ticket.place);
        let Some(new) = self.jobs.insert(job) else {
            let why = Failure::NoRoom;
            station.edge.complete(now, ticket, Outcome::Ended(End::Failed(why)));
            self.no_room += u64::from(caller.counted);
            return Err(why);
        };
        station.counts.attempts += u64::from(caller.counted);
        let sent = &mut self.jobs.get_mut(place).sent;
        if let Some(free) = sent.iter_mut().find(|sent| **sent == NONE) {
            *free = new;
        }
        self.jobs.enqueue(&mut station.line, new);
        let waiting = station.line.len();
        self.start(tier);
        let station = &mut self.stations[tier as usize];
        if now >= self.config.warm_up {
            station.counts.longest_queue = station.counts.longest_queue.max(waiting.min(station.line.len()));
        }
        Ok(())
    }

    /// Gives free workers what waits.
    fn start(&mut self, tier: u32) {
        let now = self.now;
        let station = &mut self.stations[tier as usize];
        while station.working < station.spec.workers && station.fault != Some(Fault::Stopped) {
            let oldest = self.jobs.first_of(&station.line).map(|oldest| oldest.since);
            let place = match station.discipline(now, oldest) {
                Discipline::Lifo => self.jobs.take_last(&mut station.line),
                _ => self.jobs.take_first(&mut station.line),
            };
            let Some(place) = place else {
                station.emptied(now);
                break;
            };
            let job = *self.jobs.get(place);
            let expired = self.config.deadlines && now >= job.deadline;
            let dropped = !expired && station.drops(now, job.since);
            if expired || dropped {
                let why = if expired { Failure::Expired } else { Failure::Dropped };
                self.jobs.set(place, |job| {
                    job.stage = Stage::Answering(End::Failed(why));
                    job.work_at = now;
                });
                continue;
            }
            let nanos = station.spec.service.at(draw(job.path, 0, Draw::Work));
            let nanos = match station.fault {
                Some(Fault::Slow { factor }) => factor.mul_int(nanos),
                _ => nanos,
            };
            station.working += 1;
            self.jobs.set(place, |job| {
                job.stage = Stage::Working;
                job.holds = true;
                job.started = now;
                job.work_at = now.saturating_add(Duration::from_nanos(nanos));
            });
        }
    }

    /// A service has done its own work.
    fn worked(&mut self, place: u32) -> What {
        let now = self.now;
        let job = *self.jobs.get(place);
        let tier = job.level - 1;
        let station = &self.stations[tier as usize];
        let failing = match station.fault {
            Some(Fault::Failing { share }) => falls(draw(job.path, 0, Draw::Fault), share),
            _ => false,
        };
        let fails = failing || falls(draw(job.path, 0, Draw::Luck), station.spec.failures);
        // Whether it needs the next service is the request's nature, not the attempt's.
        let share = self.stations.get(job.level as usize).map(|next| next.edge.share);
        let calls = share
            .is_some_and(|share| falls(draw(self.config.seed, job.number, Draw::Share(job.level)), share));
        if let Some(next) =
            self.stations.get_mut(job.level as usize).filter(|_| calls && !fails && job.counted)
        {
            next.counts.calls.arrived += 1;
        }
        self.jobs.set(place, |job| {
            job.work_at = Instant::MAX;
            if calls && !fails {
                job.stage = Stage::Calling;
                job.called = now;
                job.next_at = now;
            } else {
                let end = if fails { End::Failed(Failure::Failed) } else { End::Success };
                job.stage = Stage::Answering(end);
                job.work_at = now;
            }
        });
        What::Worked { request: job.number, tier }
    }

    /// An attempt of the caller at `place` came to nothing.
    fn failed(&mut self, place: u32, why: Failure, rng: &mut impl Rng) {
        let now = self.now;
        let job = *self.jobs.get(place);
        if job.outstanding() > 0 {
            return;
        }
        let station = &mut self.stations[job.level as usize];
        if why.is_retryable() {
            let deadline = if self.config.deadlines { job.deadline } else { Instant::MAX };
            match station.edge.retry(now, job.attempts, deadline, rng) {
                Again::At(at) => {
                    self.jobs.set(place, |job| {
                        job.stage = Stage::Calling;
                        job.next_at = at;
                    });
                    return;
                }
                Again::NoBudget => station.counts.unpaid += u64::from(job.counted),
                Again::No => {}
            }
        }
        let answered = match station.edge.fallback {
            Fallback::None => false,
            Fallback::Default => true,
            Fallback::Cached { share } => {
                falls(draw(self.config.seed, job.number, Draw::Cache(job.level)), share)
            }
        };
        self.end_call(place, if answered { End::Degraded } else { End::Failed(why) });
    }

    /// The call of the caller at `place` is over, and with it the caller's own job.
    fn end_call(&mut self, place: u32, end: End) {
        let now = self.now;
        let job = *self.jobs.get(place);
        let station = &mut self.stations[job.level as usize];
        if job.counted {
            station.counts.end(end);
            if end.is_answer() {
                station.latency.record(saturating_nanos(now.saturating_duration_since(job.called)));
            }
        }
        let own = match end {
            // The user is told why, a service only that there was no answer further down.
            End::Failed(_) if job.level > 0 => End::Failed(Failure::Downstream),
            end => end,
        };
        self.jobs.set(place, |job| {
            job.stage = Stage::Answering(own);
            job.next_at = Instant::MAX;
            job.work_at = now;
        });
    }

    /// The job at `place` is done.
    fn answered(&mut self, place: u32, end: End, rng: &mut impl Rng) -> What {
        let now = self.now;
        let job = *self.jobs.get(place);
        self.jobs.remove(place);
        let request = job.number;
        let latency = now.saturating_duration_since(job.since);
        if job.level == 0 {
            if job.counted {
                self.count_request(end, job.low);
            }
            return What::Ended { request, end, latency };
        }
        let tier = job.level - 1;
        let station = &mut self.stations[tier as usize];
        let late = job.caller == NONE;
        if job.holds {
            station.working -= 1;
            if job.counted {
                let held = saturating_nanos(now.saturating_duration_since(job.started));
                station.counts.busy = station.counts.busy.saturating_add(held);
                if late {
                    station.counts.wasted = station.counts.wasted.saturating_add(held);
                }
            }
            self.start(tier);
        }
        let station = &mut self.stations[tier as usize];
        if job.counted {
            station.counts.late += u64::from(late);
            station.counts.in_time += u64::from(!late);
        }
        if late {
            return What::Late { request, tier, end };
        }
        station.edge.complete(now, Ticket { pass: job.pass, place: job.place }, Outcome::Ended(end));
        self.detach(job.caller, place);
        if let End::Failed(why) = end {
            self.failed(job.caller, why, rng);
        } else {
            self.supersede(job.caller);
            let caller = *self.jobs.get(job.caller);
            self.stations[tier as usize].edge.answered(
                now,
                now.saturating_duration_since(if caller.hedged { caller.called } else { job.since }),
            );
            self.end_call(job.caller, end);
        }
        What::Answered { request, tier, end, latency }
    }

    /// The attempt at `place` takes longer than its caller waits.
    fn give_up(&mut self, place: u32, rng: &mut impl Rng) -> What {
        let job = *self.jobs.get(place);
        let tier = job.level - 1;
        let (caller, why) = (job.caller, Failure::TimedOut);
        self.detach(caller, place);
        self.abandon(place, Outcome::Ended(End::Failed(why)));
        self.failed(caller, why, rng);
        What::TimedOut { request: job.number, tier }
    }

    /// Whoever else is on the way for this caller is no longer waited for.
    fn supersede(&mut self, caller: u32) {
        for other in self.jobs.get(caller).sent {
            if other != NONE {
                self.detach(caller, other);
                self.abandon(other, Outcome::Superseded);
            }
        }
    }

    fn detach(&mut self, caller: u32, place: u32) {
        if let Some(sent) = self.jobs.get_mut(caller).sent.iter_mut().find(|sent| **sent == place) {
            *sent = NONE;
        }
    }

    /// Nobody waits for the job at `place` any more, though it goes on.
    fn abandon(&mut self, place: u32, outcome: Outcome) {
        let job = *self.jobs.get(place);
        let ticket = Ticket { pass: job.pass, place: job.place };
        self.stations[job.level as usize - 1].edge.complete(self.now, ticket, outcome);
        self.jobs.set(place, |job| job.caller = NONE);
    }

    fn change_next(&mut self) -> What {
        let now = self.now;
        let due = self.stations.iter().position(|station| station.change_at().is_some_and(|at| at <= now));
        // There is one: that is what the time of the next change was found by.
        let tier = due.unwrap_or(0) as u32;
        let station = &mut self.stations[tier as usize];
        let fault = station.change();
        self.change_at = self.stations.iter().filter_map(|station| station.change_at()).min();
        self.start(tier);
        What::Changed { tier, fault }
    }

    /// Something goes wrong with a service now, or all is well with it again.
    ///
    /// # Errors
    ///
    /// [`TierError`](super::TierError); nothing changed.
    pub fn set_fault(&mut self, tier: u32, fault: Option<Fault>) -> Result<Event, super::TierError> {
        if let Some(fault) = &fault {
            fault.check()?;
        }
        let station = self.stations.get_mut(tier as usize).ok_or(super::TierError::Unknown)?;
        station.fault = fault;
        self.start(tier);
        Ok(Event { at: self.now, what: What::Changed { tier, fault } })
    }
}

impl<R: Storage, H: Storage> Station<R, H> {
    /// Why it turns a request away, if it does.
    fn refusal(&mut self, low: bool) -> Option<Failure> {
        if self.fault == Some(Fault::Down) {
            return Some(Failure::Down);
        }
        let waiting = self.line.len();
        if let Some(shed) = &mut self.spec.shed {
            let held = u64::from(waiting) + u64::from(self.working);
            let room = u64::from(self.spec.workers) + u64::from(self.spec.queue);
            shed.observe(Q32::from_ratio(held, room).unwrap_or(Q32::ONE));
            let level = if low { Criticality::Sheddable } else { Criticality::Critical };
            if shed.admit(level) == Verdict::Drop {
                return Some(Failure::Shed);
            }
        }
        let free = self.working < self.spec.workers && self.fault != Some(Fault::Stopped);
        (waiting >= self.spec.queue && !free).then_some(Failure::Rejected)
    }

    /// From which end of the queue to take next.
    fn discipline(&self, now: Instant, oldest: Option<Instant>) -> Discipline {
        match (self.spec.discipline, &self.spec.codel) {
            (Discipline::Adaptive, Some(codel)) => {
                // What is too late to be worth it goes first, or it stays behind for ever.
                let late = oldest.is_some_and(|oldest| codel.is_late(now, oldest));
                if codel.order() == Order::Lifo && !late { Discipline::Lifo } else { Discipline::Fifo }
            }
            (Discipline::Adaptive, None) => Discipline::Fifo,
            (fixed, _) => fixed,
        }
    }

    /// Whether what was taken from the queue is dropped.
    fn drops(&mut self, now: Instant, since: Instant) -> bool {
        self.spec.codel.as_mut().is_some_and(|codel| codel.verdict(now, since) == Verdict::Drop)
    }

    fn emptied(&mut self, now: Instant) {
        if let Some(codel) = &mut self.spec.codel {
            codel.emptied(now);
        }
    }

    /// When its outage begins or ends.
    pub(super) fn change_at(&self) -> Option<Instant> {
        let outage = self.spec.outage?;
        match self.changes {
            0 => Some(outage.from),
            1 if outage.until < Instant::MAX => Some(outage.until),
            _ => None,
        }
    }

    fn change(&mut self) -> Option<Fault> {
        self.fault = self.spec.outage.filter(|_| self.changes == 0).map(|outage| outage.fault);
        self.changes += 1;
        self.fault
    }
}

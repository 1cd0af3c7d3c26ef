//! One event after the other.

use core::time::Duration;

use super::calls::{Call, Stage};
use super::event::{End, Event, Unplaced, What};
use super::line::NONE;
use super::server::{Fault, Station};
use super::{Config, Dispatch, Information};
use crate::balance::{Outcome, Pick, Policy, Request};
use crate::rng::SplitMix64;
use crate::storage::Storage;
use crate::time::saturating_nanos;
use crate::{Instant, Rng};

/// Servers that may be avoided at one time.
pub(super) const AVOIDED: u32 = 8;

/// A request that comes, and what follows from its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    at: Instant,
    /// Its place among the requests of its source.
    index: u64,
    draws: SplitMix64,
}

impl Arrival {
    /// The request of this `index`, which comes after one at `last`.
    pub(super) fn after(config: &Config, last: Instant, index: u64) -> Option<Self> {
        if index == config.requests {
            return None;
        }
        let mut draws = draws(config.seed, index);
        let at = config.arrivals.next(last, draws.next_u64())?;
        Some(Self { at, index, draws })
    }
}

/// The draws of the request of this index: another sequence for each.
fn draws(seed: u64, index: u64) -> SplitMix64 {
    let mut mix = SplitMix64::seed(seed ^ index.wrapping_mul(0xD6E8_FEB8_6659_FD93));
    SplitMix64::seed(mix.next_u64())
}

/// What happens next, in the order in which things of one instant happen.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Next {
    Plan,
    Call,
    Timeout,
    Probe,
    Snapshot,
    Pushed,
    Arrival,
}

impl<P: Policy, D: Storage, M: Storage, R: Storage, H: Storage> Dispatch<P, D, M, R, H> {
    /// When the next event is due; `None` once every request that will come has come and ended, or nothing more happens
    /// to those that have not.
    #[must_use]
    pub fn next_event_at(&self) -> Option<Instant> {
        self.next().map(|(at, _)| at)
    }

    /// Moves the clock to the next event and lets it happen; `None` once [`next_event_at`](Self::next_event_at) is.
    ///
    /// The generator serves the policies alone; the traffic follows from the configuration.
    pub fn step(&mut self, rng: &mut impl Rng) -> Option<Event> {
        loop {
            let (at, next) = self.next()?;
            self.now = self.now.max(at);
            let what = match next {
                Next::Plan => {
                    let (server, change) = self.plans.pop()?;
                    self.change(server, change);
                    Some(What::Changed { server, change })
                }
                Next::Call => {
                    let call = self.agenda.pop()?;
                    Some(self.proceed(call, rng))
                }
                Next::Timeout => {
                    let call = self.calls.longest_waiting()?;
                    Some(self.give_up(call))
                }
                Next::Probe => self.probe_moves(),
                Next::Snapshot => Some(self.take_snapshot()),
                Next::Pushed => {
                    let call = self.calls.dequeue(&mut self.pushed)?;
                    Some(self.come_pushed(call, rng))
                }
                Next::Arrival => {
                    let arrival = self.arrival?;
                    Some(self.come_drawn(arrival, rng))
                }
            };
            if let Some(what) = what {
                self.figures.last = self.now;
                return Some(Event { at: self.now, what });
            }
        }
    }

    /// Lets happen what is due up to `until`, and says how many events that were.
    pub fn run_until(&mut self, until: Instant, rng: &mut impl Rng) -> u64 {
        let mut events = 0;
        while self.next_event_at().is_some_and(|at| at <= until) && self.step(rng).is_some() {
            events += 1;
        }
        events
    }

    /// Lets everything happen up to the arrival of the request of this number, and what follows at its arrival; with
    /// `u64::MAX` all there is. Says how many events that were.
    pub fn run(&mut self, requests: u64, rng: &mut impl Rng) -> u64 {
        let mut events = 0;
        while self.number < requests && self.step(rng).is_some() {
            events += 1;
        }
        events
    }

    fn next(&self) -> Option<(Instant, Next)> {
        let mut first = None;
        let mut offer = |at: Option<Instant>, next: Next| {
            if let Some(at) = at
                && first.is_none_or(|(first, _)| at < first)
            {
                first = Some((at, next));
            }
        };
        offer(self.plans.next_at(), Next::Plan);
        offer(self.agenda.next_at(), Next::Call);
        if let Some(timeout) = self.config.timeout {
            let oldest = self.calls.longest_waiting();
            offer(oldest.map(|at| self.calls.get(at).arrived.saturating_add(timeout)), Next::Timeout);
        }
        offer(self.pushed.first().map(|at| self.calls.get(at).arrived), Next::Pushed);
        offer(self.arrival.map(|arrival| arrival.at), Next::Arrival);
        let (at, next) = first?;
        // These two never keep a simulation alive that is over without them.
        let probe = self.probes.first().map(|probe| probe.at).filter(|due| (*due, Next::Probe) < (at, next));
        let snapshot = self.snapshot_at.filter(|due| (*due, Next::Snapshot) < (at, next));
        match (probe, snapshot) {
            (Some(probe), Some(snapshot)) if snapshot < probe => Some((snapshot, Next::Snapshot)),
            (Some(probe), _) => Some((probe, Next::Probe)),
            (None, Some(snapshot)) => Some((snapshot, Next::Snapshot)),
            (None, None) => Some((at, next)),
        }
    }

    // Requests that come.

    fn come_drawn(&mut self, arrival: Arrival, rng: &mut impl Rng) -> What {
        self.arrival = Arrival::after(&self.config, arrival.at, arrival.index + 1);
        let mut draws = arrival.draws;
        let (dispatcher, work, fate) = (draws.next_u64(), draws.next_u64(), draws.next_u64());
        let key = self.keys.draw(self.now, &mut draws);
        let number = self.count_arrival();
        let dispatcher = self.dispatcher_for(dispatcher);
        let mut call = Call::new(number, self.now, key, None);
        call.work = work;
        let Some(at) = self.calls.insert(call) else {
            return self.refuse(number, dispatcher, Unplaced::Full);
        };
        self.place(at, dispatcher, fate, rng)
    }

    fn come_pushed(&mut self, at: u32, rng: &mut impl Rng) -> What {
        let number = self.count_arrival();
        // Apart from those of the configuration's own requests.
        let mut draws = draws(!self.config.seed, number);
        let (dispatcher, work, fate) = (draws.next_u64(), draws.next_u64(), draws.next_u64());
        let call = self.calls.get_mut(at);
        call.number = number;
        if !call.given {
            call.work = work;
        }
        let dispatcher = self.dispatcher_for(dispatcher);
        self.place(at, dispatcher, fate, rng)
    }

    /// The number of the request that just came.
    fn count_arrival(&mut self) -> u64 {
        let number = self.number;
        self.number += 1;
        if number == self.config.warm_up && number > 0 {
            self.figures.reset(self.now);
            for station in self.stations.iter_mut() {
                station.counts = super::server::Counts::new(self.now);
            }
        }
        self.figures.arrived += u64::from(number >= self.config.warm_up);
        number
    }

    fn dispatcher_for(&self, draw: u64) -> u32 {
        ((u128::from(draw) * self.dispatchers.len() as u128) >> 64) as u32
    }

    fn refuse(&mut self, number: u64, dispatcher: u32, why: Unplaced) -> What {
        self.figures.refused += u64::from(number >= self.config.warm_up);
        What::Refused { request: number, dispatcher, why }
    }

    /// Lets a dispatcher choose a server for a request.
    fn place(&mut self, at: u32, dispatcher: u32, fate: u64, rng: &mut impl Rng) -> What {
        let call = self.calls.get(at);
        let (number, key) = (call.number, call.key());
        let (Some(balancer), Some(map)) =
            (self.dispatchers.get_mut(dispatcher as usize), self.maps.get(dispatcher as usize))
        else {
            self.calls.remove(at);
            return self.refuse(number, dispatcher, Unplaced::NoDispatcher);
        };
        let mut avoided = [0; AVOIDED as usize];
        let mut count = 0;
        if self.avoided > 0 {
            let member = |(server, station): (usize, &Station)| {
                map.members.get(server).copied().flatten().filter(|_| station.avoided)
            };
            let members = self.stations.iter().enumerate().filter_map(member);
            for (place, member) in avoided.iter_mut().zip(members) {
                *place = member.slot();
                count += 1;
            }
        }
        let features;
        let mut request = Request::new().avoid(&avoided[..count]);
        if self.config.work_known {
            let work = if call.given { call.work } else { self.config.service.at(call.work) };
            features = [u32::try_from(work / 1_000).unwrap_or(u32::MAX)];
            request = request.features(&features);
        }
        if let Some(key) = key {
            request = request.key_hash(key);
        }
        if let Some(zone) = map.zone {
            request = request.zone(zone);
        }
        let (member, lease, why) = match balancer.pick(self.now, &request, rng) {
            Pick::Member { member, lease, why } => (member, lease, why),
            Pick::None { why, .. } => {
                self.calls.remove(at);
                return self.refuse(number, dispatcher, Unplaced::Balancer(why));
            }
        };
        let server = map.servers[member.slot() as usize];
        let counted = number >= self.config.warm_up;
        let station = &mut self.stations[server as usize];
        station.counts.picked += u64::from(counted);
        let fails = fate >> 32 < station.spec.failure_rate.to_bits();
        let call = self.calls.get_mut(at);
        (call.server, call.dispatcher, call.lease, call.fails) = (server, dispatcher, lease, fails);
        if self.config.timeout.is_some() {
            self.calls.wait(at);
        }
        if let Some(key) = key {
            self.note_owner(key, server, counted);
        }
        if self.config.network.is_zero() {
            self.reach(at);
        } else {
            self.calls.get_mut(at).stage = Stage::Out;
            self.note(at, self.config.network);
        }
        self.send_probes(dispatcher, rng);
        What::Picked { request: number, dispatcher, server, why }
    }

    /// Remembers where a key was last.
    fn note_owner(&mut self, key: u64, server: u32, counted: bool) {
        let places = self.owners.len() as u64;
        if places == 0 {
            return;
        }
        let place = &mut self.owners[(key % places) as usize];
        if place.0 == key && place.1 != NONE {
            self.figures.repeated += u64::from(counted);
            self.figures.moved += u64::from(counted && place.1 != server);
        }
        *place = (key, server);
    }

    /// The call has something to do in `delay`. It has nothing else to do then, so there is room to note it.
    fn note(&mut self, at: u32, delay: Duration) {
        let _ = self.agenda.insert(self.now.saturating_add(delay), at);
    }

    // Requests under way.

    fn proceed(&mut self, at: u32, rng: &mut impl Rng) -> What {
        let Call { number, server, stage, .. } = *self.calls.get(at);
        match stage {
            Stage::Out => {
                self.reach(at);
                What::Reached { request: number, server }
            }
            Stage::Serving => self.served(at, rng),
            Stage::Back(end) => self.end(at, end),
            // Those are not noted.
            Stage::Free | Stage::Due | Stage::Waiting => What::Late { request: number, server },
        }
    }

    /// A call reaches its server.
    fn reach(&mut self, at: u32) {
        let Call { number, server, .. } = *self.calls.get(at);
        let counted = u64::from(number >= self.config.warm_up);
        let station = &mut self.stations[server as usize];
        let full = station.in_flight() >= station.spec.slots.saturating_add(station.spec.queue_limit);
        let refused = match station.fault {
            Some(Fault::Down) => {
                station.counts.lost += counted;
                Some(End::Lost)
            }
            Some(Fault::BlackHole) => {
                station.counts.failed += counted;
                Some(End::Failed)
            }
            _ if full => {
                station.counts.rejected += counted;
                Some(End::Rejected)
            }
            _ => None,
        };
        if let Some(end) = refused {
            return self.send_back(at, end);
        }
        self.account(server);
        let station = &mut self.stations[server as usize];
        if station.present {
            self.figures.spread.more(station.in_flight());
        }
        self.calls.enqueue(&mut station.queue, at);
        self.calls.get_mut(at).stage = Stage::Waiting;
        station.waiting += 1;
        station.counts.peak = station.counts.peak.max(station.in_flight());
        self.start(server);
    }

    /// Sends the answer on its way.
    fn send_back(&mut self, at: u32, end: End) {
        let server = self.calls.get(at).server;
        let station = &self.stations[server as usize];
        let (told, expected) = (station.in_flight(), saturating_nanos(station.expected()));
        let call = self.calls.get_mut(at);
        (call.stage, call.told, call.nanos) = (Stage::Back(end), told, expected);
        self.note(at, self.config.network);
    }

    /// Accounts for the time before the number of requests of a server changes.
    pub(super) fn account(&mut self, server: u32) {
        self.stations[server as usize].touch(self.now);
        self.figures.spread.touch(self.now);
    }

    /// Starts what the server has slots for. Accounted for already.
    pub(super) fn start(&mut self, server: u32) {
        let station = &mut self.stations[server as usize];
        while station.can_start() {
            let Some(at) = self.calls.dequeue(&mut station.queue) else { return };
            station.waiting -= 1;
            station.serving += 1;
            let call = self.calls.get_mut(at);
            let work = if call.given {
                call.work
            } else {
                station.spec.service.unwrap_or(self.config.service).at(call.work)
            };
            call.nanos = station.time_for(self.now, work);
            call.stage = Stage::Serving;
            let _ = self.agenda.insert(self.now.saturating_add(Duration::from_nanos(call.nanos)), at);
        }
    }

    /// A server finished a call.
    fn served(&mut self, at: u32, rng: &mut impl Rng) -> What {
        let Call { number, server, fails, abandoned, nanos, .. } = *self.calls.get(at);
        self.account(server);
        let counted = u64::from(number >= self.config.warm_up);
        let station = &mut self.stations[server as usize];
        if station.present {
            self.figures.spread.fewer(station.in_flight());
        }
        station.serving -= 1;
        station.note_pace(nanos);
        if fails {
            station.counts.failed += counted;
        } else {
            station.counts.served += counted;
        }
        self.start(server);
        let end = if fails { End::Failed } else { End::Success };
        let idle = self.stations[server as usize].in_flight() == 0;
        let what = if abandoned {
            self.calls.remove(at);
            self.figures.late += counted;
            What::Late { request: number, server }
        } else if self.config.network.is_zero() {
            let station = &self.stations[server as usize];
            let (told, expected) = (station.in_flight(), saturating_nanos(station.expected()));
            let call = self.calls.get_mut(at);
            (call.told, call.nanos) = (told, expected);
            self.end(at, end)
        } else {
            self.send_back(at, end);
            What::Served { request: number, server }
        };
        if idle && self.config.idle_reports && self.stations[server as usize].present {
            self.report_idle(server, rng);
        }
        what
    }

    /// The caller has its answer, if it still wants it.
    fn end(&mut self, at: u32, end: End) -> What {
        let call = *self.calls.get(at);
        let Call { number, server, dispatcher, .. } = call;
        if call.abandoned {
            self.calls.remove(at);
            self.figures.late += u64::from(number >= self.config.warm_up);
            return What::Late { request: number, server };
        }
        if self.config.timeout.is_some() {
            self.calls.stop_waiting(at);
        }
        let what = self.account_end(at, end);
        self.calls.remove(at);
        if matches!(self.config.information, Information::Answers) && !matches!(end, End::Lost) {
            self.report(dispatcher, server, call.told, call.nanos);
        }
        what
    }

    fn give_up(&mut self, at: u32) -> What {
        self.calls.stop_waiting(at);
        self.calls.get_mut(at).abandoned = true;
        self.account_end(at, End::TimedOut)
    }

    /// The balancer and the figures hear how a call ended.
    fn account_end(&mut self, at: u32, end: End) -> What {
        let Call { number, arrived, lease, server, dispatcher, .. } = *self.calls.get(at);
        let latency = self.now.saturating_duration_since(arrived);
        let outcome = if end == End::Success { Outcome::Success } else { Outcome::Failure };
        if let Some(balancer) = self.dispatchers.get_mut(dispatcher as usize) {
            // Where the fleet's own timeout came first, it knows already.
            let _ = balancer.complete(self.now, lease, outcome);
        }
        if number >= self.config.warm_up {
            self.figures.end(end, saturating_nanos(latency));
        }
        What::Ended { request: number, dispatcher, server, end, latency }
    }
}

//! What a server is like, and what can happen to it.

use core::fmt;
use core::time::Duration;

use super::line::Line;
use crate::Instant;
use crate::fixed::Q32;
use crate::sim::service::Service;
use crate::time::saturating_nanos;

/// A server to be: how fast it is, how much it does at once, and what will happen to it.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::fixed::Q32;
/// use divvy::sim::dispatch::{Fault, Outage, Server};
///
/// let second = Instant::from_secs(1);
/// let slow = Server::new().speed(Q32::from_ratio(1, 4).unwrap()).slots(2).queue_limit(100);
/// let flaky = Server::new().outage(Outage::new(second, Instant::from_secs(2), Fault::BlackHole));
/// # let _ = (slow, flaky);
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Server {
    pub(super) traits: Traits,
    pub(super) fault: Option<Fault>,
    pub(super) joins_at: Instant,
    pub(super) leaves_at: Option<Instant>,
    pub(super) outage: Option<Outage>,
}

/// What a server is like as long as nothing happens to it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) struct Traits {
    pub(super) speed: Q32,
    pub(super) failure_rate: Q32,
    pub(super) service: Option<Service>,
    /// How long it is cold after it came, and how fast it is at first.
    pub(super) warm_up: (u64, Q32),
    pub(super) slots: u32,
    pub(super) weight: u32,
    pub(super) queue_limit: u32,
    pub(super) zone: u16,
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl Server {
    /// A server of speed 1 and weight 1 in zone 0 that serves one request at a time, queues any number, never fails, and
    /// is there from the start to the end.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            traits: Traits {
                speed: Q32::ONE,
                failure_rate: Q32::ZERO,
                service: None,
                warm_up: (0, Q32::ONE),
                slots: 1,
                weight: 1,
                queue_limit: u32::MAX,
                zone: 0,
            },
            fault: None,
            joins_at: Instant::ZERO,
            leaves_at: None,
            outage: None,
        }
    }

    /// Does work `speed` times as fast.
    #[must_use]
    pub const fn speed(mut self, speed: Q32) -> Self {
        self.traits.speed = speed;
        self
    }

    /// Serves up to `slots` requests at once, each at full speed.
    #[must_use]
    pub const fn slots(mut self, slots: u32) -> Self {
        self.traits.slots = slots;
        self
    }

    /// The weight that balancers are told.
    #[must_use]
    pub const fn weight(mut self, weight: u32) -> Self {
        self.traits.weight = weight;
        self
    }

    /// The zone that balancers are told.
    #[must_use]
    pub const fn zone(mut self, zone: u16) -> Self {
        self.traits.zone = zone;
        self
    }

    /// Rejects what finds `limit` requests waiting already, besides those being served.
    #[must_use]
    pub const fn queue_limit(mut self, limit: u32) -> Self {
        self.traits.queue_limit = limit;
        self
    }

    /// Fails this share of the requests, after having served them.
    #[must_use]
    pub const fn failure_rate(mut self, rate: Q32) -> Self {
        self.traits.failure_rate = rate;
        self
    }

    /// Takes its service times from `service` instead of the configuration's.
    #[must_use]
    pub const fn service(mut self, service: Service) -> Self {
        self.traits.service = Some(service);
        self
    }

    /// Answers everything at once with a failure, from the start to the end.
    #[must_use]
    pub const fn black_hole(mut self) -> Self {
        self.fault = Some(Fault::BlackHole);
        self
    }

    /// Is not there before `at`.
    #[must_use]
    pub const fn joins_at(mut self, at: Instant) -> Self {
        self.joins_at = at;
        self
    }

    /// Leaves at `at`: gets nothing new from then on, and finishes what it has. For one that takes what it has with it,
    /// let it go [down](Fault::Down) at the same time.
    #[must_use]
    pub const fn leaves_at(mut self, at: Instant) -> Self {
        self.leaves_at = Some(at);
        self
    }

    /// Has this outage. For more than one, see [`Dispatch::schedule`](super::Dispatch::schedule).
    #[must_use]
    pub const fn outage(mut self, outage: Outage) -> Self {
        self.outage = Some(outage);
        self
    }

    /// Is cold when it joins and when it recovers: it starts with `floor` of its speed and reaches all of it after
    /// `time`, rising evenly.
    #[must_use]
    pub const fn warm_up(mut self, time: Duration, floor: Q32) -> Self {
        self.traits.warm_up = (saturating_nanos(time), floor);
        self
    }

    pub(super) const fn check(&self) -> Result<(), ServerError> {
        let Traits { speed, slots, failure_rate, warm_up: (_, floor), .. } = self.traits;
        if slowness(speed).is_none() {
            return Err(ServerError::Speed);
        }
        if slots == 0 {
            return Err(ServerError::NoSlots);
        }
        if failure_rate.to_bits() > Q32::ONE.to_bits() {
            return Err(ServerError::FailureRate);
        }
        if floor.to_bits() < 1 << 22 || floor.to_bits() > Q32::ONE.to_bits() {
            return Err(ServerError::WarmUp);
        }
        if let Some(Outage { fault: Fault::Slow { speed }, .. }) = self.outage
            && slowness(speed).is_none()
        {
            return Err(ServerError::Speed);
        }
        Ok(())
    }
}

/// How long a second of work takes at `speed`; `None` for a speed that is hardly any.
pub(super) const fn slowness(speed: Q32) -> Option<Q32> {
    Q32::from_ratio(1 << 32, speed.to_bits())
}

/// Why a server was refused. Nothing changed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ServerError {
    /// Its speed is 0. Remedy: one above 0; an outage stands for a server that does nothing.
    Speed,
    /// It serves nothing at a time. Remedy: at least one slot.
    NoSlots,
    /// It fails more than all requests. Remedy: a rate between 0 and 1.
    FailureRate,
    /// It is colder than a thousandth, or warmer than all of its speed. Remedy: a floor between 1/1024 and 1.
    WarmUp,
    /// There is no room for it. Remedy: a larger capacity.
    Full,
    /// A dispatcher's fleet has no room for it, or the weights together do not fit 32 bits. Remedy: a larger fleet, or
    /// smaller weights.
    Fleet,
    /// There is no room for what is planned for it. Remedy: a larger capacity for requests, which is that for plans.
    Plans,
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Speed => "a server's speed must be above 0",
            Self::NoSlots => "a server must serve at least one request at a time",
            Self::FailureRate => "a failure rate must be from 0 to 1",
            Self::WarmUp => "a cold server must have from 1/1024 to all of its speed",
            Self::Full => "no room for another server; choose a larger capacity",
            Self::Fleet => "a fleet refused the server; give it more room or smaller weights",
            Self::Plans => "no room for what is planned; choose a larger capacity for requests",
        })
    }
}

impl core::error::Error for ServerError {}

/// What is wrong with a server.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Fault {
    /// What it has is lost, and what comes is lost at once.
    Down,
    /// It goes on with what it has, and answers what comes at once with a failure.
    BlackHole,
    /// It takes what comes, finishes what it serves, and starts nothing.
    Frozen,
    /// What it starts, it does at this speed instead of its own.
    Slow {
        /// The speed.
        speed: Q32,
    },
}

/// A fault from one time to another.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Outage {
    pub(super) from: Instant,
    pub(super) until: Instant,
    pub(super) fault: Fault,
    pub(super) noticed: Option<Duration>,
}

impl Outage {
    /// `fault` from `from` until `until`, of which balancers learn only by what becomes of their requests.
    #[must_use]
    pub const fn new(from: Instant, until: Instant, fault: Fault) -> Self {
        Self { from, until, fault, noticed: None }
    }

    /// Health checks notice it `after` it began and `after` it ended, and tell every balancer.
    #[must_use]
    pub const fn noticed(mut self, after: Duration) -> Self {
        self.noticed = Some(after);
        self
    }
}

/// A change of a server, at once by [`Dispatch::apply`](super::Dispatch::apply) or later by
/// [`Dispatch::schedule`](super::Dispatch::schedule).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Change {
    /// It joins every dispatcher's fleet, as one that was not there before: cold, if it has a warm-up.
    Join,
    /// It leaves every fleet, and finishes what it has.
    Leave,
    /// Something is wrong with it from now on.
    Fail(Fault),
    /// Nothing is wrong with it from now on. It is cold, if it has a warm-up and was down.
    Recover,
    /// Health checks tell every balancer that it is down.
    MarkDown,
    /// Health checks tell every balancer that it is up.
    MarkUp,
    /// What it starts from now on, it does at this speed.
    Speed(Q32),
    /// Balancers are told this weight.
    Weight(u32),
    /// Every request names it among those to avoid, as a retry does with those that it was tried on. Eight servers at
    /// most.
    Avoid,
    /// Requests avoid it no longer.
    Allow,
}

impl Change {
    pub(super) const fn words(self) -> [u64; 2] {
        match self {
            Self::Join => [0, 0],
            Self::Leave => [1, 0],
            Self::Fail(Fault::Down) => [2, 0],
            Self::Fail(Fault::BlackHole) => [2, 1],
            Self::Fail(Fault::Frozen) => [2, 2],
            Self::Fail(Fault::Slow { speed }) => [3, speed.to_bits()],
            Self::Recover => [4, 0],
            Self::MarkDown => [5, 0],
            Self::MarkUp => [6, 0],
            Self::Speed(speed) => [7, speed.to_bits()],
            Self::Weight(weight) => [8, weight as u64],
            Self::Avoid => [9, 0],
            Self::Allow => [10, 0],
        }
    }
}

/// A server in the simulation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Station {
    pub(super) spec: Traits,
    pub(super) fault: Option<Fault>,
    pub(super) present: bool,
    pub(super) avoided: bool,
    /// Since when it warms up.
    pub(super) since: Instant,
    pub(super) queue: Line,
    pub(super) waiting: u32,
    pub(super) serving: u32,
    /// What it says about its service times: an average that forgets, in nanoseconds; 0 until it has served one.
    pub(super) pace: u64,
    pub(super) counts: Counts,
}

/// What a server did since the figures began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    pub(super) picked: u64,
    pub(super) served: u64,
    pub(super) failed: u64,
    pub(super) rejected: u64,
    pub(super) lost: u64,
    pub(super) peak: u32,
    pub(super) touched: Instant,
    /// Nanoseconds times requests in the system, and in service.
    pub(super) held: u128,
    pub(super) busy: u128,
}

impl Counts {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            picked: 0,
            served: 0,
            failed: 0,
            rejected: 0,
            lost: 0,
            peak: 0,
            touched: now,
            held: 0,
            busy: 0,
        }
    }
}

impl Station {
    pub(super) const fn new(server: &Server) -> Self {
        Self {
            spec: server.traits,
            fault: server.fault,
            present: false,
            avoided: false,
            since: Instant::ZERO,
            queue: Line::new(),
            waiting: 0,
            serving: 0,
            pace: 0,
            counts: Counts::new(Instant::ZERO),
        }
    }

    /// Requests that it has.
    pub(super) const fn in_flight(&self) -> u32 {
        self.waiting + self.serving
    }

    /// Accounts for the time up to `now`. To be called before its requests change.
    pub(super) fn touch(&mut self, now: Instant) {
        let since = now.as_nanos() - self.counts.touched.as_nanos();
        self.counts.touched = now;
        self.counts.held += u128::from(since) * u128::from(self.in_flight());
        self.counts.busy += u128::from(since) * u128::from(self.serving);
    }

    /// Whether it starts what waits.
    pub(super) const fn can_start(&self) -> bool {
        self.serving < self.spec.slots && self.waiting > 0 && !matches!(self.fault, Some(Fault::Frozen))
    }

    /// How long `work` takes if it starts at `now`.
    pub(super) fn time_for(&self, now: Instant, work: u64) -> u64 {
        let speed = match self.fault {
            Some(Fault::Slow { speed }) => speed,
            _ => self.spec.speed,
        };
        let time = if speed == Q32::ONE { work } else { slowness(speed).unwrap_or(Q32::MAX).mul_int(work) };
        let (warm_up, floor) = self.spec.warm_up;
        let age = now.as_nanos() - self.since.as_nanos();
        if age >= warm_up {
            return time;
        }
        let warmth = Q32::from_ratio(age, warm_up).unwrap_or(Q32::ONE);
        let share = floor.saturating_add(Q32::ONE.saturating_sub(floor).saturating_mul(warmth));
        slowness(share).unwrap_or(Q32::ONE).mul_int(time)
    }

    /// The latency that it expects for a request that comes now.
    pub(super) const fn expected(&self) -> Duration {
        let ahead = (self.in_flight() + 1).saturating_sub(self.spec.slots);
        let wait = self.pace.saturating_mul(ahead as u64) / self.spec.slots as u64;
        Duration::from_nanos(self.pace.saturating_add(wait))
    }

    pub(super) const fn note_pace(&mut self, time: u64) {
        self.pace = if self.pace == 0 { time } else { self.pace - self.pace / 8 + time / 8 };
    }
}

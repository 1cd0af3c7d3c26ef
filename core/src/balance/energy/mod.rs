//! As few members as the load needs.

#[cfg(test)]
mod tests;

use super::outcome::{Ended, Outcome, Report};
use super::policy::{Choice, Policy, Refusal, View, Why};
use super::request::Request;
use crate::Rng;
use crate::fixed::Q32;
use crate::storage::Storage;
use crate::time::{Instant, saturating_nanos};
use core::time::Duration;

/// Work on as few members as the load needs, so that the others can sleep; among those that are awake the inner policy
/// chooses.
///
/// Awake are the first so many of the candidates. One more is woken at once when those that are awake would have more
/// calls than [`EnergyConfig::wake_above`] each, or when the average latency is above
/// [`EnergyConfig::latency_bound`]. The last one is released when for a whole [`EnergyConfig::dwell`] there were never
/// more calls than [`EnergyConfig::release_below`] for each of the others: so one is released a dwell at most, and only
/// as many are woken as were released before, or as the fleet has more. Who is released finishes what it has.
///
/// Counts are per weight, if weights say what members can do at once. What is asleep is the caller's to switch off: see
/// [`awake`](Self::awake).
///
/// *When not to use it:* where members cost the same asleep and awake, or take longer to wake than a request may wait.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::balance::{Balancer, EnergyAware, EnergyConfig, Fleet, Member, P2c, Pick, Refusal, Request};
/// use divvy::rng::SplitMix64;
/// use divvy::storage::Inline;
/// use divvy::Instant;
///
/// let (now, mut rng) = (Instant::ZERO, SplitMix64::seed(1));
/// let fleet = Fleet::<Inline<8>, Inline<16>>::new(Duration::from_secs(10));
/// let policy = EnergyAware::new(P2c::new(), EnergyConfig::new(2));
/// let mut balancer = Balancer::new(fleet, policy);
/// let none = balancer.pick(now, &Request::new(), &mut rng);
/// assert_eq!(none, Pick::None { retry_at: None, why: Refusal::Empty });
///
/// for name in [b"a", b"b", b"c", b"d"] {
///     balancer.fleet_mut().insert(now, Member::new(name))?;
/// }
/// for calls in 1..=5 {
///     assert!(matches!(balancer.pick(now, &Request::new(), &mut rng), Pick::Member { .. }));
///     // Two calls each, so that the fifth wakes the third member:
///     assert_eq!(balancer.policy().awake(), (calls + 1) / 2);
/// }
/// # Ok::<(), divvy::balance::FleetError>(())
/// ```
///
/// # Complexity
///
/// *O*(1) and the inner policy's; *O*(candidates) after a change. 120 bytes and the inner policy's.
///
/// # Time
///
/// `now` drives the dwell and the sums of time.
///
/// # References
///
/// Gandhi, Harchol-Balter, Raghunathan, Kozuch: *AutoScale: dynamic, robust capacity management for multi-tier data
/// centers*, ACM TOCS 30(4), 2012, for packing and for releasing late.
#[derive(Clone, Debug)]
pub struct EnergyAware<P> {
    inner: P,
    config: EnergyConfig,
    /// How many of the candidates are awake.
    awake: u32,
    /// The sum of their weights.
    weight: u64,
    /// The view whose candidates were counted, and the epoch that the inner policy sees.
    seen: Option<u32>,
    epoch: u32,
    /// The most calls that were out since `began`.
    peak: u32,
    began: Instant,
    /// The average latency in ns, and how many calls it is of, since a member was woken for it.
    latency: u64,
    heard: u32,
    latest: Instant,
    stats: EnergyStats,
}

/// When members are woken and released.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct EnergyConfig {
    wake: Q32,
    release: Q32,
    latency: Duration,
    dwell: Duration,
    least: u32,
}

/// What consolidation came to.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct EnergyStats {
    /// Members that were woken, those that a larger fleet started with included.
    pub woken: u64,
    /// Members that were released.
    pub released: u64,
    /// The time that members were awake, all of them together, in microseconds.
    pub awake_micros: u64,
    /// The time that candidates were there, all of them together, in microseconds.
    pub ready_micros: u64,
}

impl EnergyConfig {
    /// Wakes above `calls` per member and weight (1 at least), and releases when one fewer had done for ten seconds. No
    /// bound on latency.
    #[must_use]
    pub const fn new(calls: u32) -> Self {
        let calls = if calls == 0 { 1 } else { calls };
        Self {
            wake: Q32::from_int(calls),
            release: Q32::from_int(calls),
            latency: Duration::MAX,
            dwell: Duration::from_secs(10),
            least: 1,
        }
    }

    /// Wakes one more when there would be more calls than this per member and weight.
    #[must_use]
    pub const fn wake_above(mut self, calls: Q32) -> Self {
        self.wake = calls;
        self
    }

    /// Releases one when without it there were no more calls than this per member and weight. Above
    /// [`wake_above`](Self::wake_above) it counts as that.
    #[must_use]
    pub const fn release_below(mut self, calls: Q32) -> Self {
        self.release = calls;
        self
    }

    /// Wakes one more when the average latency is above `bound`, of the latest eight calls at least, and releases none
    /// while it is above half of it.
    #[must_use]
    pub const fn latency_bound(mut self, bound: Duration) -> Self {
        self.latency = bound;
        self
    }

    /// Releases none before the load was low for this long.
    #[must_use]
    pub const fn dwell(mut self, dwell: Duration) -> Self {
        self.dwell = dwell;
        self
    }

    /// Keeps `members` awake at least (1 at least).
    #[must_use]
    pub const fn at_least(mut self, members: u32) -> Self {
        self.least = members;
        self
    }
}

impl<P> EnergyAware<P> {
    /// `inner` among those that are awake; at first one member.
    #[must_use]
    pub const fn new(inner: P, config: EnergyConfig) -> Self {
        Self {
            inner,
            config,
            awake: 0,
            weight: 0,
            seen: None,
            epoch: 0,
            peak: 0,
            began: Instant::ZERO,
            latency: 0,
            heard: 0,
            latest: Instant::ZERO,
            stats: EnergyStats { woken: 0, released: 0, awake_micros: 0, ready_micros: 0 },
        }
    }

    /// How many members are awake: the first so many of the ready ones.
    #[must_use]
    pub const fn awake(&self) -> u32 {
        self.awake
    }

    /// What consolidation came to.
    #[must_use]
    pub const fn stats(&self) -> EnergyStats {
        self.stats
    }

    /// The inner policy.
    #[must_use]
    pub const fn inner(&self) -> &P {
        &self.inner
    }

    /// The candidates that are awake.
    fn narrow<'a, M: Storage, L: Storage>(&self, view: View<'a, M, L>) -> View<'a, M, L> {
        let slots = view.slots();
        view.narrow(&slots[..slots.len().min(self.awake as usize)], self.epoch)
    }

    /// Lets time pass up to `now`.
    fn pass(&mut self, now: Instant, ready: usize) {
        let micros = saturating_nanos(now.saturating_duration_since(self.latest)) / 1_000;
        // What is less than a microsecond passes with what follows.
        if micros > 0 {
            self.latest = self.latest.saturating_add(Duration::from_micros(micros));
            let add = |sum: u64, members: u64| sum.saturating_add(micros.saturating_mul(members));
            self.stats.awake_micros = add(self.stats.awake_micros, self.awake.into());
            self.stats.ready_micros = add(self.stats.ready_micros, ready as u64);
        }
    }

    /// Counts the candidates anew after a change of them.
    fn follow<M: Storage, L: Storage>(&mut self, view: View<'_, M, L>) {
        if self.seen == Some(view.epoch()) {
            return;
        }
        self.seen = Some(view.epoch());
        let least = self.config.least.max(1).max(self.awake);
        let awake = (view.slots().len() as u32).min(least);
        self.stats.woken += u64::from(awake.saturating_sub(self.awake));
        self.set_awake(view, awake);
    }

    fn set_awake<M: Storage, L: Storage>(&mut self, view: View<'_, M, L>, awake: u32) {
        self.awake = awake;
        self.epoch = self.epoch.wrapping_add(1);
        self.weight =
            self.narrow(view).slots().iter().map(|slot| u64::from(view.fleet().weight(*slot))).sum();
    }

    /// Wakes as many as the calls that are out and one more need; whether any.
    fn wake<M: Storage, L: Storage>(&mut self, view: View<'_, M, L>) -> bool {
        let before = self.awake;
        let calls = u64::from(view.fleet().calls()) + 1;
        let slots = view.slots();
        while (self.awake as usize) < slots.len() {
            let crowded = self.config.wake.mul_int(self.weight) < calls;
            let late = self.heard >= HEARD && self.latency > saturating_nanos(self.config.latency);
            if !crowded && !late {
                break;
            }
            self.weight += u64::from(view.fleet().weight(slots[self.awake as usize]));
            self.awake += 1;
            if !crowded {
                // Only what comes from now on says whether that was enough.
                (self.latency, self.heard) = (0, 0);
            }
        }
        if self.awake > before {
            self.stats.woken += u64::from(self.awake - before);
            self.epoch = self.epoch.wrapping_add(1);
        }
        self.awake > before
    }

    /// At the end of a dwell, releases one if the others could have done what there was.
    fn release<M: Storage, L: Storage>(&mut self, now: Instant, view: View<'_, M, L>) {
        let calls = view.fleet().calls().saturating_add(1);
        self.peak = self.peak.max(calls);
        if now.saturating_duration_since(self.began) < self.config.dwell {
            return;
        }
        let peak = core::mem::replace(&mut self.peak, calls);
        self.began = now;
        let quick = self.latency <= saturating_nanos(self.config.latency) / 2;
        if self.awake <= self.config.least.max(1) || !quick {
            return;
        }
        let Some(last) = view.slots().get(self.awake as usize - 1) else { return };
        let without = self.weight.saturating_sub(view.fleet().weight(*last).into());
        if u64::from(peak) <= self.config.release.min(self.config.wake).mul_int(without) {
            self.stats.released += 1;
            self.set_awake(view, self.awake - 1);
        }
    }
}

/// Of how many calls an average latency is, for a member to be woken for it.
const HEARD: u32 = 8;

impl<P: Policy> Policy for EnergyAware<P> {
    fn choose<M: Storage, L: Storage>(
        &mut self,
        now: Instant,
        view: View<'_, M, L>,
        request: &Request<'_>,
        rng: &mut impl Rng,
    ) -> Result<Choice, Refusal> {
        self.pass(now, view.slots().len());
        self.follow(view);
        let woken = self.wake(view);
        self.release(now, view);
        match self.inner.choose(now, self.narrow(view), request, rng) {
            Ok(choice) if woken && self.narrow(view).slots().last() == Some(&choice.slot) => {
                Ok(Choice { why: Why::Woken, ..choice })
            }
            // All that are awake are avoided: one of the others, for this request alone.
            Err(Refusal::Avoided) => {
                let asleep = &view.slots()[self.awake as usize..];
                let slot =
                    asleep.iter().find(|slot| !request.avoids(**slot)).ok_or_else(|| view.refusal())?;
                Ok(Choice { slot: *slot, why: Why::Woken })
            }
            other => other,
        }
    }

    fn started<M: Storage, L: Storage>(&mut self, now: Instant, view: View<'_, M, L>, slot: u32) {
        self.inner.started(now, self.narrow(view), slot);
    }

    fn ended<M: Storage, L: Storage>(&mut self, now: Instant, view: View<'_, M, L>, ended: &Ended) {
        self.pass(now, view.slots().len());
        if ended.outcome != Outcome::Ignored {
            let cost = saturating_nanos(view.fleet().cost(ended));
            self.heard = self.heard.saturating_add(1);
            // An eighth of each, and all of the first.
            self.latency = match self.latency {
                0 => cost,
                mean if cost >= mean => mean + (cost - mean) / 8,
                mean => mean - (mean - cost) / 8,
            };
        }
        self.inner.ended(now, self.narrow(view), ended);
    }

    fn reported<M: Storage, L: Storage>(
        &mut self,
        now: Instant,
        view: View<'_, M, L>,
        slot: u32,
        report: &Report,
    ) {
        self.inner.reported(now, self.narrow(view), slot, report);
    }

    fn probe<M: Storage, L: Storage>(
        &mut self,
        now: Instant,
        view: View<'_, M, L>,
        rng: &mut impl Rng,
    ) -> Option<u32> {
        self.inner.probe(now, self.narrow(view), rng)
    }
}

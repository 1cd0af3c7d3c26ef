//! By latency among those that are not crowded, as probes in the background tell.

mod config;
mod pool;
#[cfg(test)]
mod tests;

pub use config::{PrequalConfig, PrequalError};
pub use pool::Probe;

use super::among;
use super::outcome::Report;
use super::policy::{Choice, Policy, Refusal, View};
use super::request::Request;
use crate::Rng;
use crate::fixed::Q32;
use crate::storage::Storage;
use crate::time::{Instant, saturating_nanos};
use pool::{Loads, Pool};

/// Of the members that answered a probe lately: the fastest of those that are not crowded, or, if all are, the least
/// crowded.
///
/// Each request asks for a few probes of members drawn by chance, whose answers serve later requests; nobody waits for
/// them. [`Balancer::probe`](super::Balancer::probe) names the members to ask until it answers `None`, and
/// [`Balancer::report`](super::Balancer::report) takes the answers: the requests in flight there from all callers (RIF)
/// and the latency to expect now. A member is hot if its RIF is above a quantile of those heard lately. The pool forgets:
/// a probe ages out, is used up, gives way to a newer one, and with each request the oldest or the worst is taken out by
/// turns. What this caller sends since counts on top of the answer. With fewer than two usable probes chance decides.
///
/// *When not to use it:* where members cannot be asked, and with a handful of members whose calls all pass here, whose
/// load is known anyway. Weights count for nothing.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::balance::{Balancer, Fleet, Member, Pick, Prequal, Refusal, Report, Request, Why};
/// use divvy::rng::SplitMix64;
/// use divvy::storage::Inline;
/// use divvy::Instant;
///
/// let (now, mut rng) = (Instant::ZERO, SplitMix64::seed(1));
/// let fleet = Fleet::<Inline<4>, Inline<16>>::new(Duration::from_secs(10));
/// let mut balancer = Balancer::new(fleet, Prequal::new());
/// let none = balancer.pick(now, &Request::new(), &mut rng);
/// assert_eq!(none, Pick::None { retry_at: None, why: Refusal::Empty });
///
/// for name in [b"a", b"b", b"c"] {
///     balancer.fleet_mut().insert(now, Member::new(name))?;
/// }
/// while let Some(member) = balancer.probe(now, &mut rng) {
///     // Here the member would be asked; the one in slot 1 is the fastest.
///     let latency = Duration::from_millis(if member.slot() == 1 { 5 } else { 50 });
///     balancer.report(now, member, &Report { in_flight: 2, latency })?;
/// }
/// let pick = balancer.pick(now, &Request::new(), &mut rng);
/// assert!(matches!(pick, Pick::Member { member, why: Why::Cold, .. } if member.slot() == 1));
/// // A second later the answers are worth nothing:
/// let later = Instant::from_millis(1_001);
/// assert!(matches!(balancer.pick(later, &Request::new(), &mut rng), Pick::Member { why: Why::Chance, .. }));
/// # Ok::<(), divvy::balance::FleetError>(())
/// ```
///
/// # Complexity
///
/// *O*(pool) per choice and per report, whatever the number of members; 1,104 bytes.
///
/// # Time
///
/// Probes age by the `now` of their report.
///
/// # References
///
/// Wydrowski, Kleinberg, Rumble, Archer, *Load is not what you should balance: introducing Prequal*, NSDI 2024. The
/// removals stand outside the factor of pool ÷ members in the reuse budget (a reproduction grouped them wrongly), and
/// a member's RIF comes from its own reports while this caller's calls are leased, so no cancelled call leaves a count
/// behind.
#[derive(Clone, Debug)]
pub struct Prequal {
    config: PrequalConfig,
    pool: Pool,
    loads: Loads,
    /// Probes that requests have asked for, and removals that are due, with their fractions.
    owed: Q32,
    due: Q32,
    /// Whether the next removal takes the worst.
    worst: bool,
    /// The slot that was chosen from the pool, until the call begins.
    chosen: Option<u32>,
    /// The slots that were probed for the last request.
    asked: heapless::Vec<u32, 8>,
    last_probe: Instant,
    epoch: Option<u32>,
    /// How often one probe may be used, for this many members.
    reuse: (u32, Option<Q32>),
}

impl Prequal {
    /// The parameters of the paper: see [`PrequalConfig::new`].
    #[must_use]
    pub const fn new() -> Self {
        Self::from_config(PrequalConfig::new())
    }

    /// These parameters.
    ///
    /// # Errors
    ///
    /// [`PrequalError`]; nothing was made.
    pub fn with(config: PrequalConfig) -> Result<Self, PrequalError> {
        config.check()?;
        Ok(Self::from_config(config))
    }

    const fn from_config(config: PrequalConfig) -> Self {
        Self {
            config,
            pool: Pool::new(),
            loads: Loads::new(),
            // For the first request there are answers before it comes.
            owed: config.probes,
            due: Q32::ZERO,
            worst: false,
            chosen: None,
            asked: heapless::Vec::new(),
            last_probe: Instant::ZERO,
            epoch: None,
            reuse: (0, None),
        }
    }

    /// The pooled probes, the oldest first.
    #[must_use]
    pub fn pool(&self) -> &[Probe] {
        self.pool.probes()
    }

    /// Above how many requests in flight a member is hot, as of the probes heard so far.
    #[must_use]
    pub fn hot_above(&self) -> u32 {
        self.loads.quantile(self.config.quantile)
    }

    /// Drops what is known of members that are gone.
    fn forget<M: Storage, L: Storage>(&mut self, view: View<'_, M, L>) {
        let fleet = view.fleet();
        self.pool
            .retain(|probe| fleet.id(probe.slot()).is_some_and(|id| id.generation() == probe.generation));
        self.loads.retain(|slot| fleet.id(slot).is_some());
        self.epoch = Some(view.epoch());
    }

    /// How often a probe may be used with `members` candidates, rounded to one of its neighbours by chance so that the
    /// mean is right.
    fn uses(&mut self, members: u32, rng: &mut impl Rng) -> u32 {
        if self.reuse.0 != members {
            self.reuse = (members, self.config.reuse(members));
        }
        let Some(uses) = self.reuse.1 else { return u32::MAX };
        let fraction = uses.to_bits() as u32;
        let up = fraction > 0 && ((rng.next_u64() >> 32) as u32) < fraction;
        uses.floor().saturating_add(up.into())
    }
}

impl Default for Prequal {
    fn default() -> Self {
        Self::new()
    }
}

impl Policy for Prequal {
    fn choose<M: Storage, L: Storage>(
        &mut self,
        now: Instant,
        view: View<'_, M, L>,
        request: &Request<'_>,
        rng: &mut impl Rng,
    ) -> Result<Choice, Refusal> {
        self.chosen = None;
        if self.epoch != Some(view.epoch()) {
            self.forget(view);
        }
        self.pool.expire(now, self.config.lifetime);
        let hot_above = self.hot_above();
        let slots = view.slots();
        let usable = |probe: &Probe| among::contains(slots, probe.slot()) && !request.avoids(probe.slot());
        let Some((at, why)) = self.pool.best(hot_above, usable) else {
            return among::chance(view, request, rng).map(|(slot, why)| Choice { slot, why });
        };
        let slot = self.pool.probes()[at].slot();
        if self.pool.probes()[at].uses == 0 {
            let uses = self.uses(slots.len() as u32, rng);
            self.pool.probes_mut()[at].uses = uses;
        }
        self.chosen = Some(slot);
        Ok(Choice { slot, why })
    }

    fn started<M: Storage, L: Storage>(&mut self, _now: Instant, _view: View<'_, M, L>, slot: u32) {
        self.pool.sent(slot);
        if self.chosen.take() == Some(slot) {
            self.pool.used(slot);
        }
        self.due = self.due.saturating_add(self.config.removals);
        while self.due >= Q32::ONE {
            self.due = self.due.saturating_sub(Q32::ONE);
            let hot_above = self.hot_above();
            if self.worst {
                self.pool.remove_worst(hot_above)
            } else {
                self.pool.remove_oldest()
            }
            self.worst = !self.worst;
        }
        // Probes that nobody came to fetch are not sent later all at once.
        let most = self.config.probes.saturating_add(Q32::ONE);
        self.owed = self.owed.saturating_add(self.config.probes).min(most);
        self.asked.clear();
    }

    fn reported<M: Storage, L: Storage>(
        &mut self,
        now: Instant,
        view: View<'_, M, L>,
        slot: u32,
        report: &Report,
    ) {
        let Some(id) = view.fleet().id(slot) else { return };
        self.loads.note(slot, report.in_flight);
        self.pool.insert(
            Probe {
                at: now,
                latency: saturating_nanos(report.latency),
                slot,
                generation: id.generation(),
                in_flight: report.in_flight,
                uses: 0,
            },
            self.config.pool as usize,
        );
    }

    fn probe<M: Storage, L: Storage>(
        &mut self,
        now: Instant,
        view: View<'_, M, L>,
        rng: &mut impl Rng,
    ) -> Option<u32> {
        let since = saturating_nanos(now.saturating_duration_since(self.last_probe));
        let idle = self.config.idle.is_some_and(|pause| since >= pause);
        if (self.owed < Q32::ONE && !idle) || view.slots().is_empty() {
            return None;
        }
        let asked = self.asked.clone();
        let (slot, _) = among::chance(view, &Request::new().avoid(&asked), rng).ok().or_else(|| {
            self.asked.clear();
            among::chance(view, &Request::new(), rng).ok()
        })?;
        if self.asked.push(slot).is_err() {
            self.asked.clear();
        }
        self.owed = self.owed.saturating_sub(Q32::ONE);
        self.last_probe = now;
        Some(slot)
    }
}

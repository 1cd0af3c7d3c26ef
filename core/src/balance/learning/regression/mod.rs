//! Where work would be done first, by an estimate of how long it takes.

mod fit;

#[cfg(test)]
mod tests;

pub use fit::Fit;

use crate::Rng;
use crate::balance::outcome::{Ended, Outcome};
use crate::balance::policy::{Choice, Policy, Refusal, View, Why};
use crate::balance::request::Request;
use crate::storage::{Inline, List, Storage};
use crate::time::{Instant, saturating_nanos};
use core::fmt;
use core::time::Duration;
use fit::FEATURES;

/// The member that would finish the request first, by an estimate of run times from features that is learned as calls
/// end.
///
/// One linear [`Fit`] estimates the run time of work from its [features](Request::features); for each member there is a
/// factor for how quick it is, and the sum of the estimates of all work that it has. Without features the estimate is the
/// mean, and the choice that of least load, corrected for speed. Among equals chance decides.
///
/// How a member works through what it has is the caller's to say: see [`Discipline`].
///
/// *When not to use it:* when run times do not depend on anything that the caller knows beforehand, or when other callers
/// send to the same members: what they sent is not seen.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::balance::{Balancer, Fleet, Member, Outcome, Pick, Refusal, Regression, Request};
/// use divvy::rng::SplitMix64;
/// use divvy::storage::Inline;
/// use divvy::Instant;
///
/// let (mut now, mut rng) = (Instant::ZERO, SplitMix64::seed(1));
/// let fleet = Fleet::<Inline<2>, Inline<4>>::new(Duration::from_secs(10));
/// let mut balancer = Balancer::new(fleet, Regression::<Inline<4>>::new());
/// for name in [b"a", b"b"] {
///     balancer.fleet_mut().insert(now, Member::new(name))?;
/// }
/// // Ten milliseconds a page:
/// for pages in (1..=5).cycle().take(200) {
///     let Pick::Member { lease, .. } = balancer.pick(now, &Request::new().features(&[pages]), &mut rng) else { panic!() };
///     now = now.saturating_add(Duration::from_millis(10) * pages);
///     balancer.complete(now, lease, Outcome::Success)?;
/// }
/// let mut pick = |pages| match balancer.pick(now, &Request::new().features(&[pages]), &mut rng) {
///     Pick::Member { member, .. } => Ok(member),
///     Pick::None { why, .. } => Err(why),
/// };
/// // One long job for one, then three short ones for the other:
/// let long = pick(8)?;
/// assert!(pick(2)? != long && pick(2)? != long && pick(2)? != long);
/// // As many calls are out as the fleet can hold:
/// assert_eq!(pick(1), Err(Refusal::TooManyCalls));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Complexity
///
/// Choosing *O*(candidates); a call's end as [`Fit::note`]. 40 bytes per member and 56 per call, of the larger number of
/// both, and 656 for the fit.
///
/// # Time
///
/// Run times are differences of `now`.
pub struct Regression<S: Storage> {
    fit: Fit,
    runners: S::List<Runner>,
    calls: S::List<Call>,
    discipline: Discipline,
    /// The request that a choice was made for last.
    pending: Call,
}

/// How a member works through its calls.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Discipline {
    /// One after the other, in the order in which they came: what a call took is counted from the end of the one before.
    #[default]
    OneByOne,
    /// All at once: what a call took is counted from its beginning.
    AllAtOnce,
}

/// What is known of a member.
#[derive(Clone, Copy, Debug)]
struct Runner {
    generation: u32,
    /// The estimates of its calls together, in ns.
    queued: u64,
    /// What its calls took and what they were estimated to take, the older the less, in ns.
    took: u64,
    estimated: u64,
    /// When its last call ended.
    free: Instant,
}

impl Runner {
    const fn new(generation: u32) -> Self {
        Self { generation, queued: 0, took: 0, estimated: 0, free: Instant::ZERO }
    }

    /// `nanos` on this member, by how quick it was so far.
    fn on_it(&self, nanos: u64) -> u128 {
        // As if a little of the estimate had been right, for the start.
        let (took, estimated) = (u128::from(self.took) + 1, u128::from(self.estimated) + 1);
        if self.estimated == 0 { nanos.into() } else { u128::from(nanos) * took / estimated }
    }
}

/// What is known of a call.
#[derive(Clone, Copy, Debug)]
struct Call {
    features: [u32; FEATURES],
    used: u8,
    /// In ns, before the member's factor.
    estimate: u64,
    began: Instant,
}

impl Call {
    const NONE: Self = Self { features: [0; FEATURES], used: 0, estimate: 0, began: Instant::ZERO };
}

impl<const N: usize> Regression<Inline<N>> {
    /// For up to `N` members and calls at once.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            fit: Fit::new(),
            runners: heapless::Vec::new(),
            calls: heapless::Vec::new(),
            discipline: Discipline::OneByOne,
            pending: Call::NONE,
        }
    }
}

impl<const N: usize> Default for Regression<Inline<N>> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "alloc")]
impl Regression<crate::storage::Heap> {
    /// For up to `calls` calls at once, and as many members.
    #[must_use]
    pub fn with_capacity(calls: u32) -> Self {
        use crate::storage::HeapList;
        Self {
            fit: Fit::new(),
            runners: HeapList::with_capacity(calls as usize),
            calls: HeapList::with_capacity(calls as usize),
            discipline: Discipline::OneByOne,
            pending: Call::NONE,
        }
    }
}

impl<S: Storage> Regression<S> {
    /// Members work as `discipline` says.
    #[must_use]
    pub fn discipline(mut self, discipline: Discipline) -> Self {
        self.discipline = discipline;
        self
    }

    /// The fit.
    #[must_use]
    pub const fn fit(&self) -> &Fit {
        &self.fit
    }

    /// How long the work that the member in `slot` has is expected to take.
    #[must_use]
    pub fn backlog(&self, slot: u32) -> Duration {
        self.runners.get(slot as usize).map_or(Duration::ZERO, |runner| {
            Duration::from_nanos(u64::try_from(runner.on_it(runner.queued)).unwrap_or(u64::MAX))
        })
    }

    fn estimate(&self, features: &[u32]) -> u64 {
        // Before anything is known every request counts alike.
        self.fit.estimate(features).map_or(1_000_000, saturating_nanos).clamp(1, 1 << 56)
    }

    /// Makes the runners those of the fleet's members.
    fn follow<M: Storage, L: Storage>(&mut self, view: View<'_, M, L>) -> Result<(), Refusal> {
        let Some(&last) = view.slots().last() else { return Err(view.refusal()) };
        while self.runners.len() <= last as usize {
            self.runners.push(Runner::new(0)).map_err(|_| Refusal::PolicyTooSmall)?;
        }
        for &slot in view.slots() {
            let Some(id) = view.fleet().id(slot) else { continue };
            let runner = &mut self.runners[slot as usize];
            if runner.generation != id.generation() {
                // What it was given before it came back is still its own.
                *runner = Runner { queued: runner.queued, ..Runner::new(id.generation()) };
            }
        }
        Ok(())
    }
}

impl<S: Storage> Policy for Regression<S> {
    fn choose<M: Storage, L: Storage>(
        &mut self,
        now: Instant,
        view: View<'_, M, L>,
        request: &Request<'_>,
        rng: &mut impl Rng,
    ) -> Result<Choice, Refusal> {
        self.follow(view)?;
        let features = request.feature_values();
        let features = &features[..features.len().min(FEATURES)];
        let estimate = self.estimate(features);
        let slots = view.slots();
        let start = rng.below(slots.len() as u32) as usize;
        let mut best: Option<(u128, u32)> = None;
        for &slot in slots[start..].iter().chain(&slots[..start]).filter(|slot| !request.avoids(**slot)) {
            let runner = &self.runners[slot as usize];
            let finish = match self.discipline {
                Discipline::OneByOne => runner.on_it(runner.queued.saturating_add(estimate)),
                // They share the member: each takes the longer the more there are.
                Discipline::AllAtOnce => runner.on_it(estimate) * (u128::from(view.fleet().load(slot)) + 1),
            };
            if best.is_none_or(|(least, _)| finish < least) {
                best = Some((finish, slot));
            }
        }
        let (_, slot) = best.ok_or_else(|| view.refusal())?;
        self.pending = Call { used: features.len() as u8, estimate, began: now, ..Call::NONE };
        self.pending.features[..features.len()].copy_from_slice(features);
        Ok(Choice { slot, why: Why::Fastest })
    }

    fn started<M: Storage, L: Storage>(&mut self, now: Instant, view: View<'_, M, L>, slot: u32) {
        let number = view.fleet().last_call() as usize;
        while self.calls.len() <= number {
            if self.calls.push(Call::NONE).is_err() {
                // More calls are out than this policy can remember: this one is not counted.
                return;
            }
        }
        self.calls[number] = Call { began: now, ..self.pending };
        if let Some(runner) = self.runners.get_mut(slot as usize) {
            runner.queued = runner.queued.saturating_add(self.pending.estimate);
        }
    }

    fn ended<M: Storage, L: Storage>(&mut self, now: Instant, view: View<'_, M, L>, ended: &Ended) {
        let number = view.fleet().last_call() as usize;
        let Some(&call) = self.calls.get(number) else { return };
        let Some(runner) = self.runners.get_mut(ended.slot as usize) else { return };
        runner.queued = runner.queued.saturating_sub(call.estimate);
        let began = match self.discipline {
            Discipline::OneByOne => call.began.max(runner.free),
            Discipline::AllAtOnce => call.began,
        };
        runner.free = now;
        if ended.outcome != Outcome::Success {
            return;
        }
        let took = saturating_nanos(now.saturating_duration_since(began)).min(1 << 48);
        // On a member that is usually this quick, a usual one would have taken:
        let usual = runner.on_it(1 << 32).max(1);
        let base = u64::try_from((u128::from(took) << 32) / usual).unwrap_or(u64::MAX);
        let features = &call.features[..usize::from(call.used)];
        self.fit.note(features, Duration::from_nanos(base));
        // By what the fit says now: what it guessed when it knew little is no fault of the member's.
        if let Some(estimate) = self.fit.estimate(features) {
            runner.took = runner.took - (runner.took >> 5) + took;
            runner.estimated =
                runner.estimated - (runner.estimated >> 5) + saturating_nanos(estimate).clamp(1, 1 << 48);
        }
    }
}

impl<S: Storage> fmt::Debug for Regression<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Regression")
            .field("fit", &self.fit)
            .field("runners", &&*self.runners)
            .finish_non_exhaustive()
    }
}

//! Who does far worse than the others, and is taken out for a while.

#[cfg(test)]
mod tests;

use super::fleet::DOUBLING;
use super::fleet::Fleet;
use super::member::State;
use crate::fixed::Q32;
use crate::storage::{Inline, List, Storage};
use crate::time::Instant;
use core::time::Duration;

/// When a member is an outlier, and for how long it is out.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub struct OutlierConfig {
    interval: Duration,
    requests: u32,
    ejection: Duration,
    longest: Duration,
    share: Q32,
}

impl Default for OutlierConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl OutlierConfig {
    /// Judges every 10 s those with 100 responses or more; the first ejection lasts 30 s, none longer than 300 s; at most
    /// half of the members are out.
    pub const fn new() -> Self {
        Self {
            interval: Duration::from_secs(10),
            requests: 100,
            ejection: Duration::from_secs(30),
            longest: Duration::from_secs(300),
            share: Q32::from_bits(1 << 31),
        }
    }

    /// How often members are judged.
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// How many responses a member must have given in an interval to be judged, at least 1, at most 32,767.
    pub const fn requests(mut self, requests: u32) -> Self {
        self.requests = match requests {
            0 => 1,
            1..=0x7FFF => requests,
            _ => 0x7FFF,
        };
        self
    }

    /// How long the first ejection lasts. The second in a row lasts twice as long, the third three times.
    pub const fn ejection(mut self, ejection: Duration) -> Self {
        self.ejection = ejection;
        self
    }

    /// How long an ejection lasts at most.
    pub const fn longest(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// The share of the members that may be out at once, rounded down: of five, with a tenth, none. Above 1 is 1.
    pub const fn share(mut self, share: Q32) -> Self {
        self.share = share;
        self
    }
}

/// What one [`Outlier::advance`] did.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Swept {
    /// Members that were ejected.
    pub ejected: u32,
    /// Members that came back.
    pub returned: u32,
    /// Members that are outliers and stay in, since as many as may be are out.
    pub spared: u32,
}

/// Ejects the members of a [`Fleet`] that fail, or are slow, far more than the others do, for a time that grows when it
/// happens again. Works with every policy, since an ejected member is no candidate.
///
/// Every interval it looks at the share of good responses and at the 95th percentile of latency of each member that had
/// enough requests. A member is an outlier if it is worse than the median by more than three standard deviations, where
/// the deviation is taken from the median absolute deviation (× 1.4826), which bad members do not stretch as long as
/// they are fewer than half. So that equal members are left alone it must in any case be worse by 2 points, and by
/// more than chance explains (4 standard deviations of the binomial distribution), or slower by a factor of about 3.
///
/// *When not to use it:* with fewer than three members, where no median is; and to find out whether a member that has no
/// traffic lives, which needs a health check.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::balance::{Balancer, Fleet, Member, Outcome, Outlier, OutlierConfig, Pick, Request, RoundRobin, State};
/// use divvy::rng::SplitMix64;
/// use divvy::storage::Inline;
///
/// let mut rng = SplitMix64::seed(1);
/// let mut balancer = Balancer::new(Fleet::<Inline<4>, Inline<4>>::new(Duration::from_secs(1)), RoundRobin::new());
/// for name in [b"a", b"b", b"c", b"d"] {
///     balancer.fleet_mut().insert(Instant::ZERO, Member::new(name))?;
/// }
/// let mut outlier = Outlier::<Inline<4>>::new(OutlierConfig::new());
/// outlier.advance(Instant::ZERO, balancer.fleet_mut());
/// for second in 0..1_000 {
///     let now = Instant::from_millis(10 * second);
///     let Pick::Member { member, lease, .. } = balancer.pick(now, &Request::new(), &mut rng) else { panic!() };
///     let outcome = if member.slot() == 2 { Outcome::Failure } else { Outcome::Success };
///     balancer.complete(now, lease, outcome).expect("in time");
/// }
/// let swept = outlier.advance(Instant::from_secs(10), balancer.fleet_mut());
/// assert_eq!((swept.ejected, balancer.fleet().state(2)), (1, State::Ejected));
/// // It comes back by itself:
/// assert_eq!(outlier.advance(Instant::from_secs(40), balancer.fleet_mut()).returned, 1);
/// # Ok::<(), divvy::balance::FleetError>(())
/// ```
///
/// # Complexity
///
/// *O*(slots) once an interval and when a member comes back, with each ejection *O*(slots) more; 40 bytes a slot.
///
/// # Time
///
/// Call [`advance`](Self::advance) at [`next_deadline`](Self::next_deadline); earlier calls do nothing, later ones make
/// the interval longer. A clock that goes back has not moved.
///
/// # References
///
/// Envoy's outlier detection, whose mean and standard deviation hide bad members behind each other from a fifth of the
/// members on; its issues 3263 and 26877 (the largest share ignored) and 26758 (time that did not grow). Rousseeuw and
/// Croux, *Alternatives to the median absolute deviation*, 1993.
pub struct Outlier<S: Storage> {
    config: OutlierConfig,
    entries: S::List<Entry>,
    scratch: S::List<u32>,
    /// When members are judged next; `None` before the first call.
    next: Option<Instant>,
    latest: Instant,
}

/// What is known of the member in one slot.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Until when it is out.
    until: Instant,
    generation: u32,
    /// Ejections in a row, less the intervals in which it was well since.
    times: u32,
    /// Responses in the last interval; 0 if there were too few to judge.
    responses: u32,
    /// The good ones among them, in parts of [`WHOLE`].
    good: u32,
    /// The 95th percentile, on the scale of [`DOUBLING`].
    latency: u32,
    ejected: bool,
}

/// A share of 1. Shares are kept to 1/65,536.
const WHOLE: u32 = 1 << 16;
/// Two points.
const FLOOR: u32 = WHOLE / 50;
/// About three times as slow.
const SLOW: u32 = DOUBLING / 2 * 3;
/// With fewer members judged there is no telling who is the outlier.
const QUORUM: usize = 3;

impl<const N: usize> Outlier<Inline<N>> {
    /// For a fleet of up to `N` members; further ones are never judged.
    #[must_use]
    pub const fn new(config: OutlierConfig) -> Self {
        Self {
            config,
            entries: heapless::Vec::new(),
            scratch: heapless::Vec::new(),
            next: None,
            latest: Instant::ZERO,
        }
    }
}

#[cfg(feature = "alloc")]
impl Outlier<crate::storage::Heap> {
    /// For a fleet of up to `members`, allocated now; further ones are never judged.
    #[must_use]
    pub fn with_capacity(config: OutlierConfig, members: u32) -> Self {
        use crate::storage::HeapList;
        Self {
            config,
            entries: HeapList::with_capacity(members as usize),
            scratch: HeapList::with_capacity(members as usize),
            next: None,
            latest: Instant::ZERO,
        }
    }
}

impl<S: Storage> Outlier<S> {
    /// Lets members back whose time is over, and judges all if an interval has passed. The first call begins the first
    /// interval.
    pub fn advance<M: Storage, L: Storage>(&mut self, now: Instant, fleet: &mut Fleet<M, L>) -> Swept {
        self.latest = self.latest.max(now);
        let now = fleet.clock(self.latest);
        self.follow(fleet);
        let mut swept = Swept { returned: self.release(now, fleet), ..Swept::default() };
        if self.next.is_some_and(|next| now < next) {
            return swept;
        }
        self.collect(fleet);
        if self.next.is_some() {
            self.judge(now, fleet, &mut swept);
        }
        self.next = Some(now.saturating_add(self.config.interval));
        swept
    }

    /// When [`advance`](Self::advance) has something to do; `None` before its first call.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let out = self.entries.iter().filter(|entry| entry.ejected).map(|entry| entry.until);
        out.chain(self.next).min()
    }

    /// Until when the member in `slot` is out, if this ejected it.
    #[must_use]
    pub fn ejected_until(&self, slot: u32) -> Option<Instant> {
        self.entries.get(slot as usize).filter(|entry| entry.ejected).map(|entry| entry.until)
    }

    /// Has one entry for each slot, about the member that is there now.
    fn follow<M: Storage, L: Storage>(&mut self, fleet: &Fleet<M, L>) {
        let generation = |slot: usize| fleet.id(slot as u32).map_or(0, |id| id.generation());
        let fresh = |generation| Entry {
            until: Instant::ZERO,
            generation,
            times: 0,
            responses: 0,
            good: 0,
            latency: 0,
            ejected: false,
        };
        while self.entries.len() < fleet.slots.len() {
            let _ = self.scratch.push(0);
            if self.entries.push(fresh(generation(self.entries.len()))).is_err() {
                break;
            }
        }
        for (slot, entry) in self.entries.iter_mut().enumerate() {
            if entry.generation != generation(slot) {
                *entry = fresh(generation(slot));
            }
            // Somebody else may have resumed it, drained it or marked it down.
            entry.ejected &= fleet.state(slot as u32) == State::Ejected;
        }
    }

    fn release<M: Storage, L: Storage>(&mut self, now: Instant, fleet: &mut Fleet<M, L>) -> u32 {
        let mut returned = 0;
        for (slot, entry) in self.entries.iter_mut().enumerate() {
            if entry.ejected && entry.until <= now {
                entry.ejected = false;
                let resumed = fleet.id(slot as u32).is_some_and(|id| fleet.resume(id).is_ok());
                returned += u32::from(resumed);
            }
        }
        returned
    }

    /// Takes what the fleet counted in the interval.
    fn collect<M: Storage, L: Storage>(&mut self, fleet: &mut Fleet<M, L>) {
        for (slot, entry) in self.entries.iter_mut().enumerate() {
            let slot = slot as u32;
            let (responses, failures) = fleet.take_counts(slot);
            let judged = fleet.state(slot) == State::Up && responses >= self.config.requests;
            entry.responses = if judged { responses } else { 0 };
            entry.good = WHOLE * (responses - failures) / responses.max(1);
            entry.latency = fleet.p95_log(slot).unwrap_or(0);
        }
    }

    /// Ejects the outliers, the worst first, until as many as may be are out.
    fn judge<M: Storage, L: Storage>(&mut self, now: Instant, fleet: &mut Fleet<M, L>, swept: &mut Swept) {
        let good = self.normal(|entry| entry.good);
        let latency = self.normal(|entry| entry.latency);
        let (Some(good), Some(latency)) = (good, latency) else { return };
        // One 2⁻³² more, since a ratio was rounded down: a tenth of ten is one.
        let share = self.config.share.saturating_add(Q32::from_bits(1)).min(Q32::ONE);
        let most = share.mul_int(fleet.len().into());
        let mut out = fleet.slots.iter().filter(|slot| slot.state == State::Ejected).count() as u64;
        loop {
            let badness = |entry: &Entry| entry.excess(good, latency);
            let worst = self.entries.iter().enumerate().filter(|(_, entry)| entry.responses > 0);
            let Some((slot, excess)) =
                worst.map(|(slot, entry)| (slot, badness(entry))).max_by_key(|(_, excess)| *excess)
            else {
                return;
            };
            let entry = &mut self.entries[slot];
            entry.responses = 0;
            if excess == 0 {
                // It is well, and so are all that are left.
                entry.times = entry.times.saturating_sub(1);
                continue;
            }
            let ejected = out < most && fleet.id(slot as u32).is_some_and(|id| fleet.eject(id).is_ok());
            if !ejected {
                swept.spared += 1;
                continue;
            }
            entry.ejected = true;
            entry.times += 1;
            let time = self.config.ejection.saturating_mul(entry.times).min(self.config.longest);
            entry.until = now.saturating_add(time);
            out += 1;
            swept.ejected += 1;
        }
    }

    /// The median of what `of` says of those who are judged, and three standard deviations.
    fn normal(&mut self, of: impl Fn(&Entry) -> u32) -> Option<(u32, u32)> {
        let mut judged = 0;
        for entry in self.entries.iter().filter(|entry| entry.responses > 0) {
            if let Some(value) = self.scratch.get_mut(judged) {
                *value = of(entry);
                judged += 1;
            }
        }
        if judged < QUORUM {
            return None;
        }
        let values = &mut self.scratch[..judged];
        let median = middle(values);
        for value in &mut *values {
            *value = value.abs_diff(median);
        }
        // 3 × 1.4826: from the median absolute deviation of a normal distribution to three standard deviations.
        let deviation = u64::from(middle(values)) * 4_448 / 1_000;
        Some((median, deviation.min(u32::MAX.into()) as u32))
    }
}

impl Entry {
    /// How far it is beyond what is normal, in 1/256 of the allowed distance; 0 if it is not.
    fn excess(&self, good: (u32, u32), latency: (u32, u32)) -> u64 {
        let beyond = |distance: u32, allowed: u32| match distance > allowed {
            true => u64::from(distance) * 256 / u64::from(allowed.max(1)),
            false => 0,
        };
        let chance = chance(good.0, self.responses);
        let fails = beyond(good.0.saturating_sub(self.good), good.1.max(FLOOR).max(chance));
        let slow = beyond(self.latency.saturating_sub(latency.0), latency.1.max(SLOW));
        fails.max(slow)
    }
}

/// Four standard deviations of the share of good responses among `responses`, where `good` is their probability.
fn chance(good: u32, responses: u32) -> u32 {
    let n = u64::from(responses.max(1));
    // Two more of each than were seen (Agresti and Coull), since a median of no failures does not say that there can be
    // none.
    let bad = (u64::from(WHOLE - good.min(WHOLE)) * n + 2 * u64::from(WHOLE)) / (n + 4);
    let variance = bad * (u64::from(WHOLE) - bad) / n;
    4 * variance.isqrt() as u32
}

/// The median; of an even number the lower one of the two in the middle.
fn middle(values: &mut [u32]) -> u32 {
    let at = values.len().saturating_sub(1) / 2;
    *values.select_nth_unstable(at).1
}

impl<S: Storage> core::fmt::Debug for Outlier<S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Outlier")
            .field("config", &self.config)
            .field("entries", &&*self.entries)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

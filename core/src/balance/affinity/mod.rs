//! Each key where it was before.

mod table;

#[cfg(test)]
mod tests;

use super::member::MemberId;
use super::outcome::{Ended, Report};
use super::policy::{Choice, Policy, Refusal, View, Why};
use super::request::Request;
use crate::storage::{Inline, Storage};
use crate::{Instant, Rng};
use core::time::Duration;
use table::Table;

/// Each key to the member that it had before; the inner policy says where a new key goes.
///
/// Over [`LeastLoaded`](super::LeastLoaded) new keys go where there is least to do, and stay. A key moves only when its
/// member is gone, not ready, or avoided by the request. The table is bounded: for a new key, the key that was not used
/// for longest is forgotten. A request without a key goes to the inner policy.
///
/// Two options: a key that was not used for a [time](Self::time_to_live) is forgotten; and while its member has
/// [too much](Self::spill_at) to do, a request goes to the inner policy's choice although the key stays bound.
///
/// *When not to use it:* where several balancers must agree on a key's member, or nothing may be kept for a key:
/// [`Consistent`](super::Consistent) needs no table.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::balance::{Affinity, Balancer, Fleet, Member, Pick, Refusal, Request, RoundRobin, Why};
/// use divvy::rng::SplitMix64;
/// use divvy::storage::Inline;
/// use divvy::Instant;
///
/// let (now, mut rng) = (Instant::ZERO, SplitMix64::seed(1));
/// let fleet = Fleet::<Inline<8>, Inline<16>>::new(Duration::from_secs(10));
/// let mut balancer = Balancer::new(fleet, Affinity::<_, Inline<100>>::new(RoundRobin::new()));
/// for name in [b"a", b"b"] {
///     balancer.fleet_mut().insert(now, Member::new(name))?;
/// }
/// let request = Request::new().key(b"session:17");
/// let Pick::Member { member, why: Why::Turn, .. } = balancer.pick(now, &request, &mut rng) else { panic!() };
/// let again = balancer.pick(now, &request, &mut rng);
/// assert!(matches!(again, Pick::Member { member: same, why: Why::Bound, .. } if same == member));
/// // Avoided everywhere, it goes nowhere, and stays bound:
/// let none = balancer.pick(now, &request.avoid(&[0, 1]), &mut rng);
/// assert_eq!(none, Pick::None { retry_at: None, why: Refusal::Avoided });
/// assert_eq!(balancer.policy().member(b"session:17"), Some(member));
/// # Ok::<(), divvy::balance::FleetError>(())
/// ```
///
/// # Complexity
///
/// *O*(1) expected for a bound key, else the inner policy's. 44 bytes per key.
///
/// # Time
///
/// `now` matters to [`time_to_live`](Self::time_to_live) alone.
#[derive(Debug)]
pub struct Affinity<P, S: Storage> {
    inner: P,
    table: Table<S>,
    time_to_live: Duration,
    spill_at: u32,
    stats: AffinityStats,
    pending: Option<Pending>,
}

/// What became of the requests with a key.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AffinityStats {
    /// Went to the key's member.
    pub hits: u64,
    /// The key had no member.
    pub misses: u64,
    /// The key's member was gone, not ready or avoided, and it got another.
    pub moved: u64,
    /// The key's member had too much to do, and this request went elsewhere.
    pub spilled: u64,
    /// Keys that were forgotten for another.
    pub evicted: u64,
}

impl<P, const N: usize> Affinity<P, Inline<N>> {
    /// Remembers `N` keys; where new ones go, `inner` says.
    #[must_use]
    pub const fn new(inner: P) -> Self {
        Self {
            inner,
            table: Table::<Inline<N>>::new(),
            time_to_live: Duration::MAX,
            spill_at: u32::MAX,
            stats: AffinityStats { hits: 0, misses: 0, moved: 0, spilled: 0, evicted: 0 },
            pending: None,
        }
    }
}

#[cfg(feature = "alloc")]
impl<P> Affinity<P, crate::storage::Heap> {
    /// Remembers `keys` keys; where new ones go, `inner` says.
    #[must_use]
    pub fn with_capacity(inner: P, keys: u32) -> Self {
        Self {
            inner,
            table: Table::<crate::storage::Heap>::with_capacity(keys),
            time_to_live: Duration::MAX,
            spill_at: u32::MAX,
            stats: AffinityStats::default(),
            pending: None,
        }
    }
}

impl<P, S: Storage> Affinity<P, S> {
    /// Forgets a key that was not used for `time`.
    #[must_use]
    pub fn time_to_live(mut self, time: Duration) -> Self {
        self.time_to_live = time;
        self
    }

    /// Sends a request elsewhere while its key's member has a load of `load` or more.
    #[must_use]
    pub fn spill_at(mut self, load: u32) -> Self {
        self.spill_at = load;
        self
    }

    /// The inner policy.
    #[must_use]
    pub const fn inner(&self) -> &P {
        &self.inner
    }

    /// What became of the requests with a key.
    #[must_use]
    pub const fn stats(&self) -> AffinityStats {
        self.stats
    }

    /// The member that `key` is bound to. It may have left the fleet since.
    #[must_use]
    pub fn member(&self, key: &[u8]) -> Option<MemberId> {
        self.table.find(crate::hash::xxh3_64(key)).map(|at| self.table.entry(at).member)
    }

    /// How many keys are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether no key is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.len() == 0
    }

    /// Forgets every key.
    pub fn clear(&mut self) {
        self.table.clear();
    }
}

/// What the table says of a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Known {
    /// Its member can have the request.
    Good,
    /// Its member has too much to do.
    Busy,
    /// Its member cannot have the request.
    Lost,
    /// What it says is too old.
    Old,
    /// Nothing.
    New,
}

/// The request that a choice was made for last.
#[derive(Clone, Copy, Debug)]
struct Pending {
    key: u64,
    known: Known,
    /// The key's entry, unless it is new.
    at: u32,
}

impl<P: Policy, S: Storage> Policy for Affinity<P, S> {
    fn choose<M: Storage, L: Storage>(
        &mut self,
        now: Instant,
        view: View<'_, M, L>,
        request: &Request<'_>,
        rng: &mut impl Rng,
    ) -> Result<Choice, Refusal> {
        self.pending = None;
        let Some(key) = request.hash() else { return self.inner.choose(now, view, request, rng) };
        let at = self.table.find(key);
        let known = at.map_or(Known::New, |at| self.judge(now, view, request, at));
        let at = at.unwrap_or(0);
        let choice = if known == Known::Good {
            Choice { slot: self.table.entry(at).member.slot(), why: Why::Bound }
        } else {
            self.inner.choose(now, view, request, rng)?
        };
        self.pending = Some(Pending { key, known, at });
        Ok(choice)
    }

    /// Only a call that began binds its key: a choice may still be turned down.
    fn started<M: Storage, L: Storage>(&mut self, now: Instant, view: View<'_, M, L>, slot: u32) {
        self.inner.started(now, view, slot);
        let (Some(Pending { key, known, at }), Some(member)) = (self.pending.take(), view.fleet().id(slot))
        else {
            return;
        };
        if known == Known::New {
            self.stats.misses += 1;
            self.stats.evicted += u64::from(self.table.insert(now, key, member));
            return;
        }
        self.table.touch(at, now);
        match known {
            Known::Good if self.table.entry(at).member == member => self.stats.hits += 1,
            Known::Busy => self.stats.spilled += 1,
            Known::Old => self.stats.misses += 1,
            _ => self.stats.moved += 1,
        }
        if known != Known::Busy {
            self.table.rebind(at, member);
        }
    }

    fn ended<M: Storage, L: Storage>(&mut self, now: Instant, view: View<'_, M, L>, ended: &Ended) {
        self.inner.ended(now, view, ended);
    }

    fn reported<M: Storage, L: Storage>(
        &mut self,
        now: Instant,
        view: View<'_, M, L>,
        slot: u32,
        report: &Report,
    ) {
        self.inner.reported(now, view, slot, report);
    }

    fn probe<M: Storage, L: Storage>(
        &mut self,
        now: Instant,
        view: View<'_, M, L>,
        rng: &mut impl Rng,
    ) -> Option<u32> {
        self.inner.probe(now, view, rng)
    }
}

impl<P, S: Storage> Affinity<P, S> {
    /// What becomes of a request whose key is in entry `at`.
    fn judge<M: Storage, L: Storage>(
        &self,
        now: Instant,
        view: View<'_, M, L>,
        request: &Request<'_>,
        at: u32,
    ) -> Known {
        let binding = self.table.entry(at);
        let slot = binding.member.slot();
        if now.saturating_duration_since(binding.used) >= self.time_to_live {
            Known::Old
        } else if view.fleet().id(slot) != Some(binding.member)
            || view.slots().binary_search(&slot).is_err()
            || request.avoids(slot)
        {
            Known::Lost
        } else if view.fleet().load(slot) >= self.spill_at {
            Known::Busy
        } else {
            Known::Good
        }
    }
}

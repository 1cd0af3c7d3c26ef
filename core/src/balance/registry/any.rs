//! One type for all policies.

use super::Kind;
use crate::balance::{
    Affinity, C3, Choice, Consistent, Ended, EnergyAware, EnergyConfig, HashKey, Hierarchical, JoinIdleQueue,
    LeastLoaded, LeastResponseTime, LowDiscrepancy, P2c, Policy, Prequal, Random, Refusal, Regression,
    Report, Request, RoundRobin, SmoothWeighted, Subset, Thompson, Ucb, View, WeightedLeastLoaded, ZoneAware,
};
use crate::ring;
use crate::storage::{Heap, Storage};
use crate::{Instant, Rng};
use alloc::boxed::Box;

/// Defines the enum over the policies and passes every call on.
macro_rules! any {
    ($($(#[$doc:meta])* $name:ident($policy:ty),)*) => {
        /// Any policy, chosen at run time: see [`Kind::policy`].
        ///
        /// *When not to use it:* where the policy is known when the program is written; the policy itself is smaller
        /// and is compiled into its caller.
        #[derive(Debug)]
        #[non_exhaustive]
        pub enum AnyPolicy {
            $($(#[$doc])* $name($policy),)*
        }

        impl Policy for AnyPolicy {
            fn choose<M: Storage, L: Storage>(
                &mut self,
                now: Instant,
                view: View<'_, M, L>,
                request: &Request<'_>,
                rng: &mut impl Rng,
            ) -> Result<Choice, Refusal> {
                match self {
                    $(Self::$name(policy) => policy.choose(now, view, request, rng),)*
                }
            }

            fn started<M: Storage, L: Storage>(&mut self, now: Instant, view: View<'_, M, L>, slot: u32) {
                match self {
                    $(Self::$name(policy) => policy.started(now, view, slot),)*
                }
            }

            fn ended<M: Storage, L: Storage>(&mut self, now: Instant, view: View<'_, M, L>, ended: &Ended) {
                match self {
                    $(Self::$name(policy) => policy.ended(now, view, ended),)*
                }
            }

            fn reported<M: Storage, L: Storage>(
                &mut self,
                now: Instant,
                view: View<'_, M, L>,
                slot: u32,
                report: &Report,
            ) {
                match self {
                    $(Self::$name(policy) => policy.reported(now, view, slot, report),)*
                }
            }

            fn probe<M: Storage, L: Storage>(
                &mut self,
                now: Instant,
                view: View<'_, M, L>,
                rng: &mut impl Rng,
            ) -> Option<u32> {
                match self {
                    $(Self::$name(policy) => policy.probe(now, view, rng),)*
                }
            }
        }
    };
}

any! {
    /// [`Kind::RoundRobin`].
    RoundRobin(RoundRobin),
    /// [`Kind::Random`].
    Random(Random),
    /// [`Kind::Hash`].
    Hash(HashKey),
    /// [`Kind::Smooth`].
    Smooth(SmoothWeighted<Heap>),
    /// [`Kind::LowDiscrepancy`].
    LowDiscrepancy(LowDiscrepancy<Heap>),
    /// [`Kind::LeastLoaded`].
    LeastLoaded(LeastLoaded<Heap>),
    /// [`Kind::WeightedLeastLoaded`].
    WeightedLeastLoaded(WeightedLeastLoaded<Heap>),
    /// [`Kind::P2c`] and [`Kind::P2cPeak`].
    P2c(P2c),
    /// [`Kind::LeastResponseTime`].
    LeastResponseTime(LeastResponseTime),
    /// [`Kind::JoinIdleQueue`].
    JoinIdleQueue(JoinIdleQueue<Heap>),
    /// [`Kind::Prequal`].
    Prequal(Box<Prequal>),
    /// [`Kind::C3`].
    C3(C3<Heap>),
    /// [`Kind::Hierarchical`].
    Hierarchical(Hierarchical<Heap>),
    /// [`Kind::Affinity`].
    Affinity(Affinity<LeastLoaded<Heap>, Heap>),
    /// [`Kind::Ucb`].
    Ucb(Ucb<Heap>),
    /// [`Kind::Thompson`].
    Thompson(Thompson<Heap>),
    /// [`Kind::Regression`].
    Regression(Box<Regression<Heap>>),
    /// [`Kind::Energy`].
    Energy(EnergyAware<LeastLoaded<Heap>>),
    /// [`Kind::Zone`].
    Zone(ZoneAware<P2c, Heap>),
    /// [`Kind::Subset`].
    Subset(Subset<P2c, Heap>),
    /// [`Kind::Consistent`].
    Consistent(Consistent<ring::Any>),
}

/// How many keys [`Kind::Affinity`] remembers for each member, and at most.
const KEYS: u32 = 1024;
const MOST_KEYS: u32 = 1 << 16;
/// After how many calls one counts half in [`Kind::Ucb`] and [`Kind::Thompson`].
const HALF_LIFE: u32 = 1_000;
/// How many calls each member may have at once, and what it may weigh, where the caller does not say.
const CALLS: u32 = 64;
const WEIGHT: u32 = 4;

impl Kind {
    /// The policy with its usual parameters, for a fleet of up to `members` which weigh 4 each on average at most and
    /// have 64 calls each.
    #[must_use]
    pub fn policy(self, members: u32) -> AnyPolicy {
        self.policy_for(members, members.saturating_mul(CALLS), members.saturating_mul(WEIGHT))
    }

    /// The policy with its usual parameters, for a fleet of up to `members` and `calls` at once, whose weights come to
    /// `weight` together at most.
    #[must_use]
    pub fn policy_for(self, members: u32, calls: u32, weight: u32) -> AnyPolicy {
        match self {
            Self::RoundRobin => AnyPolicy::RoundRobin(RoundRobin::new()),
            Self::Random => AnyPolicy::Random(Random::new()),
            Self::Hash => AnyPolicy::Hash(HashKey::new()),
            Self::Smooth => AnyPolicy::Smooth(SmoothWeighted::<Heap>::with_capacity(members)),
            Self::LowDiscrepancy => AnyPolicy::LowDiscrepancy(LowDiscrepancy::<Heap>::with_capacity(members)),
            Self::LeastLoaded => AnyPolicy::LeastLoaded(LeastLoaded::<Heap>::with_capacity(members)),
            Self::WeightedLeastLoaded => {
                AnyPolicy::WeightedLeastLoaded(WeightedLeastLoaded::<Heap>::with_capacity(members))
            }
            Self::P2c => AnyPolicy::P2c(P2c::new()),
            Self::P2cPeak => AnyPolicy::P2c(P2c::peak()),
            Self::LeastResponseTime => AnyPolicy::LeastResponseTime(LeastResponseTime::new()),
            Self::JoinIdleQueue => AnyPolicy::JoinIdleQueue(JoinIdleQueue::<Heap>::with_capacity(members)),
            Self::Prequal => AnyPolicy::Prequal(Box::default()),
            Self::C3 => AnyPolicy::C3(C3::<Heap>::with_capacity(members)),
            Self::Hierarchical => AnyPolicy::Hierarchical(Hierarchical::<Heap>::with_capacity(members, 8)),
            Self::Affinity => AnyPolicy::Affinity(Affinity::<_, Heap>::with_capacity(
                LeastLoaded::<Heap>::with_capacity(members),
                members.saturating_mul(KEYS).min(MOST_KEYS),
            )),
            Self::Ucb => AnyPolicy::Ucb(Ucb::<Heap>::with_capacity(members).with_load().half_life(HALF_LIFE)),
            Self::Thompson => {
                AnyPolicy::Thompson(Thompson::<Heap>::with_capacity(members).with_load().half_life(HALF_LIFE))
            }
            Self::Regression => {
                AnyPolicy::Regression(Box::new(Regression::<Heap>::with_capacity(calls.max(members))))
            }
            Self::Energy => AnyPolicy::Energy(EnergyAware::new(
                LeastLoaded::<Heap>::with_capacity(members),
                EnergyConfig::new(4),
            )),
            Self::Zone => AnyPolicy::Zone(ZoneAware::<_, Heap>::with_capacity(members, 0, P2c::new())),
            Self::Subset => AnyPolicy::Subset(Subset::<_, Heap>::even_with_capacity(
                members,
                0,
                members.div_ceil(2),
                P2c::new(),
            )),
            Self::Consistent { ring, slack } => {
                let policy = Consistent::new(ring.ring(members, weight));
                AnyPolicy::Consistent(match slack {
                    Some(slack) => policy.bound(slack),
                    None => policy,
                })
            }
        }
    }
}

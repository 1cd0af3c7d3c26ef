//! One type for all policies.

use super::Kind;
use crate::balance::{
    Affinity, Choice, Ended, HashKey, Hierarchical, LeastLoaded, LowDiscrepancy, P2c, Policy, Random,
    Refusal, Report, Request, RoundRobin, SmoothWeighted, View,
};
use crate::storage::{Heap, Storage};
use crate::{Instant, Rng};

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
    /// [`Kind::P2c`] and [`Kind::P2cPeak`].
    P2c(P2c),
    /// [`Kind::Hierarchical`].
    Hierarchical(Hierarchical<Heap>),
    /// [`Kind::Affinity`].
    Affinity(Affinity<LeastLoaded<Heap>, Heap>),
}

/// How many keys [`Kind::Affinity`] remembers for each member.
const KEYS_PER_MEMBER: u32 = 1024;

impl Kind {
    /// The policy with its usual parameters, for a fleet of up to `members`.
    #[must_use]
    pub fn policy(self, members: u32) -> AnyPolicy {
        match self {
            Self::RoundRobin => AnyPolicy::RoundRobin(RoundRobin::new()),
            Self::Random => AnyPolicy::Random(Random::new()),
            Self::Hash => AnyPolicy::Hash(HashKey::new()),
            Self::Smooth => AnyPolicy::Smooth(SmoothWeighted::<Heap>::with_capacity(members)),
            Self::LowDiscrepancy => AnyPolicy::LowDiscrepancy(LowDiscrepancy::<Heap>::with_capacity(members)),
            Self::LeastLoaded => AnyPolicy::LeastLoaded(LeastLoaded::<Heap>::with_capacity(members)),
            Self::P2c => AnyPolicy::P2c(P2c::new()),
            Self::P2cPeak => AnyPolicy::P2c(P2c::peak()),
            Self::Hierarchical => AnyPolicy::Hierarchical(Hierarchical::<Heap>::with_capacity(members, 8)),
            Self::Affinity => {
                let inner = LeastLoaded::<Heap>::with_capacity(members);
                let keys = members.saturating_mul(KEYS_PER_MEMBER).min(1 << 16);
                AnyPolicy::Affinity(Affinity::<_, Heap>::with_capacity(inner, keys))
            }
        }
    }
}

//! One type for all policies.

use super::Kind;
use crate::balance::{Choice, Ended, HashKey, Policy, Refusal, Report, Request, RoundRobin, View};
use crate::storage::Storage;
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
    /// [`Kind::Hash`].
    Hash(HashKey),
}

impl Kind {
    /// The policy with its usual parameters, for a fleet of up to `members`.
    #[must_use]
    pub fn policy(self, _members: u32) -> AnyPolicy {
        match self {
            Self::RoundRobin => AnyPolicy::RoundRobin(RoundRobin::new()),
            Self::Hash => AnyPolicy::Hash(HashKey::new()),
        }
    }
}

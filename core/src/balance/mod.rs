//! Choosing who gets the work: a [`Fleet`] of members, and policies that choose among those that are ready.

mod affinity;
mod among;
mod balancer;
mod calls;
mod config;
mod consistent;
mod fleet;
mod hash_key;
mod health;
mod join_idle_queue;
mod latency;
mod least_loaded;
mod hierarchical;
mod low_discrepancy;
mod member;
mod p2c;
mod policy;
mod random;
mod registry;
mod request;
mod round_robin;
mod slow_start;
mod smooth;
mod tournament;

pub use affinity::{Affinity, AffinityStats};
pub use balancer::{Balancer, Pick};
pub use consistent::Consistent;
pub use config::{Config, ConfigError};
pub use fleet::{Fleet, FleetError};
pub use hash_key::HashKey;
pub use hierarchical::{Hierarchical, Select, TreeError};
pub use least_loaded::LeastLoaded;
pub use low_discrepancy::LowDiscrepancy;
pub use join_idle_queue::JoinIdleQueue;
pub use member::{Member, MemberId, State};
pub use p2c::P2c;
pub use policy::{Choice, Ended, Outcome, Policy, Refusal, Report, View, Why};
pub use random::Random;
#[cfg(feature = "alloc")]
pub use registry::AnyPolicy;
pub use registry::{Kind, UnknownKind};
pub use request::Request;
pub use round_robin::RoundRobin;
pub use slow_start::SlowStart;
pub use smooth::SmoothWeighted;

//! Choosing who gets the work: a [`Fleet`] of members, and policies that choose among those that are ready.

mod affinity;
mod among;
mod balancer;
mod c3;
pub(crate) mod calls;
mod config;
mod consistent;
mod energy;
#[cfg(test)]
mod fixture;
mod fleet;
mod hash_key;
mod hierarchical;
mod join_idle_queue;
mod learning;
mod least;
mod least_response_time;
mod low_discrepancy;
mod member;
mod outcome;
mod outlier;
mod p2c;
mod policy;
#[cfg(test)]
mod policy_tests;
mod prequal;
mod random;
mod registry;
mod request;
mod round_robin;
#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
mod shared;
mod slow_start;
mod smooth;
mod subset;
mod zone;

pub use affinity::{Affinity, AffinityStats};
pub use balancer::{Balancer, Pick};
pub use c3::C3;
pub use config::{Config, ConfigError};
pub use consistent::Consistent;
pub use energy::{EnergyAware, EnergyConfig, EnergyStats};
pub use fleet::{Fleet, FleetError, Synced};
pub use hash_key::HashKey;
pub use hierarchical::{Hierarchical, Select, TreeError};
pub use join_idle_queue::JoinIdleQueue;
pub use learning::{Discipline, Fit, Regression, Thompson, Ucb};
pub use least::{LeastLoaded, WeightedLeastLoaded};
pub use least_response_time::LeastResponseTime;
pub use low_discrepancy::LowDiscrepancy;
pub use member::{Member, MemberId, State};
pub use outcome::{Ended, Outcome, Report};
pub use outlier::{Outlier, OutlierConfig, Swept};
pub use p2c::P2c;
pub use policy::{Choice, Policy, Refusal, View, Why};
pub use prequal::{Prequal, PrequalConfig, PrequalError, Probe};
pub use random::Random;
#[cfg(feature = "alloc")]
pub use registry::AnyPolicy;
pub use registry::{Kind, UnknownKind};
pub use request::Request;
pub use round_robin::RoundRobin;
#[cfg(any(target_has_atomic = "32", feature = "portable-atomic"))]
pub use shared::{Held, SharedBalancer, SharedPolicy};
pub use slow_start::SlowStart;
pub use smooth::SmoothWeighted;
pub use subset::Subset;
pub use zone::ZoneAware;

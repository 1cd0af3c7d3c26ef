//! Choosing who gets the work: a [`Fleet`] of members, and policies that choose among those that are ready.

mod among;
mod balancer;
mod calls;
mod consistent;
mod fleet;
mod hash_key;
mod member;
mod policy;
mod registry;
mod request;
mod round_robin;
mod smooth;

pub use balancer::{Balancer, Pick};
pub use consistent::Consistent;
pub use fleet::{Fleet, FleetError};
pub use hash_key::HashKey;
pub use member::{Member, MemberId, State};
pub use policy::{Choice, Ended, Outcome, Policy, Refusal, Report, View, Why};
#[cfg(feature = "alloc")]
pub use registry::AnyPolicy;
pub use registry::{Kind, UnknownKind};
pub use request::Request;
pub use round_robin::RoundRobin;
pub use smooth::SmoothWeighted;

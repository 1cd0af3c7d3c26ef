//! Chains of services: the same requests against one protection after the other.
//!
//! `scenario` reads services and protections from TOML; `race` runs each protection; `report` prints what came of it.

pub(crate) mod race;
pub(crate) mod report;
pub(crate) mod scenario;

//! `divvy sim`: the same traffic against several policies, on a virtual clock.
//!
//! `builtin` knows the scenarios that come with the command, and tells kinds of scenarios apart; `chain` is what concerns
//! protections between services, `herd` who is woken, `partition` hot keys. For policies, `scenario` reads servers and traffic from TOML, `trace` reads requests from CSV; `race` runs each policy over them;
//! `report` prints what came of it.

pub(crate) mod builtin;
pub(crate) mod chain;
pub(crate) mod herd;
pub(crate) mod partition;
pub(crate) mod race;
pub(crate) mod report;
pub(crate) mod scenario;
pub(crate) mod trace;

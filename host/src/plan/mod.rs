//! `divvy plan`: what would happen, before it does.
//!
//! `nodes` reads names and weights, `keys` reads or samples keys; `ring` places them on a ring before and after a
//! change; `report` prints what came of it.

pub(crate) mod keys;
pub(crate) mod nodes;
pub(crate) mod report;
pub(crate) mod ring;

//! How a pool begins and ends.

pub(super) mod builder;
mod pin;
pub(super) mod shutdown;

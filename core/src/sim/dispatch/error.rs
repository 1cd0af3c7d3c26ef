//! What a running simulation refuses.

use core::fmt;

/// Why a request could not be pushed. Nothing changed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PushError {
    /// There is no room for another request. Remedy: let events happen first, or a larger capacity.
    Full,
    /// It would come before one that was pushed already, or before now. Remedy: push in the order of arrival.
    Late,
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "no room for another request; let events happen first or choose a larger capacity",
            Self::Late => "a request must not come before one that was pushed already; push them in order",
        })
    }
}

impl core::error::Error for PushError {}

/// Why a change was refused. Nothing changed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ChangeError {
    /// There is no such server. Remedy: an index below the number of servers.
    UnknownServer,
    /// A speed of 0. Remedy: one above 0.
    Speed,
    /// The weights together do not fit 32 bits. Remedy: smaller ones.
    Weight,
    /// There is no room for another plan. Remedy: a larger capacity for requests, which is that for plans.
    Full,
    /// Eight servers are avoided already. Remedy: allow one of them, or take servers out of the fleets instead.
    TooManyAvoided,
    /// It would happen before now. Remedy: a later time, or [`Dispatch::apply`](super::Dispatch::apply).
    Late,
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownServer => "no such server; use an index below the number of servers",
            Self::Speed => "a server's speed must be above 0",
            Self::Weight => "the weights together exceed 32 bits; use smaller ones",
            Self::Full => "no room for another plan; choose a larger capacity for requests",
            Self::TooManyAvoided => "eight servers are avoided already; allow one of them first",
            Self::Late => "a change cannot happen before now; choose a later time",
        })
    }
}

impl core::error::Error for ChangeError {}

//! Why a fleet's members did not change.

use core::fmt;

/// Why the membership did not change. Nothing changed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum FleetError {
    /// A member of this name is there already. Remedy: re-weight that one, or remove it first.
    Duplicate,
    /// The id is of a member that is gone. Remedy: none is needed.
    Unknown,
    /// There is no slot for another member. Remedy: a larger capacity, or wait until the calls to a removed one end.
    Full,
    /// The weights together do not fit 32 bits. Remedy: smaller weights in the same proportion.
    TooHeavy,
}

impl fmt::Display for FleetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Duplicate => "a member of this name is there already; re-weight it or remove it first",
            Self::Unknown => "the member is gone",
            Self::Full => "no slot for another member; choose a larger capacity",
            Self::TooHeavy => "the weights together exceed 32 bits; use smaller ones in the same proportion",
        })
    }
}

impl core::error::Error for FleetError {}

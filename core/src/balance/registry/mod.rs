//! Policies by name: for configuration files, the command line and the playground.

#[cfg(feature = "alloc")]
mod any;

#[cfg(feature = "alloc")]
pub use any::AnyPolicy;

use core::fmt;
use core::str::FromStr;

/// A policy by its name.
///
/// # Examples
///
/// ```
/// use divvy::balance::Kind;
///
/// let kind: Kind = "round-robin".parse()?;
/// assert_eq!(kind, Kind::RoundRobin);
/// // The error lists the names:
/// let error = "roundrobin".parse::<Kind>().unwrap_err();
/// assert!(error.to_string().contains("round-robin, "));
/// # Ok::<(), divvy::balance::UnknownKind>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Kind {
    /// [`RoundRobin`](super::RoundRobin): "round-robin".
    RoundRobin,
    /// [`Random`](super::Random): "random".
    Random,
    /// [`HashKey`](super::HashKey): "hash".
    Hash,
    /// [`SmoothWeighted`](super::SmoothWeighted): "smooth".
    Smooth,
    /// [`LowDiscrepancy`](super::LowDiscrepancy): "low-discrepancy".
    LowDiscrepancy,
    /// [`LeastLoaded`](super::LeastLoaded): "least-loaded".
    LeastLoaded,
    /// [`P2c`](super::P2c) by load: "p2c".
    P2c,
    /// [`P2c`](super::P2c) by peak latency: "p2c-peak".
    P2cPeak,
    /// [`Hierarchical`](super::Hierarchical), a tree with eight branches at each level: "hierarchical".
    Hierarchical,
    /// [`Affinity`](super::Affinity) over [`LeastLoaded`](super::LeastLoaded): "affinity".
    Affinity,
}

impl Kind {
    /// Every policy.
    pub const ALL: &[Self] = &[
        Self::RoundRobin,
        Self::Random,
        Self::Hash,
        Self::Smooth,
        Self::LowDiscrepancy,
        Self::LeastLoaded,
        Self::P2c,
        Self::P2cPeak,
        Self::Hierarchical,
        Self::Affinity,
    ];

    /// The policy's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RoundRobin => "round-robin",
            Self::Random => "random",
            Self::Hash => "hash",
            Self::Smooth => "smooth",
            Self::LowDiscrepancy => "low-discrepancy",
            Self::LeastLoaded => "least-loaded",
            Self::P2c => "p2c",
            Self::P2cPeak => "p2c-peak",
            Self::Hierarchical => "hierarchical",
            Self::Affinity => "affinity",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name).ok_or(UnknownKind)
    }
}

/// No policy has this name. Remedy: one of those that the message lists.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct UnknownKind;

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such policy; there are ")?;
        for (nth, kind) in Kind::ALL.iter().enumerate() {
            if nth > 0 {
                f.write_str(", ")?;
            }
            f.write_str(kind.name())?;
        }
        Ok(())
    }
}

impl core::error::Error for UnknownKind {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn every_name_leads_back_to_its_policy() {
        let listed = UnknownKind.to_string();
        for kind in Kind::ALL {
            assert_eq!(kind.name().parse(), Ok(*kind));
            assert_eq!(kind.to_string().parse(), Ok(*kind));
            assert!(listed.contains(kind.name()), "{listed}");
        }
        for wrong in ["", "p3c", "round-robin ", "Round-Robin"] {
            assert_eq!(wrong.parse::<Kind>(), Err(UnknownKind));
        }
    }
}

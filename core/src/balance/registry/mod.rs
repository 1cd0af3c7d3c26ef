//! Policies by name: for configuration files, the command line and the playground.

#[cfg(feature = "alloc")]
mod any;
#[cfg(test)]
mod tests;

#[cfg(feature = "alloc")]
pub use any::AnyPolicy;

use crate::fixed::Q32;
use crate::ring::Algorithm;
use core::fmt;
use core::str::FromStr;

/// A policy by its name.
///
/// A ring's name may be followed by a bound on load: `maglev:1.25` gives no member more than 1.25 times its fair share.
///
/// # Examples
///
/// ```
/// use divvy::balance::Kind;
/// use divvy::fixed::Q32;
/// use divvy::ring::Algorithm;
///
/// assert_eq!("round-robin".parse(), Ok(Kind::RoundRobin));
/// let slack = Q32::from_ratio(5, 4);
/// assert_eq!("maglev:1.25".parse(), Ok(Kind::Consistent { ring: Algorithm::Maglev, slack }));
/// // The error lists the names:
/// let error = "roundrobin".parse::<Kind>().unwrap_err();
/// assert!(error.to_string().contains("round-robin, "));
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
    /// [`WeightedLeastLoaded`](super::WeightedLeastLoaded): "weighted-least-loaded".
    WeightedLeastLoaded,
    /// [`P2c`](super::P2c) by load: "p2c".
    P2c,
    /// [`P2c`](super::P2c) by peak latency: "p2c-peak".
    P2cPeak,
    /// [`LeastResponseTime`](super::LeastResponseTime): "least-response-time".
    LeastResponseTime,
    /// [`JoinIdleQueue`](super::JoinIdleQueue): "jiq".
    JoinIdleQueue,
    /// [`Prequal`](super::Prequal): "prequal".
    Prequal,
    /// [`C3`](super::C3): "c3".
    C3,
    /// [`Hierarchical`](super::Hierarchical), a tree with eight branches at each level: "hierarchical".
    Hierarchical,
    /// [`Affinity`](super::Affinity) over [`LeastLoaded`](super::LeastLoaded): "affinity".
    Affinity,
    /// [`Ucb`](super::Ucb), with load and a half-life of 1,000 calls: "ucb".
    Ucb,
    /// [`Thompson`](super::Thompson), with load and a half-life of 1,000 calls: "thompson".
    Thompson,
    /// [`Regression`](super::Regression): "regression".
    Regression,
    /// [`EnergyAware`](super::EnergyAware) over [`LeastLoaded`](super::LeastLoaded), with four calls to a member: "energy".
    Energy,
    /// [`ZoneAware`](super::ZoneAware) for a caller in zone 0, over [`P2c`](super::P2c): "zone".
    Zone,
    /// [`Subset`](super::Subset) for caller 0, half of the capacity, over [`P2c`](super::P2c): "subset".
    Subset,
    /// [`Consistent`](super::Consistent) over this ring: its name, and with a bound `:` and the slack.
    Consistent {
        /// The ring.
        ring: Algorithm,
        /// How many times its fair share a member may have, from 1 on.
        slack: Option<Q32>,
    },
}

impl Kind {
    /// Every policy, the rings without a bound.
    pub const ALL: &[Self] = &[
        Self::RoundRobin,
        Self::Random,
        Self::Hash,
        Self::Smooth,
        Self::LowDiscrepancy,
        Self::LeastLoaded,
        Self::WeightedLeastLoaded,
        Self::P2c,
        Self::P2cPeak,
        Self::LeastResponseTime,
        Self::JoinIdleQueue,
        Self::Prequal,
        Self::C3,
        Self::Hierarchical,
        Self::Affinity,
        Self::Ucb,
        Self::Thompson,
        Self::Regression,
        Self::Energy,
        Self::Zone,
        Self::Subset,
        Self::ring(Algorithm::Karger),
        Self::ring(Algorithm::Ketama),
        Self::ring(Algorithm::MultiProbe),
        Self::ring(Algorithm::Rendezvous),
        Self::ring(Algorithm::Maglev),
        Self::ring(Algorithm::Anchor),
        Self::ring(Algorithm::JumpBack),
    ];

    const fn ring(ring: Algorithm) -> Self {
        Self::Consistent { ring, slack: None }
    }

    /// The policy's name, a ring's without its bound. With the bound as well, it is what [`Display`](fmt::Display)
    /// writes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RoundRobin => "round-robin",
            Self::Random => "random",
            Self::Hash => "hash",
            Self::Smooth => "smooth",
            Self::LowDiscrepancy => "low-discrepancy",
            Self::LeastLoaded => "least-loaded",
            Self::WeightedLeastLoaded => "weighted-least-loaded",
            Self::P2c => "p2c",
            Self::P2cPeak => "p2c-peak",
            Self::LeastResponseTime => "least-response-time",
            Self::JoinIdleQueue => "jiq",
            Self::Prequal => "prequal",
            Self::C3 => "c3",
            Self::Hierarchical => "hierarchical",
            Self::Affinity => "affinity",
            Self::Ucb => "ucb",
            Self::Thompson => "thompson",
            Self::Regression => "regression",
            Self::Energy => "energy",
            Self::Zone => "zone",
            Self::Subset => "subset",
            Self::Consistent { ring, .. } => ring.name(),
        }
    }
}

/// What [`FromStr`] reads.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Consistent { ring, slack: Some(slack) } => {
                // Rounded to the nearest, so that what was read with six decimals at most is written alike.
                let slack = slack.saturating_add(Q32::from_bits(1 << 11)).to_bits();
                let mut micros = ((slack & 0xFFFF_FFFF) * 1_000_000) >> 32;
                let mut digits = 6;
                while digits > 0 && micros.is_multiple_of(10) {
                    (micros, digits) = (micros / 10, digits - 1);
                }
                write!(f, "{}:{}", ring.name(), slack >> 32)?;
                if digits > 0 { write!(f, ".{micros:0digits$}") } else { Ok(()) }
            }
            _ => f.pad(self.name()),
        }
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        let (name, bound) = match name.split_once(':') {
            Some((name, bound)) => (name, Some(slack(bound).ok_or(UnknownKind)?)),
            None => (name, None),
        };
        let kind = Self::ALL.iter().copied().find(|kind| kind.name() == name).ok_or(UnknownKind)?;
        match (kind, bound) {
            (Self::Consistent { ring, .. }, slack) => Ok(Self::Consistent { ring, slack }),
            (kind, None) => Ok(kind),
            _ => Err(UnknownKind),
        }
    }
}

/// A decimal number from 1 on, with six decimals at most.
fn slack(text: &str) -> Option<Q32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 6 {
        return None;
    }
    let whole: u32 = whole.parse().ok()?;
    let part: u64 = part.parse::<u64>().ok()? * 10u64.pow(6 - part.len() as u32);
    let slack = Q32::from_int(whole).checked_add(Q32::from_ratio(part, 1_000_000)?)?;
    (slack >= Q32::ONE).then_some(slack)
}

/// No policy has this name. Remedy: one of those that the message lists.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct UnknownKind;

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such policy; there are ")?;
        for kind in Kind::ALL {
            write!(f, "{}, ", kind.name())?;
        }
        f.write_str("and a ring's name with a bound from 1 on, as in maglev:1.25")
    }
}

impl core::error::Error for UnknownKind {}

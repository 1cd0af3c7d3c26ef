//! How Prequal probes and forgets.

use crate::fixed::Q32;
use crate::time::saturating_nanos;
use core::fmt;
use core::time::Duration;

/// Why a [`PrequalConfig`] was refused. Nothing was made.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PrequalError {
    /// The pool has no place or more than [`PrequalConfig::MAX_POOL`]. Remedy: 16 is usual.
    Pool,
    /// Probes live for no time. Remedy: 1 s is usual.
    Lifetime,
    /// The quantile is above 1. Remedy: 0.84 is usual.
    Quantile,
    /// More than 8 probes for each request, or more than 8 removed. Remedy: 3 and 1 are usual.
    Rate,
}

impl fmt::Display for PrequalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pool => "the pool must hold between 1 and 16 probes",
            Self::Lifetime => "probes must live for some time; 1 s is usual",
            Self::Quantile => "the quantile of requests in flight must be at most 1",
            Self::Rate => "no more than 8 probes may be sent and no more than 8 removed for each request",
        })
    }
}

impl core::error::Error for PrequalError {}

/// The parameters of [`Prequal`](super::Prequal).
///
/// # Examples
///
/// ```
/// use divvy::balance::{Prequal, PrequalConfig, PrequalError};
/// use divvy::fixed::Q32;
///
/// let half = Q32::from_ratio(1, 2).expect("1/2 fits");
/// let policy = Prequal::with(PrequalConfig::new().pool(8).probes(half))?;
/// assert!(policy.pool().is_empty());
/// assert_eq!(Prequal::with(PrequalConfig::new().pool(0)).err(), Some(PrequalError::Pool));
/// # Ok::<(), PrequalError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub struct PrequalConfig {
    pub(super) pool: u32,
    pub(super) lifetime: u64,
    pub(super) probes: Q32,
    pub(super) removals: Q32,
    pub(super) quantile: Q32,
    pub(super) growth: Q32,
    pub(super) idle: Option<u64>,
}

impl PrequalConfig {
    /// The largest pool.
    pub const MAX_POOL: u32 = 16;

    /// The paper's: a pool of 16, probes that live for 1 s, 3 of them for each request, 1 removed, the quantile 2^−¼,
    /// and a net growth of 1.
    pub const fn new() -> Self {
        Self {
            pool: Self::MAX_POOL,
            lifetime: 1_000_000_000,
            probes: Q32::from_int(3),
            removals: Q32::ONE,
            quantile: Q32::from_bits(3_611_622_603),
            growth: Q32::ONE,
            idle: None,
        }
    }

    /// With a pool of `size` probes: up to [`MAX_POOL`](Self::MAX_POOL).
    pub const fn pool(mut self, size: u32) -> Self {
        self.pool = size;
        self
    }

    /// With probes that live for `lifetime`.
    pub const fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = saturating_nanos(lifetime);
        self
    }

    /// With this many `probes` for each request, on average: r_probe. Below 1 it is one for several requests.
    pub const fn probes(mut self, probes: Q32) -> Self {
        self.probes = probes;
        self
    }

    /// With this many `removals` from the pool for each request, on average: r_remove.
    pub const fn removals(mut self, removals: Q32) -> Self {
        self.removals = removals;
        self
    }

    /// With a member counted as hot above this `quantile` of the requests in flight: Q_RIF. At 0 only requests in flight
    /// count, at 1 only latency.
    pub const fn quantile(mut self, quantile: Q32) -> Self {
        self.quantile = quantile;
        self
    }

    /// With this net `growth` of the pool in probes for each request: δ. More of it lets a probe be used oftener.
    pub const fn growth(mut self, growth: Q32) -> Self {
        self.growth = growth;
        self
    }

    /// With a probe whenever none was sent for `pause`, so that a caller with few requests knows something when one
    /// comes. Off unless set.
    pub const fn idle(mut self, pause: Duration) -> Self {
        self.idle = Some(saturating_nanos(pause));
        self
    }

    pub(super) fn check(&self) -> Result<(), PrequalError> {
        let most = Q32::from_int(8);
        match self {
            _ if self.pool == 0 || self.pool > Self::MAX_POOL => Err(PrequalError::Pool),
            _ if self.lifetime == 0 => Err(PrequalError::Lifetime),
            _ if self.quantile > Q32::ONE => Err(PrequalError::Quantile),
            _ if self.probes > most || self.removals > most => Err(PrequalError::Rate),
            _ => Ok(()),
        }
    }

    /// How often one probe may be used with `members` candidates: b_reuse, or `None` for any number of times, where the
    /// probes sent do not even make up for those removed.
    ///
    /// max(1, (1 + δ) ÷ ((1 − pool ÷ members) × r_probe − r_remove)): a probe of a member that is pooled already does
    /// not let the pool grow, but every removal shrinks it.
    #[must_use]
    pub fn reuse(&self, members: u32) -> Option<Q32> {
        let new = Q32::from_ratio(u64::from(members.saturating_sub(self.pool)), u64::from(members))?;
        let net = new.saturating_mul(self.probes).saturating_sub(self.removals);
        let uses = Q32::from_ratio(Q32::ONE.saturating_add(self.growth).to_bits(), net.to_bits())?;
        Some(uses.max(Q32::ONE))
    }
}

impl Default for PrequalConfig {
    fn default() -> Self {
        Self::new()
    }
}

//! How a fleet judges its members.

use super::slow_start::SlowStart;
use crate::fixed::Q32;
use crate::time::saturating_nanos;
use core::fmt;
use core::time::Duration;

/// Why a [`Config`] was refused. Nothing changed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConfigError {
    /// The weight of the newest latency is 0 or above 1. Remedy: a share between, such as 0.3.
    Alpha,
    /// The time in which a peak decays is 0. Remedy: a few times the usual latency.
    Decay,
    /// The window has no responses, or more than 65,536. Remedy: 100 is usual.
    Window,
    /// A share is above 1.
    Share,
    /// The latency or load up to which a member counts as well is 0. Remedy: leave it out, or say what is acceptable.
    Target,
    /// The window of the slow start is 0, its aggression 0, or its least share above 1. Remedy: see
    /// [`SlowStart`].
    SlowStart,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alpha => "the weight of the newest latency must be above 0 and at most 1",
            Self::Decay => "the time in which a peak decays must not be 0",
            Self::Window => "the window must have between 1 and 65536 responses",
            Self::Share => "a share must be at most 1",
            Self::Target => "a latency or load to stay below must not be 0; leave it out to ignore it",
            Self::SlowStart => {
                "a slow start needs a window and an aggression above 0 and a least share up to 1"
            }
        })
    }
}

impl core::error::Error for ConfigError {}

/// How a [`Fleet`](super::Fleet) judges its members: what a response weighs, what a failure costs, how new members start.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::balance::{Config, ConfigError, Fleet, SlowStart};
/// use divvy::fixed::Q32;
/// use divvy::storage::Inline;
///
/// let mut fleet = Fleet::<Inline<8>, Inline<64>>::new(Duration::from_secs(10));
/// let half = Q32::from_ratio(1, 2).expect("1/2 fits");
/// let config = Config::new().alpha(half).slow_start(SlowStart::new(Duration::from_secs(30)));
/// fleet.configure(config)?;
/// // What makes no sense is refused, and nothing changes:
/// assert_eq!(fleet.configure(Config::new().alpha(Q32::ZERO)), Err(ConfigError::Alpha));
/// # Ok::<(), ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub struct Config {
    alpha: Q32,
    decay: Duration,
    penalty: Option<Duration>,
    window: u32,
    panic_below: Q32,
    latency_target: Option<Duration>,
    load_target: Option<u32>,
    shed: bool,
    slow_start: Option<SlowStart>,
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// The newest latency weighs 0.3, a peak decays in 10 s, a failure costs the fleet's timeout, rates look at about
    /// 100 responses; no slow start, no panic, no targets.
    pub const fn new() -> Self {
        Self {
            // 0.3, rounded to the nearest
            alpha: Q32::from_bits(1_288_490_189),
            decay: Duration::from_secs(10),
            penalty: None,
            window: 100,
            panic_below: Q32::ZERO,
            latency_target: None,
            load_target: None,
            shed: false,
            slow_start: None,
        }
    }

    /// What the newest latency weighs in [`Fleet::latency`](super::Fleet::latency): above 0, at most 1.
    pub const fn alpha(mut self, alpha: Q32) -> Self {
        self.alpha = alpha;
        self
    }

    /// The time after which [`Fleet::peak_latency`](super::Fleet::peak_latency) is 1/e of a peak.
    pub const fn decay(mut self, decay: Duration) -> Self {
        self.decay = decay;
        self
    }

    /// The latency that a failure counts for at least. The fleet's timeout, unless this says otherwise.
    pub const fn penalty(mut self, penalty: Duration) -> Self {
        self.penalty = Some(penalty);
        self
    }

    /// About how many of the last responses the error rate and the 95th percentile look at.
    pub const fn window(mut self, responses: u32) -> Self {
        self.window = responses;
        self
    }

    /// The share of ready members below which health no longer counts: all that are not draining are then used, since
    /// a check that condemns most of a fleet is more likely wrong than right. 0: never.
    pub const fn panic_below(mut self, share: Q32) -> Self {
        self.panic_below = share;
        self
    }

    /// The 95th percentile of latency up to which a member is well.
    pub const fn latency_target(mut self, p95: Duration) -> Self {
        self.latency_target = Some(p95);
        self
    }

    /// The load up to which a member is well.
    pub const fn load_target(mut self, load: u32) -> Self {
        self.load_target = Some(load);
        self
    }

    /// Whether members are chosen less often the worse their [`Fleet::health`](super::Fleet::health) is.
    pub const fn shed(mut self, shed: bool) -> Self {
        self.shed = shed;
        self
    }

    /// How new and recovered members start.
    pub const fn slow_start(mut self, slow_start: SlowStart) -> Self {
        self.slow_start = Some(slow_start);
        self
    }

    /// What the fleet computes with, for its `timeout`.
    pub(super) const fn build(&self, timeout: u64) -> Result<Tuning, ConfigError> {
        let alpha = self.alpha.to_bits();
        if alpha == 0 || alpha > Q32::ONE.to_bits() {
            return Err(ConfigError::Alpha);
        }
        let tau = saturating_nanos(self.decay);
        if tau == 0 {
            return Err(ConfigError::Decay);
        }
        if self.window == 0 || self.window > 1 << 16 {
            return Err(ConfigError::Window);
        }
        let panic_below = self.panic_below.to_bits();
        if panic_below > Q32::ONE.to_bits() {
            return Err(ConfigError::Share);
        }
        let latency_target = match self.latency_target {
            Some(Duration::ZERO) => return Err(ConfigError::Target),
            Some(target) => saturating_nanos(target),
            None => u64::MAX,
        };
        let load_target = match self.load_target {
            Some(0) => return Err(ConfigError::Target),
            Some(target) => target,
            None => u32::MAX,
        };
        let (ramp, inverse, minimum) = match &self.slow_start {
            None => (0, 0, 0),
            Some(slow) => match slow.parts() {
                Some(parts) => parts,
                None => return Err(ConfigError::SlowStart),
            },
        };
        Ok(Tuning {
            alpha,
            gain: gain(self.window),
            halvings: halvings(tau),
            penalty: match self.penalty {
                Some(penalty) => saturating_nanos(penalty),
                None => timeout,
            },
            panic_below: share(panic_below),
            latency_target,
            load_target,
            shed: self.shed,
            ramp,
            inverse,
            minimum,
        })
    }
}

/// A share of 2³² in 32 bits: 1 becomes the next smaller.
const fn share(bits: u64) -> u32 {
    if bits > u32::MAX as u64 { u32::MAX } else { bits as u32 }
}

/// The weight of the newest response that gives responses the same mean age as the last `window` have: 2 / (window + 1).
const fn gain(window: u32) -> u32 {
    share((2 << 32) / (window as u64 + 1))
}

/// Half-lives in a nanosecond × 2⁶⁴, where 1/e is left after `tau`: 2⁶⁴ ÷ (tau × ln 2).
const fn halvings(tau: u64) -> u64 {
    // 1 / ln 2 × 2⁶³, and the one bit that is missing.
    const LOG2_E: u128 = 0xB8AA_3B29_5C17_F0BC << 1;
    let halvings = LOG2_E / tau as u128;
    if halvings > u64::MAX as u128 { u64::MAX } else { halvings as u64 }
}

/// A [`Config`] as a fleet computes with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tuning {
    /// Half-lives of a peak in a nanosecond × 2⁶⁴.
    pub(super) halvings: u64,
    /// The nanoseconds that a failure counts for at least.
    pub(super) penalty: u64,
    pub(super) latency_target: u64,
    /// The nanoseconds of a slow start; 0: there is none.
    pub(super) ramp: u64,
    /// The weight of the newest latency × 2³².
    pub(super) alpha: u64,
    /// The weight of the newest response in rates × 2³².
    pub(super) gain: u32,
    /// × 2³².
    pub(super) panic_below: u32,
    pub(super) load_target: u32,
    /// 1 / aggression × 2¹⁶.
    pub(super) inverse: u32,
    /// The least share during a slow start × 2³².
    pub(super) minimum: u32,
    pub(super) shed: bool,
}

impl Tuning {
    /// The defaults, for a fleet with this `timeout`.
    pub(super) const fn new(timeout: u64) -> Self {
        match Config::new().build(timeout) {
            Ok(tuning) => tuning,
            // The defaults are good, as a test shows.
            Err(_) => panic!(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused() {
        let (new, above) = (Config::new(), Q32::from_bits((1 << 32) + 1));
        for (config, error) in [
            (new.alpha(Q32::ZERO), ConfigError::Alpha),
            (new.alpha(above), ConfigError::Alpha),
            (new.decay(Duration::ZERO), ConfigError::Decay),
            (new.window(0), ConfigError::Window),
            (new.window(65_537), ConfigError::Window),
            (new.panic_below(above), ConfigError::Share),
            (new.latency_target(Duration::ZERO), ConfigError::Target),
            (new.load_target(0), ConfigError::Target),
            (new.slow_start(SlowStart::new(Duration::ZERO)), ConfigError::SlowStart),
            (
                new.slow_start(SlowStart::new(Duration::from_secs(1)).aggression(Q32::ZERO)),
                ConfigError::SlowStart,
            ),
            (new.slow_start(SlowStart::new(Duration::from_secs(1)).minimum(above)), ConfigError::SlowStart),
        ] {
            assert_eq!(config.build(1).map(|_| ()), Err(error), "{config:?}");
        }
        assert!(new.alpha(Q32::ONE).decay(Duration::MAX).build(0).is_ok());
        assert_eq!(Tuning::new(7).penalty, 7);
    }

    #[test]
    fn a_peak_halves_as_often_as_its_decay_says() {
        // After tau, 1 / ln 2 = 1.442695 half-lives have passed.
        let tau = 10_000_000_000;
        let passed = (u128::from(halvings(tau)) * u128::from(tau)) >> 44;
        assert_eq!(passed, (core::f64::consts::LOG2_E * f64::from(1 << 20)) as u128);
    }
}

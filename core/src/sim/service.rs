//! How much work a request is.

use core::fmt;
use core::time::Duration;

use crate::Rng;
use crate::fixed::{Q32, exp2_neg, neg_log2};
use crate::time::saturating_nanos;

/// Why a distribution has no meaning.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ServiceError {
    /// The smallest value is above the largest. Remedy: exchange the two.
    Reversed,
    /// The smallest value of a Pareto distribution is 0. Remedy: a value above 0.
    Zero,
    /// The shape of a Pareto distribution is below 1/16 or above 64. Remedy: one between them; 1 to 2 is usual.
    Shape,
    /// A share is above 1. Remedy: one between 0 and 1.
    Share,
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reversed => "the smallest value is above the largest; exchange them",
            Self::Zero => "the smallest value of a Pareto distribution must be above 0",
            Self::Shape => "the shape of a Pareto distribution must be from 1/16 to 64",
            Self::Share => "a share must be from 0 to 1",
        })
    }
}

impl core::error::Error for ServiceError {}

/// The distribution of service times.
///
/// Every draw is integer arithmetic, so the same draws give the same times on every target.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::fixed::Q32;
/// use divvy::rng::SplitMix64;
/// use divvy::sim::{Service, ServiceError};
///
/// let milli = Duration::from_millis(1);
/// let bimodal = Service::bimodal(milli, 10 * milli, Q32::from_ratio(1, 10).unwrap())?;
/// let time = bimodal.sample(&mut SplitMix64::seed(1));
/// assert!(time == milli || time == 10 * milli);
/// assert_eq!(Service::uniform(2 * milli, milli), Err(ServiceError::Reversed));
/// # Ok::<(), ServiceError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Service(Shape);

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Shape {
    Constant(u64),
    Uniform { least: u64, most: u64 },
    Exponential { mean: u64 },
    Pareto { least: u64, most: u64, shape: Q32, above: u64 },
    Bimodal { short: u64, long: u64, share: Q32 },
}

impl Service {
    /// Always `time`.
    #[must_use]
    pub const fn constant(time: Duration) -> Self {
        Self(Shape::Constant(saturating_nanos(time)))
    }

    /// From `least` to `most`, each as likely.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Reversed`].
    pub const fn uniform(least: Duration, most: Duration) -> Result<Self, ServiceError> {
        let (least, most) = (saturating_nanos(least), saturating_nanos(most));
        if least > most {
            return Err(ServiceError::Reversed);
        }
        Ok(Self(Shape::Uniform { least, most }))
    }

    /// Without memory, `mean` on average: the M of M/M/1. Never more than 44.4 means.
    #[must_use]
    pub const fn exponential(mean: Duration) -> Self {
        Self(Shape::Exponential { mean: saturating_nanos(mean) })
    }

    /// A bounded Pareto distribution from `least` to `most`: the chance to exceed *x* falls with *x*⁻ˢʰᵃᵖᵉ. Heavy-tailed
    /// for a shape below 2.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Zero`], [`ServiceError::Reversed`] or [`ServiceError::Shape`].
    pub const fn pareto(least: Duration, most: Duration, shape: Q32) -> Result<Self, ServiceError> {
        let (least, most) = (saturating_nanos(least), saturating_nanos(most));
        if least == 0 {
            return Err(ServiceError::Zero);
        }
        if least > most {
            return Err(ServiceError::Reversed);
        }
        if shape.to_bits() < 1 << 28 || shape.to_bits() > 64 << 32 {
            return Err(ServiceError::Shape);
        }
        // The chance to exceed `most` if there were no bound: (least / most)^shape.
        let doublings = halvings(least, most);
        let above = exp2_neg(shape.saturating_mul(doublings)).to_bits();
        Ok(Self(Shape::Pareto { least, most, shape, above }))
    }

    /// `long` for this `share` of the requests, `short` for the others.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Share`] if the share is above 1.
    pub const fn bimodal(short: Duration, long: Duration, share: Q32) -> Result<Self, ServiceError> {
        if share.to_bits() > Q32::ONE.to_bits() {
            return Err(ServiceError::Share);
        }
        Ok(Self(Shape::Bimodal { short: saturating_nanos(short), long: saturating_nanos(long), share }))
    }

    /// A time of this distribution. One draw.
    #[must_use]
    pub fn sample(&self, rng: &mut impl Rng) -> Duration {
        Duration::from_nanos(self.at(rng.next_u64()))
    }

    /// The mean of the distribution, to within a millionth.
    #[must_use]
    pub fn mean(&self) -> Duration {
        Duration::from_nanos(match self.0 {
            Shape::Constant(time) => time,
            Shape::Uniform { least, most } => least + (most - least) / 2,
            Shape::Exponential { mean } => mean,
            Shape::Pareto { .. } => {
                // The middle of each of 4,096 equally likely slices; the last one, where the tail is, in finer ones.
                let slices = |from: u64, bits: u32| {
                    let sum: u128 = (0..1u64 << 12)
                        .map(|i| u128::from(self.at(from + (2 * i + 1) * (1 << (bits - 13)))))
                        .sum();
                    sum >> 12
                };
                // `at` puts the tail at the low end.
                let tail = slices(0, 52);
                let rest: u128 = (1..1u64 << 12).map(|i| slices_of(self, i)).sum();
                ((tail + rest) >> 12) as u64
            }
            Shape::Bimodal { short, long, share } => {
                let (share, one) = (u128::from(share.to_bits()), u128::from(Q32::ONE.to_bits()));
                ((u128::from(long) * share + u128::from(short) * (one - share)) >> 32) as u64
            }
        })
    }

    /// The time that goes with the uniformly random `u`.
    pub(super) fn at(&self, u: u64) -> u64 {
        match self.0 {
            Shape::Constant(time) => time,
            Shape::Uniform { least, most } => {
                // The width may be 2⁶⁴: the product takes 128 bits.
                least + ((u128::from(u) * (u128::from(most - least) + 1)) >> 64) as u64
            }
            Shape::Exponential { mean } => exponential(mean, u),
            Shape::Pareto { least, most, shape, above } => {
                // 1 - u (1 - above) runs over the chances to exceed that lie between the bounds.
                let (above, one) = (u128::from(above), u128::from(Q32::ONE.to_bits()));
                let exceed = ((above << 64) + u128::from(u) * (one - above)) >> 32;
                let exceed = u64::try_from(exceed).unwrap_or(u64::MAX);
                let doublings = divide(neg_log2(exceed), shape);
                power(least, doublings).clamp(least, most)
            }
            Shape::Bimodal { short, long, share } => {
                if u >> 32 < share.to_bits() {
                    long
                } else {
                    short
                }
            }
        }
    }
}

/// The mean over the `i`-th of 4,096 equally likely slices of a Pareto distribution.
fn slices_of(service: &Service, i: u64) -> u128 {
    let sum: u128 = (0..16).map(|part| u128::from(service.at((i << 52) + (2 * part + 1) * (1 << 47)))).sum();
    sum >> 4
}

/// The exponentially distributed time with this mean that goes with the uniformly random `u`.
pub(super) fn exponential(mean: u64, u: u64) -> u64 {
    // In this order nothing is lost for means down to a nanosecond.
    neg_log2(u).saturating_mul(Q32::LN_2).mul_int(mean)
}

/// How often `least` must be doubled to give `most`.
const fn halvings(least: u64, most: u64) -> Q32 {
    // log2(most) - log2(least), both below 64 and against the same 2^64.
    neg_log2(least).saturating_sub(neg_log2(most))
}

fn divide(a: Q32, b: Q32) -> Q32 {
    Q32::from_ratio(a.to_bits(), b.to_bits()).unwrap_or(Q32::MAX)
}

/// `base` × 2 to the power of `doublings`, at most `u64::MAX`.
fn power(base: u64, doublings: Q32) -> u64 {
    // Up to the next whole number of doublings and back by the part that is too much.
    let whole = doublings.floor() + 1;
    let back = exp2_neg(Q32::from_int(whole).saturating_sub(doublings));
    let high = u128::from(base) * u128::from(back.to_bits());
    let shifted = if whole >= 64 { u128::MAX } else { high.checked_shl(whole).unwrap_or(u128::MAX) >> 32 };
    u64::try_from(shifted).unwrap_or(u64::MAX)
}

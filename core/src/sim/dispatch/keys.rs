//! What requests are about.

use core::fmt;
use core::time::Duration;

use crate::fixed::{Q32, exp2_neg, neg_log2};
use crate::hash::xxh3_64;
use crate::rng::SplitMix64;
use crate::time::saturating_nanos;
use crate::{Instant, Rng};

/// Which keys requests have.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Keys {
    /// None.
    None,
    /// One of `keys`, each as likely.
    Uniform {
        /// How many keys there are.
        keys: u32,
    },
    /// One of `keys`, the *k*-th with a probability that falls with *k*<sup>−`exponent`</sup>.
    Zipf {
        /// How many keys there are.
        keys: u32,
        /// How steeply they fall, 8 at most: about 1 for words and web pages.
        exponent: Q32,
    },
    /// One key has `share` of the requests, another one after each `every`; the other requests are spread evenly.
    Hot {
        /// How many keys there are.
        keys: u32,
        /// The share of the hot one.
        share: Q32,
        /// How long a key stays hot.
        every: Duration,
    },
}

impl Keys {
    /// How many there are; 0 if none are drawn.
    #[cfg(feature = "alloc")]
    pub(super) const fn count(&self) -> u32 {
        match *self {
            Self::None => 0,
            Self::Uniform { keys } | Self::Zipf { keys, .. } | Self::Hot { keys, .. } => keys,
        }
    }
}

/// Why keys cannot be drawn.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum KeysError {
    /// There are none to draw. Remedy: at least one, or [`Keys::None`].
    NoKeys,
    /// The exponent is above 8. Remedy: a smaller one.
    Exponent,
    /// The share is above 1. Remedy: one between 0 and 1.
    Share,
    /// The hot key would change all the time. Remedy: a time above 0.
    Restless,
}

impl fmt::Display for KeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoKeys => "there are no keys to draw; use at least one",
            Self::Exponent => "the exponent of a Zipf distribution must be at most 8",
            Self::Share => "a share must be from 0 to 1",
            Self::Restless => "a key must stay hot for a time above 0",
        })
    }
}

impl core::error::Error for KeysError {}

/// Doublings of a 32-bit rank.
const OCTAVES: usize = 32;
/// Draws before a rank is taken as it is. One in two is accepted on average, so this decides nothing.
const TRIES: u32 = 128;

/// [`Keys`], ready to draw from.
///
/// A Zipf rank is drawn by octave: [2ʲ, 2ʲ⁺¹) with the weight that it would have if all its ranks were as likely as the
/// first, then evenly within, and kept with the probability that the rank falls behind the first. So nothing is as large
/// as the number of keys, and the ranks have exactly the distribution of the law up to the rounding of its powers.
#[derive(Clone, Debug)]
pub(super) struct Drawer {
    keys: Keys,
    /// The weights of the octaves up to each, Zipf only.
    upto: [u64; OCTAVES],
}

impl Drawer {
    pub(super) fn new(keys: Keys) -> Result<Self, KeysError> {
        let mut upto = [0; OCTAVES];
        match keys {
            Keys::None => {}
            Keys::Uniform { keys: 0 } | Keys::Zipf { keys: 0, .. } | Keys::Hot { keys: 0, .. } => {
                return Err(KeysError::NoKeys);
            }
            Keys::Uniform { .. } => {}
            Keys::Zipf { exponent, .. } if exponent > Q32::from_int(8) => return Err(KeysError::Exponent),
            Keys::Zipf { keys, exponent } => {
                let mut sum = 0;
                for (octave, upto) in (0..).zip(&mut upto) {
                    if keys >> octave > 0 {
                        // At most 2³¹ × 2²⁶ each: the sum stays below 2⁶³.
                        sum += weight(octave, exponent);
                    }
                    *upto = sum;
                }
            }
            Keys::Hot { share, .. } if share > Q32::ONE => return Err(KeysError::Share),
            Keys::Hot { every, .. } if every.is_zero() => return Err(KeysError::Restless),
            Keys::Hot { .. } => {}
        }
        Ok(Self { keys, upto })
    }

    /// The hash of the key of a request that comes at `now`.
    pub(super) fn draw(&self, now: Instant, rng: &mut SplitMix64) -> Option<u64> {
        let rank = match self.keys {
            Keys::None => return None,
            Keys::Uniform { keys } => rng.below(keys),
            Keys::Zipf { keys, exponent } => self.zipf(keys, exponent, rng),
            Keys::Hot { keys, share, every } => {
                if rng.next_u64() >> 32 < share.to_bits() {
                    // Consecutive hot keys are neighbours; their hashes are not.
                    (now.as_nanos() / saturating_nanos(every) % u64::from(keys)) as u32
                } else {
                    rng.below(keys)
                }
            }
        };
        Some(xxh3_64(&u64::from(rank).to_le_bytes()))
    }

    /// A rank from 0 on.
    fn zipf(&self, keys: u32, exponent: Q32, rng: &mut SplitMix64) -> u32 {
        let mut first = 1;
        for _ in 0..TRIES {
            let at = rng.below_u64(self.upto[OCTAVES - 1]);
            let octave = self.upto.partition_point(|upto| *upto <= at) as u32;
            first = 1u32 << octave;
            let rank = first + rng.below(first);
            if rank <= keys && rng.next_u64() >> 32 < fall(rank, first, exponent) {
                return rank - 1;
            }
        }
        first - 1
    }
}

/// 2^(`octave` × (1 − `exponent`)) × 2²⁶.
fn weight(octave: u32, exponent: Q32) -> u64 {
    // As octave × exponent halvings of 2^octave, of which whole ones are shifts.
    let halvings = Q32::from_bits(exponent.to_bits().saturating_mul(octave.into()));
    let part = exp2_neg(Q32::from_bits(halvings.to_bits() & 0xFFFF_FFFF)).to_bits();
    let scaled = u128::from(part) << (octave + 26);
    ((scaled >> halvings.floor().min(127)) >> 32) as u64
}

/// (`rank` / `first`)^−`exponent` × 2³².
fn fall(rank: u32, first: u32, exponent: Q32) -> u64 {
    let log = |n: u32| neg_log2(u64::from(n) << 32);
    exp2_neg(log(first).saturating_sub(log(rank)).saturating_mul(exponent)).to_bits()
}

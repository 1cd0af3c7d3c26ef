//! What a member's responses say about it, in a few words of memory.

use crate::balance::config::Tuning;
use crate::fixed::{Q32, exp2_neg};
use core::time::Duration;

/// Times are kept in 2⁻¹² ns, so that those of a few nanoseconds have a fraction.
const FRACTION: u32 = 12;
/// The longest time that is kept: 52 days.
const LONGEST: u64 = u64::MAX >> FRACTION;
/// Bits of a packed number's mantissa.
const MANTISSA: u32 = 26;

/// A doubling, in packed numbers.
pub(in crate::balance) const DOUBLING: u32 = 1 << MANTISSA;

/// `n` in 32 bits: where its first bit stands, and the 26 bits after it. Off by less than one part in 2²⁶, in the order
/// of the numbers, and a doubling is the same distance wherever it is: a logarithm, straight between the powers of two.
/// 0 is taken as 1.
const fn pack(n: u64) -> u32 {
    let n = if n > 1 { n } else { 1 };
    let zeros = n.leading_zeros();
    let mantissa = ((n << zeros) >> (63 - MANTISSA)) as u32;
    // The mantissa's first bit is always set: it adds one to the exponent, which is one too low.
    ((62 - zeros as i32) as u32).wrapping_shl(MANTISSA).wrapping_add(mantissa)
}

/// The number that [`pack`] packed, rounded down.
const fn unpack(packed: u32) -> u64 {
    let mantissa = (packed & ((1 << MANTISSA) - 1) | 1 << MANTISSA) as u64;
    (mantissa << (63 - MANTISSA)) >> (63 - (packed >> MANTISSA))
}

/// `n × share / 2³²`, rounded down; `share` is at most 2³².
const fn scale(n: u64, share: u64) -> u64 {
    (n >> 32) * share + (((n & 0xFFFF_FFFF) * share) >> 32)
}

/// `old` moved by this share of the way to `new`.
const fn towards(old: u64, new: u64, share: u64) -> u64 {
    let way = scale(old.abs_diff(new), share);
    if new >= old { old + way } else { old - way }
}

const fn duration(kept: u64) -> Duration {
    Duration::from_nanos(kept >> FRACTION)
}

/// The responses of one member.
#[derive(Clone, Copy, Debug)]
pub(super) struct History {
    /// When the last response came.
    last: u64,
    /// The exponential average.
    mean: u64,
    /// The decaying peak as it was at `last`.
    peak: u64,
    /// The 95th percentile, packed.
    p95: u32,
    /// Calls that were there when a response came, that one included, on average × 2¹⁶.
    depth: u32,
    /// How far responses are from `p95` on average, in doublings × 2¹⁰.
    spread: u16,
    /// The share of failures × 2¹⁶.
    errors: u16,
    /// Responses since somebody last took this count, or half of them, and so on, lest it overflow.
    ended: u16,
    /// Failures among them.
    failed: u16,
}

impl History {
    pub(super) const fn new() -> Self {
        Self { last: 0, mean: 0, peak: 0, p95: 0, depth: 0, spread: 0, errors: 0, ended: 0, failed: 0 }
    }

    /// See [`Fleet::take_counts`](super::Fleet).
    pub(super) fn take_counts(&mut self) -> (u32, u32) {
        let counts = (self.ended.into(), self.failed.into());
        (self.ended, self.failed) = (0, 0);
        counts
    }

    /// The exponential average of the times.
    #[inline]
    pub(super) const fn mean(&self) -> Duration {
        duration(self.mean)
    }

    /// [`mean`](Self::mean) as it has faded at `now` if it fades.
    #[inline]
    pub(super) fn faded(&self, tuning: &Tuning, now: u64) -> Duration {
        duration(scale(self.mean, remaining(tuning, now.saturating_sub(self.last))))
    }

    /// The decaying peak at `now`.
    #[inline]
    pub(super) fn peak(&self, tuning: &Tuning, now: u64) -> Duration {
        duration(scale(self.peak, remaining(tuning, now.saturating_sub(self.last))))
    }

    /// The 95th percentile.
    #[inline]
    pub(super) const fn p95(&self) -> Duration {
        duration(unpack(self.p95))
    }

    /// The 95th percentile on a scale on which a doubling is [`DOUBLING`] everywhere.
    #[inline]
    pub(super) const fn p95_log(&self) -> u32 {
        self.p95
    }

    /// The share of failures.
    #[inline]
    pub(super) const fn errors(&self) -> Q32 {
        match self.errors {
            u16::MAX => Q32::ONE,
            errors => Q32::from_bits((errors as u64) << 16),
        }
    }

    /// Responses a second, by Little's law.
    #[inline]
    pub(super) fn capacity(&self) -> Q32 {
        // depth / 2¹⁶ ÷ (mean / 2¹² / 10⁹)
        let calls = u64::from(self.depth) * (1_000_000_000 >> 4);
        Q32::from_ratio(calls, self.mean.max(1)).unwrap_or(Q32::MAX)
    }

    /// Notes the response to a call that took `took`, when `there` calls were there; `heard` counts those that came, up
    /// to 255.
    #[inline(always)]
    pub(super) fn note(
        &mut self,
        tuning: &Tuning,
        now: u64,
        took: u64,
        failed: bool,
        there: u32,
        heard: &mut u8,
    ) {
        let cost = if failed { took.max(tuning.penalty) } else { took };
        let cost = cost.min(LONGEST) << FRACTION;
        // A failure says nothing of how long good responses take; the error rate has it.
        let packed = pack(took.min(LONGEST) << FRACTION);
        let depth = there.min(0xFFFF) << 16;
        self.count(failed);
        if *heard == 0 {
            *heard = 1;
            self.mean = cost;
            self.peak = cost;
            self.p95 = packed;
            self.depth = depth;
            self.spread = FIRST_SPREAD;
            self.errors = if failed { u16::MAX } else { 0 };
        } else {
            self.mean = towards(self.mean, cost, tuning.alpha);
            // Decayed towards the newest, which if it is higher is the new peak.
            self.peak = match self.peak.checked_sub(cost) {
                None | Some(0) => cost,
                Some(above) => cost + scale(above, remaining(tuning, now - self.last)),
            };
            // While there are few responses each counts the same; then the last ones of the window count.
            let gain = match *heard {
                u8::MAX => tuning.gain,
                _ => {
                    *heard += 1;
                    tuning.gain.max(u32::MAX / u32::from(*heard))
                }
            };
            self.depth = mix(self.depth, depth, gain);
            if failed || self.errors > 0 {
                self.errors = mix(self.errors.into(), if failed { 0xFFFF } else { 0 }, gain) as u16;
            }
            if !failed {
                self.track(packed, gain);
            }
        }
        self.last = now;
    }

    /// Moves the percentile up by 19 parts when it was exceeded and down by one when it was not, so that it rests where
    /// one in 20 exceeds it. A part is in proportion to how far responses usually are from it.
    #[inline]
    fn track(&mut self, packed: u32, gain: u32) {
        // Below 2⁴⁸.
        let part = u64::from(self.spread) * u64::from(gain);
        let distance = match packed.checked_sub(self.p95) {
            Some(above @ 1..) => {
                let step = ((part * 19) >> 18).min(u64::from(u32::MAX));
                self.p95 = self.p95.saturating_add(step as u32);
                above
            }
            _ => {
                let below = self.p95 - packed;
                self.p95 = self.p95.saturating_sub((part >> 18) as u32);
                below
            }
        };
        self.spread = mix(self.spread.into(), distance >> (MANTISSA - 10), gain) as u16;
    }

    #[inline]
    fn count(&mut self, failed: bool) {
        self.failed += u16::from(failed);
        self.ended += 1;
        if self.ended == u16::MAX {
            self.ended /= 2;
            self.failed /= 2;
        }
    }
}

/// The first guess of how far responses are from the percentile: half a doubling.
const FIRST_SPREAD: u16 = 1 << 9;

/// `old` moved by this share of the way to `new`, rounded down.
const fn mix(old: u32, new: u32, share: u32) -> u32 {
    // The sum is never below 0 nor above 64 bits, so it is right although the way may be negative.
    let way = (new as u64).wrapping_sub(old as u64).wrapping_mul(share as u64);
    (((old as u64) << 32).wrapping_add(way) >> 32) as u32
}

/// What is left of a peak after `nanos` × 2³²: 2 to the power of minus the half-lives that passed.
#[inline]
fn remaining(tuning: &Tuning, nanos: u64) -> u64 {
    let halvings = match tuning.halvings.checked_mul(nanos) {
        Some(product) => product >> 32,
        None => Q32::from_bits(tuning.halvings).mul_int(nanos),
    };
    if halvings < 1 << 25 {
        // Below 1/128: two terms of the series are exact to 2⁻²⁵, and quicker.
        let x = (halvings * Q32::LN_2.to_bits()) >> 32;
        return Q32::ONE.to_bits() - x + ((x * x) >> 33);
    }
    exp2_neg(Q32::from_bits(halvings)).to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn packing_keeps_order_and_26_bits(a: u64, b: u64, shift in 0u32..64) {
            let (a, b) = (a >> shift, b);
            prop_assert!((pack(a) <= pack(b)) || a > b);
            let back = unpack(pack(a));
            prop_assert!(back <= a.max(1) && a - back.min(a) <= a >> 26, "{a} {back}");
        }
    }
}

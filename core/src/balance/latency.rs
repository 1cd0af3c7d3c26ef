//! What a member's responses say about it, in a few words of memory.

use super::config::Tuning;
use super::fleet::Fleet;
use crate::fixed::{Q32, exp2_neg};
use crate::storage::Storage;
use crate::time::Instant;
use core::time::Duration;

/// Times are kept in 2⁻¹² ns, so that those of a few nanoseconds have a fraction.
const FRACTION: u32 = 12;
/// The longest time that is kept: 52 days.
const LONGEST: u64 = u64::MAX >> FRACTION;
/// Bits of a packed number's mantissa.
const MANTISSA: u32 = 26;

/// `n` in 32 bits: where its first bit stands, and the 26 bits after it. Off by less than one part in 2²⁶, in the order
/// of the numbers, and a doubling is the same distance wherever it is: a logarithm, straight between the powers of two.
/// 0 is taken as 1.
const fn pack(n: u64) -> u32 {
    let n = n | (n == 0) as u64;
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

/// `n × share / 2³²`, rounded down.
const fn scale(n: u64, share: u32) -> u64 {
    (n >> 32) * share as u64 + (((n & 0xFFFF_FFFF) * share as u64) >> 32)
}

/// `old` moved by this share of the way to `new`.
const fn towards(old: u64, new: u64, share: u32) -> u64 {
    if new >= old { old + scale(new - old, share) } else { old - scale(old - new, share) }
}

const fn duration(packed: u32) -> Duration {
    Duration::from_nanos(unpack(packed) >> FRACTION)
}

/// The responses of one member.
#[derive(Clone, Copy, Debug)]
pub(super) struct History {
    /// When the last response came.
    last: Instant,
    /// The exponential average.
    mean: u32,
    /// The decaying peak as it was at `last`.
    peak: u32,
    /// The average time between responses while it had work.
    interval: u32,
    /// The 95th percentile.
    p95: u32,
    /// How far responses are from `p95` on average, in doublings × 2²⁶.
    spread: u32,
    /// The share of failures × 2³².
    errors: u32,
    /// Responses, modulo 2³².
    pub(super) ended: u32,
    /// Failures among them, modulo 2³².
    pub(super) failed: u32,
}

impl History {
    pub(super) const fn new() -> Self {
        Self {
            last: Instant::ZERO,
            mean: 0,
            peak: 0,
            interval: 0,
            p95: 0,
            spread: 0,
            errors: 0,
            ended: 0,
            failed: 0,
        }
    }

    /// Notes the response to a call that `began` then; `heard` is how many came before it, up to 255.
    pub(super) fn note(&mut self, tuning: &Tuning, now: Instant, began: Instant, failed: bool, heard: u8) {
        let took = now.as_nanos().saturating_sub(began.as_nanos());
        let cost = if failed { took.max(tuning.penalty) } else { took };
        let cost = cost.min(LONGEST) << FRACTION;
        let packed = pack(cost);
        let since = now.as_nanos().saturating_sub(self.last.max(began).as_nanos()).min(LONGEST) << FRACTION;
        self.ended = self.ended.wrapping_add(1);
        self.failed = self.failed.wrapping_add(u32::from(failed));
        if heard == 0 {
            self.mean = packed;
            self.peak = packed;
            self.p95 = packed;
            self.spread = 1 << (MANTISSA - 3);
            self.interval = pack(since);
            self.errors = if failed { u32::MAX } else { 0 };
        } else {
            self.mean = pack(towards(unpack(self.mean), cost, tuning.alpha));
            self.peak = if packed >= self.peak {
                packed
            } else {
                let left = remaining(tuning, now.as_nanos().saturating_sub(self.last.as_nanos()));
                let peak = unpack(self.peak);
                // Decayed to the newest, unless the decay is so short that the newest is above it.
                pack(cost + left.mul_int(peak - cost.min(peak)))
            };
            // While there are few responses each counts the same; then the last ones of the window count.
            let gain = tuning.gain.max(u32::MAX / (u32::from(heard) + 1));
            self.interval = pack(towards(unpack(self.interval), since, gain.min(1 << 28)));
            self.errors = towards(self.errors.into(), if failed { u32::MAX.into() } else { 0 }, gain) as u32;
            let above = packed > self.p95;
            let step = scale(self.spread.into(), gain.saturating_mul(5)) as u32;
            self.spread = towards(self.spread.into(), self.p95.abs_diff(packed).into(), gain) as u32;
            self.p95 = if above {
                self.p95.saturating_add(step - step / 20)
            } else {
                self.p95.saturating_sub(step / 20)
            };
        }
        self.last = now.max(self.last);
    }
}

/// What is left of a peak after `nanos`.
fn remaining(tuning: &Tuning, nanos: u64) -> Q32 {
    exp2_neg(Q32::from_bits(Q32::from_bits(tuning.halvings).mul_int(nanos)))
}

impl<M: Storage, L: Storage> Fleet<M, L> {
    /// The exponential average of the member's latencies, failures counted for at least the penalty; `None`: untested.
    #[must_use]
    pub fn latency(&self, slot: u32) -> Option<Duration> {
        self.heard(slot).map(|history| duration(history.mean))
    }

    /// The member's latency for who must avoid the slow: it jumps to each larger sample, and decays towards the smaller
    /// ones, and towards nothing while none come, so that a member that was slow is tried again. `None`: untested.
    #[must_use]
    pub fn peak_latency(&self, now: Instant, slot: u32) -> Option<Duration> {
        let history = self.heard(slot)?;
        let left = remaining(self.tuning(), now.as_nanos().saturating_sub(history.last.as_nanos()));
        Some(Duration::from_nanos(left.mul_int(unpack(history.peak)) >> FRACTION))
    }

    /// The latency that 95 % of the member's responses stay below, over about the last 100; `None`: untested.
    #[must_use]
    pub fn p95(&self, slot: u32) -> Option<Duration> {
        self.heard(slot).map(|history| duration(history.p95))
    }

    /// The share of the member's last responses that were failures; 0 while untested.
    #[must_use]
    pub fn error_rate(&self, slot: u32) -> Q32 {
        self.heard(slot).map_or(Q32::ZERO, |history| match history.errors {
            u32::MAX => Q32::ONE,
            errors => Q32::from_bits(errors.into()),
        })
    }

    /// How many responses a second the member gives while it has work: what it can do, if it is kept busy, and less than
    /// that if it works on several calls at once and was given few. `None`: untested.
    #[must_use]
    pub fn capacity_estimate(&self, slot: u32) -> Option<Q32> {
        let interval = unpack(self.heard(slot)?.interval).max(1);
        Some(Q32::from_ratio(1_000_000_000 << FRACTION, interval).unwrap_or(Q32::MAX))
    }
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

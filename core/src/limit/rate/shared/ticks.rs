//! Time in whole ticks, and what cells cost in them.

use crate::limit::rate::Quota;

/// What is taken from a bucket, in ticks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Price {
    pub(super) cost: u64,
    /// How far ahead of the clock the bucket may be.
    pub(super) room: u64,
}

/// How a limiter whose word has a given width counts time: a tick is `den / num` nanoseconds, exactly.
///
/// A bucket is worth less than 1/16 of the word's range, and an epoch more than 1/16 and at most 1/8 of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticks {
    /// What one cell costs.
    pub(super) one: Price,
    num: u64,
    den: u64,
    /// An epoch is 2^this nanoseconds.
    pub(super) epoch_shift: u32,
    /// Where `den` is not 1, `num / den` is `mul / 2^(64 + shift)` or less than 2^−(64 + `shift`) more.
    shift: u32,
    mul: u64,
    /// What a full bucket is worth, in ticks, rounded down.
    pub(super) limit: u64,
    /// What a cell costs, in ticks × 2^`fraction`, rounded up.
    cell: u64,
    fraction: u32,
    /// `den / num` is `inverse / 2^inverse_shift` or less than 2^−`inverse_shift` less.
    inverse: u64,
    inverse_shift: u32,
}

impl Ticks {
    /// For the rate of `quota` and this `burst`, a word of `bits`, 64 or 32, and ticks no finer than `finest` nanoseconds. A word of 64 bits may have finer
    /// ticks where that makes everything exact.
    pub(super) const fn new(quota: &Quota, burst: u32, bits: u32, finest: u64) -> Self {
        let (mut per, mut cells, burst) = (quota.per_nanos(), quota.cells() as u64, burst as u64);
        let common = gcd(per, cells);
        (per, cells) = (per / common, cells / common);
        let most = (1u64 << (bits - 4)) - 2;

        let bucket = burst as u128 * per as u128;
        if bits == 64 && bucket <= most as u128 {
            // A tick is what all cells and nanoseconds are whole multiples of.
            return Self::with(bits, cells, 1, per, 0, bucket as u64);
        }
        if cells == 1 {
            // A round number of nanoseconds, so that clocks that count in round numbers fall on ticks.
            let mut tick = [1, 2, 4, 5, 8];
            let least = bucket.div_ceil(most as u128);
            while tick[0] <= per {
                let mut i = 0;
                while i < tick.len() {
                    if tick[i] >= finest && tick[i] as u128 >= least && per.is_multiple_of(tick[i]) {
                        let whole = per / tick[i];
                        return Self::with(bits, 1, tick[i], whole, 0, burst * whole);
                    }
                    tick[i] = tick[i].saturating_mul(10);
                    i += 1;
                }
            }
        }
        // So many ticks in a cell, if there is room for whole ones.
        let by_time = per / cells / finest;
        let by_room = most / burst;
        let whole = if by_time < by_room { by_time } else { by_room };
        let common = gcd(whole * cells, per);
        // See `at` for the second condition: a period of less than 292 years.
        if whole > 0 && per / common < 1 << 63 {
            return Self::with(bits, whole * cells / common, per / common, whole, 0, burst * whole);
        }
        // Many cells in a tick, or a part of one in 2³² parts of a tick: what they cost together is rounded up.
        let most = if whole > 0 { (1 << 28) - 2 } else { most };
        let nanos = bucket.div_ceil(cells as u128);
        let fitting = nanos.div_ceil(most as u128 - 1);
        let tick = if fitting < finest as u128 { finest as u128 } else { fitting };
        let scaled = cells as u128 * tick;
        let cell = ((per as u128) << 32).div_ceil(scaled);
        let limit = bucket / scaled;
        Self::with(bits, 1, tick as u64, cell as u64, 32, if limit == 0 { 1 } else { limit as u64 })
    }

    const fn with(bits: u32, num: u64, den: u64, cell: u64, fraction: u32, limit: u64) -> Self {
        let (mul, shift, _) = ratio(num, den);
        let (inverse, inverse_shift, exact) = ratio(den, num);
        // From above; a sum that overflows is the next power of two.
        let (inverse, inverse_shift) = match inverse.checked_add(!exact as u64) {
            Some(inverse) => (inverse, inverse_shift),
            None => (1 << 63, inverse_shift - 1),
        };
        // The longest that is at most 2^(bits − 3) ticks, of which there are less than 2^(64 − shift) in a nanosecond.
        let power_of_two = mul == 1 << 63;
        let epoch_shift = shift + bits - 67 + power_of_two as u32;
        let epoch_shift = if epoch_shift < 63 { epoch_shift } else { 63 };
        // Whatever is not a whole number of ticks in a nanosecond is less than one of them.
        let shift = shift.saturating_sub(64);
        let one = price(cell, fraction, limit, 1);
        Self { one, num, den, epoch_shift, shift, mul, limit, cell, fraction, inverse, inverse_shift }
    }

    /// What `n` cells cost, no more than the burst: whole ticks, rounded up.
    #[inline]
    pub(super) const fn price(&self, n: u32) -> Price {
        price(self.cell, self.fraction, self.limit, n)
    }

    /// What `n` cells are worth that are given back: no more than they cost in any company, rounded down.
    pub(super) const fn worth(&self, n: u32) -> u64 {
        (n as u64 * (self.cell - (self.fraction > 0) as u64)) >> self.fraction
    }

    /// The ticks of `new` that pay for as many cells as `ticks` of these do, rounded down, and no more than a bucket.
    pub(super) const fn carry(&self, ticks: u64, new: &Self) -> u64 {
        let (old, cell) = (self.cell as u128, new.cell as u128);
        let scaled = (ticks as u128) << self.fraction;
        // Not more cells than the burst, so 32 bits of them; cells are below 2⁶¹.
        let scaled = scaled / old * cell + scaled % old * cell / old;
        let ticks = scaled >> new.fraction;
        if ticks < new.limit as u128 { ticks as u64 } else { new.limit }
    }

    /// The tick of the clock at `nanos`, modulo 2⁶⁴, and 1 if it began earlier than that.
    #[inline]
    pub(super) const fn at(&self, nanos: u64) -> (u64, u64) {
        if self.den == 1 {
            return (nanos.wrapping_mul(self.num), 0);
        }
        let tick = ((nanos as u128 * self.mul as u128) >> 64) as u64 >> self.shift;
        // That is the tick or one too few. What is left is below 2 × den, so it fits.
        let left = nanos.wrapping_mul(self.num).wrapping_sub(tick.wrapping_mul(self.den));
        let next = (left >= self.den) as u64;
        (tick + next, (left != self.den * next) as u64)
    }

    /// After so many nanoseconds at least `ticks` more have passed, whenever they begin; at most a tick longer than
    /// needed.
    #[inline]
    pub(super) const fn nanos(&self, ticks: u64) -> u64 {
        if self.num == 1 { ticks.saturating_mul(self.den) } else { self.fractions(ticks) }
    }

    const fn fractions(&self, ticks: u64) -> u64 {
        if self.den == 1 {
            return ticks.div_ceil(self.num);
        }
        let product = ticks as u128 * self.inverse as u128;
        let nanos = product >> self.inverse_shift;
        let part = product & ((1 << self.inverse_shift) - 1) != 0;
        if nanos >= u64::MAX as u128 { u64::MAX } else { nanos as u64 + part as u64 }
    }
}

const fn price(cell: u64, fraction: u32, limit: u64, n: u32) -> Price {
    let cost = (n as u64 * cell + ((1 << fraction) - 1)) >> fraction;
    // What costs a tick more than the bucket holds is paid in full, but may go from a full bucket.
    Price { cost, room: limit.saturating_sub(cost) }
}

/// `num / den` as a whole number of 64 bits, the first of them set, over a power of two, from below; and whether that is
/// all of it.
const fn ratio(num: u64, den: u64) -> (u64, u32, bool) {
    let (mut num, mut den) = (num as u128, den as u128);
    let mut shift = 64;
    while num >= den {
        den <<= 1;
        shift -= 1;
    }
    while num << 1 < den {
        num <<= 1;
        shift += 1;
    }
    let mut quotient = 0u64;
    let mut digits = 0;
    while digits < 64 {
        num <<= 1;
        quotient <<= 1;
        if num >= den {
            num -= den;
            quotient |= 1;
        }
        digits += 1;
    }
    (quotient, shift, num == 0)
}

const fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

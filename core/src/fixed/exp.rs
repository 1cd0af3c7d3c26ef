//! Logarithm and power of two, from tables that the compiler computes.

use super::Q32;

/// The tables divide a doubling into this many pieces.
const PIECES: usize = 128;
const PIECE_BITS: u32 = PIECES.trailing_zeros();

/// `a × b / 2⁶⁴`, rounded down.
const fn high(a: u64, b: u64) -> u64 {
    ((a as u128 * b as u128) >> 64) as u64
}

/// ln 2 × 2⁶⁴.
const LN_2: u64 = 0xB172_17F7_D1CF_79AB;
/// 1 / ln 2 × 2⁶³.
const LOG2_E: u64 = 0xB8AA_3B29_5C17_F0BC;

/// log₂ of `m / 2⁶³` × 2⁶⁴ for `m` from 2⁶³ on, by squaring: each square shows one more binary digit.
const fn log2_digits(m: u64) -> u64 {
    let mut m = m;
    let mut digits = 0;
    let mut i = 0;
    while i < 64 {
        // m / 2⁶³ in [1, 2): its square is in [1, 4).
        let square = m as u128 * m as u128;
        digits <<= 1;
        m = if square >> 127 == 1 {
            digits |= 1;
            (square >> 64) as u64
        } else {
            (square >> 63) as u64
        };
        i += 1;
    }
    digits
}

/// The first number of piece `i` of [2⁶³, 2⁶⁴), in its middle so that what is left is small on both sides.
const fn middle(i: usize) -> u64 {
    (1 << 63) + ((2 * i as u64 + 1) << (62 - PIECE_BITS))
}

/// For each piece: log₂ of its middle × 2⁶⁴, and 2¹²⁶ / middle, its reciprocal × 2⁶³.
const LOG: [(u64, u64); PIECES] = {
    let mut table = [(0, 0); PIECES];
    let mut i = 0;
    while i < PIECES {
        table[i] = (log2_digits(middle(i)), ((1u128 << 126) / middle(i) as u128) as u64);
        i += 1;
    }
    table
};

/// The square root of `n`, rounded down.
const fn root(n: u128) -> u64 {
    let mut low = 0u64;
    let mut bit = 1u64 << 63;
    while bit > 0 {
        let try_it = low | bit;
        if (try_it as u128) * (try_it as u128) <= n {
            low = try_it;
        }
        bit >>= 1;
    }
    low
}

/// 2^(−i / 128) × 2⁶³.
const POWER: [u64; PIECES] = {
    // 2^(−1/2), 2^(−1/4), … × 2⁶³
    let mut roots = [0u64; PIECE_BITS as usize];
    let mut power = 1u128 << 62;
    let mut i = 0;
    while i < roots.len() {
        roots[i] = root(power << 63);
        power = roots[i] as u128;
        i += 1;
    }
    let mut table = [0; PIECES];
    let mut i = 0;
    while i < PIECES {
        let mut product = 1u64 << 63;
        let mut bit = 0;
        while bit < PIECE_BITS {
            if i >> (PIECE_BITS - 1 - bit) & 1 == 1 {
                product = ((product as u128 * roots[bit as usize] as u128) >> 63) as u64;
            }
            bit += 1;
        }
        table[i] = product;
        i += 1;
    }
    table
};

/// −log₂ of a fraction of 2⁶⁴: how many halvings lead from 1 to `fraction / 2⁶⁴`. 0 is taken as 1, and gives 64.
///
/// For a uniformly random `fraction` it is exponentially distributed with mean 1 / ln 2: times [`Q32::LN_2`] with
/// mean 1. Off by less than 2⁻³¹.
///
/// ```
/// use divvy::fixed::{Q32, neg_log2};
///
/// assert_eq!(neg_log2(1 << 62), Q32::from_int(2));
/// assert_eq!(neg_log2(0), Q32::from_int(64));
/// ```
#[must_use]
pub const fn neg_log2(fraction: u64) -> Q32 {
    if fraction <= 1 {
        return Q32::from_int(64);
    }
    let zeros = fraction.leading_zeros();
    let m = fraction << zeros;
    let piece = (m >> (63 - PIECE_BITS)) as usize - PIECES;
    let (log, reciprocal) = LOG[piece];
    // m = middle × (1 + r), |r| < 2⁻⁸, and log₂(1 + r) = (r − r²/2 + r³/3 − r⁴/4) / ln 2.
    let middle = middle(piece);
    let (below, off) = if m < middle { (true, middle - m) } else { (false, m - middle) };
    // r × 2⁶⁴: off / middle = off × reciprocal / 2¹²⁶, where off < 2⁵⁶.
    let r = ((off as u128 * reciprocal as u128) >> 62) as u64;
    let r2 = high(r, r);
    let r3 = high(r2, r);
    let r4 = high(r2, r2);
    let ln = if below { r + r2 / 2 + r3 / 3 + r4 / 4 } else { r - r2 / 2 + r3 / 3 - r4 / 4 };
    // ln < 2⁵⁷: times 1 / ln 2 × 2⁶³ fits 128 bits.
    let delta = ((ln as u128 * LOG2_E as u128) >> 63) as u64;
    let (log, carry) = if below { log.overflowing_sub(delta) } else { log.overflowing_add(delta) };
    // log₂ of the fraction is −(zeros + 1) plus `log`, which rounding may have carried over either end.
    let whole = (zeros as u64 + 1) << 32;
    let part = if carry { if below { 0 } else { 1 << 32 } } else { (log >> 32) + (log >> 31 & 1) };
    Q32(whole - part)
}

/// 2 to the power of −`x`: what is left after `x` half-lives. Off by less than 2⁻³¹.
///
/// ```
/// use divvy::fixed::{Q32, exp2_neg};
///
/// assert_eq!(exp2_neg(Q32::from_int(3)), Q32::from_ratio(1, 8).expect("1/8 fits"));
/// assert_eq!(exp2_neg(Q32::from_int(40)), Q32::ZERO);
/// ```
#[must_use]
pub const fn exp2_neg(x: Q32) -> Q32 {
    let (whole, part) = (x.floor(), x.0 & 0xFFFF_FFFF);
    if whole > 32 {
        return Q32::ZERO;
    }
    let power = power_neg(part);
    // Rounded to the nearest.
    let shift = 31 + whole;
    Q32((power >> shift) + if shift < 64 { power >> (shift - 1) & 1 } else { 0 })
}

/// 2 to the power of `x`, or `None` from 2³² on. Its relative error is below 2⁻³¹, or one unit in the last place.
///
/// ```
/// use divvy::fixed::{Q32, exp2};
///
/// assert_eq!(exp2(Q32::from_int(10)), Some(Q32::from_int(1024)));
/// assert_eq!(exp2(Q32::from_int(32)), None);
/// ```
#[must_use]
pub const fn exp2(x: Q32) -> Option<Q32> {
    let (whole, part) = (x.floor(), x.0 & 0xFFFF_FFFF);
    if whole >= 32 {
        return None;
    }
    if part == 0 {
        return Some(Q32::from_int(1 << whole));
    }
    // 2^(whole + part) = 2^(whole + 1) × 2^−(1 − part).
    let power = power_neg((1 << 32) - part);
    Some(Q32(if whole <= 30 { power >> (30 - whole) } else { power << 1 }))
}

/// 2^−(part / 2³²) × 2⁶³, for `part` below 2³².
const fn power_neg(part: u64) -> u64 {
    let piece = (part >> (32 - PIECE_BITS)) as usize;
    // The rest is below 2⁻⁷: 2^−rest = e^−t = 1 − t + t²/2 − t³/6 + t⁴/24, with t = rest × ln 2, × 2⁶⁴ here.
    let rest = (part & ((1 << (32 - PIECE_BITS)) - 1)) << 32;
    let t = high(rest, LN_2);
    let t2 = high(t, t);
    let t3 = high(t2, t);
    let t4 = high(t2, t2);
    let less = t - t2 / 2 + t3 / 6 - t4 / 24;
    let start = POWER[piece];
    start - high(start, less)
}

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "checked against the host's own exponentials and logarithms")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn real(x: Q32) -> f64 {
        x.to_bits() as f64 / 2f64.powi(32)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn logarithms_are_close(bits: u64, zeros in 0u32..64) {
            let fraction = (bits | 1 << 63) >> zeros;
            let expected = 64.0 - (fraction as f64).log2();
            prop_assert!((real(neg_log2(fraction)) - expected).abs() < 2f64.powi(-31), "{fraction}");
        }

        /// Near 1 the logarithm is small, and it is the difference from 1 that counts.
        #[test]
        fn logarithms_near_one_are_close(off in 1u64..1 << 60, shift in 0u32..50) {
            let off = (off >> shift).max(1);
            let expected = -(-(off as f64) / 2f64.powi(64)).ln_1p() / 2f64.ln();
            prop_assert!((real(neg_log2(0u64.wrapping_sub(off))) - expected).abs() < 2f64.powi(-31));
        }

        #[test]
        fn powers_are_close(bits in 0u64..36 << 32) {
            let x = Q32::from_bits(bits);
            prop_assert!((real(exp2_neg(x)) - 2f64.powf(-real(x))).abs() < 2f64.powi(-31));
            if let Some(power) = exp2(x) {
                let expected = 2f64.powf(real(x));
                prop_assert!((real(power) - expected).abs() <= (expected * 2f64.powi(-31)).max(2f64.powi(-32)));
            } else {
                prop_assert!(bits >= 32 << 32);
            }
        }

        #[test]
        fn logarithm_and_power_never_turn_back(a: u64, b: u64) {
            let (a, b) = (a.min(b), a.max(b));
            prop_assert!(neg_log2(a) >= neg_log2(b));
            let (x, y) = (Q32::from_bits(a >> 27), Q32::from_bits(b >> 27));
            prop_assert!(exp2_neg(x) >= exp2_neg(y));
        }
    }

    #[test]
    fn whole_powers_are_exact() {
        for i in 0..64 {
            let fraction = 1 << (63 - i);
            assert_eq!(neg_log2(fraction), Q32::from_int(i + 1), "2^-{}", i + 1);
        }
        for i in 0..32 {
            assert_eq!(exp2_neg(Q32::from_int(i)), Q32::from_bits((1 << 32) >> i));
            assert_eq!(exp2(Q32::from_int(i)), Some(Q32::from_int(1 << i)));
        }
        assert_eq!(neg_log2(u64::MAX), Q32::ZERO);
    }

    /// Rounding must not make a step back where one piece of a table ends and the next begins.
    #[test]
    fn the_seams_of_the_tables_hold() {
        for piece in 0..PIECES as u64 {
            let seam = (1 << 63) + (piece << (63 - PIECE_BITS));
            assert!(neg_log2(seam - 1) >= neg_log2(seam));
            let seam = piece << (32 - PIECE_BITS);
            if seam > 0 {
                assert!(exp2_neg(Q32::from_bits(seam - 1)) >= exp2_neg(Q32::from_bits(seam)));
            }
        }
    }
}

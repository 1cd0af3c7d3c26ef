//! Sums of fractions, compared without rounding.

use crate::fixed::Q32;
use core::cmp::Ordering;

/// `weight` × `numerator` / `denominator`; the denominator is not 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Term {
    pub(super) weight: u32,
    pub(super) numerator: u64,
    pub(super) denominator: u64,
}

impl Term {
    pub(super) const fn new(numerator: u64, denominator: u64) -> Self {
        Self { weight: 1, numerator, denominator }
    }
}

/// How the sum of the terms compares with a whole number, exactly, of up to 2³¹ terms.
///
/// Digit by digit to the base 2⁶⁴, of all terms at once, what is missing to the whole is known but for less than one unit
/// for each term. As soon as that is enough to tell, it is told. If it is not, the sum is the whole: two different fractions
/// whose denominators have so many bits together differ within as many digits.
///
/// No common denominator and no memory is needed; a term's digit is found from its place. Usually the first is enough.
pub(super) fn compare(terms: impl Iterator<Item = Term> + Clone, whole: u32) -> Ordering {
    let weight: u64 = terms.clone().map(|term| u64::from(term.weight)).sum();
    let bits: u64 = terms.clone().map(|term| u64::from(u64::BITS - term.denominator.leading_zeros())).sum();
    let bits = bits + u64::from(u64::BITS - weight.leading_zeros());
    let floors =
        terms.clone().map(|term| i128::from(term.weight) * i128::from(term.numerator / term.denominator));
    let mut missing = i128::from(whole) - floors.sum::<i128>();
    let mut digits = 0;
    loop {
        // What the sum has beyond the digits so far is at least 0 and, unless the weight is 0, below it.
        if missing < 0 {
            return Ordering::Greater;
        }
        if missing >= i128::from(weight.max(1)) {
            return Ordering::Less;
        }
        if terms.clone().all(|term| term.weight == 0 || remainder(term, digits) == 0) {
            return if missing == 0 { Ordering::Equal } else { Ordering::Less };
        }
        if missing == 0 {
            return Ordering::Greater;
        }
        if digits * 64 >= bits {
            return Ordering::Equal;
        }
        let digit = |term: Term| {
            let shifted = u128::from(remainder(term, digits)) << 64;
            i128::from(term.weight) * (shifted / u128::from(term.denominator)) as i128
        };
        // Below 2³³ × 2⁶⁴ each.
        missing = (missing << 64) - terms.clone().map(digit).sum::<i128>();
        digits += 1;
    }
}

/// What is left of the term's fraction after so many digits to the base 2⁶⁴, in units of the last over the denominator.
fn remainder(term: Term, digits: u64) -> u64 {
    let modulus = u128::from(term.denominator);
    let times = |a: u64, b: u64| (u128::from(a) * u128::from(b) % modulus) as u64;
    let mut base = ((1u128 << 64) % modulus) as u64;
    let (mut result, mut exponent) = (term.numerator % term.denominator, digits);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = times(result, base);
        }
        base = times(base, base);
        exponent >>= 1;
    }
    result
}

/// The sum of the terms, rounded up by less than 2⁻³² for each; at most [`Q32::MAX`].
pub(super) fn rounded_up(terms: impl Iterator<Item = Term>) -> Q32 {
    let bits = |term: Term| {
        let one = (u128::from(term.numerator) << 32).div_ceil(u128::from(term.denominator));
        u64::try_from(one.saturating_mul(u128::from(term.weight))).unwrap_or(u64::MAX)
    };
    Q32::from_bits(terms.map(bits).fold(0, u64::saturating_add))
}

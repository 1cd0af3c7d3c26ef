//! A linear fit that follows what it is told.

use crate::time::saturating_nanos;
use core::time::Duration;

/// Features that count; those after are ignored.
pub(super) const FEATURES: usize = 7;
/// The features and a constant.
const TERMS: usize = FEATURES + 1;
/// Bits after the point of a scaled feature or time, which is 1 at most.
const POINT: u32 = 24;
/// Bits after the point of a sum of products.
const SUM_POINT: u32 = 40;
/// Of each sum 2⁻⁹ is forgotten with each observation: one counts half after 355 more.
const FORGET: u32 = 9;
/// What keeps a feature that says nothing new from being given a coefficient of its own: 2⁻¹⁸ of the weights' sum.
const RIDGE: i64 = 1 << (SUM_POINT - 18);
/// The first observations are each fitted at once, later ones this many at a time.
const BATCH: u32 = 8;

/// Least squares with forgetting over integers: the time that work takes, from numbers that describe it.
///
/// Recursive least squares in its information form: sums of products are kept, in which errors do not pile up, and
/// solved for the coefficients, where the usual form keeps an inverse that rounding makes indefinite in the end. Features
/// may be of any size: each is scaled by the largest value seen, and all that depends on it is scaled again when a larger
/// one comes.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::balance::Fit;
///
/// let mut fit = Fit::new();
/// // Nothing is known yet:
/// assert_eq!(fit.estimate(&[10, 2]), None);
/// for n in 0..100 {
///     let (size, passes) = (n * 7 % 50, n % 3);
///     let took = Duration::from_micros(u64::from(100 + 20 * size + 300 * passes));
///     fit.note(&[size, passes], took);
/// }
/// let estimate = fit.estimate(&[60, 1]).expect("it has seen enough");
/// assert!(estimate.abs_diff(Duration::from_micros(1_600)) < Duration::from_micros(16));
/// ```
///
/// # Complexity
///
/// With 8 terms: an estimate takes 8 multiplications, an observation 36, and each eighth one a solution with 120
/// multiplications and 36 divisions in 128 bits. 656 bytes.
///
/// # References
///
/// Haykin: *Adaptive Filter Theory*, on the information form of recursive least squares and on its numerical stability.
#[derive(Clone, Debug)]
pub struct Fit {
    /// Discounted sums of products of terms: the lower triangle counts.
    products: [[i64; TERMS]; TERMS],
    /// Discounted sums of terms times the time.
    times: [i64; TERMS],
    coefficients: [i64; TERMS],
    /// How many bits the largest value of each feature has.
    bits: [u8; FEATURES],
    /// How many bits the longest time has, in nanoseconds.
    time_bits: u8,
    seen: u32,
}

impl Default for Fit {
    fn default() -> Self {
        Self::new()
    }
}

impl Fit {
    /// A fit that has seen nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            products: [[0; TERMS]; TERMS],
            times: [0; TERMS],
            coefficients: [0; TERMS],
            bits: [0; FEATURES],
            time_bits: 0,
            seen: 0,
        }
    }

    /// How long work with these features is expected to take; `None` before the first observation. Of more than seven
    /// features the first seven count, of fewer the others are 0.
    #[must_use]
    pub fn estimate(&self, features: &[u32]) -> Option<Duration> {
        if self.seen == 0 {
            return None;
        }
        let mut sum = i128::from(self.coefficients[0]) << POINT;
        for (at, feature) in features.iter().take(FEATURES).enumerate() {
            sum += i128::from(self.coefficients[at + 1])
                * i128::from(scaled(u64::from(*feature), self.bits[at]));
        }
        // No work takes less than nothing, and none that was like this took less than a sliver of the usual.
        let usual = i128::from(self.times[0]) * (1 << POINT) / i128::from(self.products[0][0].max(1));
        let time = (sum >> SUM_POINT).max(usual >> 12).max(0);
        let nanos = if u32::from(self.time_bits) >= POINT {
            time << (u32::from(self.time_bits) - POINT)
        } else {
            time >> (POINT - u32::from(self.time_bits))
        };
        Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }

    /// Takes in that work with these features took `time`.
    pub fn note(&mut self, features: &[u32], time: Duration) {
        let nanos = saturating_nanos(time).min(1 << 56);
        self.rescale(features, nanos);
        let mut terms = [0i64; TERMS];
        terms[0] = 1 << POINT;
        for (at, feature) in features.iter().take(FEATURES).enumerate() {
            terms[at + 1] = scaled(u64::from(*feature), self.bits[at]);
        }
        let time = scaled(nanos, self.time_bits);
        let product = |a: i64, b: i64| (a * b) >> (2 * POINT - SUM_POINT);
        for row in 0..TERMS {
            for column in 0..=row {
                let sum = &mut self.products[row][column];
                *sum += product(terms[row], terms[column]) - (*sum >> FORGET);
            }
            let sum = &mut self.times[row];
            *sum += product(terms[row], time) - (*sum >> FORGET);
        }
        self.seen = self.seen.saturating_add(1);
        if self.seen < 64 || self.seen.is_multiple_of(BATCH) {
            self.solve();
        }
    }

    /// Makes room for larger values than any before.
    fn rescale(&mut self, features: &[u32], nanos: u64) {
        for (at, feature) in features.iter().take(FEATURES).enumerate() {
            let bits = bits(u64::from(*feature));
            if bits <= self.bits[at] {
                continue;
            }
            let by = bits - self.bits[at];
            self.bits[at] = bits;
            let term = at + 1;
            for other in 0..TERMS {
                let (row, column) = (term.max(other), term.min(other));
                let by = if other == term { 2 * by } else { by };
                self.products[row][column] >>= by.min(63);
            }
            self.times[term] >>= by;
            self.coefficients[term] = self.coefficients[term].saturating_mul(1 << by);
        }
        let bits = bits(nanos);
        if bits > self.time_bits {
            let by = bits - self.time_bits;
            self.time_bits = bits;
            for (time, coefficient) in self.times.iter_mut().zip(&mut self.coefficients) {
                *time >>= by;
                *coefficient >>= by;
            }
        }
    }

    /// Finds the coefficients: products × coefficients = times, by the square-root-free Cholesky decomposition.
    fn solve(&mut self) {
        let weight = self.products[0][0].max(1);
        let part = |sum: i64| ratio(i128::from(sum), weight);
        let mut lower = [0i64; TERMS * (TERMS - 1) / 2];
        let mut diagonal = [0i64; TERMS];
        let mut solution = [0i64; TERMS];
        for row in 0..TERMS {
            for column in 0..row {
                let mut sum = i128::from(part(self.products[row][column])) << SUM_POINT;
                for k in 0..column {
                    sum -= ((i128::from(lower[below(row, k)]) * i128::from(lower[below(column, k)]))
                        >> SUM_POINT)
                        * i128::from(diagonal[k]);
                }
                lower[below(row, column)] = narrow(sum / i128::from(diagonal[column]));
            }
            let mut rest = part(self.products[row][row]).saturating_add(RIDGE);
            let mut right = part(self.times[row]);
            for k in 0..row {
                let step = (i128::from(lower[below(row, k)]) * i128::from(diagonal[k])) >> SUM_POINT;
                rest = rest.saturating_sub(narrow((step * i128::from(lower[below(row, k)])) >> SUM_POINT));
                right = right.saturating_sub(narrow(
                    (i128::from(lower[below(row, k)]) * i128::from(solution[k])) >> SUM_POINT,
                ));
            }
            // Positive but for rounding.
            diagonal[row] = rest.max(RIDGE);
            solution[row] = right;
        }
        for row in (0..TERMS).rev() {
            let mut value = ratio(i128::from(solution[row]), diagonal[row]);
            for k in row + 1..TERMS {
                value = value.saturating_sub(narrow(
                    (i128::from(lower[below(k, row)]) * i128::from(solution[k])) >> SUM_POINT,
                ));
            }
            solution[row] = value;
        }
        self.coefficients = solution;
    }
}

/// Where an entry below the diagonal is, when nothing else of the matrix is kept.
const fn below(row: usize, column: usize) -> usize {
    row * (row - 1) / 2 + column
}

/// `n` ÷ `over` with SUM_POINT bits after the point.
fn ratio(n: i128, over: i64) -> i64 {
    narrow((n << SUM_POINT) / i128::from(over))
}

/// The nearest that 64 bits hold, with some to spare.
fn narrow(n: i128) -> i64 {
    const MOST: i128 = i64::MAX as i128 >> 2;
    n.clamp(-MOST, MOST) as i64
}

const fn bits(n: u64) -> u8 {
    (64 - n.leading_zeros()) as u8
}

/// `n`, which has `bits` bits at most or counts as if it had, with POINT bits after the point.
const fn scaled(n: u64, bits: u8) -> i64 {
    let bits = bits as u32;
    if bits <= POINT {
        let shifted = n << (POINT - bits);
        // A value larger than all that were fitted: an estimate may reach beyond.
        if shifted > 1 << 36 { 1 << 36 } else { shifted as i64 }
    } else {
        (n >> (bits - POINT)) as i64
    }
}

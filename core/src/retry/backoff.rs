//! When to try again, and when to give up.

use crate::fixed::Q32;
use crate::rng::Rng;
use crate::time::{Instant, nanos, saturating_nanos};
use core::fmt;
use core::num::NonZeroU32;
use core::time::Duration;

/// Why a back-off was refused. Nothing was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum BackoffError {
    /// The base is zero, so every retry would come at once. Remedy: a base of at least a nanosecond.
    ZeroBase,
    /// The cap is below the base. Remedy: a cap of at least the base.
    CapBelowBase,
    /// A duration does not fit 64 bits of nanoseconds (584 years). Remedy: a shorter one.
    TooLong,
    /// The factor is neither 1 (a constant ceiling) nor at least 1 + 1/64. Remedy: 1, 1.5, 2…
    Factor,
}

impl fmt::Display for BackoffError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ZeroBase => "the base of a back-off must be longer than zero",
            Self::CapBelowBase => "the cap of a back-off must be at least its base",
            Self::TooLong => "a duration of a back-off must be below 584 years",
            Self::Factor => "the factor of a back-off must be 1 or at least 1 + 1/64",
        })
    }
}

impl core::error::Error for BackoffError {}

/// What to do after a failed attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "a failed attempt is to be tried again or given up"]
pub enum Retry {
    /// Try again at this instant, not before.
    At(Instant),
    /// Every attempt was used.
    GiveUp,
}

/// Exponential back-off with full jitter and a cap.
///
/// After the *n*-th failed attempt the wait is a random duration between zero and
/// `min(cap, base × factor^(n−1))`, each with the same probability. That spreads those who failed together over the
/// whole interval, where a fixed wait would bring them back together.
///
/// *When not to use it:* without a bound on the number of attempts towards a service that many call: retries multiply
/// the load that made them necessary. Give it [`attempts`](Self::attempts).
///
/// # Examples
///
/// ```
/// use core::num::NonZeroU32;
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::retry::{Backoff, BackoffError, Retry};
/// use divvy::rng::Xoshiro256PlusPlus;
///
/// let backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(60))?
///     .attempts(NonZeroU32::new(4).expect("four is not zero"));
/// assert_eq!(backoff.ceiling(3), Duration::from_secs(8));
///
/// let (now, mut rng) = (Instant::from_secs(100), Xoshiro256PlusPlus::seed(1));
/// match backoff.next(now, 1, &mut rng) {
///     Retry::At(when) => assert!(when >= now && when <= Instant::from_secs(102)),
///     Retry::GiveUp => unreachable!("three attempts are left"),
/// }
/// assert_eq!(backoff.next(now, 4, &mut rng), Retry::GiveUp);
/// // Waits that could not grow are refused:
/// assert_eq!(Backoff::new(Duration::ZERO, Duration::from_secs(1)), Err(BackoffError::ZeroBase));
/// # Ok::<(), BackoffError>(())
/// ```
///
/// # Complexity
///
/// [`ceiling`](Self::ceiling) and [`next`](Self::next) take one 128-bit product for each attempt until the cap is
/// reached: at most 64 with the factor 2, at most 4,300 with the smallest. 32 bytes; `Copy`.
///
/// # Time
///
/// `now` is when the attempt failed. The retry is never before it and at most [`Instant::MAX`].
///
/// # References
///
/// Brooker: *Exponential Backoff and Jitter*, AWS Architecture Blog, 2015 ("full jitter").
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Backoff {
    base: u64,
    cap: u64,
    factor: Q32,
    attempts: Option<NonZeroU32>,
}

impl Backoff {
    /// Ceilings that double from `base` up to `cap`, without end.
    ///
    /// # Errors
    ///
    /// [`BackoffError`] if `base` is zero, `cap` below it, or one of them does not fit.
    pub const fn new(base: Duration, cap: Duration) -> Result<Self, BackoffError> {
        let (Some(base), Some(cap)) = (nanos(base), nanos(cap)) else {
            return Err(BackoffError::TooLong);
        };
        if base == 0 {
            return Err(BackoffError::ZeroBase);
        }
        if cap < base {
            return Err(BackoffError::CapBelowBase);
        }
        Ok(Self { base, cap, factor: Q32::from_int(2), attempts: None })
    }

    /// Ceilings that grow by `factor` instead of 2.
    ///
    /// # Errors
    ///
    /// [`BackoffError::Factor`] unless it is 1 or at least 1 + 1/64.
    pub const fn factor(mut self, factor: Q32) -> Result<Self, BackoffError> {
        let (one, bits) = (Q32::ONE.to_bits(), factor.to_bits());
        if bits != one && bits < one + one / 64 {
            return Err(BackoffError::Factor);
        }
        self.factor = factor;
        Ok(self)
    }

    /// Gives up after `attempts` attempts, the first one included.
    #[must_use]
    pub const fn attempts(mut self, attempts: NonZeroU32) -> Self {
        self.attempts = Some(attempts);
        self
    }

    /// The longest wait after attempt `attempt` (the first is 1; 0 counts as 1).
    #[must_use]
    pub const fn ceiling(&self, attempt: u32) -> Duration {
        if self.factor.to_bits() == Q32::ONE.to_bits() {
            return Duration::from_nanos(self.base);
        }
        // Nanoseconds with 32 fraction bits, so that short bases grow by small factors too.
        let mut ceiling = (self.base as u128) << 32;
        let mut step = 1;
        while step < attempt {
            ceiling = match ceiling.checked_mul(self.factor.to_bits() as u128) {
                Some(product) => product >> 32,
                None => return Duration::from_nanos(self.cap),
            };
            if ceiling >> 32 >= self.cap as u128 {
                return Duration::from_nanos(self.cap);
            }
            step += 1;
        }
        Duration::from_nanos((ceiling >> 32) as u64)
    }

    /// When to try again after attempt `attempt` (the first is 1) failed.
    ///
    /// Draws from `rng` only if there is another attempt.
    pub fn next(&self, now: Instant, attempt: u32, rng: &mut impl Rng) -> Retry {
        if self.attempts.is_some_and(|attempts| attempt >= attempts.get()) {
            return Retry::GiveUp;
        }
        let ceiling = saturating_nanos(self.ceiling(attempt));
        let wait = match ceiling.checked_add(1) {
            Some(n) => rng.below_u64(n),
            None => rng.next_u64(),
        };
        Retry::At(now.saturating_add(Duration::from_nanos(wait)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Xoshiro256PlusPlus;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn ceilings_double_up_to_the_cap() {
        let backoff = Backoff::new(2 * SECOND, 9 * SECOND).unwrap();
        let ceilings = [0, 1, 2, 3, 4, 5, u32::MAX].map(|attempt| backoff.ceiling(attempt).as_secs());
        assert_eq!(ceilings, [2, 2, 4, 8, 9, 9, 9]);
    }

    #[test]
    fn a_factor_of_one_keeps_the_base() {
        let backoff = Backoff::new(SECOND, 9 * SECOND).unwrap().factor(Q32::ONE).unwrap();
        assert_eq!(backoff.ceiling(u32::MAX), SECOND);
    }

    #[test]
    fn the_shortest_base_reaches_the_longest_cap_with_the_smallest_factor() {
        let longest = Duration::from_nanos(u64::MAX);
        let smallest = Q32::from_ratio(65, 64).unwrap();
        let backoff = Backoff::new(Duration::from_nanos(1), longest).unwrap().factor(smallest).unwrap();
        assert!(backoff.ceiling(2_000) < longest);
        assert_eq!(backoff.ceiling(4_300), longest);
        let largest = backoff.factor(Q32::MAX).unwrap();
        assert_eq!([2, 3, 4].map(|n| largest.ceiling(n) == longest), [false, false, true]);
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(Backoff::new(Duration::ZERO, SECOND), Err(BackoffError::ZeroBase));
        assert_eq!(Backoff::new(2 * SECOND, SECOND), Err(BackoffError::CapBelowBase));
        assert_eq!(Backoff::new(SECOND, Duration::MAX), Err(BackoffError::TooLong));
        let backoff = Backoff::new(SECOND, SECOND).unwrap();
        assert_eq!(backoff.factor(Q32::from_ratio(1, 2).unwrap()), Err(BackoffError::Factor));
        assert_eq!(backoff.factor(Q32::from_bits(Q32::ONE.to_bits() + 1)), Err(BackoffError::Factor));
    }

    #[test]
    fn the_mean_wait_is_half_the_ceiling() {
        let backoff = Backoff::new(SECOND, 64 * SECOND).unwrap();
        let mut rng = Xoshiro256PlusPlus::seed(5);
        let mut total = Duration::ZERO;
        for _ in 0..10_000 {
            match backoff.next(Instant::ZERO, 4, &mut rng) {
                Retry::At(when) => total += when.saturating_duration_since(Instant::ZERO),
                Retry::GiveUp => panic!("there is no limit"),
            }
        }
        // Uniform on 0..=8 s: mean 4 s, standard error 23 ms; five of those either way.
        let mean = total / 10_000;
        assert!((3_885..=4_115).contains(&mean.as_millis()), "{mean:?}");
    }

    proptest! {
        #[test]
        fn waits_stay_under_ceilings_that_grow_to_the_cap(
            base in 1u64..=u64::MAX,
            cap: u64,
            factor in Q32::ONE.to_bits() * 65 / 64..u64::MAX,
            attempt in 1u32..200,
            now: u64,
            seed: u64,
        ) {
            let (base, cap) = (base.min(cap.max(1)), cap.max(1));
            let backoff = Backoff::new(Duration::from_nanos(base), Duration::from_nanos(cap))
                .and_then(|backoff| backoff.factor(Q32::from_bits(factor)))
                .unwrap();
            let ceiling = backoff.ceiling(attempt);
            prop_assert!(ceiling >= Duration::from_nanos(base) && ceiling <= Duration::from_nanos(cap));
            prop_assert!(backoff.ceiling(attempt + 1) >= ceiling);
            let now = Instant::from_nanos(now);
            match backoff.next(now, attempt, &mut Xoshiro256PlusPlus::seed(seed)) {
                Retry::At(when) => prop_assert!(when >= now && when <= now.saturating_add(ceiling)),
                Retry::GiveUp => prop_assert!(false, "there is no limit"),
            }
        }
    }
}

//! Numbers of JavaScript as numbers of the core, or a sentence that says how to mend them.

use core::fmt::{self, Display};
use core::num::NonZeroU32;
use core::time::Duration;

use divvy::Instant;
use divvy::fixed::Q32;
use wasm_bindgen::{JsError, JsValue};

/// The largest whole number that a JavaScript number holds exactly together with all below it.
const MAX_SAFE: f64 = 9_007_199_254_740_991.0;
/// The largest seed: every whole number up to it is exact.
pub(crate) const MAX_SEED: u64 = (1 << 53) - 1;
const NANOS_PER_MILLI: f64 = 1_000_000.0;

/// What is wrong with a parameter, and how to mend it: what JavaScript catches as an `Error`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wrong(String);

impl Wrong {
    pub(crate) fn of(error: impl Display) -> Self {
        Self(error.to_string())
    }
}

impl From<&str> for Wrong {
    fn from(message: &str) -> Self {
        Self(message.into())
    }
}

impl From<String> for Wrong {
    fn from(message: String) -> Self {
        Self(message)
    }
}

impl From<Wrong> for JsValue {
    fn from(wrong: Wrong) -> Self {
        JsError::new(&wrong.0).into()
    }
}

impl Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// So that tests ask the message as they would a string.
#[cfg(test)]
impl core::ops::Deref for Wrong {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// `value` as a whole number from `low` to `high`.
pub(crate) fn whole(name: &str, value: f64, low: u64, high: u64) -> Result<u64, Wrong> {
    let number = value as u64;
    if value.fract() == 0.0 && (0.0..=MAX_SAFE).contains(&value) && (low..=high).contains(&number) {
        return Ok(number);
    }
    // Printing any number would bring 10 kB of float formatting into the module.
    if value.fract() == 0.0 && value.abs() <= MAX_SAFE {
        let value = value as i64;
        return Err(format!("{name} is {value}; give a whole number from {low} to {high}").into());
    }
    Err(format!("{name} is not a whole number; give one from {low} to {high}").into())
}

/// `value` as a whole number from 1 to `most`, of things of which there are some.
pub(crate) fn count(name: &str, value: f64, most: u64) -> Result<NonZeroU32, Wrong> {
    let value = whole(name, value, 1, most)?;
    u32::try_from(value)
        .ok()
        .and_then(NonZeroU32::new)
        .ok_or_else(|| Wrong(format!("{name} is 0; give 1 or more")))
}

/// `millis` as an instant; what lies outside of what a number holds exactly is taken as the nearest that it does.
pub(crate) fn instant(millis: f64) -> Instant {
    Instant::from_nanos((millis * NANOS_PER_MILLI).round().clamp(0.0, MAX_SAFE) as u64)
}

pub(crate) fn fraction(number: Q32) -> f64 {
    number.to_bits() as f64 / (1u64 << 32) as f64
}

pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / NANOS_PER_MILLI
}

pub(crate) fn instant_millis(instant: Instant) -> f64 {
    instant.as_nanos() as f64 / NANOS_PER_MILLI
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_numbers_in_range_pass() {
        assert_eq!(whole("workers", 4.0, 1, 64), Ok(4));
        assert_eq!(whole("seed", MAX_SAFE, 0, MAX_SAFE as u64), Ok(MAX_SAFE as u64));
        for bad in [0.0, 65.0, -1.0] {
            let message = whole("workers", bad, 1, 64).unwrap_err();
            assert_eq!(message.to_string(), format!("workers is {bad}; give a whole number from 1 to 64"));
        }
        for bad in [2.5, f64::NAN, f64::INFINITY, 1e300] {
            let message = whole("workers", bad, 1, 64).unwrap_err();
            assert_eq!(message.to_string(), "workers is not a whole number; give one from 1 to 64");
        }
    }

    #[test]
    fn instants_survive_the_way_through_a_number() {
        for nanos in [0, 1, 999_999, 123_456_789_012_345] {
            let instant_ = Instant::from_nanos(nanos);
            assert_eq!(instant(instant_millis(instant_)), instant_);
        }
        assert_eq!(instant(f64::NAN), Instant::ZERO);
        assert_eq!(instant(-5.0), Instant::ZERO);
        assert_eq!(instant(f64::INFINITY), Instant::from_nanos(MAX_SAFE as u64));
    }
}

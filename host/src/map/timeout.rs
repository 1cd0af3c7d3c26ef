//! How long a job may take: a time, or a part of what others took.

use crate::config::units;
use std::str::FromStr;
use std::time::Duration;

/// What `--timeout` says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Timeout {
    After(Duration),
    /// So many per cent of the median of the jobs that ended well.
    OfMedian(f64),
}

impl FromStr for Timeout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let usage = || {
            "write seconds, a time with its unit such as 2m, or a part of the median such as 200%".to_owned()
        };
        if let Some(percent) = text.strip_suffix('%') {
            let percent: f64 = percent.trim().parse().map_err(|_| usage())?;
            let fits = percent.is_finite() && (100.0..=1e6).contains(&percent);
            return if fits {
                Ok(Timeout::OfMedian(percent))
            } else {
                Err("a part of the median is 100% to 1000000%: below that, half of all jobs would be ended"
                    .into())
            };
        }
        seconds(text).filter(|time| !time.is_zero()).map(Timeout::After).ok_or_else(usage)
    }
}

/// Reads `5`, `0.5` (seconds) and `250ms`, `2m`, `1h30m`.
pub(crate) fn seconds(text: &str) -> Option<Duration> {
    units::duration(text).or_else(|| units::duration(&format!("{}s", text.trim())))
}

/// The times of the last jobs that ended well.
#[derive(Debug, Default)]
pub(crate) struct Times {
    ring: Vec<Duration>,
    at: usize,
    median: Option<Duration>,
}

/// So many are remembered; the median of more would hardly be another.
const REMEMBERED: usize = 255;

/// The median of fewer says nothing.
const MIN_TIMES: usize = 3;

impl Times {
    pub(crate) fn add(&mut self, time: Duration) {
        if self.ring.len() < REMEMBERED {
            self.ring.push(time);
        } else {
            self.ring[self.at] = time;
            self.at = (self.at + 1) % REMEMBERED;
        }
        if self.ring.len() >= MIN_TIMES {
            let mut sorted = self.ring.clone();
            let middle = sorted.len() / 2;
            self.median = Some(*sorted.select_nth_unstable(middle).1);
        }
    }

    /// How long a job may take, if that is known yet.
    pub(crate) fn limit(&self, timeout: Timeout) -> Option<Duration> {
        match timeout {
            Timeout::After(time) => Some(time),
            Timeout::OfMedian(percent) => Some(self.median?.mul_f64(percent / 100.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_parts_are_read() {
        let after = |ms| Ok(Timeout::After(Duration::from_millis(ms)));
        assert_eq!(
            ["5", "0.5", "250ms", "2m"].map(str::parse),
            [after(5_000), after(500), after(250), after(120_000)]
        );
        assert_eq!("200%".parse(), Ok(Timeout::OfMedian(200.0)));
        for bad in ["", "0", "-1", "x", "5x", "0%", "50%", "NaN%", "inf%", "1e9"] {
            assert!(bad.parse::<Timeout>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_median_is_of_the_last_jobs() {
        let mut times = Times::default();
        let half = Timeout::OfMedian(150.0);
        for second in [9, 1] {
            times.add(Duration::from_secs(second));
            assert_eq!(times.limit(half), None);
        }
        times.add(Duration::from_secs(4));
        assert_eq!(times.limit(half), Some(Duration::from_secs(6)));
        (0..1_000).for_each(|_| times.add(Duration::from_secs(10)));
        assert_eq!(times.limit(half), Some(Duration::from_secs(15)));
        assert_eq!(times.limit(Timeout::After(Duration::from_secs(1))), Some(Duration::from_secs(1)));
    }
}

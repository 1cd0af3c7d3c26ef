//! When failures end a run.

use std::str::FromStr;

/// The policy of `--halt`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Halt {
    /// Run whatever does not need a failed task.
    Never,
    /// After so many failures start nothing more.
    Soon(Failures),
    /// After so many failures end what runs, too.
    Now(Failures),
}

/// How many failures are too many.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Failures {
    Count(usize),
    /// Of all tasks that are known.
    Percent(u8),
}

impl Failures {
    fn reached(self, failed: usize, tasks: usize) -> bool {
        match self {
            Failures::Count(count) => failed >= count,
            Failures::Percent(percent) => failed > 0 && failed * 100 >= tasks * usize::from(percent),
        }
    }
}

impl Halt {
    /// Whether `failed` failures among `tasks` tasks end the run; and if so, whether at once.
    pub(crate) fn reached(self, failed: usize, tasks: usize) -> Option<bool> {
        match self {
            Halt::Never => None,
            Halt::Soon(failures) => failures.reached(failed, tasks).then_some(false),
            Halt::Now(failures) => failures.reached(failed, tasks).then_some(true),
        }
    }

    pub(crate) fn stops_at_all(self) -> bool {
        self != Halt::Never
    }
}

impl FromStr for Halt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let usage = || {
            "write never, soon or now, and after a comma fail=N or fail=N%, such as soon,fail=10%".to_owned()
        };
        let (when, failures) = match text.split_once(',') {
            None => (text, Failures::Count(1)),
            Some((when, failures)) => {
                let number = failures.trim().strip_prefix("fail=").ok_or_else(usage)?;
                let failures = match number.strip_suffix('%') {
                    Some(percent) => Failures::Percent(
                        percent.parse().ok().filter(|p| (1..=100).contains(p)).ok_or_else(usage)?,
                    ),
                    None => {
                        Failures::Count(number.parse().ok().filter(|&count| count > 0).ok_or_else(usage)?)
                    }
                };
                (when, failures)
            }
        };
        match when.trim() {
            "never" if !text.contains(',') => Ok(Halt::Never),
            "soon" => Ok(Halt::Soon(failures)),
            "now" => Ok(Halt::Now(failures)),
            _ => Err(usage()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read() {
        assert_eq!("never".parse(), Ok(Halt::Never));
        assert_eq!("soon".parse(), Ok(Halt::Soon(Failures::Count(1))));
        assert_eq!("now,fail=3".parse(), Ok(Halt::Now(Failures::Count(3))));
        assert_eq!("soon,fail=10%".parse(), Ok(Halt::Soon(Failures::Percent(10))));
        for bad in ["", "later", "soon,3", "soon,fail=0", "now,fail=101%", "never,fail=1", "now,fail=x"] {
            assert!(bad.parse::<Halt>().is_err(), "{bad}");
        }
    }

    #[test]
    fn policies_count() {
        assert_eq!(Halt::Never.reached(9, 9), None);
        assert_eq!(Halt::Soon(Failures::Count(2)).reached(1, 9), None);
        assert_eq!(Halt::Soon(Failures::Count(2)).reached(2, 9), Some(false));
        assert_eq!(Halt::Now(Failures::Percent(10)).reached(1, 11), None);
        assert_eq!(Halt::Now(Failures::Percent(10)).reached(1, 10), Some(true));
        assert_eq!(Halt::Now(Failures::Percent(10)).reached(0, 0), None);
    }
}

//! When jobs that ended end the whole map.

use std::str::FromStr;

/// The policy of `--halt`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Halt {
    /// Run every job.
    Never,
    /// After so many ends of that kind start nothing more; `now`: end what runs, too.
    When { now: bool, what: What, much: Much },
}

/// Which ends count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum What {
    Fail,
    Success,
    Done,
}

/// How many are enough.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Much {
    Count(u64),
    Percent(u8),
}

/// Before so many jobs have ended, a part of those that ended says nothing.
const MIN_ENDED: u64 = 10;

impl Halt {
    /// Whether the map ends after `failed` of `ended` jobs failed; and if so, whether at once. `total`: all jobs, if
    /// that is known.
    pub(crate) fn reached(self, failed: u64, ended: u64, total: Option<u64>) -> Option<bool> {
        let Halt::When { now, what, much } = self else { return None };
        let count = match what {
            What::Fail => failed,
            What::Success => ended - failed,
            What::Done => ended,
        };
        let reached = match (much, total) {
            (Much::Count(enough), _) => count >= enough,
            (Much::Percent(percent), Some(total)) => {
                count > 0 && u128::from(count) * 100 >= u128::from(total) * u128::from(percent)
            }
            // Of all that ended all are done; that must not end what has more to come.
            (Much::Percent(_), None) if what == What::Done => false,
            (Much::Percent(percent), None) => {
                ended >= MIN_ENDED && u128::from(count) * 100 >= u128::from(ended) * u128::from(percent)
            }
        };
        reached.then_some(now)
    }

    /// Whether it is a success that ends the map: what did not run then is no failure.
    pub(crate) fn is_goal(self) -> bool {
        matches!(self, Halt::When { what: What::Success | What::Done, .. })
    }
}

impl FromStr for Halt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let usage = || {
            "write never, or soon or now, a comma, and fail, success or done with =N or =N%, such as \
             soon,fail=1 or now,fail=10%"
                .to_owned()
        };
        if text == "never" {
            return Ok(Halt::Never);
        }
        let (when, what) = text.split_once(',').unwrap_or((text, "fail=1"));
        let now = match when.trim() {
            "now" => true,
            "soon" => false,
            _ => return Err(usage()),
        };
        let (what, much) = what.split_once('=').ok_or_else(usage)?;
        let what = match what.trim() {
            "fail" => What::Fail,
            "success" => What::Success,
            "done" => What::Done,
            _ => return Err(usage()),
        };
        let much = match much.trim().strip_suffix('%') {
            Some(percent) => {
                Much::Percent(percent.parse().ok().filter(|p| (1..=100).contains(p)).ok_or_else(usage)?)
            }
            None => Much::Count(much.trim().parse().ok().filter(|&count| count > 0).ok_or_else(usage)?),
        };
        Ok(Halt::When { now, what, much })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn halt(text: &str) -> Halt {
        text.parse().unwrap()
    }

    #[test]
    fn policies_are_read() {
        assert_eq!(halt("never"), Halt::Never);
        assert_eq!(halt("soon"), Halt::When { now: false, what: What::Fail, much: Much::Count(1) });
        assert_eq!(halt("now,fail=3"), Halt::When { now: true, what: What::Fail, much: Much::Count(3) });
        assert_eq!(
            halt("soon,success=10%"),
            Halt::When { now: false, what: What::Success, much: Much::Percent(10) }
        );
        for bad in
            ["", "later", "soon,3", "soon,fail=0", "now,fail=101%", "never,fail=1", "now,fail=x", "now,x=1"]
        {
            assert!(bad.parse::<Halt>().is_err(), "{bad}");
        }
    }

    #[test]
    fn policies_count() {
        assert_eq!(Halt::Never.reached(9, 9, Some(9)), None);
        assert_eq!(halt("soon,fail=2").reached(1, 9, None), None);
        assert_eq!(halt("soon,fail=2").reached(2, 9, None), Some(false));
        assert_eq!(halt("now,success=2").reached(2, 4, None), Some(true));
        assert_eq!(halt("now,done=2").reached(1, 2, None), Some(true));
    }

    #[test]
    fn a_part_is_of_all_jobs_or_of_those_that_ended() {
        let tenth = halt("now,fail=10%");
        assert_eq!((tenth.reached(1, 1, Some(11)), tenth.reached(1, 1, Some(10))), (None, Some(true)));
        assert_eq!((tenth.reached(1, 9, None), tenth.reached(1, 10, None)), (None, Some(true)));
        assert_eq!(tenth.reached(0, 0, Some(0)), None);
        assert_eq!(halt("now,done=50%").reached(0, 100, None), None);
    }
}

//! Whether a target agrees.

use crate::{ALL, golden};
use core::fmt;

/// What one scenario came to on one core of one target.
///
/// Its good form prints the line that every target must print alike but for its own name, its bad form a message that
/// names the scenario, the target, what was expected and what was found.
///
/// # Examples
///
/// ```
/// use divvy_tests::Verdict;
///
/// let mut verdict = Verdict { target: "host", core: 0, scenario: "rng", expected: Some(0xff), found: 0xff };
/// assert_eq!(verdict.to_string(), "digest host 0 rng 00000000000000ff");
/// verdict.found = 0xfe;
/// assert!(!verdict.is_good());
/// assert_eq!(
///     verdict.to_string(),
///     "WRONG DIGEST: scenario `rng` on target host, core 0: expected 00000000000000ff, found 00000000000000fe"
/// );
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Verdict<'a> {
    /// The target's name, as it is printed: `host`, `chromium`, `mps2-an521`, `virt`.
    pub target: &'a str,
    /// Which of the target's cores; 0 where there is one.
    pub core: u32,
    /// The scenario's name.
    pub scenario: &'static str,
    /// The committed digest, if there is one.
    pub expected: Option<u64>,
    /// What the scenario came to here.
    pub found: u64,
}

impl<'a> Verdict<'a> {
    /// The verdict on `found`, beside the committed digest.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(!divvy_tests::Verdict::new("host", 0, "no such scenario", 0).is_good());
    /// ```
    pub fn new(target: &'a str, core: u32, scenario: &'static str, found: u64) -> Self {
        Self { target, core, scenario, expected: golden(scenario), found }
    }

    /// Whether the digest is the committed one.
    pub fn is_good(&self) -> bool {
        self.expected == Some(self.found)
    }
}

impl fmt::Display for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, core, scenario, expected, found } = self;
        match expected {
            Some(expected) if expected == found => {
                write!(f, "digest {target} {core} {scenario} {found:016x}")
            }
            Some(expected) => write!(
                f,
                "WRONG DIGEST: scenario `{scenario}` on target {target}, core {core}: \
                 expected {expected:016x}, found {found:016x}"
            ),
            None => write!(
                f,
                "WRONG DIGEST: scenario `{scenario}` on target {target}, core {core}: \
                 expected a line in tests/golden/digests.txt, which has none, found {found:016x}"
            ),
        }
    }
}

/// Runs every scenario on this core and reports each verdict; true if all are good.
///
/// # Examples
///
/// ```
/// let mut lines = 0;
/// assert!(divvy_tests::verify("host", 0, &mut |_| lines += 1));
/// assert_eq!(lines, divvy_tests::ALL.len());
/// ```
pub fn verify(target: &str, core: u32, report: &mut dyn FnMut(&Verdict<'_>)) -> bool {
    let mut good = true;
    for scenario in ALL {
        let verdict = Verdict::new(target, core, scenario.name, (scenario.run)());
        good &= verdict.is_good();
        report(&verdict);
    }
    good
}

//! By how much it matters.

use super::Verdict;
use crate::fixed::Q32;
use core::fmt;

/// How much a request matters, from what may always be dropped to what a person waits for.
///
/// The four levels of the *Site Reliability Engineering* book. A request carries its level with it to the servers that it calls
/// in turn.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Criticality {
    /// Part of the time it may not be served at all: batch work that is tried again.
    Sheddable,
    /// Some of it may be dropped now and then: batch work with somebody who waits.
    SheddablePlus,
    /// The usual: dropping it is seen.
    Critical,
    /// Dropped last: what people wait for.
    CriticalPlus,
}

impl Criticality {
    /// All levels, the least critical first.
    pub const ALL: [Self; 4] = [Self::Sheddable, Self::SheddablePlus, Self::Critical, Self::CriticalPlus];
}

/// Why a threshold was refused. Nothing changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum LoadShedError {
    /// The load to resume below is above the load to drop from. Remedy: a little less than that one.
    Inverted,
    /// A level would be dropped before a less critical one, or resume after it. Remedy: set the other level first.
    OutOfOrder,
}

impl fmt::Display for LoadShedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inverted => "a level must resume at no higher load than it is dropped from",
            Self::OutOfOrder => "a level must not be dropped before a less critical one, nor resume after it",
        })
    }
}

impl core::error::Error for LoadShedError {}

/// What a [`LoadShed`] did so far, by level; the least critical first.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LoadShedStats {
    /// How many it let run.
    pub run: [u64; 4],
    /// How many it dropped.
    pub dropped: [u64; 4],
}

/// Load shedding by criticality: the higher the load, the more must a request matter to be let in.
///
/// Load is what you say it is, with 1 for full: places taken of a bulkhead's limit, items in a queue of its bound, waiting
/// time of its target. Each level has a load from which it is dropped and a lower one below which it is let in again,
/// so that a load which hovers does not make it flap.
///
/// *When not to use it:* if requests have no levels. Then [`Codel`](super::Codel) finds the ones that are too late, and a
/// [`Bulkhead`](crate::limit::Bulkhead) keeps the rest out.
///
/// # Examples
///
/// ```
/// use divvy::fixed::Q32;
/// use divvy::limit::{Criticality, LoadShed, LoadShedError, Verdict};
///
/// let percent = |n| Q32::from_ratio(n, 100).expect("it fits");
/// let mut gate = LoadShed::new();
/// gate.observe(percent(85));
/// assert_eq!(gate.admit(Criticality::Sheddable), Verdict::Drop);
/// assert_eq!(gate.admit(Criticality::Critical), Verdict::Run);
/// // It is let in again below 70 %, not at once:
/// gate.observe(percent(75));
/// assert_eq!(gate.admit(Criticality::Sheddable), Verdict::Drop);
/// gate.observe(percent(69));
/// assert_eq!(gate.admit(Criticality::Sheddable), Verdict::Run);
/// // Nobody is dropped before those who matter less:
/// let early = gate.level(Criticality::CriticalPlus, percent(50), percent(40));
/// assert_eq!(early, Err(LoadShedError::OutOfOrder));
/// ```
///
/// # Complexity
///
/// *O*(1); 136 bytes.
///
/// # Concurrency
///
/// Single owner (`&mut self`).
///
/// # References
///
/// Beyer et al.: *Site Reliability Engineering*, 2016, chapter 21, *Handling Overload*, on criticality.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LoadShed {
    /// By level: dropped from, and resumed below.
    levels: [(Q32, Q32); 4],
    /// How many levels are dropped now.
    dropping: u8,
    stats: LoadShedStats,
}

impl LoadShed {
    /// Drops sheddable requests from a load of 0.8, sheddable-plus ones from 0.9, critical ones from 1 and critical-plus ones
    /// from 1.2; each is let in again 0.1 below that.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            levels: [
                (tenths(8), tenths(7)),
                (tenths(9), tenths(8)),
                (tenths(10), tenths(9)),
                (tenths(12), tenths(11)),
            ],
            dropping: 0,
            stats: LoadShedStats { run: [0; 4], dropped: [0; 4] },
        }
    }

    /// Drops requests of this level from a load of `from`, until it is below `resume`. [`Q32::MAX`] as both: never.
    ///
    /// # Errors
    ///
    /// [`LoadShedError`]; nothing changed.
    pub fn level(mut self, level: Criticality, from: Q32, resume: Q32) -> Result<Self, LoadShedError> {
        if resume > from {
            return Err(LoadShedError::Inverted);
        }
        self.levels[level as usize] = (from, resume);
        if self.levels.windows(2).any(|two| two[1].0 < two[0].0 || two[1].1 < two[0].1) {
            return Err(LoadShedError::OutOfOrder);
        }
        Ok(self)
    }

    /// Says how high the load is now: 1 is full.
    pub fn observe(&mut self, load: Q32) {
        let mut dropping = usize::from(self.dropping);
        while dropping < 4 && load >= self.levels[dropping].0 && self.levels[dropping].0 < Q32::MAX {
            dropping += 1;
        }
        while dropping > 0 && load < self.levels[dropping - 1].1 {
            dropping -= 1;
        }
        self.dropping = dropping as u8;
    }

    /// Whether to let a request in.
    pub fn admit(&mut self, level: Criticality) -> Verdict {
        let at = level as usize;
        if at < usize::from(self.dropping) {
            self.stats.dropped[at] = self.stats.dropped[at].saturating_add(1);
            Verdict::Drop
        } else {
            self.stats.run[at] = self.stats.run[at].saturating_add(1);
            Verdict::Run
        }
    }

    /// The least critical level that is let in, or `None` if none is.
    #[must_use]
    pub fn lowest(&self) -> Option<Criticality> {
        Criticality::ALL.get(usize::from(self.dropping)).copied()
    }

    /// What it did so far.
    #[must_use]
    pub const fn stats(&self) -> LoadShedStats {
        self.stats
    }
}

impl Default for LoadShed {
    fn default() -> Self {
        Self::new()
    }
}

/// `n` tenths.
const fn tenths(n: u64) -> Q32 {
    match Q32::from_ratio(n, 10) {
        Some(tenths) => tenths,
        None => Q32::MAX,
    }
}

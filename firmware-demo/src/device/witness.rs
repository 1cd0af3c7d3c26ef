//! What was promised, and whether it was kept.

use super::{BURST, CELL, MILLIS};
use core::array;
use core::sync::atomic::{AtomicU32, Ordering};

/// What was asked and what came of it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Calls that were wanted.
    pub asked: u32,
    /// Of these, those that the breaker refused.
    pub broken: u32,
    /// And those that the limiter refused.
    pub limited: u32,
    /// Calls that the device got.
    pub admitted: u32,
    /// Of these, those that failed.
    pub failed: u32,
    /// And those that were slow.
    pub slow: u32,
    /// And those whose callers vanished.
    pub vanished: u32,
    /// And those that were over only when the breaker had changed its state, so that they no longer counted.
    pub stale: u32,
}

impl Tally {
    const FIELDS: usize = 8;

    const fn fields(&self) -> [u32; Self::FIELDS] {
        let Self { asked, broken, limited, admitted, failed, slow, vanished, stale } = *self;
        [asked, broken, limited, admitted, failed, slow, vanished, stale]
    }

    const fn new(fields: [u32; Self::FIELDS]) -> Self {
        let [asked, broken, limited, admitted, failed, slow, vanished, stale] = fields;
        Self { asked, broken, limited, admitted, failed, slow, vanished, stale }
    }
}

/// Sees what really happened, whoever did it, and knows what was promised.
#[derive(Debug)]
pub struct Witness {
    /// A bit for each millisecond: a call went to the device.
    went: [AtomicU32; MILLIS as usize / 32],
    /// The latest half-open time that somebody probed in (above), and probes of it that are under way ([`COUNT`]).
    probing: AtomicU32,
    most_probes: AtomicU32,
    tally: [AtomicU32; Tally::FIELDS],
}

const COUNT: u32 = 0xFF;

impl Witness {
    /// Has seen nothing yet.
    pub const fn new() -> Self {
        Self {
            went: [const { AtomicU32::new(0) }; MILLIS as usize / 32],
            probing: AtomicU32::new(0),
            most_probes: AtomicU32::new(0),
            tally: [const { AtomicU32::new(0) }; Tally::FIELDS],
        }
    }

    pub(super) fn call_goes(&self, millis: u32) {
        if let Some(word) = self.went.get(millis as usize / 32) {
            // Ordering: relaxed, as everything here: it is counted after the cores have met.
            word.fetch_or(1 << (millis % 32), Ordering::Relaxed);
        }
    }

    /// A probe of this half-open time has begun. The breaker numbers its states, so a later one has a larger number.
    pub(super) fn probe_begins(&self, state: u32) {
        self.change_probing(
            |latest, count| match latest {
                _ if latest > state => None,
                _ if latest == state => Some(count + 1),
                _ => Some(1),
            },
            state,
        );
    }

    /// Comes before the breaker is told, so what is counted here is never more than what is under way.
    pub(super) fn probe_ends(&self, state: u32) {
        self.change_probing(|latest, count| if latest == state { count.checked_sub(1) } else { None }, state);
    }

    fn change_probing(&self, count: impl Fn(u32, u32) -> Option<u32>, state: u32) {
        let change = |word: u32| Some(state << 8 | count(word >> 8, word & COUNT)? & COUNT);
        let changed = self.probing.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
        if let Some(word) = changed.ok().and_then(change) {
            self.most_probes.fetch_max(word & COUNT, Ordering::Relaxed);
        }
    }

    pub(super) fn add(&self, tally: Tally) {
        for (sum, field) in self.tally.iter().zip(tally.fields()) {
            sum.fetch_add(field, Ordering::Relaxed);
        }
    }

    /// What all who called came to.
    pub fn tally(&self) -> Tally {
        Tally::new(array::from_fn(|nth| self.tally[nth].load(Ordering::Relaxed)))
    }

    /// The most probes that were under way at once.
    pub fn most_probes(&self) -> u32 {
        self.most_probes.load(Ordering::Relaxed)
    }

    /// When calls went to the device.
    fn calls(&self) -> impl Iterator<Item = u32> {
        (0..MILLIS).filter(|millis| {
            self.went[*millis as usize / 32].load(Ordering::Relaxed) & 1 << (millis % 32) != 0
        })
    }

    /// By how many calls the fullest interval of all, of whatever length, is below what the quota allows in it: the burst,
    /// and one more for each time of a cell. Negative if too many went.
    pub fn quota_left(&self) -> i32 {
        // With c(i) calls before the one at t(i), those from i to j are at most the burst and (t(j) − t(i)) / cell. So
        // what is wanted is the least, over all i ≤ j, of burst × cell + (t(j) − c(j) × cell) − (t(i) − c(i) × cell) − cell.
        let mut latest_start = i32::MIN;
        let mut left = (BURST * CELL) as i32;
        for (nth, millis) in self.calls().enumerate() {
            let ahead = millis as i32 - (nth as u32 * CELL) as i32;
            latest_start = latest_start.max(ahead);
            left = left.min(((BURST - 1) * CELL) as i32 + ahead - latest_start);
        }
        left.div_euclid(CELL as i32)
    }
}

impl Default for Witness {
    fn default() -> Self {
        Self::new()
    }
}

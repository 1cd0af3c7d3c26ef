//! What was heard lately.

use crate::balance::Why;
use crate::balance::prequal::PrequalConfig;
use crate::fixed::Q32;
use crate::time::{Instant, saturating_nanos};
use core::time::Duration;

/// What a member answered, and what was made of it since.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Probe {
    pub(super) at: Instant,
    pub(super) latency: u64,
    pub(super) slot: u32,
    pub(super) generation: u32,
    pub(super) in_flight: u32,
    /// How often it may be used from now on; 0 before its first use.
    pub(super) uses: u32,
}

impl Probe {
    /// The slot of the member.
    #[must_use]
    pub const fn slot(&self) -> u32 {
        self.slot
    }

    /// The requests that it had, and those sent there since.
    #[must_use]
    pub const fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// The latency that it expected.
    #[must_use]
    pub const fn latency(&self) -> Duration {
        Duration::from_nanos(self.latency)
    }

    /// When it answered.
    #[must_use]
    pub const fn at(&self) -> Instant {
        self.at
    }
}

const POOL: usize = PrequalConfig::MAX_POOL as usize;

/// Probes of different members, the oldest first.
#[derive(Clone, Debug)]
pub(super) struct Pool(heapless::Vec<Probe, POOL>);

impl Pool {
    pub(super) const fn new() -> Self {
        Self(heapless::Vec::new())
    }

    pub(super) fn probes(&self) -> &[Probe] {
        &self.0
    }

    pub(super) fn probes_mut(&mut self) -> &mut [Probe] {
        &mut self.0
    }

    pub(super) fn retain(&mut self, keep: impl FnMut(&Probe) -> bool) {
        self.0.retain(keep);
    }

    pub(super) fn expire(&mut self, now: Instant, lifetime: u64) {
        // The oldest is first, so nearly always there is nothing to do.
        let fresh = |probe: &Probe| saturating_nanos(now.saturating_duration_since(probe.at)) < lifetime;
        if self.0.first().is_some_and(|oldest| !fresh(oldest)) {
            self.0.retain(fresh);
        }
    }

    /// Takes `probe` in, in place of an older one of the same member or else of the oldest.
    pub(super) fn insert(&mut self, probe: Probe, size: usize) {
        if let Some(at) = self.position(probe.slot) {
            self.0.remove(at);
        } else if self.0.len() >= size {
            self.0.remove(0);
        }
        // There is a place now: this cannot be refused.
        let _ = self.0.push(probe);
    }

    /// The probe to follow: among the cold the fastest, else the least crowded; and which of the two it is. `None` with
    /// fewer than two that are usable.
    pub(super) fn best(&self, hot_above: u32, usable: impl Fn(&Probe) -> bool) -> Option<(usize, Why)> {
        let (mut best, mut found) = (0, 0);
        for (at, probe) in self.0.iter().enumerate().filter(|(_, probe)| usable(probe)) {
            if found == 0 || probe.rank(hot_above) < self.0[best].rank(hot_above) {
                best = at;
            }
            found += 1;
        }
        let why = if self.0.get(best)?.in_flight > hot_above { Why::Hot } else { Why::Cold };
        (found >= 2).then_some((best, why))
    }

    /// A request went to `slot`.
    pub(super) fn sent(&mut self, slot: u32) {
        if let Some(at) = self.position(slot) {
            self.0[at].in_flight = self.0[at].in_flight.saturating_add(1);
        }
    }

    /// The probe of `slot` was followed.
    pub(super) fn used(&mut self, slot: u32) {
        if let Some(at) = self.position(slot) {
            let left = self.0[at].uses;
            if left <= 1 {
                self.0.remove(at);
            } else if left != u32::MAX {
                self.0[at].uses = left - 1;
            }
        }
    }

    pub(super) fn remove_oldest(&mut self) {
        if !self.0.is_empty() {
            self.0.remove(0);
        }
    }

    /// Removes the hottest, or the slowest if none is hot.
    pub(super) fn remove_worst(&mut self, hot_above: u32) {
        let worst = self.0.iter().enumerate().max_by_key(|(_, probe)| probe.rank(hot_above));
        if let Some((at, _)) = worst {
            self.0.remove(at);
        }
    }

    fn position(&self, slot: u32) -> Option<usize> {
        self.0.iter().position(|probe| probe.slot == slot)
    }
}

impl Probe {
    /// The order of choice: the cold by latency, then the hot by requests in flight.
    fn rank(&self, hot_above: u32) -> (bool, u64, u64) {
        let (load, latency) = (u64::from(self.in_flight), self.latency);
        if self.in_flight > hot_above { (true, load, latency) } else { (false, latency, load) }
    }
}

/// How many members' loads are kept.
const LOADS: usize = 32;

/// The last load of each of the members heard lately: a sample of the distribution over all.
#[derive(Clone, Debug)]
pub(super) struct Loads {
    heard: heapless::Vec<(u32, u32), LOADS>,
    /// The same loads, ascending.
    sorted: heapless::Vec<u32, LOADS>,
    /// Which is the oldest, once all places are taken.
    next: u8,
}

impl Loads {
    pub(super) const fn new() -> Self {
        Self { heard: heapless::Vec::new(), sorted: heapless::Vec::new(), next: 0 }
    }

    pub(super) fn note(&mut self, slot: u32, load: u32) {
        let at = match self.heard.iter().position(|(other, _)| *other == slot) {
            Some(at) => at,
            None if self.heard.is_full() => {
                self.next = (self.next + 1) % LOADS as u8;
                self.next as usize
            }
            None => {
                let at = self.sorted.partition_point(|other| *other < load);
                // Fewer than the capacity: neither can be refused.
                let _ = self.sorted.insert(at, load);
                let _ = self.heard.push((slot, load));
                return;
            }
        };
        let old = core::mem::replace(&mut self.heard[at], (slot, load)).1;
        let from = self.sorted.partition_point(|other| *other < old);
        let to = self.sorted.partition_point(|other| *other < load);
        // The old load's place moves to the new one's.
        if to > from {
            self.sorted[from..to].rotate_left(1);
            self.sorted[to - 1] = load;
        } else {
            self.sorted[to..=from].rotate_right(1);
            self.sorted[to] = load;
        }
    }

    pub(super) fn retain(&mut self, keep: impl Fn(u32) -> bool) {
        if self.heard.iter().all(|(slot, _)| keep(*slot)) {
            return;
        }
        self.heard.retain(|(slot, _)| keep(*slot));
        self.sorted.clear();
        self.sorted.extend(self.heard.iter().map(|(_, load)| *load));
        self.sorted.sort_unstable();
        self.next = 0;
    }

    /// The smallest load that at least this share of the members do not exceed; 0 while none was heard.
    pub(super) fn quantile(&self, share: Q32) -> u32 {
        let rank = (share.to_bits() * self.sorted.len() as u64).div_ceil(1 << 32);
        let at = (rank.max(1) - 1) as usize;
        self.sorted.get(at).copied().unwrap_or(0)
    }
}

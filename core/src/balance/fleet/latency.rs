//! What a member's responses say about it.

use super::Fleet;
use super::history::History;
use crate::fixed::Q32;
use crate::storage::Storage;
use crate::time::Instant;
use core::time::Duration;

impl<M: Storage, L: Storage> Fleet<M, L> {
    /// The exponential average of the member's latencies, failures counted for at least the penalty; `None`: untested.
    #[must_use]
    pub fn latency(&self, slot: u32) -> Option<Duration> {
        self.heard(slot).map(History::mean)
    }

    /// [`latency`](Self::latency), which fades as [`peak_latency`](Self::peak_latency) does while the member has nothing to
    /// answer, so that one that was slow is tried again. `None`: untested.
    #[must_use]
    pub fn expected_latency(&self, now: Instant, slot: u32) -> Option<Duration> {
        let history = self.heard(slot)?;
        if self.load(slot) > 0 {
            return Some(history.mean());
        }
        Some(history.faded(self.tuning(), now.as_nanos()))
    }

    /// The member's latency for who must avoid the slow: it jumps to each larger sample, and decays towards the smaller
    /// ones, and towards nothing while none come, so that a member that was slow is tried again. `None`: untested.
    #[must_use]
    pub fn peak_latency(&self, now: Instant, slot: u32) -> Option<Duration> {
        self.heard(slot).map(|history| history.peak(self.tuning(), now.as_nanos()))
    }

    /// The latency that 95 % of the member's good responses stay below, over about the last 100 of them: as near to the
    /// truth as the 95th of those 100 is where latencies vary widely, and within a seventh on average in every case that the scoreboard has.
    /// `None`: untested.
    #[must_use]
    pub fn p95(&self, slot: u32) -> Option<Duration> {
        self.heard(slot).map(History::p95)
    }

    /// [`p95`](Self::p95) on a scale on which a doubling is [`DOUBLING`](super::DOUBLING) everywhere.
    pub(in crate::balance) fn p95_log(&self, slot: u32) -> Option<u32> {
        self.heard(slot).map(History::p95_log)
    }

    /// The share of the member's last responses that were failures, to a tenth of a per cent; 0 while untested.
    #[must_use]
    pub fn error_rate(&self, slot: u32) -> Q32 {
        self.heard(slot).map_or(Q32::ZERO, History::errors)
    }

    /// How many responses a second the member can give, by Little's law: the calls that were there when one ended, over
    /// [`latency`](Self::latency). For a member that works on one call after the other this is what it can do, busy or
    /// not; one that works on several at once can do more as long as it is given few. `None`: untested.
    #[must_use]
    pub fn capacity_estimate(&self, slot: u32) -> Option<Q32> {
        self.heard(slot).map(History::capacity)
    }
}

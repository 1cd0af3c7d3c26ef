//! What a chain came to.

use core::time::Duration;

use super::event::{End, Failure};
use crate::breaker::State;
use crate::fixed::Q32;

/// What became of the users' requests.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Requests {
    /// Requests that came.
    pub arrived: u64,
    /// Requests that were answered in full.
    pub succeeded: u64,
    /// Requests that were answered without a service further down.
    pub degraded: u64,
    /// Requests that were not answered.
    pub failed: u64,
}

impl Requests {
    /// Requests that have not ended yet.
    #[must_use]
    pub const fn unfinished(&self) -> u64 {
        self.arrived - self.succeeded - self.degraded - self.failed
    }

    /// The share that was answered, in full or not, of all that came; 1 of none.
    #[must_use]
    pub fn success_rate(&self) -> Q32 {
        Q32::from_ratio(self.succeeded + self.degraded, self.arrived).unwrap_or(Q32::ONE)
    }

    pub(super) const fn end(&mut self, end: End) {
        match end {
            End::Success => self.succeeded += 1,
            End::Degraded => self.degraded += 1,
            End::Failed(_) => self.failed += 1,
        }
    }
}

/// What a whole chain came to, as its users see it, since the figures began.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Summary {
    /// The time that the figures cover: up to the last event.
    pub elapsed: Duration,
    /// All requests.
    pub all: Requests,
    /// Those of them whose priority is not low.
    pub important: Requests,
    /// Calls of any service that did not begin, since there was no room in the simulation.
    pub no_room: u64,
    /// The mean time to an answer.
    pub mean: Duration,
    /// The time to an answer that half of them do not exceed.
    pub p50: Duration,
    /// The time to an answer that 99 in 100 do not exceed.
    pub p99: Duration,
    /// The time to an answer that 999 in 1,000 do not exceed.
    pub p999: Duration,
    /// The longest.
    pub max: Duration,
    /// The time that workers spent, at work or waiting, for callers that had given up.
    pub wasted: Duration,
}

/// What one service did since the figures began, and how it was called.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TierStats {
    /// Calls of this service that ended, whatever the attempts: a user's, or those of a worker of the service before.
    pub calls: Requests,
    /// Those that failed, by [`Failure::index`].
    pub failures: [u64; Failure::KINDS],
    /// Attempts that reached the service, and for which it had a worker or a place in its queue.
    pub attempts: u64,
    /// Attempts that it turned away at the door.
    pub turned_away: u64,
    /// Attempts that were held back by the caller's own protections.
    pub held_back: u64,
    /// Attempts after a failed one.
    pub retries: u64,
    /// Attempts beside one that took long.
    pub hedges: u64,
    /// Retries that the budget did not allow.
    pub unpaid: u64,
    /// Attempts that it answered, and somebody waited for the answer.
    pub in_time: u64,
    /// Attempts that it worked on, or dropped, after the caller had given up.
    pub late: u64,
    /// Attempts that reached it or were turned away, for each user's request: 1 is what it takes.
    pub amplification: Q32,
    /// The time to an answer that half of the calls do not exceed.
    pub p50: Duration,
    /// The time to an answer that 99 in 100 do not exceed.
    pub p99: Duration,
    /// The time to an answer that 999 in 1,000 do not exceed.
    pub p999: Duration,
    /// Calls that were answered, in a second.
    pub goodput: Q32,
    /// The time that its workers were held, and of that, for callers that had given up.
    pub busy: Duration,
    /// See [`busy`](Self::busy).
    pub wasted: Duration,
    /// [`busy`](Self::busy) as a share of all the time of all its workers.
    pub utilisation: Q32,
    /// The most that ever waited.
    pub longest_queue: u32,
    /// How often the breaker before it opened.
    pub opened: u32,
    /// How it is now.
    pub level: Level,
}

/// How a service is at one time.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Level {
    /// Requests that wait for a worker.
    pub waiting: u32,
    /// Workers that are held: at work, or waiting for the next service.
    pub working: u32,
    /// How many workers there are.
    pub workers: u32,
    /// Whether something is wrong with it.
    pub faulty: bool,
    /// The breaker of its callers, if they have one.
    pub breaker: Option<State>,
    /// How many calls of it may be under way at once, if that is limited.
    pub limit: Option<u32>,
}

/// What is counted for one service.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) calls: Requests,
    pub(super) failures: [u64; Failure::KINDS],
    pub(super) attempts: u64,
    pub(super) turned_away: u64,
    pub(super) held_back: u64,
    pub(super) retries: u64,
    pub(super) hedges: u64,
    pub(super) unpaid: u64,
    pub(super) in_time: u64,
    pub(super) late: u64,
    pub(super) busy: u64,
    pub(super) wasted: u64,
    pub(super) longest_queue: u32,
}

impl Counts {
    pub(super) fn end(&mut self, end: End) {
        self.calls.end(end);
        if let End::Failed(failure) = end {
            self.failures[failure as usize] += 1;
        }
    }
}

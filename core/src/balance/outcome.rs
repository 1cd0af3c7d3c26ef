//! What becomes of a call, and what members say about themselves.

use core::time::Duration;

/// How a call ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Outcome {
    /// It did what it should; its time counts.
    Success,
    /// It failed. Its time counts for no less than the fleet's failure penalty, so that failing fast attracts nothing.
    Failure,
    /// It says nothing about the member (the caller gave up, the request was wrong): only the count goes down.
    Ignored,
}

/// A call that ended, as policies hear of it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Ended {
    /// The slot that had it.
    pub slot: u32,
    /// How it ended. A call whose lease ran out is a failure.
    pub outcome: Outcome,
    /// The time from pick to completion, by the fleet's clock.
    pub latency: Duration,
}

/// What a member says about itself: the answer to a probe, or a message of its own.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Report {
    /// Requests that it holds, from all callers.
    pub in_flight: u32,
    /// The latency that it expects for a request that comes now.
    pub latency: Duration,
}

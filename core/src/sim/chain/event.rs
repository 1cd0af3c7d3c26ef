//! What happens in a chain.

use core::time::Duration;

use super::tier::Fault;
use crate::Instant;

/// What happened and when.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Event {
    /// When it happened.
    pub at: Instant,
    /// What.
    pub what: What,
}

/// What happened. Requests are numbered in the order of their arrival, from 0; services from 0, the one that users call.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum What {
    /// A user's request came.
    Arrived {
        /// Which.
        request: u64,
    },
    /// A request was sent to a service, whose worker or queue has it now.
    Called {
        /// Which request.
        request: u64,
        /// The service.
        tier: u32,
        /// 1 for the first attempt of this call.
        attempt: u32,
        /// Whether it is a second one beside the first.
        hedge: bool,
    },
    /// A request was not sent, or the service turned it away at once.
    Refused {
        /// Which request.
        request: u64,
        /// The service.
        tier: u32,
        /// Why.
        why: Failure,
    },
    /// A caller thought of a second attempt beside the first, and did not make it: it is too soon, or the budget is spent.
    NotHedged {
        /// Which request.
        request: u64,
        /// The service.
        tier: u32,
    },
    /// A service has done its own work for a request.
    Worked {
        /// Which request.
        request: u64,
        /// The service.
        tier: u32,
    },
    /// A service answered, and its caller was still waiting.
    Answered {
        /// Which request.
        request: u64,
        /// The service.
        tier: u32,
        /// The answer.
        end: End,
        /// The time since it was sent to this service.
        latency: Duration,
    },
    /// A service has an answer for which nobody waits: its work was for nothing.
    Late {
        /// Which request.
        request: u64,
        /// The service.
        tier: u32,
        /// The answer.
        end: End,
    },
    /// A caller gave up on an attempt.
    TimedOut {
        /// Which request.
        request: u64,
        /// The service that was called.
        tier: u32,
    },
    /// A user has an answer, or gave up for good.
    Ended {
        /// Which request.
        request: u64,
        /// How.
        end: End,
        /// The time since it came.
        latency: Duration,
    },
    /// Something is wrong with a service from now on, or all is well again.
    Changed {
        /// The service.
        tier: u32,
        /// What is wrong.
        fault: Option<Fault>,
    },
}

/// How a call ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum End {
    /// It was answered in full.
    Success,
    /// It was answered without a service further down: by a fallback or from a cache.
    Degraded,
    /// It was not answered, for this reason.
    Failed(Failure),
}

impl End {
    /// Whether there was an answer.
    #[must_use]
    pub const fn is_answer(self) -> bool {
        !matches!(self, Self::Failed(_))
    }

    const fn word(self) -> u64 {
        match self {
            Self::Success => 0,
            Self::Degraded => 1,
            Self::Failed(failure) => 2 + failure as u64,
        }
    }
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Failure {
    /// The service failed.
    Failed,
    /// The service had no answer from the next one.
    Downstream,
    /// The service's queue was full.
    Rejected,
    /// The service turned it away, since its priority is low and the queue long.
    Shed,
    /// The service dropped it from its queue, where requests wait too long (CoDel).
    Dropped,
    /// Its caller's time was over before the work began.
    Expired,
    /// The service was down.
    Down,
    /// The caller gave up.
    TimedOut,
    /// The caller's breaker was open.
    BreakerOpen,
    /// The caller has as many calls under way as it may.
    BulkheadFull,
    /// The caller's throttle held it back.
    Throttled,
    /// The simulation holds as many requests as it can.
    NoRoom,
}

impl Failure {
    /// How many kinds there are.
    pub const KINDS: usize = 12;

    /// All kinds, in the order of [`index`](Self::index).
    pub const ALL: [Self; Self::KINDS] = [
        Self::Failed,
        Self::Downstream,
        Self::Rejected,
        Self::Shed,
        Self::Dropped,
        Self::Expired,
        Self::Down,
        Self::TimedOut,
        Self::BreakerOpen,
        Self::BulkheadFull,
        Self::Throttled,
        Self::NoRoom,
    ];

    /// Its place among the counts of [`TierStats::failures`](super::TierStats::failures).
    #[must_use]
    pub const fn index(self) -> u32 {
        self as u32
    }

    /// Whether another attempt may help. What was held back here, or turned away because there is too much, is not tried
    /// again.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::Failed | Self::Downstream | Self::Rejected | Self::Dropped | Self::Down | Self::TimedOut
        )
    }

    /// Whether it says that there is too much to do, or that it takes too long.
    #[must_use]
    pub const fn is_overload(self) -> bool {
        matches!(
            self,
            Self::Rejected | Self::Shed | Self::Dropped | Self::Expired | Self::Down | Self::TimedOut
        )
    }

    /// In a few letters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Downstream => "downstream",
            Self::Rejected => "rejected",
            Self::Shed => "shed",
            Self::Dropped => "dropped",
            Self::Expired => "expired",
            Self::Down => "down",
            Self::TimedOut => "timed_out",
            Self::BreakerOpen => "breaker_open",
            Self::BulkheadFull => "bulkhead_full",
            Self::Throttled => "throttled",
            Self::NoRoom => "no_room",
        }
    }
}

impl Event {
    /// The event as five numbers, the same on every target: what a digest of the decisions is fed with.
    ///
    /// ```
    /// use divvy::Instant;
    /// use divvy::sim::chain::{Event, What};
    ///
    /// let event = Event { at: Instant::from_nanos(7), what: What::TimedOut { request: 3, tier: 1 } };
    /// assert_eq!(event.words(), [7, 6, 3, 1, 0]);
    /// ```
    #[must_use]
    pub const fn words(&self) -> [u64; 5] {
        let nanos = crate::time::saturating_nanos;
        let [kind, a, b, c] = match self.what {
            What::Arrived { request } => [0, request, 0, 0],
            What::Called { request, tier, attempt, hedge } => {
                [1, request, tier as u64, (attempt as u64) << 1 | hedge as u64]
            }
            What::Refused { request, tier, why } => [2, request, tier as u64, why as u64],
            What::Worked { request, tier } => [3, request, tier as u64, 0],
            What::Answered { request, tier, end, latency } => {
                [4 | end.word() << 8, request, tier as u64, nanos(latency)]
            }
            What::Late { request, tier, end } => [5, request, tier as u64, end.word()],
            What::TimedOut { request, tier } => [6, request, tier as u64, 0],
            What::Ended { request, end, latency } => [7 | end.word() << 8, request, 0, nanos(latency)],
            What::NotHedged { request, tier } => [9, request, tier as u64, 0],
            What::Changed { tier, fault } => {
                let [kind, value] = match fault {
                    Some(fault) => fault.words(),
                    None => [0, 0],
                };
                [8 | kind << 8, tier as u64, value, 0]
            }
        };
        [self.at.as_nanos(), kind, a, b, c]
    }
}

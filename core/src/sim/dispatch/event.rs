//! What happens in a simulation.

use core::time::Duration;

use super::server::Change;
use crate::Instant;
use crate::balance::{Refusal, Why};

/// What happened and when.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Event {
    /// When it happened.
    pub at: Instant,
    /// What.
    pub what: What,
}

/// What happened. Requests are numbered in the order of their arrival, from 0.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum What {
    /// A request came, and a dispatcher chose a server for it.
    Picked {
        /// Which request.
        request: u64,
        /// Which dispatcher.
        dispatcher: u32,
        /// The server.
        server: u32,
        /// What decided.
        why: Why,
    },
    /// A request came, and no server was chosen.
    Refused {
        /// Which request.
        request: u64,
        /// Which dispatcher.
        dispatcher: u32,
        /// Why not.
        why: Unplaced,
    },
    /// A request reached its server after the network's delay.
    Reached {
        /// Which request.
        request: u64,
        /// The server.
        server: u32,
    },
    /// A server finished a request, and its answer is on the way through the network.
    Served {
        /// Which request.
        request: u64,
        /// The server.
        server: u32,
    },
    /// A caller has its answer, or gave up.
    Ended {
        /// Which request.
        request: u64,
        /// The dispatcher that had placed it.
        dispatcher: u32,
        /// The server that had it.
        server: u32,
        /// How it ended.
        end: End,
        /// The time since it came.
        latency: Duration,
    },
    /// A server answered a caller that had given up: its work was for nothing.
    Late {
        /// Which request.
        request: u64,
        /// The server.
        server: u32,
    },
    /// Every dispatcher was told the load of every server.
    Snapshot,
    /// A dispatcher has the answer to a probe.
    Probed {
        /// Which dispatcher.
        dispatcher: u32,
        /// The server that it asked.
        server: u32,
        /// The requests that the server had.
        in_flight: u32,
    },
    /// Something about a server changed.
    Changed {
        /// The server.
        server: u32,
        /// What.
        change: Change,
    },
}

/// How a request ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum End {
    /// It was served.
    Success,
    /// The server worked on it and failed, or was a black hole.
    Failed,
    /// The server's queue was full.
    Rejected,
    /// The server was down, or went down or away while it had the request.
    Lost,
    /// The caller gave up.
    TimedOut,
}

/// Why a request went nowhere.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Unplaced {
    /// The balancer refused it.
    Balancer(Refusal),
    /// The simulation holds as many requests as it can.
    Full,
    /// There is no dispatcher.
    NoDispatcher,
}

impl Event {
    /// The event as five numbers, the same on every target: what a digest of the decisions is fed with.
    ///
    /// ```
    /// use divvy::Instant;
    /// use divvy::sim::dispatch::{Event, What};
    ///
    /// let event = Event { at: Instant::from_nanos(7), what: What::Late { request: 3, server: 1 } };
    /// assert_eq!(event.words(), [7, 5, 3, 1, 0]);
    /// ```
    #[must_use]
    pub fn words(&self) -> [u64; 5] {
        let nanos = crate::time::saturating_nanos;
        let pair = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
        let [kind, a, b, c] = match self.what {
            What::Picked { request, dispatcher, server, why } => {
                let (why, other) = why_words(why);
                [0, request, pair(dispatcher, server), pair(why, other)]
            }
            What::Refused { request, dispatcher, why } => [1, request, dispatcher.into(), unplaced_word(why)],
            What::Reached { request, server } => [2, request, server.into(), 0],
            What::Served { request, server } => [3, request, server.into(), 0],
            What::Ended { request, dispatcher, server, end, latency } => {
                [4 | (end as u64) << 8, request, pair(dispatcher, server), nanos(latency)]
            }
            What::Late { request, server } => [5, request, server.into(), 0],
            What::Snapshot => [6, 0, 0, 0],
            What::Probed { dispatcher, server, in_flight } => {
                [7, dispatcher.into(), server.into(), in_flight.into()]
            }
            What::Changed { server, change } => {
                let [kind, value] = change.words();
                [8, server.into(), kind, value]
            }
        };
        [self.at.as_nanos(), kind, a, b, c]
    }
}

const fn why_words(why: Why) -> (u32, u32) {
    match why {
        Why::Turn => (0, 0),
        Why::Chance => (1, 0),
        Why::Key => (2, 0),
        Why::Successor => (3, 0),
        Why::LeastLoaded => (4, 0),
        Why::LowerOfTwo { other } => (5, other),
        Why::Only => (6, 0),
        Why::Fastest => (7, 0),
        Why::Untested => (8, 0),
        Why::Idle => (9, 0),
        Why::Cold => (10, 0),
        Why::Hot => (11, 0),
        Why::Score => (12, 0),
        Why::Bound => (13, 0),
        Why::Explore => (14, 0),
        Why::Consolidated => (15, 0),
        Why::Woken => (16, 0),
        Why::SameZone => (17, 0),
        Why::OtherZone => (18, 0),
    }
}

const fn unplaced_word(why: Unplaced) -> u64 {
    match why {
        Unplaced::Balancer(Refusal::Empty) => 0,
        Unplaced::Balancer(Refusal::NoneReady) => 1,
        Unplaced::Balancer(Refusal::Avoided) => 2,
        Unplaced::Balancer(Refusal::TooManyCalls) => 3,
        Unplaced::Balancer(Refusal::PolicyTooSmall) => 4,
        Unplaced::Full => 64,
        Unplaced::NoDispatcher => 65,
    }
}

//! One service over time: what happened in each of a fixed number of windows.

use core::time::Duration;

use super::event::{End, Event, Failure, What};
use super::figures::Level;
use crate::breaker::State;
use crate::sim::windows::{self, Windows};
use crate::sketch::{Histogram, buckets};
use crate::storage::{Inline, Storage};
use crate::time::saturating_nanos;

/// Eight buckets to each doubling: a quantile is off by one part in eight at most.
const BITS: u32 = 3;
type Latencies = Histogram<Inline<{ buckets(BITS, u64::MAX) }>, BITS>;

/// What happened in one window of a [`Series`].
#[derive(Debug)]
pub struct Window {
    degraded: u64,
    failed: u64,
    waiting: u32,
    working: u32,
    breaker: Option<State>,
    latencies: Latencies,
}

impl windows::Window for Window {
    const EMPTY: Self =
        Self { degraded: 0, failed: 0, waiting: 0, working: 0, breaker: None, latencies: Latencies::new() };

    fn merge(&mut self, later: &Self) {
        self.degraded += later.degraded;
        self.failed += later.failed;
        self.waiting = self.waiting.max(later.waiting);
        self.working = self.working.max(later.working);
        self.breaker = later.breaker.or(self.breaker);
        self.latencies.merge(&later.latencies);
    }
}

impl Window {
    /// Attempts, or for service 0 the users' requests, that were answered, in full or not.
    #[must_use]
    pub const fn answered(&self) -> u64 {
        self.latencies.count()
    }

    /// Those of them that were answered without a service further down.
    #[must_use]
    pub const fn degraded(&self) -> u64 {
        self.degraded
    }

    /// Those that were not answered.
    #[must_use]
    pub const fn failed(&self) -> u64 {
        self.failed
    }

    /// The time to an answer that `numerator / denominator` of the answered ones do not exceed, and at most an eighth more.
    #[must_use]
    pub fn quantile(&self, numerator: u32, denominator: u32) -> Option<Duration> {
        self.latencies.quantile(numerator, denominator).map(Duration::from_nanos)
    }

    /// The most that waited for a worker.
    #[must_use]
    pub const fn waiting(&self) -> u32 {
        self.waiting
    }

    /// The most workers that were held.
    #[must_use]
    pub const fn working(&self) -> u32 {
        self.working
    }

    /// The breaker of the service's callers at the window's end.
    #[must_use]
    pub const fn breaker(&self) -> Option<State> {
        self.breaker
    }
}

/// Events of one service by the time when they happened, for plots.
///
/// The windows are equally long and begin at the clock's start. When an event comes after the last of them, each two
/// become one of twice the length: so a series covers a run of any length, with at least half of its windows.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::rng::Xoshiro256PlusPlus;
/// use divvy::sim::chain::{Chain, Config, Link, Series, Tier};
/// use divvy::storage::Inline;
///
/// let mut chain = Chain::<Inline<1>, Inline<64>>::new(Config::new().until(Instant::from_secs(1)))?;
/// chain.insert(Tier::new(), Link::new())?;
/// let mut series = Series::<Inline<8>>::new(0, Duration::from_millis(250));
/// let mut rng = Xoshiro256PlusPlus::seed(1);
/// while let Some(event) = chain.step(&mut rng) {
///     series.observe(&event, chain.level(0));
/// }
/// let answered: u64 = series.windows().map(|window| window.answered()).sum();
/// assert_eq!(answered, chain.summary().all.succeeded);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
///
/// # Complexity
///
/// An event is *O*(1), but for those that double the width: *O*(windows). 2.1 KB a window.
#[derive(Debug)]
pub struct Series<S: Storage> {
    tier: u32,
    windows: Windows<Window, S>,
}

impl<const N: usize> Series<Inline<N>> {
    /// Up to `N` windows of service `tier`, at first of this `width`; of a nanosecond, if that is 0.
    #[must_use]
    pub const fn new(tier: u32, width: Duration) -> Self {
        Self { tier, windows: Windows::new(width) }
    }
}

#[cfg(feature = "alloc")]
impl Series<crate::storage::Heap> {
    /// Up to `windows` of them, two at least, of service `tier`, at first of this `width`; of a nanosecond, if that is 0.
    #[must_use]
    pub fn with_capacity(tier: u32, width: Duration, windows: u32) -> Self {
        Self { tier, windows: Windows::with_capacity(width, windows) }
    }
}

impl<S: Storage> Series<S> {
    /// Notes an event, which may be earlier than others, and how the service is after it.
    pub fn observe(&mut self, event: &Event, level: Option<Level>) {
        let tier = self.tier;
        let ended = match event.what {
            What::Ended { end, latency, .. } if tier == 0 => Some((end, latency)),
            What::Answered { tier: of, end, latency, .. } if tier > 0 && of == tier => Some((end, latency)),
            What::TimedOut { tier: of, .. } if tier > 0 && of == tier => {
                Some((End::Failed(Failure::TimedOut), Duration::ZERO))
            }
            What::Refused { tier: of, why, .. } if tier > 0 && of == tier => {
                Some((End::Failed(why), Duration::ZERO))
            }
            _ => None,
        };
        let Some(window) = self.windows.at(event.at) else { return };
        if let Some(level) = level {
            window.waiting = window.waiting.max(level.waiting);
            window.working = window.working.max(level.working);
            window.breaker = level.breaker;
        }
        match ended {
            Some((End::Failed(_), _)) => window.failed += 1,
            Some((end, latency)) => {
                window.degraded += u64::from(end == End::Degraded);
                window.latencies.record(saturating_nanos(latency));
            }
            None => {}
        }
    }

    /// Which service.
    #[must_use]
    pub const fn tier(&self) -> u32 {
        self.tier
    }

    /// How long each window is.
    #[must_use]
    pub const fn width(&self) -> Duration {
        self.windows.width()
    }

    /// The windows up to the last one in which something happened, from the clock's start on.
    pub fn windows(&self) -> impl ExactSizeIterator<Item = &Window> {
        self.windows.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Instant;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_event_is_in_the_window_of_its_time(
            events in prop::collection::vec((0u64..5_000, 1u64..100, 0u8..4), 0..80),
        ) {
            let mut series = Series::<Inline<5>>::new(1, Duration::from_nanos(7));
            for (at, nanos, kind) in &events {
                let (request, latency) = (0, Duration::from_nanos(*nanos));
                let what = match kind {
                    0 => What::Answered { request, tier: 1, end: End::Success, latency },
                    1 => What::Answered { request, tier: 1, end: End::Degraded, latency },
                    2 => What::TimedOut { request, tier: 1 },
                    // Of another service.
                    _ => What::TimedOut { request, tier: 2 },
                };
                let level = Level {
                    waiting: *nanos as u32,
                    working: 1,
                    workers: 1,
                    faulty: false,
                    breaker: None,
                    limit: None,
                };
                series.observe(&Event { at: Instant::from_nanos(*at), what }, Some(level));
            }
            let width = series.width().as_nanos() as u64;
            for (index, window) in (0..).zip(series.windows()) {
                let inside = || events.iter().filter(move |(at, ..)| at / width == index);
                let count = |of: fn(u8) -> bool| inside().filter(|(.., kind)| of(*kind)).count() as u64;
                prop_assert_eq!(window.answered(), count(|kind| kind < 2));
                prop_assert_eq!(window.degraded(), count(|kind| kind == 1));
                prop_assert_eq!(window.failed(), count(|kind| kind == 2));
                let waiting = inside().map(|(_, nanos, _)| *nanos as u32).max().unwrap_or(0);
                prop_assert_eq!(window.waiting(), waiting);
                let largest = inside().filter(|(.., kind)| *kind < 2).map(|(_, nanos, _)| *nanos).max();
                prop_assert_eq!(window.quantile(1, 1), largest.map(Duration::from_nanos));
            }
            let covered = events.iter().all(|(at, ..)| at / width < series.windows().len() as u64);
            prop_assert!(covered);
        }
    }
}

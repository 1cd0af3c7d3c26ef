//! A simulation over time: what happened in each of a fixed number of windows.

use core::time::Duration;

use super::event::{End, Event, What};
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
    arrived: u64,
    errors: u64,
    latencies: Latencies,
}

impl windows::Window for Window {
    const EMPTY: Self = Self { arrived: 0, errors: 0, latencies: Latencies::new() };

    fn merge(&mut self, later: &Self) {
        self.arrived += later.arrived;
        self.errors += later.errors;
        self.latencies.merge(&later.latencies);
    }
}

impl Window {
    /// Requests that came.
    #[must_use]
    pub const fn arrived(&self) -> u64 {
        self.arrived
    }

    /// Requests that ended well.
    #[must_use]
    pub const fn succeeded(&self) -> u64 {
        self.latencies.count()
    }

    /// Requests that ended otherwise, or went nowhere.
    #[must_use]
    pub const fn errors(&self) -> u64 {
        self.errors
    }

    /// The mean latency of those that ended well.
    #[must_use]
    pub const fn mean(&self) -> Option<Duration> {
        match self.latencies.mean() {
            Some(nanos) => Some(Duration::from_nanos(nanos)),
            None => None,
        }
    }

    /// The latency that `numerator / denominator` of them do not exceed, and at most an eighth more.
    #[must_use]
    pub fn quantile(&self, numerator: u32, denominator: u32) -> Option<Duration> {
        self.latencies.quantile(numerator, denominator).map(Duration::from_nanos)
    }
}

/// Events by the time when they happened, for plots.
///
/// The windows are equally long and begin at the clock's start. When an event comes after the last of them, each two
/// become one of twice the length: so a series covers a run of any length, with at least half of its windows.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::sim::dispatch::{End, Event, Series, What};
/// use divvy::storage::Inline;
///
/// let mut series = Series::<Inline<4>>::new(Duration::from_millis(10));
/// let ended = |millis| {
///     let latency = Duration::from_millis(3);
///     let what = What::Ended { request: 0, dispatcher: 0, server: 0, end: End::Success, latency };
///     Event { at: Instant::from_millis(millis), what }
/// };
/// series.observe(&ended(15));
/// assert_eq!(series.windows().map(|window| window.succeeded()).collect::<Vec<_>>(), [0, 1]);
/// // The fifth window is one too many:
/// series.observe(&ended(45));
/// assert_eq!(series.width(), Duration::from_millis(20));
/// assert_eq!(series.windows().map(|window| window.succeeded()).collect::<Vec<_>>(), [1, 0, 1]);
/// ```
///
/// # Complexity
///
/// An event is *O*(1), but for those that double the width: *O*(windows). 2.1 KB a window.
#[derive(Debug)]
pub struct Series<S: Storage> {
    windows: Windows<Window, S>,
}

impl<const N: usize> Series<Inline<N>> {
    /// Up to `N` windows, at first of this `width`; of a nanosecond, if that is 0.
    #[must_use]
    pub const fn new(width: Duration) -> Self {
        Self { windows: Windows::new(width) }
    }
}

#[cfg(feature = "alloc")]
impl Series<crate::storage::Heap> {
    /// Up to `windows` of them, two at least, at first of this `width`; of a nanosecond, if that is 0.
    #[must_use]
    pub fn with_capacity(width: Duration, windows: u32) -> Self {
        Self { windows: Windows::with_capacity(width, windows) }
    }
}

impl<S: Storage> Series<S> {
    /// Notes an event, which may be earlier than others.
    pub fn observe(&mut self, event: &Event) {
        let (arrived, ended) = match event.what {
            What::Picked { .. } => (1, None),
            What::Refused { .. } => (1, Some(None)),
            What::Ended { end: End::Success, latency, .. } => (0, Some(Some(latency))),
            What::Ended { .. } => (0, Some(None)),
            _ => return,
        };
        let Some(window) = self.windows.at(event.at) else { return };
        window.arrived += arrived;
        match ended {
            Some(Some(latency)) => window.latencies.record(saturating_nanos(latency)),
            Some(None) => window.errors += 1,
            None => {}
        }
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
    use std::vec::Vec;

    proptest! {
        #[test]
        fn every_event_is_in_the_window_of_its_time(
            events in prop::collection::vec((0u64..5_000, 0u64..100, 0u8..4), 0..80),
        ) {
            let mut series = Series::<Inline<5>>::new(Duration::from_nanos(7));
            let event = |&(at, latency, kind): &(u64, u64, u8)| {
                let latency = Duration::from_nanos(latency);
                let end = if kind == 0 { End::Success } else { End::Failed };
                let (request, dispatcher, server) = (0, 0, 0);
                let what = match kind {
                    0 | 1 => What::Ended { request, dispatcher, server, end, latency },
                    2 => What::Picked { request, dispatcher, server, why: crate::balance::Why::Turn },
                    _ => What::Refused { request, dispatcher, why: super::super::Unplaced::Full },
                };
                Event { at: Instant::from_nanos(at), what }
            };
            events.iter().map(event).for_each(|event| series.observe(&event));
            let width = series.width().as_nanos() as u64;
            let latest = events.iter().map(|(at, ..)| *at).max();
            prop_assert!(latest.is_none_or(|latest| latest / width < 5 && (width == 7 || latest / width >= 2)));
            let mut all = 0;
            for (index, window) in (0..).zip(series.windows()) {
                let inside = || events.iter().filter(move |(at, ..)| at / width == index);
                let count = |of: fn(u8) -> bool| inside().filter(|(.., kind)| of(*kind)).count() as u64;
                prop_assert_eq!(window.arrived(), count(|kind| kind >= 2));
                prop_assert_eq!(window.errors(), count(|kind| kind % 2 == 1));
                let latencies: Vec<u64> = inside().filter(|(.., kind)| *kind == 0).map(|(_, latency, _)| *latency).collect();
                prop_assert_eq!(window.succeeded(), latencies.len() as u64);
                let mean = latencies.iter().sum::<u64>().checked_div(latencies.len() as u64);
                prop_assert_eq!(window.mean(), mean.map(Duration::from_nanos));
                let largest = latencies.iter().max().map(|nanos| Duration::from_nanos(*nanos));
                prop_assert_eq!(window.quantile(1, 1), largest);
                all += inside().count();
            }
            prop_assert_eq!(all, events.len());
        }
    }

    #[test]
    fn the_end_of_time_has_a_window() {
        let mut series = Series::<Inline<2>>::new(Duration::ZERO);
        let what = What::Refused { request: 0, dispatcher: 0, why: super::super::Unplaced::Full };
        series.observe(&Event { at: Instant::MAX, what });
        assert_eq!(series.windows().map(Window::errors).collect::<Vec<_>>(), [0, 1]);
    }
}

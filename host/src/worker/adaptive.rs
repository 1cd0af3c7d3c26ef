//! A worker that finds its own batch size and tells how much of its time is overhead.

use std::fmt;
use std::time::{Duration, Instant};

/// How much the past counts: after so many batches its weight has fallen to a third.
const MEMORY: f64 = 16.0;

/// How many items to take at once: few enough to be quick, enough that what a batch costs beside its items hardly counts.
///
/// Tell it how long each batch took; it finds the cost of a batch and the cost of an item (least squares of the time of an
/// item over one through the size, the newest batches counting most), and answers the smallest batch whose overhead is at
/// most the share that you allow, never one that takes longer than you allow. Sizes lean a tenth up and down by turns: from
/// batches of one size the two costs could not be told apart.
///
/// *When not to use it:* for items that differ in cost by orders of magnitude: the mean says little about the next batch.
///
/// # Examples
///
/// ```
/// use divvy_host::worker::{AdaptiveError, BatchSize};
/// use std::time::Duration;
///
/// // At most a tenth of the time for overhead, and no batch above 50 ms:
/// let mut size = BatchSize::new(0.1, Duration::from_millis(50))?;
/// // A batch costs 1 ms, an item 0.1 ms:
/// for _ in 0..100 {
///     let items = size.next();
///     size.observe(items, Duration::from_micros(1_000 + 100 * u64::from(items)));
/// }
/// // 90 items take 9 ms and the batch 1 ms: a tenth.
/// assert!((80..=120).contains(&size.next()), "{}", size.next());
///
/// assert_eq!(BatchSize::new(1.5, Duration::from_secs(1)).unwrap_err(), AdaptiveError::Overhead);
/// # Ok::<(), AdaptiveError>(())
/// ```
///
/// # Complexity
///
/// *O*(1) time and 64 bytes.
#[derive(Clone, Debug)]
pub struct BatchSize {
    overhead: f64,
    longest: f64,
    /// Weighted sums over the batches seen, of n items in t seconds: of 1, 1/n, 1/n², t/n and t/n².
    ones: f64,
    inverses: f64,
    squares: f64,
    seconds: f64,
    products: f64,
    now: u32,
    /// Which way the next size leans.
    leans_up: bool,
}

/// Parameters that a [`BatchSize`] or a [`Tuned`] worker cannot have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum AdaptiveError {
    /// The overhead is a share of the time. Remedy: above 0 and below 1.
    Overhead,
    /// A batch takes some time. Remedy: a longest time above 0.
    Longest,
}

impl fmt::Display for AdaptiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Overhead => "the overhead is a share of the time; choose more than 0 and less than 1",
            Self::Longest => "a batch takes some time; allow more than 0",
        })
    }
}

impl std::error::Error for AdaptiveError {}

impl BatchSize {
    /// The largest batch there is.
    pub const MOST: u32 = 1 << 20;

    /// For batches of which at most the share `overhead` is not spent on items, and that take no longer than `longest`.
    /// Where both cannot be had, `longest` counts.
    ///
    /// # Errors
    ///
    /// [`AdaptiveError`] unless 0 < `overhead` < 1 and `longest` is above 0.
    pub fn new(overhead: f64, longest: Duration) -> Result<Self, AdaptiveError> {
        if !(overhead > 0.0 && overhead < 1.0) {
            return Err(AdaptiveError::Overhead);
        }
        if longest.is_zero() {
            return Err(AdaptiveError::Longest);
        }
        Ok(Self {
            overhead,
            longest: longest.as_secs_f64(),
            ones: 0.0,
            inverses: 0.0,
            squares: 0.0,
            seconds: 0.0,
            products: 0.0,
            now: 1,
            leans_up: true,
        })
    }

    /// How many items the next batch should have: from 1 to [`MOST`](Self::MOST).
    pub fn next(&self) -> u32 {
        self.now
    }

    /// A batch of `items` took `took`. One of no items says nothing.
    pub fn observe(&mut self, items: u32, took: Duration) {
        if items == 0 {
            return;
        }
        let inverse = 1.0 / f64::from(items);
        let each = took.as_secs_f64() * inverse;
        let keep = 1.0 - 1.0 / MEMORY;
        for (sum, new) in [
            (&mut self.ones, 1.0),
            (&mut self.inverses, inverse),
            (&mut self.squares, inverse * inverse),
            (&mut self.seconds, each),
            (&mut self.products, each * inverse),
        ] {
            *sum = *sum * keep + new;
        }
        self.now = self.wanted(f64::from(items), each);
    }

    /// What a batch and what an item costs, as far as it is known.
    pub fn costs(&self) -> Option<(Duration, Duration)> {
        let (batch, item) = self.seconds_each()?;
        Some((Duration::from_secs_f64(batch), Duration::from_secs_f64(item)))
    }

    fn seconds_each(&self) -> Option<(f64, f64)> {
        let spread = self.ones * self.squares - self.inverses * self.inverses;
        // All of one size, or as good as: the costs cannot be told apart.
        if spread <= 1e-6 * self.inverses * self.inverses {
            return None;
        }
        let batch = ((self.ones * self.products - self.inverses * self.seconds) / spread).max(0.0);
        let item = ((self.seconds - batch * self.inverses) / self.ones).max(0.0);
        Some((batch, item))
    }

    /// The size after a batch of `items` that took `each` seconds an item.
    fn wanted(&mut self, items: f64, each: f64) -> u32 {
        // No more than double at once: the first batches are the least sure.
        let double = 2.0 * items;
        let wanted = match self.seconds_each() {
            // overhead = batch / (batch + n × item)
            Some((batch, item)) if item > 0.0 => (batch / item * (1.0 / self.overhead - 1.0)).min(double),
            _ => double,
        };
        let quick = match self.seconds_each() {
            Some((batch, item)) if item > 0.0 => (self.longest - batch) / item,
            _ => self.longest / each.max(1e-12),
        };
        self.leans_up = !self.leans_up;
        let leaning = if self.leans_up { (wanted * 1.1).ceil() } else { (wanted * 0.9).floor() };
        leaning.min(quick.floor()).clamp(1.0, f64::from(Self::MOST)) as u32
    }
}

/// A worker that takes batches of a size of its own finding: see [`BatchSize`].
///
/// ```
/// use divvy_host::worker::{AdaptiveError, Tuned};
/// use std::time::Duration;
///
/// let mut items = 0..1_000;
/// let mut worker = Tuned::new(0.05, Duration::from_millis(10))?;
/// let mut sum = 0;
/// // Takes until there is nothing more:
/// worker.drain(|most| items.by_ref().take(most).collect::<Vec<_>>(), |batch| sum += batch.iter().sum::<u64>());
/// assert_eq!(sum, 499_500);
/// assert!(worker.batches() < 1_000, "they grow");
/// # Ok::<(), AdaptiveError>(())
/// ```
#[derive(Debug)]
pub struct Tuned {
    size: BatchSize,
    batches: u64,
}

impl Tuned {
    /// As [`BatchSize::new`].
    ///
    /// # Errors
    ///
    /// As [`BatchSize::new`].
    pub fn new(overhead: f64, longest: Duration) -> Result<Self, AdaptiveError> {
        Ok(Self { size: BatchSize::new(overhead, longest)?, batches: 0 })
    }

    /// Asks `take` for up to so many items and has `work` do them, until `take` has none. A panic in either goes to the
    /// caller, and the worker can go on after it.
    pub fn drain<T>(&mut self, mut take: impl FnMut(usize) -> Vec<T>, mut work: impl FnMut(Vec<T>)) {
        loop {
            let begin = Instant::now();
            let batch = take(self.size.next() as usize);
            let Ok(items @ 1..) = u32::try_from(batch.len()) else { return };
            work(batch);
            self.size.observe(items, begin.elapsed());
            self.batches += 1;
        }
    }

    /// How many batches it did.
    pub fn batches(&self) -> u64 {
        self.batches
    }

    /// What it has found out.
    pub fn size(&self) -> &BatchSize {
        &self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Runs batches that cost what the law says, and answers the size in the end.
    fn settle(size: &mut BatchSize, batch: f64, item: f64, rounds: u32) -> f64 {
        for _ in 0..rounds {
            let items = size.next();
            size.observe(items, Duration::from_secs_f64(batch + item * f64::from(items)));
        }
        f64::from(size.next())
    }

    proptest! {
        #[test]
        fn the_overhead_is_what_was_asked_for(
            batch in 1e-5f64..1e-2, item in 1e-6f64..1e-4, overhead in 0.02f64..0.5,
        ) {
            let mut size = BatchSize::new(overhead, Duration::from_secs(3600)).unwrap();
            let items = settle(&mut size, batch, item, 200);
            let best = (batch / item * (1.0 / overhead - 1.0)).clamp(1.0, f64::from(BatchSize::MOST));
            prop_assert!(items <= 1.3 * best + 2.0 && items >= 0.7 * best - 2.0, "{items} instead of {best}");
        }

        #[test]
        fn no_batch_is_planned_longer_than_allowed(
            batch in 1e-6f64..1e-2, item in 1e-6f64..1e-3, millis in 1u64..200,
        ) {
            let longest = Duration::from_millis(millis);
            let mut size = BatchSize::new(0.01, longest).unwrap();
            let items = settle(&mut size, batch, item, 300);
            let took = batch + item * items;
            prop_assert!(items == 1.0 || took <= 1.05 * longest.as_secs_f64(), "{items} items take {took}");
        }

        #[test]
        fn whatever_is_observed_the_next_size_is_one(observed in prop::collection::vec((any::<u32>(), any::<u64>()), 0..50)) {
            let mut size = BatchSize::new(0.1, Duration::from_millis(5)).unwrap();
            for (items, nanos) in observed {
                size.observe(items, Duration::from_nanos(nanos));
                prop_assert!((1..=BatchSize::MOST).contains(&size.next()));
            }
        }
    }

    #[test]
    fn it_follows_when_items_get_dearer() {
        let mut size = BatchSize::new(0.1, Duration::from_secs(1)).unwrap();
        let cheap = settle(&mut size, 1e-3, 1e-5, 200);
        let dear = settle(&mut size, 1e-3, 1e-3, 200);
        assert!(cheap > 500.0 && (6.0..=14.0).contains(&dear), "{cheap} {dear}");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for overhead in [0.0, 1.0, -1.0, f64::NAN] {
            let error = BatchSize::new(overhead, Duration::from_secs(1)).unwrap_err();
            assert_eq!(error, AdaptiveError::Overhead);
        }
        assert_eq!(Tuned::new(0.1, Duration::ZERO).unwrap_err(), AdaptiveError::Longest);
    }

    #[test]
    fn it_is_as_small_as_it_says() {
        assert_eq!(size_of::<BatchSize>(), 64);
    }

    #[test]
    fn nothing_to_take_ends_it_at_once() {
        let mut worker = Tuned::new(0.1, Duration::from_millis(1)).unwrap();
        worker.drain(|_| Vec::<u8>::new(), |_| panic!("there is nothing to do"));
        assert_eq!(worker.batches(), 0);
    }
}

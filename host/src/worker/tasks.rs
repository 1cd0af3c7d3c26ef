//! Async tasks as workers: as many at once as a limit allows, which may adapt.

use divvy::Instant;
use divvy::limit::{ConcurrencyLimit, Sample};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::panic;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time;

/// Runs a future for each of many items on the current tokio runtime, so many at once as a limit of the core allows:
/// [`Aimd`](divvy::limit::Aimd), [`Vegas`](divvy::limit::Vegas) or [`Gradient`](divvy::limit::Gradient) find the number from
/// how long the futures take; bounds that are equal make it a fixed one.
///
/// *When not to use it:* for work that keeps the processor busy: [`Pool`](crate::pool::Pool). To protect single calls to a
/// service: [`call`](crate::call).
///
/// # Examples
///
/// ```
/// use divvy::limit::{Aimd, Bounds};
/// use divvy_host::worker::AsyncWorkers;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), divvy::limit::LimitError> {
/// let mut workers = AsyncWorkers::new(Aimd::new(Bounds::new(1, 64)?.initial(4)?));
/// let squares = workers.map(1..=5u32, |n| async move { n * n }).await;
/// assert_eq!(squares, [1, 4, 9, 16, 25]);
///
/// // The first error ends it, and what was running is dropped:
/// let parsed = workers.try_map(["1", "x", "3"], |text| async move { text.parse::<u32>() }).await;
/// assert!(parsed.is_err());
/// # Ok(())
/// # }
/// ```
///
/// # Concurrency
///
/// Futures run as tasks of the runtime, on its threads. Dropping the future of [`map`](Self::map) aborts them. A panic in one of
/// them goes to the caller, after the others were aborted. Items are taken from their iterator when there is room for
/// them, so it may be endless in [`try_map`](Self::try_map).
#[derive(Debug)]
pub struct AsyncWorkers<L> {
    limit: L,
    begin: Option<time::Instant>,
    most_at_once: usize,
}

/// A future that ended: which item's, how long it took, and what it came to.
type Ended<R> = (usize, Duration, R);

impl<L: ConcurrencyLimit> AsyncWorkers<L> {
    /// With this limit on how many run at once.
    pub fn new(limit: L) -> Self {
        Self { limit, begin: None, most_at_once: 0 }
    }

    /// Runs `work` for each item; the results are in the order of the items.
    pub async fn map<T, R, Fut>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        work: impl Fn(T) -> Fut,
    ) -> Vec<R>
    where
        Fut: Future<Output = R> + Send + 'static,
        R: Send + 'static,
    {
        let work = |item| {
            let future = work(item);
            async move { Ok::<R, Infallible>(future.await) }
        };
        match self.try_map(items, work).await {
            Ok(results) => results,
        }
    }

    /// Runs `work` for each item until one fails; the results are in the order of the items. A failure tells the limit that
    /// there was too much.
    ///
    /// # Errors
    ///
    /// The first error; the others are aborted, and items that were not begun stay in their iterator.
    pub async fn try_map<T, R, E, Fut>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        work: impl Fn(T) -> Fut,
    ) -> Result<Vec<R>, E>
    where
        Fut: Future<Output = Result<R, E>> + Send + 'static,
        R: Send + 'static,
        E: Send + 'static,
    {
        let mut items = items.into_iter().enumerate();
        let mut running: JoinSet<Ended<Result<R, E>>> = JoinSet::new();
        // Results that are there, from the first that is not on.
        let (mut results, mut later) = (Vec::new(), VecDeque::<Option<R>>::new());
        loop {
            while running.len() < self.limit.limit().max(1) as usize {
                let Some((at, item)) = items.next() else { break };
                let future = work(item);
                running.spawn(async move {
                    let begin = time::Instant::now();
                    let result = future.await;
                    (at, begin.elapsed(), result)
                });
            }
            self.most_at_once = self.most_at_once.max(running.len());
            let in_flight = running.len() as u32;
            let Some(ended) = running.join_next().await else { return Ok(results) };
            let (at, latency, result) = match ended {
                Ok(ended) => ended,
                // Nobody aborts them but the set itself, once this future is gone.
                Err(error) => panic::resume_unwind(error.into_panic()),
            };
            let now = self.now();
            self.limit.observe(now, Sample { latency, in_flight, dropped: result.is_err() });
            let place = at - results.len();
            if later.len() <= place {
                later.resize_with(place + 1, || None);
            }
            later[place] = Some(result?);
            while let Some(Some(_)) = later.front() {
                results.extend(later.pop_front().flatten());
            }
        }
    }

    /// The limit, as it is now.
    pub fn limit(&self) -> &L {
        &self.limit
    }

    /// How many ran at once, at most.
    pub fn most_at_once(&self) -> usize {
        self.most_at_once
    }

    fn now(&mut self) -> Instant {
        let begin = *self.begin.get_or_insert_with(time::Instant::now);
        Instant::ZERO.saturating_add(begin.elapsed())
    }
}

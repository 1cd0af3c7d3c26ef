//! A loop over an iterator: whoever is free takes the next batch out of it.

use super::chunking::Chunking;
use super::drive::{Stop, one_more};
use super::grain::Grain;
use super::loops::Chunked;
use crate::pool::threads::Pool;
use crate::pool::work::context::Context;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

impl Pool {
    /// Calls `f` with each item that `iter` gives, on all threads at once. Items are taken out of the iterator in batches, by
    /// one thread at a time.
    ///
    /// *When not to use it:* for a slice, a vector or a range; [`par_for_each`](Self::par_for_each) needs no lock.
    ///
    /// # Examples
    ///
    /// ```
    /// use divvy_host::pool::Pool;
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// let pool = Pool::new(2)?;
    /// let bytes = AtomicUsize::new(0);
    /// pool.par_for_each_of("some lines\nof a\ntext".lines(), |line| {
    ///     bytes.fetch_add(line.len(), Ordering::Relaxed);
    /// });
    /// assert_eq!(bytes.into_inner(), 18);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Complexity
    ///
    /// A lock for each batch, and room for one batch on each thread.
    ///
    /// # Panics
    ///
    /// As `f` and the iterator do: the batches that run go on to their end, no other one is taken, and what is left of
    /// the iterator is dropped.
    pub fn par_for_each_of<I: IntoIterator>(&self, iter: I, f: impl Fn(I::Item) + Sync)
    where
        I::IntoIter: Send,
        I::Item: Send,
    {
        self.chunked(Chunking::Adaptive).par_for_each_of(iter, f);
    }
}

impl Chunked<'_> {
    /// See [`Pool::par_for_each_of`]. A batch is a block; nobody knows the length of an iterator, so `Static` and `Guided`
    /// go by the lower bound of its `size_hint`, and what comes after that is taken one by one or `min` at a time.
    pub fn par_for_each_of<I: IntoIterator>(&self, iter: I, f: impl Fn(I::Item) + Sync)
    where
        I::IntoIter: Send,
        I::Item: Send,
    {
        let iter = iter.into_iter();
        let source =
            Mutex::new(Source { left: iter.size_hint().0, first: iter.size_hint().0, iter: Some(iter) });
        let shared = Shared {
            source,
            chunking: self.chunking,
            claimers: AtomicUsize::new(1),
            stop: Stop::default(),
            f,
        };
        self.pool.run(|cx| shared.claimer(cx));
    }
}

struct Source<I> {
    /// None once it has ended or panicked.
    iter: Option<I>,
    /// How many items there are at least, at the beginning and now.
    first: usize,
    left: usize,
}

impl<I: Iterator> Source<I> {
    /// The next items, `batch` of them unless the end comes first. It leaves the iterator out while it asks, so that
    /// one that panics is not asked again.
    fn take(&mut self, batch: usize, into: &mut Vec<I::Item>) {
        let Some(mut iter) = self.iter.take() else { return };
        into.extend(iter.by_ref().take(batch));
        self.left = self.left.saturating_sub(into.len());
        if into.len() == batch {
            self.iter = Some(iter);
        }
    }
}

/// What the claimers of one loop share.
struct Shared<I, F> {
    source: Mutex<Source<I>>,
    chunking: Chunking,
    claimers: AtomicUsize,
    stop: Stop,
    f: F,
}

impl<I: Iterator<Item: Send> + Send, F: Fn(I::Item) + Sync> Shared<I, F> {
    fn claimer(&self, cx: &mut Context) {
        let (mut grain, mut batch) = (Grain::new(), Vec::new());
        while !self.stop.is_set() {
            if cx.should_split() && one_more(&self.claimers, cx.threads()) {
                cx.join(|cx| self.claimer(cx), |cx| self.claimer(cx));
                return;
            }
            {
                // Poisoned: the iterator panicked, and is gone.
                let Ok(mut source) = self.source.lock() else { return };
                let size = match self.chunking {
                    Chunking::Static => source.first.div_ceil(cx.threads()).min(source.left),
                    Chunking::Dynamic { size } => size,
                    Chunking::Guided { min } => (source.left / (2 * cx.threads())).max(min),
                    Chunking::Adaptive => grain.next(usize::MAX),
                };
                source.take(size.max(1), &mut batch);
            }
            let Some(items) = NonZero::new(batch.len()) else { return };
            grain.measure(items.get(), || self.stop.watch(|| batch.drain(..).for_each(&self.f)));
        }
    }
}

//! The loops, as methods of a pool.

use super::chunking::Chunking;
use super::collect;
use super::items::{Blocks, Items, drive_over};
use crate::pool::threads::Pool;
use std::marker::PhantomData;

/// A pool whose loops are cut in a way that the caller chose: see [`Pool::chunked`].
#[derive(Clone, Copy, Debug)]
pub struct Chunked<'p> {
    pub(super) pool: &'p Pool,
    pub(super) chunking: Chunking,
}

impl Pool {
    /// The same loops, cut into blocks as `chunking` says.
    ///
    /// # Examples
    ///
    /// ```
    /// use divvy_host::pool::{Chunking, Pool};
    ///
    /// let pool = Pool::new(2)?;
    /// let sizes = [900, 10, 20, 800, 30];
    /// // A few long bodies: each thread takes the next one when it is done.
    /// let one_by_one = pool.chunked(Chunking::Dynamic { size: 1 });
    /// assert_eq!(one_by_one.par_map(&sizes, |size| size / 10), [90, 1, 2, 80, 3]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn chunked(&self, chunking: Chunking) -> Chunked<'_> {
        Chunked { pool: self, chunking }
    }

    /// Calls `f` with each of `items`, on all threads at once.
    ///
    /// The calling thread begins alone, and wakes the pool only once what is left is worth that (some 20 µs): a short
    /// loop costs what it costs without a pool.
    ///
    /// *When not to use it:* for bodies that wait for something; they keep a thread of the pool from all other work
    /// ([`spawn`](Pool::spawn) them on a pool of their own).
    ///
    /// # Examples
    ///
    /// ```
    /// use divvy_host::pool::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// let mut squares = vec![0; 1_000];
    /// pool.par_for_each((0..1_000, &mut squares), |(i, square)| *square = i * i);
    /// assert_eq!(squares[30], 900);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// A panic of a body reaches the caller, on whatever thread it was, and the pool works on:
    ///
    /// ```
    /// use divvy_host::pool::Pool;
    /// use std::panic::{AssertUnwindSafe, catch_unwind};
    ///
    /// let pool = Pool::new(2)?;
    /// let call = AssertUnwindSafe(|| pool.par_for_each(0..1_000, |n| assert_ne!(n, 700)));
    /// assert!(catch_unwind(call).is_err());
    /// pool.par_for_each(0..1_000, |n| assert_ne!(n, 1_000));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Complexity
    ///
    /// Each item once, and two looks at the clock for each block, which is so long that they are under a hundredth of it.
    /// A fork for each part that is given away, on the stack; nothing is allocated.
    ///
    /// # Panics
    ///
    /// As `f` does: the blocks that run go on to their end, no other one begins, and the first panic then comes to the caller.
    pub fn par_for_each<I: Items>(&self, items: I, f: impl Fn(I::Item) + Sync) {
        self.chunked(Chunking::Adaptive).par_for_each(items, f);
    }

    /// What `f` makes of each of `items`, in their order, with any number of threads.
    ///
    /// # Examples
    ///
    /// ```
    /// use divvy_host::pool::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// assert_eq!(pool.par_map(&["a", "bc", ""], |word| word.len()), [1, 2, 0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Complexity
    ///
    /// One allocation, for the result.
    ///
    /// # Panics
    ///
    /// As `f` does. What was made by then is dropped.
    pub fn par_map<I: Items, R: Send>(&self, items: I, f: impl Fn(I::Item) -> R + Sync) -> Vec<R> {
        self.chunked(Chunking::Adaptive).par_map(items, f)
    }

    /// One value from all `items`: each block starts with `identity()` and takes its items in by `fold`, and what came of
    /// neighbouring blocks is made one by `combine`, in the order of the items.
    ///
    /// The result is the same with any number of threads if `identity()` changes nothing and it makes no difference how
    /// the items are grouped. [`Chunking`] says which of its kinds fix the grouping.
    ///
    /// # Examples
    ///
    /// ```
    /// use divvy_host::pool::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// let sum = pool.par_reduce(1..101, || 0, |sum, n| sum + n, |left, right| left + right);
    /// assert_eq!(sum, 5_050);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Sums of floating-point numbers are grouped the same way on every machine with blocks of a fixed size:
    ///
    /// ```
    /// use divvy_host::pool::{Chunking, Pool};
    ///
    /// let parts: Vec<f64> = (1..10_000).map(|n| 1.0 / f64::from(n)).collect();
    /// let sum = |threads| {
    ///     let pool = Pool::new(threads)?;
    ///     let blocks = pool.chunked(Chunking::Dynamic { size: 1_000 });
    ///     Ok(blocks.par_reduce(&parts, || 0.0, |sum, n| sum + n, |left, right| left + right).to_bits())
    /// };
    /// assert_eq!(sum(1)?, sum(3)?);
    /// # Ok::<(), divvy_host::pool::PoolError>(())
    /// ```
    ///
    /// # Complexity
    ///
    /// As [`par_for_each`](Self::par_for_each). `identity` is called once for each part that is given away and for what stays,
    /// where [`Chunking`] is `Adaptive`, and for each block otherwise; `combine` once less. `Dynamic` and `Guided` need room for
    /// what came of each block.
    ///
    /// # Panics
    ///
    /// As the three functions do. What the blocks came to by then is dropped.
    pub fn par_reduce<I: Items, A: Send>(
        &self,
        items: I,
        identity: impl Fn() -> A + Sync,
        fold: impl Fn(A, I::Item) -> A + Sync,
        combine: impl Fn(A, A) -> A + Sync,
    ) -> A {
        self.chunked(Chunking::Adaptive).par_reduce(items, identity, fold, combine)
    }

    /// One value from what `map` makes of all `items`, put together by `combine` in their order; none if there are no
    /// items.
    ///
    /// The result is the same with any number of threads if `combine` is associative; see [`par_reduce`](Self::par_reduce).
    ///
    /// # Examples
    ///
    /// ```
    /// use divvy_host::pool::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// let words = ["work", "stealing", "deque"];
    /// assert_eq!(pool.par_map_reduce(&words, |word| word.len(), usize::max), Some(8));
    /// assert_eq!(pool.par_map_reduce(&words[..0], |word| word.len(), usize::max), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Complexity
    ///
    /// As [`par_reduce`](Self::par_reduce), without an `identity`.
    ///
    /// # Panics
    ///
    /// As the two functions do. What the blocks came to by then is dropped.
    pub fn par_map_reduce<I: Items, A: Send>(
        &self,
        items: I,
        map: impl Fn(I::Item) -> A + Sync,
        combine: impl Fn(A, A) -> A + Sync,
    ) -> Option<A> {
        self.chunked(Chunking::Adaptive).par_map_reduce(items, map, combine)
    }
}

impl Chunked<'_> {
    /// See [`Pool::par_for_each`].
    pub fn par_for_each<I: Items>(&self, items: I, f: impl Fn(I::Item) + Sync) {
        drive_over(self.pool, items, self.chunking, &ForEach(f));
    }

    /// See [`Pool::par_map`].
    pub fn par_map<I: Items, R: Send>(&self, items: I, f: impl Fn(I::Item) -> R + Sync) -> Vec<R> {
        collect::map(self.pool, items, self.chunking, f)
    }

    /// See [`Pool::par_reduce`].
    pub fn par_reduce<I: Items, A: Send>(
        &self,
        items: I,
        identity: impl Fn() -> A + Sync,
        fold: impl Fn(A, I::Item) -> A + Sync,
        combine: impl Fn(A, A) -> A + Sync,
    ) -> A {
        let of_block =
            |before: Option<A>, block: I::Block| block.fold(before.unwrap_or_else(&identity), &fold);
        drive_over(self.pool, items, self.chunking, &Reduce { of_block, combine, makes: PhantomData })
            .unwrap_or_else(&identity)
    }

    /// See [`Pool::par_map_reduce`].
    pub fn par_map_reduce<I: Items, A: Send>(
        &self,
        items: I,
        map: impl Fn(I::Item) -> A + Sync,
        combine: impl Fn(A, A) -> A + Sync,
    ) -> Option<A> {
        let of_block = |before: Option<A>, block: I::Block| {
            let mut mapped = block.map(&map);
            let first = before.or_else(|| mapped.next()).expect("a block is not empty");
            mapped.fold(first, &combine)
        };
        drive_over(
            self.pool,
            items,
            self.chunking,
            &Reduce { of_block, combine: &combine, makes: PhantomData },
        )
    }
}

struct ForEach<F>(F);

impl<I: Items, F: Fn(I::Item) + Sync> Blocks<I> for ForEach<F> {
    type Out = ();
    const UNIT: bool = true;

    fn run(&self, _: Option<()>, block: I::Block) {
        block.for_each(&self.0);
    }

    fn combine(&self, (): (), (): ()) {}
}

struct Reduce<A, B, C> {
    of_block: B,
    combine: C,
    makes: PhantomData<fn() -> A>,
}

impl<I, A, B, C> Blocks<I> for Reduce<A, B, C>
where
    I: Items,
    A: Send,
    B: Fn(Option<A>, I::Block) -> A + Sync,
    C: Fn(A, A) -> A + Sync,
{
    type Out = A;

    fn run(&self, before: Option<A>, block: I::Block) -> A {
        (self.of_block)(before, block)
    }

    fn combine(&self, left: A, right: A) -> A {
        (self.combine)(left, right)
    }
}

//! Sorting, stable and not, with the standard library's sorts at the leaves.

mod leaf;
mod merge;
mod quick;
mod run;

use crate::pool::threads::Pool;
use std::cmp::Ordering;

/// A slice up to this length is sorted where it is: some tens of microseconds, about what waking a thread takes.
const SERIAL: usize = 4_096;

impl Pool {
    /// Sorts `list`; equal items keep their order.
    ///
    /// A merge sort: the threads sort parts of the list by [`slice::sort_by`] and merge them, again in parts. A list that is
    /// sorted, or reversed, is found to be so in one pass by all threads.
    ///
    /// *When not to use it:* where nobody can tell equal items apart; [`par_sort_unstable`](Self::par_sort_unstable) needs no
    /// second list.
    ///
    /// # Examples
    ///
    /// ```
    /// use divvy_host::pool::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// let mut words = ["deque", "pool", "job", "task"];
    /// pool.par_sort_by_key(&mut words, |word| word.len());
    /// assert_eq!(words, ["job", "pool", "task", "deque"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Complexity
    ///
    /// *O*(*n* log *n*) comparisons, *O*(*n*) on sorted and reversed lists; room for *n* items while merging, and for up to *n* while the parts
    /// are sorted.
    ///
    /// # Panics
    ///
    /// As the comparison does, and, as [`slice::sort_by`], it may panic if the comparison is no total order. The list
    /// then holds its items in some order, each once.
    pub fn par_sort<T: Ord + Send>(&self, list: &mut [T]) {
        merge::sort(self, list, &T::cmp);
    }

    /// [`par_sort`](Self::par_sort) by an order of your own.
    pub fn par_sort_by<T: Send>(&self, list: &mut [T], compare: impl Fn(&T, &T) -> Ordering + Sync) {
        merge::sort(self, list, &compare);
    }

    /// [`par_sort`](Self::par_sort) by a key, which is computed for each comparison.
    pub fn par_sort_by_key<T: Send, K: Ord>(&self, list: &mut [T], key: impl Fn(&T) -> K + Sync) {
        merge::sort(self, list, &|a: &T, b: &T| key(a).cmp(&key(b)));
    }

    /// Sorts `list` in place; equal items may change their order.
    ///
    /// A quicksort: the threads partition the list together until there are parts enough for all, and sort these by
    /// [`slice::sort_unstable_by`]. A list that is sorted, or reversed, is found to be so in one pass by all threads.
    ///
    /// # Examples
    ///
    /// ```
    /// use divvy_host::pool::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// let mut list: Vec<u64> = (0..100_000).map(|n| n * 7_919 % 100_000).collect();
    /// pool.par_sort_unstable(&mut list);
    /// assert!(list.is_sorted());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Complexity
    ///
    /// *O*(*n* log *n*) comparisons, *O*(*n*) on sorted and reversed lists. No memory that grows with the list, except for parts
    /// that are nearly sorted: to merge the few items that are not takes room for the part.
    ///
    /// # Panics
    ///
    /// As [`par_sort`](Self::par_sort).
    pub fn par_sort_unstable<T: Ord + Send + Sync>(&self, list: &mut [T]) {
        quick::sort(self, list, &T::cmp);
    }

    /// [`par_sort_unstable`](Self::par_sort_unstable) by an order of your own.
    pub fn par_sort_unstable_by<T: Send + Sync>(
        &self,
        list: &mut [T],
        compare: impl Fn(&T, &T) -> Ordering + Sync,
    ) {
        quick::sort(self, list, &compare);
    }

    /// [`par_sort_unstable`](Self::par_sort_unstable) by a key, which is computed for each comparison.
    pub fn par_sort_unstable_by_key<T: Send + Sync, K: Ord>(
        &self,
        list: &mut [T],
        key: impl Fn(&T) -> K + Sync,
    ) {
        quick::sort(self, list, &|a: &T, b: &T| key(a).cmp(&key(b)));
    }
}

//! A priority queue in which waiting counts: whoever waits long enough goes first.

use crate::heap::{self, Order};
use crate::storage::{Full, Inline, List, Storage};
use crate::time::{Instant, saturating_nanos};
use core::time::Duration;

/// A bounded priority queue with linear aging.
///
/// The highest level goes first, and an item rises by one level for each `aging` that it waits; equals leave in the
/// order in which they came. Because all items age at the same speed, the order of two items never changes while
/// they wait, so aging costs nothing.
///
/// *When not to use it:* where one level must go first however long the others wait (choose an `aging` of years), or
/// where several cores push and pop (guard it with a lock, or use a queue per core).
///
/// # The starvation bound
///
/// An item of level *p* pushed at *t* is overtaken only by items of a level *q* > *p* that are pushed before
/// *t* + (*q* − *p*) × `aging`. From *t* + (255 − *p*) × `aging` on nothing that arrives overtakes it. The scoreboard
/// checks both.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use divvy::Instant;
/// use divvy::queue::PriorityQueue;
/// use divvy::storage::{Full, Inline};
///
/// let mut queue = PriorityQueue::<&str, Inline<2>>::new(Duration::from_secs(10));
/// queue.push(Instant::ZERO, 1, "patient")?;
/// // Eleven seconds later the patient one has risen from 1 to above 2:
/// queue.push(Instant::from_secs(11), 2, "urgent")?;
/// assert_eq!(queue.push(Instant::from_secs(11), 9, "late"), Err(Full("late")));
/// assert_eq!(queue.pop(), Some("patient"));
/// # Ok::<(), Full<&str>>(())
/// ```
///
/// # Complexity
///
/// [`push`](Self::push) and [`pop`](Self::pop) *O*(log len), [`peek`](Self::peek) *O*(1); the item and 16 bytes each.
///
/// # Time
///
/// `now` is when an item starts to wait. A `now` earlier than one seen before is taken as that one. An `aging`
/// above 2⁵⁴ ns (208 days) counts as that, and so does a clock past 2⁶³ ns (292 years); an `aging` of zero makes the
/// queue first in, first out.
#[derive(Debug)]
pub struct PriorityQueue<T, S: Storage> {
    /// A binary heap, the smallest key first.
    heap: S::List<Entry<T>>,
    aging: u64,
    pushed: u64,
    latest: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Entry<T> {
    /// When the item would have been pushed, had it come with the highest level: smaller goes first.
    since: u64,
    /// Distinguishes equals by their order of arrival.
    order: u64,
    item: T,
}

struct BySince;

impl<T> Order<Entry<T>> for BySince {
    fn before(&self, a: &Entry<T>, b: &Entry<T>) -> bool {
        (a.since, a.order) < (b.since, b.order)
    }
}

const MAX_AGING: u64 = 1 << 54;
const MAX_NOW: u64 = 1 << 63;

const fn clamp_aging(aging: Duration) -> u64 {
    let nanos = saturating_nanos(aging);
    if nanos < MAX_AGING { nanos } else { MAX_AGING }
}

impl<T, const N: usize> PriorityQueue<T, Inline<N>> {
    /// An empty queue for up to `N` items, in which waiting for `aging` is worth one level.
    #[must_use]
    pub const fn new(aging: Duration) -> Self {
        Self { heap: heapless::Vec::new(), aging: clamp_aging(aging), pushed: 0, latest: Instant::ZERO }
    }
}

#[cfg(feature = "alloc")]
impl<T> PriorityQueue<T, crate::storage::Heap> {
    /// An empty queue for up to `capacity` items, allocated now, in which waiting for `aging` is worth one level.
    #[must_use]
    pub fn with_capacity(aging: Duration, capacity: usize) -> Self {
        let heap = crate::storage::HeapList::with_capacity(capacity);
        Self { heap, aging: clamp_aging(aging), pushed: 0, latest: Instant::ZERO }
    }
}

impl<T, S: Storage> PriorityQueue<T, S> {
    /// Adds `item`, which starts to wait now; a higher `priority` goes first.
    ///
    /// # Errors
    ///
    /// [`Full`] gives the item back; nothing changed.
    pub fn push(&mut self, now: Instant, priority: u8, item: T) -> Result<(), Full<T>> {
        let latest = self.latest.max(now);
        let handicap = u64::from(u8::MAX - priority) * self.aging;
        let since = latest.as_nanos().min(MAX_NOW) + handicap;
        let entry = Entry { since, order: self.pushed, item };
        self.heap.push(entry).map_err(|Full(entry)| Full(entry.item))?;
        self.latest = latest;
        self.pushed += 1;
        let last = self.heap.len() - 1;
        heap::sift_up(&mut self.heap, last, &mut BySince);
        Ok(())
    }

    /// Takes the item that goes first.
    pub fn pop(&mut self) -> Option<T> {
        let first = self.heap.swap_remove(0)?;
        heap::sift_down(&mut self.heap, 0, &mut BySince);
        Some(first.item)
    }

    /// The item that goes first.
    #[must_use]
    pub fn peek(&self) -> Option<&T> {
        self.heap.first().map(|entry| &entry.item)
    }

    /// The moment that orders this queue's first item among those of other queues with the same aging: the smaller
    /// goes first.
    ///
    /// It is when the item was pushed, later by one aging for each level below 255.
    #[must_use]
    pub fn first_since(&self) -> Option<Instant> {
        self.heap.first().map(|entry| Instant::from_nanos(entry.since))
    }

    /// How many items wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Whether the next push would be refused.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.heap.len() == self.heap.capacity()
    }

    /// How many items fit.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.heap.capacity()
    }

    /// The waiting items in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.heap.iter().map(|entry| &entry.item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    const AGING: Duration = Duration::from_nanos(10);

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    #[test]
    fn higher_levels_first_and_equals_in_order() {
        let mut queue = PriorityQueue::<_, Inline<4>>::new(AGING);
        for (priority, item) in [(1, 'a'), (3, 'b'), (1, 'c'), (3, 'd')] {
            queue.push(at(0), priority, item).unwrap();
        }
        assert!(queue.is_full());
        let order: Vec<_> = core::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, ['b', 'd', 'a', 'c']);
    }

    #[test]
    fn without_aging_first_in_is_first_out() {
        let mut queue = PriorityQueue::<_, Inline<2>>::new(Duration::ZERO);
        queue.push(at(1), 0, 'a').unwrap();
        queue.push(at(2), 255, 'b').unwrap();
        assert_eq!(queue.pop(), Some('a'));
    }

    #[test]
    fn the_longest_aging_and_the_latest_clock_keep_the_levels() {
        let mut queue = PriorityQueue::<_, Inline<2>>::new(Duration::MAX);
        queue.push(at(0), 0, 'a').unwrap();
        queue.push(Instant::MAX, 255, 'b').unwrap();
        assert_eq!(queue.pop(), Some('a'), "584 years are more than 255 levels of 208 days");
        queue.push(Instant::MAX, 1, 'c').unwrap();
        assert_eq!(queue.pop(), Some('b'), "and at one moment the level decides");
    }

    #[test]
    fn a_refused_push_changes_nothing() {
        let mut queue = PriorityQueue::<_, Inline<1>>::new(AGING);
        queue.push(at(5), 0, 'a').unwrap();
        assert_eq!(queue.push(at(9), 9, 'b'), Err(Full('b')));
        assert_eq!((queue.pop(), queue.pop()), (Some('a'), None));
        queue.push(at(6), 0, 'c').unwrap();
        assert_eq!(queue.first_since(), Some(at(6 + 255 * 10)));
    }

    proptest! {
        /// Against a list searched for the largest aged priority. Ages are compared as exact fractions of `aging`.
        #[test]
        fn pops_in_the_order_of_aged_priorities(
            steps in prop::collection::vec((0u64..40, prop::option::of(0u8..5)), 1..200),
        ) {
            let mut queue = PriorityQueue::<usize, Inline<16>>::new(AGING);
            let mut model: Vec<(i128, usize)> = Vec::new();
            let mut now = 0;
            for (i, (pass, push)) in steps.into_iter().enumerate() {
                now += pass;
                match push {
                    Some(priority) => {
                        let fits = model.len() < 16;
                        prop_assert_eq!(queue.push(at(now), priority, i), if fits { Ok(()) } else { Err(Full(i)) });
                        if fits {
                            model.push((i128::from(priority) * 10 - i128::from(now), i));
                        }
                    }
                    None => {
                        let first = (0..model.len()).max_by_key(|k| (model[*k].0, core::cmp::Reverse(model[*k].1)));
                        prop_assert_eq!(queue.peek().copied(), first.map(|k| model[k].1));
                        prop_assert_eq!(queue.pop(), first.map(|k| model.remove(k).1));
                    }
                }
                prop_assert_eq!(queue.len(), model.len());
            }
        }

        #[test]
        fn nothing_overtakes_past_the_stated_bound(
            level in 0u8..4,
            arrivals in prop::collection::vec((0u64..100, 0u8..4), 0..60),
        ) {
            let mut queue = PriorityQueue::<Option<(u64, u8)>, Inline<64>>::new(AGING);
            queue.push(at(0), level, None).unwrap();
            let mut arrivals = arrivals;
            arrivals.sort_unstable();
            for (time, priority) in &arrivals {
                queue.push(at(*time), *priority, Some((*time, *priority))).unwrap();
            }
            while let Some(Some((time, priority))) = queue.pop() {
                let bound = 10 * u64::from(priority.saturating_sub(level));
                prop_assert!(priority > level && time < bound, "level {priority} at {time} overtook {level}");
            }
        }
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn a_heap_queue_holds_what_was_asked_for() {
        let mut queue = PriorityQueue::<_, crate::storage::Heap>::with_capacity(AGING, 1);
        assert_eq!((queue.push(at(0), 0, 1), queue.push(at(0), 0, 2)), (Ok(()), Err(Full(2))));
    }
}

//! Several items at once: one compare-and-swap for all of them.

use core::fmt;
use core::iter::FusedIterator;

use super::{Cell, FILLED, Mpmc, SKIPPED};
use crate::storage::Storage;
use crate::sync::{Backoff, Ordering};

impl<T, S: Storage> Mpmc<T, S> {
    /// Appends as many of `items` as there is room for now, one behind the other, and answers how many those were. The
    /// others stay in `items`.
    ///
    /// `items.next()` is called while the places are claimed: consumers cannot go beyond them until it returns. If it
    /// panics or ends before its `len`, the places that are left are passed over; nothing is lost.
    ///
    /// Room is found up to the first place that is still being emptied, as by [`push`](Self::push).
    pub fn push_batch(&self, items: &mut impl ExactSizeIterator<Item = T>) -> usize {
        let Some((position, count)) = self.claim(&self.tail, items.len(), 0) else { return 0 };
        let mut filling = Filling { queue: self, position, count, left: count };
        for (cells, lap) in self.segments(position, count) {
            for cell in cells {
                let Some(item) = items.next() else { return (count - filling.left) as usize };
                // SAFETY: the position is ours alone, and no consumer comes before the stamp says FILLED.
                cell.item.with_mut(|slot| unsafe { (*slot).write(item) });
                // Ordering: Release publishes the item to the Acquire of the `pop` that takes it.
                cell.stamp.store(lap | FILLED, Ordering::Release);
                filling.left -= 1;
            }
        }
        count as usize
    }

    /// Takes up to `most` of the oldest items at once: an iterator over them. They are this caller's from now on; what it
    /// does not take out of the iterator is dropped with it. Their places are free for producers as they are taken out.
    ///
    /// The items are those up to the first that is still being put in, as with [`pop`](Self::pop).
    pub fn pop_batch(&self, most: usize) -> Drain<'_, T, S> {
        let (position, left) = loop {
            if let Some(claim) = self.claim(&self.head, most, FILLED) {
                break claim;
            }
            // Ordering: Relaxed and Acquire as in `pop`.
            let head = self.head.load(Ordering::Relaxed);
            let (cell, lap) = self.cell(head);
            if most > 0 && cell.stamp.load(Ordering::Acquire) == lap | SKIPPED {
                self.pass_over(head);
            } else {
                break (head, 0);
            }
        };
        Drain { queue: self, position, left }
    }

    /// Claims up to `most` positions from `end` on, as many as have their lap and `flags` as their stamp: the first of them,
    /// and how many. `None` if there is none.
    fn claim(&self, end: &crate::sync::AtomicU32, most: usize, flags: u32) -> Option<(u32, u32)> {
        let most = most.min(self.capacity());
        // Ordering: Relaxed, a position carries no data; the stamps do.
        let mut from = end.load(Ordering::Relaxed);
        let mut backoff = Backoff::new();
        loop {
            let (index, lap) = self.split(from);
            let ready = |cells: &[Cell<T>], lap: u32| {
                // Ordering: Acquire pairs with the Release of whoever emptied or filled the cell.
                cells.iter().take_while(|cell| cell.stamp.load(Ordering::Acquire) == lap | flags).count()
            };
            let upto = self.cells.len().min(index + most);
            let mut count = ready(&self.cells[index..upto], lap);
            if count == self.cells.len() - index {
                // Around the end.
                count += ready(&self.cells[..most - count], lap.wrapping_add(self.one_lap()));
            }
            if count == 0 {
                // Ordering: Relaxed, as above.
                let now = end.load(Ordering::Relaxed);
                if now == from {
                    return None;
                }
                from = now;
                continue;
            }
            // Ordering: Relaxed, as above. That the stamps are still as they were follows from the position: each of them
            // changes only after someone claimed its position, which is at or behind this one.
            let claimed = end.compare_exchange_weak(
                from,
                self.after_many(from, count as u32),
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match claimed {
                Ok(_) => return Some((from, count as u32)),
                Err(_) => {
                    backoff.lost();
                    // Ordering: Relaxed, as above.
                    from = end.load(Ordering::Relaxed);
                }
            }
        }
    }

    /// The cells of `count` positions from `position` on: those up to the end, and those around it, each with their lap.
    fn segments(&self, position: u32, count: u32) -> [(&[Cell<T>], u32); 2] {
        let (index, lap) = self.split(position);
        let upto = self.cells.len().min(index + count as usize);
        let rest = count as usize - (upto - index);
        [(&self.cells[index..upto], lap), (&self.cells[..rest], lap.wrapping_add(self.one_lap()))]
    }

    /// The index and the lap of a position.
    fn split(&self, position: u32) -> (usize, u32) {
        let mask = self.one_lap() - 1;
        ((position & mask) as usize, position & !mask)
    }

    /// The position `count` further on, which is at most once around.
    fn after_many(&self, position: u32, count: u32) -> u32 {
        let (index, lap) = self.split(position);
        let (index, len) = (index as u32 + count, self.cells.len() as u32);
        if index < len { lap | index } else { lap.wrapping_add(self.one_lap()) | (index - len) }
    }
}

/// Places that a producer claimed, of which the last `left` are not filled yet.
struct Filling<'a, T, S: Storage> {
    queue: &'a Mpmc<T, S>,
    position: u32,
    count: u32,
    left: u32,
}

impl<T, S: Storage> Drop for Filling<'_, T, S> {
    fn drop(&mut self) {
        if self.left > 0 {
            let from = self.queue.after_many(self.position, self.count - self.left);
            for (cells, lap) in self.queue.segments(from, self.left) {
                // Ordering: Release as for an item, though there is none.
                cells.iter().for_each(|cell| cell.stamp.store(lap | SKIPPED, Ordering::Release));
            }
        }
    }
}

/// Items that were taken out of a [`Mpmc`] at once, the oldest first: see [`Mpmc::pop_batch`].
///
/// Dropping it drops the items that are left in it. Forgetting it (`mem::forget`) leaks them, and their places are never
/// free again.
#[must_use = "the items are taken: what is left in it is dropped"]
pub struct Drain<'a, T, S: Storage> {
    queue: &'a Mpmc<T, S>,
    position: u32,
    left: u32,
}

impl<T, S: Storage> Iterator for Drain<'_, T, S> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.left == 0 {
            return None;
        }
        let (cell, lap) = self.queue.cell(self.position);
        // SAFETY: the position was claimed when its stamp said that an item was written, and no producer comes before the
        // stamp says so.
        let item = cell.item.with(|slot| unsafe { (*slot).assume_init_read() });
        // Ordering: Release hands the emptied cell to the Acquire of the `push` of the next lap.
        cell.stamp.store(lap.wrapping_add(self.queue.one_lap()), Ordering::Release);
        self.position = self.queue.after(self.position);
        self.left -= 1;
        Some(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }

    fn fold<B, F: FnMut(B, T) -> B>(mut self, init: B, mut f: F) -> B {
        let (queue, mut folded) = (self.queue, init);
        for (cells, lap) in queue.segments(self.position, self.left) {
            let free = lap.wrapping_add(queue.one_lap());
            for cell in cells {
                // SAFETY: as in `next`.
                let item = cell.item.with(|slot| unsafe { (*slot).assume_init_read() });
                // Ordering: Release as in `next`.
                cell.stamp.store(free, Ordering::Release);
                // Before `f`, which may panic: the rest is dropped with `self`.
                self.position = queue.after(self.position);
                self.left -= 1;
                folded = f(folded, item);
            }
        }
        folded
    }
}

impl<T, S: Storage> ExactSizeIterator for Drain<'_, T, S> {}
impl<T, S: Storage> FusedIterator for Drain<'_, T, S> {}

impl<T, S: Storage> Drop for Drain<'_, T, S> {
    fn drop(&mut self) {
        while self.next().is_some() {}
    }
}

impl<T, S: Storage> fmt::Debug for Drain<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain").field("left", &self.left).finish_non_exhaustive()
    }
}

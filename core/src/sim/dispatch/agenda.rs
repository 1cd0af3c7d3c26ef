//! What is due when, in a heap that never grows.

use crate::Instant;
use crate::heap::{Order, sift_down, sift_up};
use crate::storage::{Full, List, Storage};

/// An item that is due at a time.
#[derive(Clone, Copy, Debug)]
struct Due<T> {
    at: Instant,
    /// What was noted first comes first among those of one time.
    turn: u64,
    item: T,
}

#[derive(Debug)]
struct Earliest;

impl<T> Order<Due<T>> for Earliest {
    fn before(&self, a: &Due<T>, b: &Due<T>) -> bool {
        (a.at, a.turn) < (b.at, b.turn)
    }
}

/// Items by the time when they are due, then by the order in which they were noted.
pub(super) struct Agenda<T: Copy, S: Storage> {
    due: S::List<Due<T>>,
    turns: u64,
}

impl<T: Copy, const N: usize> Agenda<T, crate::storage::Inline<N>> {
    pub(super) const fn new() -> Self {
        Self { due: heapless::Vec::new(), turns: 0 }
    }
}

#[cfg(feature = "alloc")]
impl<T: Copy> Agenda<T, crate::storage::Heap> {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { due: crate::storage::HeapList::with_capacity(capacity), turns: 0 }
    }
}

impl<T: Copy, S: Storage> Agenda<T, S> {
    pub(super) fn insert(&mut self, at: Instant, item: T) -> Result<(), Full<T>> {
        self.due.push(Due { at, turn: self.turns, item }).map_err(|Full(due)| Full(due.item))?;
        self.turns += 1;
        let last = self.due.len() - 1;
        sift_up(&mut self.due, last, &mut Earliest);
        Ok(())
    }

    /// How many more items fit.
    pub(super) fn room(&self) -> usize {
        self.due.capacity() - self.due.len()
    }

    /// When the first item is due.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.due.first().map(|due| due.at)
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        let due = self.due.swap_remove(0)?;
        sift_down(&mut self.due, 0, &mut Earliest);
        Some(due.item)
    }

    /// Makes every item for which `wanted` holds due at `at`, in the order that it was noted. *O*(items).
    pub(super) fn reschedule(&mut self, at: Instant, mut wanted: impl FnMut(&T) -> bool) {
        for due in self.due.iter_mut().filter(|due| wanted(&due.item)) {
            due.at = at;
        }
        for parent in (0..self.due.len() / 2).rev() {
            sift_down(&mut self.due, parent, &mut Earliest);
        }
    }
}

/// First in, first out.
pub(super) struct Fifo<T: Copy, S: Storage> {
    /// A ring once it is as long as its capacity.
    items: S::List<T>,
    first: u32,
    len: u32,
}

impl<T: Copy, const N: usize> Fifo<T, crate::storage::Inline<N>> {
    pub(super) const fn new() -> Self {
        Self { items: heapless::Vec::new(), first: 0, len: 0 }
    }
}

#[cfg(feature = "alloc")]
impl<T: Copy> Fifo<T, crate::storage::Heap> {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { items: crate::storage::HeapList::with_capacity(capacity), first: 0, len: 0 }
    }
}

impl<T: Copy, S: Storage> Fifo<T, S> {
    pub(super) fn push(&mut self, item: T) -> Result<(), Full<T>> {
        let capacity = self.items.capacity();
        if self.len as usize == capacity {
            return Err(Full(item));
        }
        // Places are taken in order, so that the list has all of them by the time the ring closes.
        let at = (self.first as usize + self.len as usize) % capacity;
        match self.items.get_mut(at) {
            Some(place) => *place = item,
            None => self.items.push(item)?,
        }
        self.len += 1;
        Ok(())
    }

    pub(super) fn first(&self) -> Option<&T> {
        if self.len == 0 { None } else { self.items.get(self.first as usize) }
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        let item = *self.first()?;
        self.first = ((self.first as usize + 1) % self.items.capacity()) as u32;
        self.len -= 1;
        Some(item)
    }
}

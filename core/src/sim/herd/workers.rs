//! The workers, in the order in which something happens to them.

use crate::Instant;
use crate::heap::{Order, sift_down, sift_up};
use crate::storage::{List, Storage};

/// What a worker does.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum State {
    /// It sleeps.
    Asleep,
    /// It was woken and is not yet awake.
    Waking,
    /// It waits for its turn to look at the queue.
    Looking {
        /// Whether it slept before, rather than finished a task.
        woken: bool,
    },
    /// It works on a task.
    Working,
}

#[derive(Clone, Copy, Debug)]
struct Worker {
    due: Instant,
    state: State,
    at: u32,
}

pub(super) struct Workers<W: Storage> {
    workers: W::List<Worker>,
    heap: W::List<u32>,
    awake: u32,
}

impl<const N: usize> Workers<crate::storage::Inline<N>> {
    pub(super) const fn new() -> Self {
        Self { workers: heapless::Vec::new(), heap: heapless::Vec::new(), awake: 0 }
    }
}

#[cfg(feature = "alloc")]
impl Workers<crate::storage::Heap> {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        use crate::storage::HeapList;
        Self { workers: HeapList::with_capacity(capacity), heap: HeapList::with_capacity(capacity), awake: 0 }
    }
}

impl<W: Storage> Workers<W> {
    /// Another worker, which sleeps until `due`; not beyond the capacity.
    pub(super) fn push(&mut self, due: Instant) {
        let index = self.workers.len() as u32;
        if self.workers.push(Worker { due, state: State::Asleep, at: 0 }).is_ok() {
            let _ = self.heap.push(index);
            self.sift(index as usize);
        }
    }

    pub(super) fn len(&self) -> u32 {
        self.workers.len() as u32
    }

    pub(super) const fn awake(&self) -> u32 {
        self.awake
    }

    pub(super) fn state(&self, worker: u32) -> State {
        self.workers[worker as usize].state
    }

    pub(super) fn set(&mut self, worker: u32, state: State, due: Instant) {
        let entry = &mut self.workers[worker as usize];
        self.awake += u32::from(entry.state == State::Asleep);
        self.awake -= u32::from(state == State::Asleep);
        (entry.state, entry.due) = (state, due);
        let at = entry.at as usize;
        self.sift(at);
    }

    /// To whom something happens next.
    pub(super) fn first(&self) -> Option<(Instant, u32)> {
        let worker = *self.heap.first()?;
        let due = self.workers[worker as usize].due;
        (due < Instant::MAX).then_some((due, worker))
    }

    fn sift(&mut self, at: usize) {
        let worker = self.heap[at] as usize;
        let mut order = ByDue(&mut self.workers);
        sift_up(&mut self.heap, at, &mut order);
        let at = order.0[worker].at as usize;
        sift_down(&mut self.heap, at, &mut order);
    }
}

/// What is due first, then the lower number; each worker knows where it stands.
struct ByDue<'a>(&'a mut [Worker]);

impl Order<u32> for ByDue<'_> {
    fn before(&self, a: &u32, b: &u32) -> bool {
        (self.0[*a as usize].due, a) < (self.0[*b as usize].due, b)
    }

    fn placed(&mut self, worker: &u32, at: usize) {
        self.0[*worker as usize].at = at as u32;
    }
}

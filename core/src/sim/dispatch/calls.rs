//! The requests that are in the simulation.

use super::event::End;
use super::line::{Line, NONE};
use crate::Instant;
use crate::lease::Lease;
use crate::storage::{List, Storage};

/// Where a request is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stage {
    /// Nowhere: nobody has this place.
    Free,
    /// It was pushed, and comes later.
    Due,
    /// On the way to its server.
    Out,
    /// In its server's queue.
    Waiting,
    /// Being served.
    Serving,
    /// On the way back.
    Back(End),
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) number: u64,
    pub(super) arrived: Instant,
    /// The hash of its key, if `keyed`.
    key: u64,
    /// Nanoseconds at speed 1 if `given`, otherwise the draw from a service-time distribution.
    pub(super) work: u64,
    /// Nanoseconds that its service takes, then what its server says with the answer: the latency that it expects.
    pub(super) nanos: u64,
    /// With the answer: the requests that its server has.
    pub(super) told: u32,
    pub(super) lease: Lease,
    pub(super) server: u32,
    pub(super) dispatcher: u32,
    pub(super) stage: Stage,
    keyed: bool,
    pub(super) given: bool,
    /// Its server fails it in the end.
    pub(super) fails: bool,
    /// Its caller gave up.
    pub(super) abandoned: bool,
    /// The next one in its server's queue, among the pushed ones, or among the free places.
    next: u32,
    /// Towards the call that times out before it, and after it.
    older: u32,
    newer: u32,
}

impl Call {
    /// A request with the hash of its key, if it has one, and its work, if that is known.
    pub(super) fn new(number: u64, arrived: Instant, key: Option<u64>, work: Option<u64>) -> Self {
        Self {
            number,
            arrived,
            key: key.unwrap_or(0),
            keyed: key.is_some(),
            work: work.unwrap_or(0),
            given: work.is_some(),
            nanos: 0,
            told: 0,
            lease: Lease::new(NONE, 0, Instant::ZERO),
            server: NONE,
            dispatcher: NONE,
            stage: Stage::Due,
            fails: false,
            abandoned: false,
            next: NONE,
            older: NONE,
            newer: NONE,
        }
    }

    pub(super) fn key(&self) -> Option<u64> {
        self.keyed.then_some(self.key)
    }
}

/// All calls: a fixed number of places, and those whose callers wait, the longest first.
pub(super) struct Calls<R: Storage> {
    places: R::List<Call>,
    free: u32,
    oldest: u32,
    newest: u32,
    len: u32,
}

impl<const N: usize> Calls<crate::storage::Inline<N>> {
    pub(super) const fn new() -> Self {
        const { assert!(N < NONE as usize, "requests are numbered in 32 bits") };
        Self { places: heapless::Vec::new(), free: NONE, oldest: NONE, newest: NONE, len: 0 }
    }
}

#[cfg(feature = "alloc")]
impl Calls<crate::storage::Heap> {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        let places = crate::storage::HeapList::with_capacity(capacity);
        Self { places, free: NONE, oldest: NONE, newest: NONE, len: 0 }
    }
}

impl<R: Storage> Calls<R> {
    /// Calls that have a place.
    pub(super) const fn len(&self) -> u32 {
        self.len
    }

    #[cfg(test)]
    pub(super) fn places(&self) -> &[Call] {
        &self.places
    }

    pub(super) fn get(&self, at: u32) -> &Call {
        &self.places[at as usize]
    }

    pub(super) fn get_mut(&mut self, at: u32) -> &mut Call {
        &mut self.places[at as usize]
    }

    /// Gives `call` a place; `None` if there is none.
    pub(super) fn insert(&mut self, call: Call) -> Option<u32> {
        let at = if self.free == NONE {
            self.places.push(call).ok()?;
            self.places.len() as u32 - 1
        } else {
            let at = self.free;
            self.free = self.places[at as usize].next;
            self.places[at as usize] = call;
            at
        };
        self.len += 1;
        Some(at)
    }

    pub(super) fn remove(&mut self, at: u32) {
        let free = self.free;
        let call = self.get_mut(at);
        call.stage = Stage::Free;
        call.next = free;
        self.free = at;
        self.len -= 1;
    }

    pub(super) fn enqueue(&mut self, line: &mut Line, at: u32) {
        self.get_mut(at).next = NONE;
        match line.tail {
            NONE => line.head = at,
            tail => self.get_mut(tail).next = at,
        }
        line.tail = at;
    }

    pub(super) fn dequeue(&mut self, line: &mut Line) -> Option<u32> {
        let at = line.first()?;
        line.head = self.get(at).next;
        if line.head == NONE {
            line.tail = NONE;
        }
        Some(at)
    }

    /// The caller of this one waits, and every other one has waited longer.
    pub(super) fn wait(&mut self, at: u32) {
        let newest = self.newest;
        (self.get_mut(at).older, self.get_mut(at).newer) = (newest, NONE);
        match newest {
            NONE => self.oldest = at,
            newest => self.get_mut(newest).newer = at,
        }
        self.newest = at;
    }

    /// The caller waits no longer.
    pub(super) fn stop_waiting(&mut self, at: u32) {
        let Call { older, newer, .. } = *self.get(at);
        match older {
            NONE => self.oldest = newer,
            older => self.get_mut(older).newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            newer => self.get_mut(newer).older = older,
        }
    }

    /// The call whose caller has waited longest.
    pub(super) fn longest_waiting(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }
}

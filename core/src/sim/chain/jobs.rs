//! What is in the chain: a user's request, and for each call along the chain a job.

use super::event::End;
use crate::Instant;
use crate::heap::{Order, sift_down, sift_up};
use crate::lease::Lease;
use crate::storage::{List, Storage};

/// No place, no caller, nobody.
pub(super) const NONE: u32 = u32::MAX;

/// What a job does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stage {
    /// Nobody has this place.
    Free,
    /// It waits for a worker.
    Queued,
    /// A worker does the service's own work for it.
    Working,
    /// It calls the next service at `next_at`.
    Calling,
    /// It waits for the next service's answer. At `next_at` it sends a second request beside the first.
    Waiting,
    /// It gives this answer.
    Answering(End),
}

/// A user's request (level 0), or its stay at a service (level 1 and up): the answer to an attempt of the level above, and
/// the caller of the level below.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    pub(super) number: u64,
    /// What its draws follow from.
    pub(super) path: u64,
    /// Whose attempt this is; nobody's once the caller gave up.
    pub(super) caller: u32,
    pub(super) level: u32,
    pub(super) stage: Stage,
    /// When it was sent to this service.
    pub(super) since: Instant,
    /// When its caller gives up.
    pub(super) deadline: Instant,
    /// When its worker began.
    pub(super) started: Instant,
    /// When its stage is over.
    pub(super) work_at: Instant,
    /// When it calls, again or a second time.
    pub(super) next_at: Instant,
    /// When the call to the next service began.
    pub(super) called: Instant,
    /// Attempts of that call so far, and which of them are on their way.
    pub(super) attempts: u32,
    pub(super) sent: [u32; 2],
    /// Its caller's protections wait for the outcome.
    pub(super) pass: Option<super::edge::Pass>,
    pub(super) place: Option<Lease>,
    /// It has low priority.
    pub(super) low: bool,
    /// It counts in the figures.
    pub(super) counted: bool,
    /// It holds a worker.
    pub(super) holds: bool,
    /// Its call has a second attempt beside the first.
    pub(super) hedged: bool,
    /// Towards the front and the back of its service's queue; `next` links free places, too.
    previous: u32,
    next: u32,
    heap_at: u32,
}

impl Job {
    pub(super) const fn new(number: u64, path: u64, level: u32, now: Instant) -> Self {
        Self {
            number,
            path,
            caller: NONE,
            level,
            stage: Stage::Calling,
            since: now,
            deadline: Instant::MAX,
            started: now,
            work_at: Instant::MAX,
            next_at: Instant::MAX,
            called: now,
            attempts: 0,
            sent: [NONE; 2],
            pass: None,
            place: None,
            low: false,
            counted: true,
            holds: false,
            hedged: false,
            previous: NONE,
            next: NONE,
            heap_at: 0,
        }
    }

    /// Attempts that are on their way.
    pub(super) fn outstanding(&self) -> usize {
        self.sent.iter().filter(|place| **place != NONE).count()
    }

    /// When something happens to it, and what. An answer comes before what is due at the same time.
    pub(super) fn due(&self) -> (Instant, Timer) {
        let deadline = if self.caller == NONE { Instant::MAX } else { self.deadline };
        let [work, next, deadline] =
            [(self.work_at, Timer::Work), (self.next_at, Timer::Next), (deadline, Timer::Deadline)];
        work.min(next).min(deadline)
    }
}

/// What is due.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Timer {
    /// The end of its stage.
    Work,
    /// An attempt.
    Next,
    /// Its caller gives up.
    Deadline,
}

/// A queue of jobs, linked through them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    head: u32,
    tail: u32,
    len: u32,
}

impl Line {
    pub(super) const fn new() -> Self {
        Self { head: NONE, tail: NONE, len: 0 }
    }

    pub(super) const fn len(&self) -> u32 {
        self.len
    }
}

/// A fixed number of places for jobs, and the order in which something happens to them.
pub(super) struct Jobs<R: Storage> {
    places: R::List<Job>,
    heap: R::List<u32>,
    free: u32,
}

impl<const N: usize> Jobs<crate::storage::Inline<N>> {
    pub(super) const fn new() -> Self {
        const { assert!(N < NONE as usize, "jobs are numbered in 32 bits") };
        Self { places: heapless::Vec::new(), heap: heapless::Vec::new(), free: NONE }
    }
}

#[cfg(feature = "alloc")]
impl Jobs<crate::storage::Heap> {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        use crate::storage::HeapList;
        Self {
            places: HeapList::with_capacity(capacity),
            heap: HeapList::with_capacity(capacity),
            free: NONE,
        }
    }
}

impl<R: Storage> Jobs<R> {
    pub(super) fn len(&self) -> u32 {
        self.heap.len() as u32
    }

    pub(super) fn get(&self, place: u32) -> &Job {
        &self.places[place as usize]
    }

    /// To change anything but what is due.
    pub(super) fn get_mut(&mut self, place: u32) -> &mut Job {
        &mut self.places[place as usize]
    }

    /// Changes a job and what is due for it.
    pub(super) fn set(&mut self, place: u32, change: impl FnOnce(&mut Job)) {
        let job = &mut self.places[place as usize];
        change(job);
        let at = job.heap_at as usize;
        self.sift(at);
    }

    /// The job to which something happens next.
    pub(super) fn first(&self) -> Option<(Instant, Timer, u32)> {
        let place = *self.heap.first()?;
        let (at, timer) = self.places[place as usize].due();
        (at < Instant::MAX).then_some((at, timer, place))
    }

    /// `None` if every place is taken.
    pub(super) fn insert(&mut self, job: Job) -> Option<u32> {
        let place = if self.free == NONE {
            let place = self.places.len() as u32;
            self.places.push(job).ok()?;
            place
        } else {
            let place = self.free;
            self.free = self.places[place as usize].next;
            self.places[place as usize] = job;
            place
        };
        // As many heap places as jobs: this cannot be refused.
        let _ = self.heap.push(place);
        self.sift(self.heap.len() - 1);
        Some(place)
    }

    pub(super) fn remove(&mut self, place: u32) {
        let at = self.places[place as usize].heap_at as usize;
        let _ = self.heap.swap_remove(at);
        if at < self.heap.len() {
            self.sift(at);
        }
        let job = &mut self.places[place as usize];
        job.stage = Stage::Free;
        job.next = self.free;
        self.free = place;
    }

    pub(super) fn enqueue(&mut self, line: &mut Line, place: u32) {
        let job = &mut self.places[place as usize];
        (job.previous, job.next) = (line.tail, NONE);
        match self.places.get_mut(line.tail as usize) {
            Some(last) => last.next = place,
            None => line.head = place,
        }
        line.tail = place;
        line.len += 1;
    }

    pub(super) fn take_first(&mut self, line: &mut Line) -> Option<u32> {
        let place = line.head;
        let next = self.places.get(place as usize)?.next;
        line.head = next;
        match self.places.get_mut(next as usize) {
            Some(first) => first.previous = NONE,
            None => line.tail = NONE,
        }
        line.len -= 1;
        Some(place)
    }

    pub(super) fn take_last(&mut self, line: &mut Line) -> Option<u32> {
        let place = line.tail;
        let previous = self.places.get(place as usize)?.previous;
        line.tail = previous;
        match self.places.get_mut(previous as usize) {
            Some(last) => last.next = NONE,
            None => line.head = NONE,
        }
        line.len -= 1;
        Some(place)
    }

    /// Who came first of those in a line.
    pub(super) fn first_of(&self, line: &Line) -> Option<&Job> {
        self.places.get(line.head as usize)
    }

    #[cfg(feature = "alloc")]
    pub(super) fn capacity(&self) -> u32 {
        self.places.capacity() as u32
    }

    fn sift(&mut self, at: usize) {
        let place = self.heap[at] as usize;
        let mut order = ByDue(&mut self.places);
        sift_up(&mut self.heap, at, &mut order);
        let at = order.0[place].heap_at as usize;
        sift_down(&mut self.heap, at, &mut order);
    }
}

/// What is due first, then the lower place; each job knows where it stands.
struct ByDue<'a>(&'a mut [Job]);

impl Order<u32> for ByDue<'_> {
    fn before(&self, a: &u32, b: &u32) -> bool {
        (self.0[*a as usize].due(), a) < (self.0[*b as usize].due(), b)
    }

    fn placed(&mut self, place: &u32, at: usize) {
        self.0[*place as usize].heap_at = at as u32;
    }
}

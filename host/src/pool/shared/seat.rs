//! What a worker owns: its deque, the forks that nobody else knows of yet, and how to wake it.
#![allow(
    unsafe_code,
    reason = "one thread at a time occupies a seat, and only that one touches what is in cells"
)]

use crate::pool::job::JobRef;
use crate::pool::job::blocks::{Blocks, Depot};
use crate::pool::job::forks::Forks;
use crate::pool::shared::open::Finished;
use crate::pool::shared::stats::Counts;
use crate::pool::shared::thefts::Thefts;
use crate::pool::sync::{self, Apart, AtomicBool, AtomicU32, Cell, Mutex, Ordering, Thread, UnsafeCell};
use divvy::queue::{Deque, Stealer, Worker};
use divvy::storage::{Full, Heap};
use std::mem::ManuallyDrop;
use std::sync::{Arc, OnceLock, PoisonError};

/// The seat's own thread is awake and occupies it.
const HOME: u32 = 0;
/// Its thread sleeps, and a guest may take the seat.
const FREE: u32 = 1;
/// A guest occupies it, and its thread sleeps on.
const LENT: u32 = 2;

/// One worker's place. What thieves look at comes first, apart from what the occupant writes all the time.
#[repr(C, align(128))]
pub(in crate::pool) struct Seat {
    deque: Box<Deque<JobRef, Heap>>,
    /// The occupant spawns tasks in numbers: thieves take half of what is there.
    pub(in crate::pool) bulk: AtomicBool,
    /// Who occupies the seat.
    state: AtomicU32,
    pub(in crate::pool) index: u32,
    thread: OnceLock<Thread>,
    /// The guest's thread, once it wanted to sleep.
    guest: Mutex<Option<Thread>>,
    _apart: Apart,
    /// The occupant's end of `deque`.
    worker: UnsafeCell<ManuallyDrop<Worker<'static, JobRef, Heap>>>,
    /// The forks that the occupant has open.
    pub(in crate::pool) forks: Forks,
    /// Tasks of scopes that the occupant finished.
    pub(in crate::pool) finished: Finished,
    /// Free blocks for tasks, for the occupant.
    pub(in crate::pool) blocks: Blocks,
    pub(in crate::pool) thefts: Thefts,
    pub(in crate::pool) counts: Counts,
    pub(in crate::pool) tick: Cell<u32>,
    pub(in crate::pool) random: Cell<u64>,
    /// When the occupant last woke somebody because of a fork, in nanoseconds since the pool began.
    pub(in crate::pool) woke_at: Cell<u64>,
    introduced: Cell<bool>,
}

// SAFETY: what is the worker's in `forks`, `worker` and the other cells are touched by the occupant alone. The occupant changes
// where `state` changes, Release by who leaves and Acquire by who comes; at the start, where the thread is spawned.
unsafe impl Sync for Seat {}
// SAFETY: as above. `Worker` is tied to a thread only by being not `Sync`.
unsafe impl Send for Seat {}

impl Seat {
    pub(in crate::pool) fn new(index: u32, capacity: usize, depot: Arc<Depot>) -> Self {
        let deque = Box::new(Deque::with_capacity(capacity).expect("the builder validated the capacity"));
        let worker = deque.worker().expect("nobody else knows the deque");
        // SAFETY: the deque is boxed, so it stays where it is; `drop` ends the worker before the deque.
        let worker =
            unsafe { std::mem::transmute::<Worker<'_, JobRef, Heap>, Worker<'static, JobRef, Heap>>(worker) };
        Self {
            deque,
            bulk: AtomicBool::new(false),
            state: AtomicU32::new(HOME),
            index,
            thread: OnceLock::new(),
            guest: Mutex::new(None),
            _apart: Apart,
            worker: UnsafeCell::new(ManuallyDrop::new(worker)),
            forks: Forks::new(),
            finished: Finished::new(),
            blocks: Blocks::new(depot),
            thefts: Thefts::default(),
            counts: Counts::default(),
            tick: Cell::new(0),
            random: Cell::new(0x9E37_79B9_7F4A_7C15 ^ (u64::from(index) + 1) << 17),
            woke_at: Cell::new(0),
            introduced: Cell::new(false),
        }
    }

    /// The end of the deque that thieves use.
    pub(in crate::pool) fn stealer(&self) -> Stealer<'_, JobRef, Heap> {
        self.deque.stealer()
    }

    /// The occupant's end of the deque.
    pub(in crate::pool) fn worker(&self) -> &Worker<'static, JobRef, Heap> {
        // SAFETY: the occupant calls this, and it is one thread; the reference does not leave it.
        self.worker.with(|worker| unsafe { &**worker })
    }

    /// Pushes a task that was spawned: there may be many of them.
    #[inline]
    pub(in crate::pool) fn push_task(&self, task: JobRef) -> Result<(), Full<JobRef>> {
        if !self.bulk.load(Ordering::Relaxed) {
            self.bulk.store(true, Ordering::Relaxed);
        }
        self.worker().push(task)
    }

    /// Makes the oldest fork that nobody knows of public, or a few. `false` if there is none, or the deque is full.
    pub(in crate::pool) fn publish_oldest(&self) -> bool {
        self.forks.publish_oldest(|job| self.worker().push(job).is_ok())
    }

    /// Makes the newest fork public, where all others are. `false` if the deque is full.
    #[inline]
    pub(in crate::pool) fn publish_newest(&self) -> bool {
        self.forks.publish_newest(|job| self.worker().push(job).is_ok())
    }

    /// The seat's own thread introduces itself.
    pub(in crate::pool) fn sit_down(&self, thread: Thread) {
        let _ = self.thread.set(thread);
    }

    /// The seat's own thread lets a guest have it while it sleeps.
    pub(in crate::pool) fn offer(&self) {
        // Ordering: Release: what this occupant did is seen by the next.
        self.state.store(FREE, Ordering::Release);
    }

    /// The seat's own thread has it back, unless a guest has it.
    pub(in crate::pool) fn take_back(&self) -> bool {
        // Ordering: Acquire: what the occupant before did is seen.
        self.state.compare_exchange(FREE, HOME, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// A guest takes the seat, if it is free.
    pub(in crate::pool) fn borrow(&self) -> bool {
        // Ordering: Acquire, as in `take_back`.
        self.state.compare_exchange(FREE, LENT, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// The occupant is about to sleep: a guest says how to wake it.
    pub(in crate::pool) fn introduce_guest(&self) {
        if self.state.load(Ordering::Relaxed) == LENT && !self.introduced.replace(true) {
            *self.guest.lock().unwrap_or_else(PoisonError::into_inner) = Some(sync::current());
        }
    }

    /// The guest leaves.
    pub(in crate::pool) fn give_back(&self) {
        if self.introduced.take() {
            *self.guest.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        self.offer();
    }

    /// Unparks the occupant.
    pub(in crate::pool) fn unpark(&self) {
        // Ordering: Acquire: the guest that came is seen.
        if self.state.load(Ordering::Acquire) == LENT
            && let Some(guest) = &*self.guest.lock().unwrap_or_else(PoisonError::into_inner)
        {
            return guest.unpark();
        }
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // SAFETY: dropped once, here, and before the deque that it points into.
        self.worker.with_mut(|worker| unsafe { ManuallyDrop::drop(&mut *worker) });
    }
}

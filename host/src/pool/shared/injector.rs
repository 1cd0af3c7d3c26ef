//! What came from outside, in order of importance.

use crate::pool::error::PoolError;
use crate::pool::job::JobRef;
use crate::pool::sync::{AtomicU32, Mutex, Ordering, fence};
use divvy::queue::{Mpmc, Worker};
use divvy::storage::{Full, Heap};
use std::sync::PoisonError;
use std::task::Waker;

/// How soon a task from outside is taken up, compared with others.
///
/// A worker takes what is [`High`](Self::High) first, then what its own tasks spawned, then `Normal` before `Low`, then
/// what others have. So that nothing starves, each 61st time it looks for what is `Low` first.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Priority {
    /// When there is nothing else.
    Low,
    /// What [`Pool::spawn`](crate::pool::Pool::spawn) does.
    #[default]
    Normal,
    /// Before all that has not begun.
    High,
}

/// How many jobs a worker takes at once.
const FEW: usize = 16;

pub(in crate::pool) struct Injector {
    /// By priority.
    levels: [Mpmc<JobRef, Heap>; 3],
    /// How many wait for room.
    hopeful: AtomicU32,
    waiting: Mutex<Vec<Waker>>,
}

impl Injector {
    pub(in crate::pool) fn new(capacity: usize) -> Result<Self, PoolError> {
        let level = || Mpmc::with_capacity(capacity).map_err(|_| PoolError::QueueCapacity);
        Ok(Self {
            levels: [level()?, level()?, level()?],
            hopeful: AtomicU32::new(0),
            waiting: Mutex::new(Vec::new()),
        })
    }

    pub(in crate::pool) fn push(&self, priority: Priority, job: JobRef) -> Result<(), Full<JobRef>> {
        self.levels[priority as usize].push(job)
    }

    /// What must not wait for a worker's own tasks.
    pub(in crate::pool) fn pop_urgent(&self) -> Option<JobRef> {
        let level = &self.levels[Priority::High as usize];
        if level.is_empty() { None } else { self.take(level) }
    }

    /// The next job; `turn` 0 (modulo 3) looks for what is most important first, 1 and 2 for the rest.
    pub(in crate::pool) fn pop(&self, turn: u32) -> Option<JobRef> {
        let order: [usize; 3] = match turn % 3 {
            0 => [0, 1, 2],
            1 => [2, 1, 0],
            _ => [1, 0, 2],
        };
        order
            .into_iter()
            .map(|level| &self.levels[level])
            .filter(|level| !level.is_empty())
            .find_map(|level| self.take(level))
    }

    /// The next job as of `pop` with turn 1, and whether more of the same importance went to `worker`: at most a few,
    /// and no more than one of `sharers` should have. `worker` is empty, and pops them in their order.
    pub(in crate::pool) fn pop_some(
        &self,
        worker: &Worker<'_, JobRef, Heap>,
        sharers: usize,
    ) -> (Option<JobRef>, bool) {
        for level in [&self.levels[2], &self.levels[1], &self.levels[0]] {
            if level.is_empty() {
                continue;
            }
            let count = (level.len() / sharers).min(FEW).min(worker.spare_capacity());
            if count < 2 {
                match self.take(level) {
                    Some(job) => return (Some(job), false),
                    None => continue,
                }
            }
            let mut few = [None; FEW];
            let taken = level.pop_batch(count).zip(&mut few).map(|(job, place)| *place = Some(job)).count();
            if taken == 0 {
                continue;
            }
            self.left();
            let mut more = false;
            for job in few[1..taken].iter().rev().flatten() {
                worker.push(*job).expect("there is room");
                more = true;
            }
            return (few[0], more);
        }
        (None, false)
    }

    /// Something was taken out: who waits for room is told.
    fn left(&self) {
        // Ordering: SeqCst, with the fence in `wait_for_room`: who waits sees the room, or is seen here.
        fence(Ordering::SeqCst);
        if self.hopeful.load(Ordering::Relaxed) > 0 {
            self.announce_room();
        }
    }

    fn take(&self, level: &Mpmc<JobRef, Heap>) -> Option<JobRef> {
        let job = level.pop();
        if job.is_some() {
            self.left();
        }
        job
    }

    pub(in crate::pool) fn is_empty(&self) -> bool {
        self.levels.iter().all(Mpmc::is_empty)
    }

    /// `waker` is woken when there may be room. Try once more after this, and only then wait.
    pub(in crate::pool) fn wait_for_room(&self, waker: &Waker) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiting.iter().any(|other| other.will_wake(waker)) {
            waiting.push(waker.clone());
        }
        self.hopeful.store(waiting.len() as u32, Ordering::Relaxed);
        // Ordering: SeqCst, between this and the look for room that follows.
        fence(Ordering::SeqCst);
    }

    #[cold]
    fn announce_room(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let wakers = std::mem::take(&mut *waiting);
        self.hopeful.store(0, Ordering::Relaxed);
        drop(waiting);
        wakers.into_iter().for_each(Waker::wake);
    }
}

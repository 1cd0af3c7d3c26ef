//! The whole life of a worker: take, run, sleep, until the scheduler is closed and drained.

use super::{Next, Parking, Scheduler, Worker};
use crate::rng::Rng;
use crate::sched::{Park, Wake};
use crate::storage::Storage;
use crate::sync::{AtomicU32, Ordering, const_fn, fence};
use crate::time::Instant;

/// Bit of [`Life::state`]: nothing more is submitted.
const CLOSED: u32 = 1;
/// Bit of [`Life::state`]: and all is done.
const ENDED: u32 = 2;

/// How far the scheduler is.
pub(super) struct Life {
    /// [`CLOSED`], [`ENDED`]. Written by whoever closes, and by the worker that finds all done.
    state: AtomicU32,
    /// Workers inside [`Worker::run`] that do not sleep. Written by each of them.
    awake: AtomicU32,
}

impl Life {
    const_fn! {
        pub(super) const fn new() -> Self {
            Self { state: AtomicU32::new(0), awake: AtomicU32::new(0) }
        }
    }

    pub(super) fn close(&self) {
        // Ordering: Relaxed; the fence of the wake-up that follows orders it before the look for sleepers.
        self.state.fetch_or(CLOSED, Ordering::Relaxed);
    }

    pub(super) fn is_closed(&self) -> bool {
        // Ordering: Relaxed, it carries nothing.
        self.state.load(Ordering::Relaxed) & CLOSED != 0
    }

    pub(super) fn is_ended(&self) -> bool {
        // Ordering: Relaxed, the fences around it order it: see `Worker::rest` and `Scheduler::submit`.
        self.state.load(Ordering::Relaxed) & ENDED != 0
    }
}

/// One worker that does not sleep, for [`Life::awake`]. Counts itself out when it is dropped, also by a panic of a task.
struct Presence<'a>(&'a Life);

impl<'a> Presence<'a> {
    fn enter(life: &'a Life) -> Self {
        // Ordering: Relaxed; only the order of the additions themselves matters.
        life.awake.fetch_add(1, Ordering::Relaxed);
        Self(life)
    }

    /// Counts itself out; whether nobody is left.
    fn leave(self) -> bool {
        let life = self.0;
        core::mem::forget(self);
        // Ordering: AcqRel: the last one to leave sees what the others did before they left.
        life.awake.fetch_sub(1, Ordering::AcqRel) == 1
    }
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        // Ordering: Release as in `leave`.
        self.0.awake.fetch_sub(1, Ordering::Release);
    }
}

impl<T, W: Storage, D: Storage, I: Storage> Scheduler<T, W, D, I> {
    /// Whether a worker that announced its sleep may leave for good; `is_last` if all the others sleep as well.
    fn is_over(&self, is_last: bool) -> bool {
        // Ordering: the fence of `prepare_park` came before. So this sees `ENDED`, or whoever set it sees this worker
        // when it wakes all; and likewise `CLOSED`.
        if self.life.is_ended() {
            return true;
        }
        // Whoever put in what is seen here has chosen a sleeper for it, or is about to.
        // A task that is still being put in counts as well: its place is claimed.
        let is_drained = || !self.has_work() && self.injected() == 0;
        if !is_last || !self.life.is_closed() || !is_drained() {
            return false;
        }
        // Ordering: Relaxed, the fence orders it: a submit that comes in this moment sees it, or is seen.
        self.life.state.fetch_or(ENDED, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        is_drained()
    }
}

impl<T, W: Storage, D: Storage, I: Storage> Worker<'_, T, W, D, I> {
    /// Works until the scheduler is [closed](Scheduler::close) and nothing is left to do: takes tasks and gives them to
    /// `job`, sleeps by the means of `park` when there are none, and wakes others by it.
    ///
    /// `job` may push to the worker that it is given, and wakes whom that says: `worker.push(task)?.deliver(park)`. The
    /// end comes when the last worker that is awake finds nothing. Workers with a loop of their own are not counted
    /// among them, so let all of a scheduler's workers run, or none.
    ///
    /// A panic of `job` comes out of here. The tasks of this worker are left for the others to steal: follow with
    /// `scheduler.wake_one().deliver(park)`.
    pub fn run(&mut self, park: &impl Park, rng: &mut impl Rng, mut job: impl FnMut(&Self, T)) {
        let sched = self.sched;
        let mut presence = Presence::enter(&sched.life);
        let mut idle_since: Option<Instant> = None;
        loop {
            match self.next(rng) {
                Next::Task { task, wake, .. } => {
                    wake.deliver(park);
                    if let (Some(since), Some(now)) = (idle_since.take(), park.now()) {
                        self.add_idle(now.saturating_duration_since(since));
                    }
                    job(self, task);
                }
                Next::Idle => {
                    idle_since = idle_since.or_else(|| park.now());
                    if self.park() == Parking::Stay {
                        continue;
                    }
                    let is_last = presence.leave();
                    // Whoever was chosen for a task of the last moment looks for it before it leaves.
                    if sched.is_over(is_last) && !self.unpark() {
                        break;
                    }
                    while !self.is_woken() {
                        if self.is_surplus() {
                            park.park_deep(self.index);
                        } else {
                            park.park(self.index);
                        }
                    }
                    presence = Presence::enter(&sched.life);
                }
            }
        }
        if let (Some(since), Some(now)) = (idle_since, park.now()) {
            self.add_idle(now.saturating_duration_since(since));
        }
        while let wake @ Wake::Worker(_) = sched.wake_one() {
            wake.deliver(park);
        }
    }
}

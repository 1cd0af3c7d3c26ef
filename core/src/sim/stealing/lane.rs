//! A worker of the simulation: its deque, what it is doing, and its account.

use core::time::Duration;

use super::{Activity, Take, WorkerStats};
use crate::Instant;
#[cfg(feature = "alloc")]
use crate::queue::CapacityError;
use crate::queue::deque::{Deque, Steal};
use crate::storage::{Full, Inline, Storage};

#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    /// Acts now, with the task that the last steal handed it.
    Ready {
        stolen: Option<u32>,
    },
    Running {
        task: u32,
        since: Instant,
        until: Instant,
    },
    Stealing {
        victim: u32,
        since: Instant,
        until: Instant,
    },
    Parked {
        since: Instant,
    },
}

#[derive(Debug)]
pub(super) struct Lane<T: Storage> {
    deque: Deque<u32, T>,
    state: State,
    /// What is settled; the time since the current state began comes on top. `queued` and `idle` are not kept here.
    account: WorkerStats,
}

impl<const N: usize> Lane<Inline<N>> {
    pub(super) fn new() -> Self {
        Self::around(Deque::new())
    }
}

#[cfg(feature = "alloc")]
impl Lane<crate::storage::Heap> {
    pub(super) fn with_capacity(tasks: u32) -> Result<Self, CapacityError> {
        // Beyond the largest power of two, the number itself: the deque says what it thinks of that.
        let capacity = tasks.max(1).checked_next_power_of_two().unwrap_or(tasks);
        Ok(Self::around(Deque::with_capacity(capacity as usize)?))
    }
}

impl<T: Storage> Lane<T> {
    fn around(deque: Deque<u32, T>) -> Self {
        Self { deque, state: State::Ready { stolen: None }, account: WorkerStats::default() }
    }

    pub(super) fn push(&mut self, task: u32) -> Result<(), Full<u32>> {
        self.deque.worker().ok_or(Full(task))?.push(task)
    }

    pub(super) fn pop(&mut self) -> Option<u32> {
        self.deque.worker()?.pop()
    }

    pub(super) fn len(&self) -> u32 {
        self.deque.worker().map_or(0, |worker| worker.len() as u32)
    }

    /// Moves tasks to `thief`, whose deque is empty, and tells `moved` each of them from the oldest on. Answers the
    /// oldest, which the thief has in hand, and how many they are.
    pub(super) fn rob(
        &mut self,
        thief: &mut Self,
        take: Take,
        mut moved: impl FnMut(u32),
    ) -> Option<(u32, u32)> {
        let (victims, thiefs) = (self.deque.stealer(), thief.deque.worker()?);
        let steal = match take {
            Take::None => Steal::Empty,
            Take::One => match victims.steal_one() {
                Steal::Success(task) => Steal::Success((task, 0)),
                Steal::Empty => Steal::Empty,
                Steal::Retry => Steal::Retry,
            },
            Take::Half => victims.steal_half(&thiefs),
        };
        // There is one thread, so nobody was in the way: the deque answers `Retry` to nobody here.
        let (first, more) = steal.success()?;
        moved(first);
        for _ in 0..more {
            // Once around: each task goes from the old end to the new one, and the order is as before.
            let task = thiefs.stealer().steal_one().success()?;
            moved(task);
            thiefs.push(task).ok()?;
        }
        self.account.lost += more + 1;
        Some((first, more + 1))
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    /// When this worker acts next, and its rank among those who act at the same instant.
    pub(super) fn due(&self, now: Instant) -> Option<(Instant, u8)> {
        match self.state {
            State::Ready { .. } => Some((now, 0)),
            State::Running { until, .. } | State::Stealing { until, .. } => Some((until, 1)),
            State::Parked { .. } => None,
        }
    }

    pub(super) fn start(&mut self, task: u32, since: Instant, until: Instant) {
        self.state = State::Running { task, since, until };
    }

    pub(super) fn finish(&mut self, now: Instant) {
        self.close(now);
        self.account.processed += 1;
    }

    pub(super) fn attempt(&mut self, victim: u32, since: Instant, until: Instant) {
        self.account.attempts += 1;
        self.state = State::Stealing { victim, since, until };
    }

    pub(super) fn settle(&mut self, taken: Option<(u32, u32)>, now: Instant) {
        self.close(now);
        if let Some((first, count)) = taken {
            self.account.hits += 1;
            self.account.stolen += count;
            self.state = State::Ready { stolen: Some(first) };
        }
    }

    pub(super) fn park(&mut self, now: Instant) {
        self.state = State::Parked { since: now };
    }

    /// Books the time of the current state and makes the worker ready.
    fn close(&mut self, now: Instant) {
        self.account = self.booked(now);
        self.state = State::Ready { stolen: None };
    }

    fn booked(&self, now: Instant) -> WorkerStats {
        let mut account = self.account;
        let passed = |since: Instant| now.saturating_duration_since(since);
        let add = |sum: &mut Duration, more| *sum = sum.saturating_add(more);
        match self.state {
            State::Ready { .. } => {}
            State::Running { since, .. } => add(&mut account.busy, passed(since)),
            State::Stealing { since, .. } => add(&mut account.stealing, passed(since)),
            State::Parked { since } => add(&mut account.idle, passed(since)),
        }
        account
    }

    pub(super) fn stats(&self, now: Instant) -> WorkerStats {
        WorkerStats { queued: self.len(), ..self.booked(now) }
    }

    pub(super) fn activity(&self) -> Activity {
        match self.state {
            State::Ready { .. } => Activity::Ready,
            State::Running { task, since, until } => Activity::Running { task, since, until },
            State::Stealing { victim, since, until } => Activity::Stealing { victim, since, until },
            State::Parked { since } => Activity::Idle { since },
        }
    }
}

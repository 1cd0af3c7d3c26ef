//! How a dispatcher keeps its books: arrivals, deadlines, places and ranks.

use super::slots::{ANY, Core, NEVER, NONE, Slot, State};
use super::{Abort, CompleteError, Dispatcher, Event, InsertError, Job, OnMiss, OnOverrun, Policy};
use crate::Instant;
use crate::sched::realtime::Task;
use crate::storage::{List, Storage};

impl<T: Storage, C: Storage> Dispatcher<T, C> {
    pub(super) fn add(&mut self, now: Instant, task: Task, core: u32) -> Result<u32, InsertError> {
        let full = self.tasks.len() == self.tasks.capacity();
        if full || (self.pending + self.without) as usize >= self.slots.capacity() {
            return Err(InsertError::Full);
        }
        self.latest = self.latest.max(now);
        let number = self.tasks.len() as u32;
        let next = self.latest.as_nanos().checked_add(task.offset).unwrap_or(NEVER);
        // All four have the same capacity.
        let _ = self.tasks.push(task);
        let _ = self.states.push(State::new(next, core));
        let _ = self.ready.push(NEVER);
        let _ = self.timers.push(NEVER);
        self.without += 1;
        self.set_timer(number);
        Ok(number)
    }

    /// A timer of `task` has expired: its deadline comes before its arrival.
    pub(super) fn expire(&mut self, task: u32) -> Event {
        let state = &mut self.states[task as usize];
        let late = state.watch;
        if late != NONE && self.slots[late as usize].deadline <= self.latest.as_nanos() {
            let entry = &mut self.slots[late as usize];
            if entry.deadline <= state.arrival(&self.tasks[task as usize]) {
                state.miss(self.on_miss);
                entry.missed = true;
                state.watch = entry.next;
                if self.on_miss == OnMiss::Abort {
                    return self.abort(task, Abort::Deadline);
                }
                self.set_timer(task);
                return Event::Missed(self.job(late));
            }
        }
        self.arrive(task)
    }

    /// The clock releases a job of `task`, or several that it finds too late.
    pub(super) fn arrive(&mut self, task: u32) -> Event {
        let now = self.latest.as_nanos();
        let Task { period, deadline, .. } = self.tasks[task as usize];
        let state = &mut self.states[task as usize];
        let arrival = state.next;
        let over = now.saturating_sub(arrival);
        state.next = arrival.checked_add(period).unwrap_or(NEVER);
        let event = if over >= deadline && over >= period {
            // Those whose deadlines have passed before they were noticed: never started, and counted in one go.
            let jobs = ((over - deadline) / period).saturating_add(1).min((over / period).max(1));
            state.next = jobs.checked_mul(period).and_then(|all| arrival.checked_add(all)).unwrap_or(NEVER);
            state.lose(jobs as u32);
            Event::Lost { task, jobs: u32::try_from(jobs).unwrap_or(u32::MAX) }
        } else if state.skip() {
            Event::Skipped { task }
        } else {
            match self.enqueue(task, arrival) {
                Some(slot) => Event::Released(self.job(slot)),
                None => {
                    self.states[task as usize].lose(1);
                    Event::Lost { task, jobs: 1 }
                }
            }
        };
        self.set_timer(task);
        event
    }

    /// The job on `core` has used up its budget.
    pub(super) fn overrun(&mut self, core: u32) -> Event {
        self.charge(core);
        let slot = self.cores[core as usize].job;
        let entry = &mut self.slots[slot as usize];
        entry.overran = true;
        let (task, missed) = (entry.task, entry.missed);
        let state = &mut self.states[task as usize];
        state.account.overruns = state.account.overruns.wrapping_add(1);
        match self.on_overrun {
            OnOverrun::Report => Event::Overran(self.job(slot)),
            OnOverrun::Abort => {
                if !missed {
                    state.miss(self.on_miss);
                }
                self.abort(task, Abort::Budget)
            }
        }
    }

    /// Takes off the first pending job of `task`, which was counted as missed.
    pub(super) fn abort(&mut self, task: u32, why: Abort) -> Event {
        let state = &mut self.states[task as usize];
        state.account.aborted = state.account.aborted.wrapping_add(1);
        let slot = state.head;
        let core = self.slots[slot as usize].core;
        self.charge(core);
        let job = self.job(slot);
        if let Some(running) = self.cores.get_mut(core as usize) {
            running.job = NONE;
        }
        self.remove_first(task);
        Event::Aborted { job, core: (core != NONE).then_some(core), why }
    }

    /// A place for a job of `task`; `None` if only those are left that are kept for first jobs.
    pub(super) fn enqueue(&mut self, task: u32, arrival: u64) -> Option<u32> {
        let state = &mut self.states[task as usize];
        if state.head != NONE && (self.pending + self.without) as usize >= self.slots.capacity() {
            return None;
        }
        let deadline = arrival.saturating_add(self.tasks[task as usize].deadline).min(NEVER - 1);
        let new = Slot::new(task, arrival, deadline, state.account.number());
        let slot = match self.free {
            NONE => {
                let slot = self.slots.len() as u32;
                self.slots.push(new).ok()?;
                slot
            }
            slot => {
                let entry = &mut self.slots[slot as usize];
                self.free = entry.next;
                *entry = Slot { generation: entry.generation, ..new };
                slot
            }
        };
        state.account.released = state.account.released.wrapping_add(1);
        state.pending += 1;
        self.pending += 1;
        if state.watch == NONE {
            state.watch = slot;
        }
        let tail = core::mem::replace(&mut state.tail, slot);
        if state.head == NONE {
            state.head = slot;
            self.without -= 1;
            self.ready[task as usize] = self.rank(task, deadline);
        } else {
            self.slots[tail as usize].next = slot;
        }
        Some(slot)
    }

    /// Frees the place of the first pending job of `task`, which no core runs any more; the next one is ready.
    pub(super) fn remove_first(&mut self, task: u32) {
        let state = &mut self.states[task as usize];
        let slot = state.head;
        let entry = &mut self.slots[slot as usize];
        entry.generation = entry.generation.wrapping_add(1);
        entry.held = false;
        state.head = core::mem::replace(&mut entry.next, self.free);
        self.free = slot;
        if state.watch == slot {
            state.watch = state.head;
        }
        state.pending -= 1;
        self.pending -= 1;
        self.ready[task as usize] = if state.head == NONE {
            state.tail = NONE;
            self.without += 1;
            NEVER
        } else {
            let deadline = self.slots[state.head as usize].deadline;
            self.rank(task, deadline)
        };
        self.set_timer(task);
    }

    /// The job on `core` is ready again, and the core has none.
    pub(super) fn put_away(&mut self, core: u32) -> Option<Job> {
        let slot = core::mem::replace(&mut self.cores[core as usize].job, NONE);
        if slot == NONE {
            return None;
        }
        let entry = &mut self.slots[slot as usize];
        entry.core = NONE;
        let (task, deadline) = (entry.task, entry.deadline);
        self.ready[task as usize] = self.rank(task, deadline);
        Some(self.job(slot))
    }

    /// The task whose job `core` should run instead of what it does now; `None` if there should be no change.
    pub(super) fn choose(&self, core: u32) -> Option<u32> {
        let own = self.cores.get(core as usize)?;
        let (mut best, mut chosen) = (NEVER, None);
        for (task, &rank) in (0..).zip(self.ready.iter()) {
            if rank < best && self.states[task as usize].may_run_on(core) {
                (best, chosen) = (rank, Some(task));
            }
        }
        if own.job == NONE {
            return chosen;
        }
        let mine = self.rank_of(own.job);
        if best >= mine {
            return None;
        }
        if self.cores.len() == 1 {
            return chosen;
        }
        // Of the jobs that go before this one, those that must run here, and those that others may take instead.
        let (mut bound, mut free) = (0, 0);
        for (state, _) in self.states.iter().zip(self.ready.iter()).filter(|(_, rank)| **rank < mine) {
            bound += u32::from(state.core == core);
            free += u32::from(state.core == ANY);
        }
        let others = (0..).zip(self.cores.iter()).filter(|(index, _)| *index != core);
        let takers = others.filter(|(_, other)| other.job == NONE || self.rank_of(other.job) > mine).count();
        chosen.filter(|_| bound > 0 || free > takers as u32)
    }

    pub(super) fn rank(&self, task: u32, deadline: u64) -> u64 {
        match self.policy {
            Policy::EarliestDeadline => deadline,
            Policy::FixedPriority => u64::from(!self.tasks[task as usize].priority) << 32 | u64::from(task),
        }
    }

    pub(super) fn rank_of(&self, slot: u32) -> u64 {
        let entry = &self.slots[slot as usize];
        self.rank(entry.task, entry.deadline)
    }

    /// Books the time of the job on `core`, if there is one.
    pub(super) fn charge(&mut self, core: u32) {
        let now = self.latest.as_nanos();
        let Some(running) = self.cores.get_mut(core as usize).filter(|running| running.job != NONE) else {
            return;
        };
        let passed = now.saturating_sub(running.since);
        running.since = now;
        running.busy = running.busy.saturating_add(passed);
        let entry = &mut self.slots[running.job as usize];
        entry.executed = entry.executed.saturating_add(passed);
    }

    pub(super) fn since(&self, core: &Core) -> u64 {
        self.latest.as_nanos().saturating_sub(core.since)
    }

    pub(super) fn ran(&self, entry: &Slot) -> u64 {
        entry.executed.saturating_add(self.cores.get(entry.core as usize).map_or(0, |core| self.since(core)))
    }

    /// The core whose job uses up its budget first, and when.
    pub(super) fn next_budget(&self) -> (u64, u32) {
        let mut next = (NEVER, NONE);
        for (index, core) in (0..).zip(self.cores.iter()) {
            let Some(entry) = self.slots.get(core.job as usize).filter(|entry| !entry.overran) else {
                continue;
            };
            let left = self.tasks[entry.task as usize].wcet.saturating_sub(entry.executed);
            let at = core.since.saturating_add(left);
            if at < next.0 {
                next = (at, index);
            }
        }
        next
    }

    pub(super) fn set_timer(&mut self, task: u32) {
        let state = &self.states[task as usize];
        let deadline = self.slots.get(state.watch as usize).map_or(NEVER, |entry| entry.deadline);
        self.timers[task as usize] = state.arrival(&self.tasks[task as usize]).min(deadline);
    }

    pub(super) fn find(&self, job: Job) -> Result<&Slot, CompleteError> {
        let entry = self.slots.get(job.slot as usize);
        entry.filter(|entry| entry.held && entry.generation == job.generation).ok_or(CompleteError::Stale)
    }

    pub(super) fn job(&self, slot: u32) -> Job {
        let entry = &self.slots[slot as usize];
        Job {
            slot,
            generation: entry.generation,
            task: entry.task,
            number: entry.number,
            arrival: Instant::from_nanos(entry.arrival),
            deadline: Instant::from_nanos(entry.deadline),
        }
    }
}

/// The smallest number and where it stands first.
pub(super) fn first(numbers: &[u64]) -> (u64, u32) {
    let mut first = (NEVER, NONE);
    for (at, &number) in (0..).zip(numbers) {
        if number < first.0 {
            first = (number, at);
        }
    }
    first
}

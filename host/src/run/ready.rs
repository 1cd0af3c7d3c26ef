//! Which of the ready tasks starts next.
//!
//! Critical path first: a task's *level* is its rank in eighths of a doubling, so ranks within 9 % count as equal.
//! Among equals the priority decides, with aging. Tasks that ask for the same resources and the same limit form a
//! class; each level of a class is one priority queue, so choosing looks at the heads of the queues and never at all
//! tasks. A task that fits goes before one that does not, until that one has waited for longer than `aging`: then
//! nothing that takes what it lacks starts before it.

use divvy::Instant;
use divvy::queue::PriorityQueue;
use divvy::storage::{Full, Heap};
use std::time::Duration;

/// Whether a class can start now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fit {
    Yes,
    /// Its rate has no free cell now.
    Limited,
    /// Others hold what it asks for.
    Busy,
}

/// The tasks that could start.
#[derive(Debug)]
pub(crate) struct Ready {
    aging: Duration,
    /// The highest level first.
    lanes: Vec<Lane>,
    len: usize,
}

#[derive(Debug)]
struct Lane {
    level: u16,
    class: usize,
    queue: PriorityQueue<Waiting, Heap>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    task: usize,
    priority: u8,
    since: Instant,
}

impl Waiting {
    /// When it would have come, had it the highest priority: the order that [`PriorityQueue`] keeps within a queue.
    fn key(&self, aging: Duration) -> u128 {
        u128::from(self.since.as_nanos()) + u128::from(u8::MAX - self.priority) * aging.as_nanos()
    }
}

/// A rank in eighths of a doubling.
pub(crate) fn level(rank: u64) -> u16 {
    if rank < 8 {
        return rank as u16;
    }
    let exponent = rank.ilog2();
    let eighths = (rank >> (exponent - 3)) & 7;
    (exponent as u16 - 2) * 8 + eighths as u16
}

impl Ready {
    /// Waiting for `aging` is worth one level of priority.
    pub(crate) fn new(aging: Duration) -> Self {
        Self { aging, lanes: Vec::new(), len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Adds a task that could start from `now` on.
    pub(crate) fn push(&mut self, now: Instant, task: usize, priority: u8, level: u16, class: usize) {
        let mut waiting = Waiting { task, priority, since: now };
        self.len += 1;
        let start = self.lanes.partition_point(|lane| lane.level > level);
        let same = |lane: &Lane| lane.level == level;
        let mut largest = 0;
        let mut end = start;
        while let Some(lane) = self.lanes.get_mut(end).filter(|lane| same(lane)) {
            if lane.class == class {
                match lane.queue.push(now, priority, waiting) {
                    Ok(()) => return,
                    Err(Full(back)) => waiting = back,
                }
                largest = largest.max(lane.queue.capacity());
            }
            end += 1;
        }
        // A queue never grows: a larger one joins it, so there are O(log n) of them.
        let mut queue = PriorityQueue::<Waiting, Heap>::with_capacity(self.aging, (largest * 2).max(16));
        _ = queue.push(now, priority, waiting);
        self.lanes.insert(end, Lane { level, class, queue });
    }

    /// Takes the task to start next. `fit` says which classes can start now; `conflict(a, b)` whether starting one
    /// of class `b` would take what class `a` lacks.
    pub(crate) fn pick(
        &mut self,
        now: Instant,
        fit: impl Fn(usize) -> Fit,
        conflict: impl Fn(usize, usize) -> bool,
    ) -> Option<usize> {
        let mut best: Option<(usize, u128)> = None;
        let mut reserved: Vec<usize> = Vec::new();
        let mut best_level = None;
        for (index, lane) in self.lanes.iter().enumerate() {
            if best_level.is_some_and(|best| lane.level < best) {
                break;
            }
            let Some(head) = lane.queue.peek() else { continue };
            match fit(lane.class) {
                Fit::Yes if reserved.iter().any(|&class| conflict(class, lane.class)) => {}
                Fit::Yes => {
                    let key = head.key(self.aging);
                    if best.is_none_or(|(_, other)| key < other) {
                        best = Some((index, key));
                        best_level = Some(lane.level);
                    }
                }
                Fit::Limited => {}
                Fit::Busy => {
                    let waited = now.saturating_duration_since(head.since);
                    if waited > self.aging && !reserved.contains(&lane.class) {
                        reserved.push(lane.class);
                    }
                }
            }
        }
        let (index, _) = best?;
        let waiting = self.lanes[index].queue.pop()?;
        self.len -= 1;
        Some(waiting.task)
    }

    /// The classes of which a task is waiting.
    pub(crate) fn classes(&self) -> impl Iterator<Item = usize> {
        self.lanes.iter().filter(|lane| !lane.queue.is_empty()).map(|lane| lane.class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGING: Duration = Duration::from_secs(10);

    fn at(seconds: u64) -> Instant {
        Instant::from_secs(seconds)
    }

    fn order(ready: &mut Ready) -> Vec<usize> {
        std::iter::from_fn(|| ready.pick(at(0), |_| Fit::Yes, |_, _| false)).collect()
    }

    #[test]
    fn levels_grow_with_ranks_by_eighths_of_a_doubling() {
        let mut last = 0;
        for rank in 0..100_000 {
            let level = level(rank);
            assert!(level == last || level == last + 1, "{rank}");
            last = level;
        }
        assert_eq!(level(1 << 40), level((1 << 40) + (1 << 36)));
        assert_eq!(level(1 << 40) + 8, level(1 << 41));
        assert!(level(u64::MAX) > level(u64::MAX / 2));
    }

    #[test]
    fn rank_goes_before_priority_and_priority_before_arrival() {
        let mut ready = Ready::new(AGING);
        ready.push(at(0), 1, 5, 10, 0);
        ready.push(at(0), 2, 9, 10, 1);
        ready.push(at(0), 3, 5, 10, 1);
        ready.push(at(0), 4, 0, 11, 0);
        assert_eq!(ready.len(), 4);
        assert_eq!(order(&mut ready), [4, 2, 1, 3]);
    }

    #[test]
    fn waiting_is_worth_priority_across_classes() {
        let mut ready = Ready::new(AGING);
        ready.push(at(0), 1, 5, 10, 0);
        ready.push(at(19), 2, 6, 10, 1);
        assert_eq!(order(&mut ready), [1, 2]);
        ready.push(at(20), 3, 5, 10, 0);
        ready.push(at(29), 4, 6, 10, 1);
        assert_eq!(order(&mut ready), [4, 3]);
    }

    #[test]
    fn a_queue_that_is_full_gets_company() {
        let mut ready = Ready::new(AGING);
        (0..1000).for_each(|task| ready.push(at(0), task, 0, 3, 0));
        assert!(ready.lanes.len() < 10);
        assert_eq!(order(&mut ready).len(), 1000);
    }

    #[test]
    fn a_large_task_is_passed_over_only_for_so_long() {
        let mut ready = Ready::new(AGING);
        let large_is_busy = |class| if class == 1 { Fit::Busy } else { Fit::Yes };
        let conflict = |reserved, other| reserved == 1 && other == 0;
        ready.push(at(0), 1, 0, 20, 1);
        (2..5).for_each(|task| ready.push(at(0), task, 0, 10, 0));
        ready.push(at(0), 9, 0, 5, 2);
        assert_eq!(ready.pick(at(10), large_is_busy, conflict), Some(2));
        // From now on class 0 waits, and what does not stand in the way does not.
        assert_eq!(ready.pick(at(11), large_is_busy, conflict), Some(9));
        assert_eq!(ready.pick(at(11), large_is_busy, conflict), None);
        assert_eq!(ready.pick(at(11), |_| Fit::Yes, conflict), Some(1));
    }
}

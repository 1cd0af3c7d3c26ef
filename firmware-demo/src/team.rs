//! The cores as a team: each runs [`Team::work`], and divvy's scheduler hands the tasks out.

use crate::wordcount::{MAPS, PARTITIONS, Task, WordCount};
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use divvy::rng::SplitMix64;
use divvy::sched::{Park, Scheduler, Worker};
use divvy::storage::{Full, Inline};

/// Room for every map task at once: all of them begin in one deque.
const CAPACITY: usize = MAPS.next_power_of_two() as usize;

type Sched<const CORES: usize> = Scheduler<Task, Inline<CORES>, Inline<CAPACITY>, Inline<1>>;
type Member<'a, const CORES: usize> = Worker<'a, Task, Inline<CORES>, Inline<CAPACITY>, Inline<1>>;

/// The cores that share a word count.
#[derive(Debug)]
pub struct Team<'a, const CORES: usize> {
    count: &'a WordCount<CORES>,
    sched: Sched<CORES>,
    ledger: [Entry; CORES],
}

/// What only this demo counts of a core; the scheduler counts the rest. Written by that core alone.
#[derive(Debug)]
struct Entry {
    maps: AtomicU32,
    words: AtomicU32,
    reduces: AtomicU32,
}

/// What one core did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Share {
    /// Map tasks that it ran.
    pub maps: u32,
    /// Words that it counted in them.
    pub words: u32,
    /// Reduce tasks that it ran.
    pub reduces: u32,
    /// Times that it took tasks from another core's deque.
    pub steals: u32,
    /// Tasks that it took so.
    pub stolen: u32,
    /// Times that it looked into another core's deque.
    pub attempts: u32,
    /// Times that it went to sleep.
    pub parked: u32,
    /// Time without a task.
    pub idle: Duration,
}

impl<'a, const CORES: usize> Team<'a, CORES> {
    /// A team for `count`, with everything to do.
    pub const fn new(count: &'a WordCount<CORES>) -> Self {
        Self {
            count,
            sched: Scheduler::new(),
            ledger: [const {
                Entry { maps: AtomicU32::new(0), words: AtomicU32::new(0), reduces: AtomicU32::new(0) }
            }; CORES],
        }
    }

    /// Works as core `core` until all is done. Call it once on each core, at about the same time. Core 0 makes all the
    /// tasks; what another core does, it has stolen or made from what it stole.
    pub fn work(&self, core: usize, park: &impl Park) {
        // A second caller for the same core has nothing to add.
        let Some(mut member) = self.sched.worker(core as u32) else { return };
        if core == 0 {
            for chunk in 0..MAPS {
                self.push(&member, core, Task::Map(chunk), park);
            }
        }
        let mut rng = SplitMix64::seed(core as u64);
        member.run(park, &mut rng, |member, task| self.run(member, core, task, park));
    }

    fn run(&self, member: &Member<'_, CORES>, core: usize, task: Task, park: &impl Park) {
        let done = self.count.run(core, task);
        let entry = &self.ledger[core];
        match task {
            Task::Map(_) => {
                add(&entry.maps, 1);
                add(&entry.words, done.words);
                if done.last {
                    for partition in 0..PARTITIONS.get() {
                        self.push(member, core, Task::Reduce(partition), park);
                    }
                }
            }
            Task::Reduce(_) => {
                add(&entry.reduces, 1);
                if done.last {
                    self.sched.close().deliver(park);
                }
            }
        }
    }

    fn push(&self, member: &Member<'_, CORES>, core: usize, task: Task, park: &impl Park) {
        match member.push(task) {
            Ok(wake) => wake.deliver(park),
            // No room in the deque: the task is done at once.
            Err(Full(task)) => self.run(member, core, task, park),
        }
    }

    /// What core `core` did so far.
    pub fn share(&self, core: usize) -> Share {
        let (Some(entry), Some(stats)) = (self.ledger.get(core), self.sched.stats(core as u32)) else {
            return Share::default();
        };
        // Ordering: relaxed; they are read when the cores are done, or as a rough figure before.
        let read = |counter: &AtomicU32| counter.load(Ordering::Relaxed);
        Share {
            maps: read(&entry.maps),
            words: read(&entry.words),
            reduces: read(&entry.reduces),
            steals: stats.steals,
            stolen: stats.stolen,
            attempts: stats.steal_attempts,
            parked: stats.parked,
            idle: stats.idle,
        }
    }
}

/// Only the counter's own core writes it.
fn add(counter: &AtomicU32, by: u32) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::machine::Machine;
    use crate::wordcount::EXPECTED;
    use divvy::Instant;
    use std::boxed::Box;
    use std::sync::OnceLock;
    use std::thread::{self, Thread};

    /// Threads as cores.
    pub(crate) struct Threads<const CORES: usize> {
        threads: [OnceLock<Thread>; CORES],
        start: std::time::Instant,
    }

    impl<const CORES: usize> Threads<CORES> {
        pub(crate) fn new() -> Self {
            Self { threads: [const { OnceLock::new() }; CORES], start: std::time::Instant::now() }
        }

        /// The calling thread is core `core` from now on.
        pub(crate) fn enter(&self, core: usize) {
            let _ = self.threads[core].set(thread::current());
        }

        pub(crate) fn has_entered(&self, core: usize) -> bool {
            self.threads[core].get().is_some()
        }
    }

    impl<const CORES: usize> Park for Threads<CORES> {
        fn park(&self, _core: u32) {
            thread::park();
        }

        fn unpark(&self, core: u32) {
            self.threads[core as usize].get().expect("only a core that slept is woken").unpark();
        }

        fn now(&self) -> Option<Instant> {
            Some(self.clock())
        }
    }

    impl<const CORES: usize> Machine for Threads<CORES> {
        fn clock(&self) -> Instant {
            Instant::ZERO.saturating_add(self.start.elapsed())
        }

        fn nap(&self, _core: u32, until: Instant) {
            thread::park_timeout(until.saturating_duration_since(self.clock()));
        }

        fn turn(&self) {}
    }

    fn share_the_work<const CORES: usize>() {
        let count = Box::new(WordCount::<CORES>::new());
        let team = Team::new(&count);
        let machine = Threads::<CORES>::new();
        thread::scope(|scope| {
            for core in 0..CORES {
                let (team, machine) = (&team, &machine);
                scope.spawn(move || {
                    machine.enter(core);
                    team.work(core, machine);
                });
            }
        });
        assert_eq!(count.summary().total, EXPECTED);
        assert_eq!(count.refused(), 0);
        let shares: Vec<_> = (0..CORES).map(|core| team.share(core)).collect();
        assert_eq!(shares.iter().map(|share| share.maps).sum::<u32>(), MAPS);
        assert_eq!(shares.iter().map(|share| share.reduces).sum::<u32>(), PARTITIONS.get());
        assert_eq!(shares.iter().map(|share| share.words).sum::<u32>(), EXPECTED.words);
        for thief in &shares[1..] {
            assert!(thief.maps == 0 || thief.steals > 0, "whoever worked has stolen: {thief:?}");
            assert!(thief.stolen >= thief.steals && thief.attempts >= thief.steals, "{thief:?}");
        }
    }

    #[test]
    fn any_number_of_cores_comes_to_the_same_total() {
        share_the_work::<1>();
        for _ in 0..5 {
            share_the_work::<2>();
            share_the_work::<4>();
        }
    }
}

//! A core whose clock moves only while it works or sleeps.

use super::*;
use crate::machine::Machine;
use divvy::sched::Park;
use divvy::sched::realtime::OnMiss;
use std::cell::Cell;

const MS: Duration = Duration::from_millis(1);

/// Each look at the clock is `step` later; a nap ends when it should.
struct Virtual {
    now: Cell<u64>,
    step: u64,
    naps: Cell<u32>,
}

impl Virtual {
    fn new(step: Duration) -> Self {
        Self { now: Cell::new(0), step: step.as_nanos() as u64, naps: Cell::new(0) }
    }
}

impl Park for Virtual {
    fn park(&self, _worker: u32) {}
    fn unpark(&self, _worker: u32) {}
}

impl Machine for Virtual {
    fn clock(&self) -> Instant {
        Instant::from_nanos(self.now.replace(self.now.get() + self.step))
    }

    fn nap(&self, _core: u32, until: Instant) {
        self.now.set(self.now.get().max(until.as_nanos()));
        self.naps.set(self.naps.get() + 1);
    }

    fn turn(&self) {}
}

/// A look at the clock is half a unit: a unit needs one, and the last of a job one more.
fn times() -> Times {
    Times { grain: MS, unit: MS, job: MS }
}

fn rules(on_miss: OnMiss) -> Rules {
    let from = Instant::from_millis(5);
    Rules { from, span: times().grains(2 * HYPERPERIOD), on_miss, loops: 1 }
}

fn stats(account: &Account) -> impl Iterator<Item = (Kind, TaskStats)> {
    ADMITTED.into_iter().chain([VIDEO]).zip(account.tasks)
}

#[test]
fn what_is_admitted_misses_nothing_and_answers_as_soon_as_predicted() {
    assert!(admit(&times()).admits(), "{}", admit(&times()));
    let machine = Virtual::new(MS);
    let account = drive(&ADMITTED, &times(), &rules(OnMiss::Continue), 0, &machine);
    let predicted = predict(&ADMITTED, &times());
    for ((kind, stats), predicted) in stats(&account).zip(predicted).take(KINDS) {
        assert_eq!(stats.released, 2 * HYPERPERIOD / kind.period, "{kind:?}");
        assert_eq!((stats.completed, stats.missed), (stats.released, 0), "{kind:?}");
        assert!(stats.response_max <= predicted + times().blocking(), "{kind:?} {stats:?} {predicted:?}");
        assert!(stats.response_max >= times().grains(kind.wcet) / 2, "{kind:?} {stats:?}");
    }
    assert!(account.core.preemptions > 0 && machine.naps.get() > 0);
    assert!(account.longest_unit <= times().blocking());
}

#[test]
fn what_is_too_much_is_refused_with_its_evidence_and_accounted_for_when_it_runs() {
    let alarm = admit_with(ALARM, &times());
    assert_eq!(alarm.to_string(), "a deadline is missed: 80ms are demanded within 75ms");
    let video = admit_with(VIDEO, &times());
    assert!(video.to_string().starts_with("a deadline is missed: utilisation 1.34"), "{video}");
    let kinds = [ADMITTED[0], ADMITTED[1], ADMITTED[2], ADMITTED[3], VIDEO];
    for on_miss in [OnMiss::Continue, OnMiss::Abort, OnMiss::SkipNext] {
        let account = drive(&kinds, &times(), &rules(on_miss), 0, &Virtual::new(MS));
        let mut missed = 0;
        for (kind, stats) in stats(&account) {
            assert_eq!(stats.released + stats.skipped, 2 * HYPERPERIOD / kind.period, "{on_miss:?} {kind:?}");
            let known = stats.completed + stats.aborted + stats.lost + stats.pending;
            assert_eq!(stats.released, known, "{on_miss:?} {kind:?} {stats:?}");
            assert_eq!(stats.aborted > 0, on_miss == OnMiss::Abort && stats.missed > 0, "{kind:?} {stats:?}");
            missed += stats.missed;
        }
        assert!(missed > 0, "{on_miss:?}");
        assert!(account.core.busy > rules(on_miss).span * 9 / 10);
    }
}

#[test]
fn a_clock_that_stands_still_for_long_is_seen_and_what_it_cost_is_counted() {
    // Each look at the clock is so much after the one before, and the last job is not done before the end.
    for step in (20..150).map(|step| step * MS) {
        for on_miss in [OnMiss::Continue, OnMiss::Abort] {
            let account = drive(&ADMITTED, &times(), &rules(on_miss), 0, &Virtual::new(step));
            assert!(account.longest_unit >= step);
            assert!(account.tasks.iter().any(|stats| stats.missed > 0));
            for (kind, stats) in stats(&account).take(KINDS) {
                assert_eq!(stats.released, 2 * HYPERPERIOD / kind.period, "{step:?} {on_miss:?} {kind:?}");
                let known = stats.completed + stats.aborted + stats.lost + stats.pending;
                assert_eq!(stats.released, known, "{step:?} {on_miss:?} {kind:?}");
            }
        }
    }
}

#[test]
fn each_core_gets_one_task_of_each_kind() {
    let plan = Plan::<4>::new(&times()).unwrap();
    for core in 0..4 {
        let (kinds, count) = plan.kinds(core);
        assert_eq!(count, KINDS);
        let mut periods: Vec<_> = kinds[..count].iter().map(|kind| kind.period).collect();
        periods.sort_unstable();
        assert_eq!(periods, [100, 150, 200, 300], "core {core}");
    }
    let slow = Times { unit: 50 * MS, ..times() };
    assert!(Plan::<2>::new(&slow).is_err(), "a unit is longer than the time that is to spare");
}

use super::*;
use divvy::breaker::Cause;
use std::boxed::Box;
use std::thread;
use std::vec::Vec;

fn driven(form: Form) -> (Box<Witness>, u64, Vec<Transition>) {
    let witness = Box::new(Witness::new());
    let mut changes = Vec::new();
    let digest = alone(form, &witness, &mut |change| changes.push(change));
    (witness, digest, changes)
}

#[test]
fn one_core_comes_to_the_expected_decisions_with_either_form() {
    let (witness, digest, changes) = driven(Form::Plain);
    let (other, shared, seen) = driven(Form::Shared);
    println!("{:?} quota {} probes {}", witness.tally(), witness.quota_left(), witness.most_probes());
    changes.iter().for_each(|change| println!("{change}"));
    assert_eq!(other.tally(), witness.tally());
    let told = |changes: &[Transition]| -> Vec<_> {
        changes.iter().map(|change| (change.at, change.from, change.to, change.why)).collect()
    };
    assert_eq!(told(&seen), told(&changes));
    assert_eq!(shared, digest);
    assert_eq!(digest, EXPECTED, "the decisions changed: set EXPECTED to {digest:#x}");
}

/// What the demo is to show is in it.
#[test]
fn the_device_trips_the_breaker_in_every_way_and_the_limiter_bites() {
    let (witness, _, changes) = driven(Form::Plain);
    let tally = witness.tally();
    assert_eq!(tally.asked, tally.broken + tally.limited + tally.admitted);
    assert!(tally.limited > 100 && tally.broken > 100 && tally.stale > 0, "{tally:?}");
    for why in [
        Cause::Failures,
        Cause::SlowCalls,
        Cause::TimeOver,
        Cause::ProbeFailed,
        Cause::ProbeLost,
        Cause::ProbesSucceeded,
    ] {
        assert!(changes.iter().any(|change| change.why == why), "{why:?}");
    }
    assert_eq!(witness.quota_left(), 0, "the quota is used up at least once, and never more than that");
    assert_eq!(witness.most_probes(), PROBES);
}

#[test]
fn however_the_cores_interleave_the_promises_are_kept() {
    for cores in [1, 2, 4] {
        for _ in 0..5 {
            let team = Box::new(Team::new());
            let taken: u32 = thread::scope(|scope| {
                let cores: Vec<_> = (0..cores).map(|_| scope.spawn(|| team.work(&mut |_| {}))).collect();
                cores.into_iter().map(|core| core.join().unwrap()).sum()
            });
            assert_eq!(taken, MILLIS);
            let tally = team.witness().tally();
            assert_eq!(tally.asked, tally.broken + tally.limited + tally.admitted);
            assert!(tally.broken > 0 && tally.limited > 0, "{tally:?}");
            assert!(team.witness().quota_left() >= 0);
            assert!((1..=PROBES).contains(&team.witness().most_probes()));
            assert!(team.changes() > 2);
            assert!(team.recovers());
        }
    }
}

#[test]
fn the_witness_sees_one_call_too_many_in_any_interval() {
    let burst = |at: u32| (0..BURST).map(move |nth| at + nth);
    let quota_left = |calls: &mut dyn Iterator<Item = u32>| {
        let witness = Witness::new();
        calls.for_each(|millis| witness.call_goes(millis));
        witness.quota_left()
    };
    assert_eq!(quota_left(&mut [].into_iter()), BURST as i32);
    assert_eq!(quota_left(&mut [7].into_iter()), BURST as i32 - 1);
    // Sixteen in fifteen milliseconds; in that time the quota allows three more.
    assert_eq!(quota_left(&mut burst(100)), 3);
    assert_eq!(quota_left(&mut burst(100).chain([116, 117, 118])), 1);
    // At the quota's own pace from then on: never again more than allowed, until one comes early.
    let paced =
        || burst(100).chain([116, 117, 118, 119, 120, 121]).chain((1..50).map(|nth| 121 + nth * CELL));
    assert_eq!(quota_left(&mut paced()), -1);
    let paced = || burst(100).chain([116, 117, 118, 119, 120]).chain((1..50).map(|nth| 120 + nth * CELL));
    assert_eq!(quota_left(&mut paced()), 0);
    assert_eq!(quota_left(&mut paced().chain([120 + 50 * CELL - 1])), -1);
    // A slow start hides nothing.
    assert_eq!(quota_left(&mut (0..100).step_by(50).chain(burst(1_000)).chain(burst(1_000 + BURST))), -9);
}

#[test]
fn the_witness_counts_probes_of_the_latest_half_open_time_alone() {
    let witness = Witness::new();
    witness.probe_begins(3);
    witness.probe_begins(3);
    assert_eq!(witness.most_probes(), 2);
    witness.probe_ends(3);
    witness.probe_begins(3);
    assert_eq!(witness.most_probes(), 2);
    witness.probe_begins(5);
    // These two are of an earlier time: they no longer count, and cannot free a place of the later one.
    witness.probe_ends(3);
    witness.probe_begins(3);
    witness.probe_begins(5);
    assert_eq!(witness.most_probes(), 2);
    witness.probe_begins(5);
    assert_eq!(witness.most_probes(), 3);
}

#[test]
fn what_is_measured_is_what_the_row_says() {
    let mut rows = 0;
    measure(|| 0, &mut |row| {
        assert!(row.forms.iter().all(|(_, _, wrong)| *wrong == 0), "{row:?}");
        rows += 1;
    });
    assert_eq!(rows, 4);
    println!("{:?} {:?}", Form::Plain.bytes(), Form::Shared.bytes());
}

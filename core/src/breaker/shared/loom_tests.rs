//! Every interleaving of two threads, as far as so many forced switches go.

use super::super::Config;
use super::slot::generation;
use super::window::sealed::SharedWindow as _;
use super::*;
use crate::fixed::Q32;
use crate::sync::model;
use core::num::NonZeroU32;
use core::time::Duration;
use loom::sync::Arc;
use loom::thread;

type Shared = SharedBreaker<SharedCountWindow<Inline<2>>, Inline<2>>;

/// Open for 100 ns, probes of 10 ns.
fn config() -> Config {
    let open = Duration::from_nanos(100);
    Config::new().open(open, open, Q32::ONE).jitter(Q32::ZERO).probe_timeout(Duration::from_nanos(10))
}

fn breaker(config: Config, last: u32) -> Shared {
    SharedBreaker::new(config.build().unwrap(), SharedCountWindow::new().last(last).unwrap())
}

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn pass(breaker: &Shared, now: u64) -> Pass {
    match breaker.admit(at(now)) {
        Admit::Yes(pass) => pass,
        no => panic!("{no:?}"),
    }
}

/// A breaker that is half-open from now on, with one place for a probe.
fn half_open(config: Config) -> Shared {
    let breaker = breaker(config.consecutive(NonZeroU32::MIN), 8);
    let only = pass(&breaker, 0);
    assert!(matches!(breaker.complete(at(0), only, Outcome::Failure), Ok(Some(_))));
    assert!(breaker.advance(at(100)).is_some());
    breaker
}

/// Runs both at the same time and gives what they answered.
fn both<A: 'static, B>(
    breaker: &Arc<Shared>,
    one: impl FnOnce(&Shared) -> A + 'static,
    other: impl FnOnce(&Shared) -> B,
) -> (A, B) {
    let elsewhere = {
        let breaker = Arc::clone(breaker);
        thread::spawn(move || one(&breaker))
    };
    let here = other(breaker);
    (elsewhere.join().unwrap(), here)
}

#[test]
fn loom_calls_of_two_threads_count_exactly() {
    model("shared breaker, two calls counted", 4, 2, || {
        let breaker = Arc::new(breaker(config(), 8));
        let passes = [pass(&breaker, 0), pass(&breaker, 0)];
        let answers = both(
            &breaker,
            move |breaker| breaker.complete(at(1), passes[0], Outcome::Failure),
            move |breaker| breaker.complete(at(1), passes[1], Outcome::Success),
        );
        assert_eq!(answers, (Ok(None), Ok(None)));
        assert_eq!(breaker.stats(at(1)).window, Counts { calls: 2, failures: 1, slow: 0 });
    });
}

/// Both write into words that hold a bad call each, which they take the places of.
#[test]
fn loom_places_are_taken_over_exactly() {
    model("shared breaker, places taken over", 3, 2, || {
        let breaker = Arc::new(breaker(config().failure_rate(Q32::ONE), 3));
        for outcome in [Outcome::Failure, Outcome::Failure, Outcome::Success] {
            let pass = pass(&breaker, 0);
            assert_eq!(breaker.complete(at(0), pass, outcome), Ok(None));
        }
        let passes = [pass(&breaker, 0), pass(&breaker, 0)];
        let answers = both(
            &breaker,
            move |breaker| breaker.complete(at(1), passes[0], Outcome::Success),
            move |breaker| breaker.complete(at(1), passes[1], Outcome::Success),
        );
        assert_eq!(answers, (Ok(None), Ok(None)));
        assert_eq!(breaker.stats(at(1)).window, Counts { calls: 3, failures: 0, slow: 0 });
    });
}

#[test]
fn loom_it_trips_once_and_never_misses_the_last_failure() {
    model("shared breaker, two failures of two", 3, 2, || {
        let breaker = Arc::new(breaker(config().failure_rate(Q32::ONE), 2));
        let passes = [pass(&breaker, 0), pass(&breaker, 0)];
        let (one, other) = both(
            &breaker,
            move |breaker| breaker.complete(at(1), passes[0], Outcome::Failure),
            move |breaker| breaker.complete(at(1), passes[1], Outcome::Failure),
        );
        let changes = [one, other].into_iter().filter_map(|answer| answer.unwrap()).count();
        assert_eq!(changes, 1);
        assert_eq!(breaker.state(at(1)), State::Open { until: at(101) });
    });
}

#[test]
fn loom_no_more_probes_than_allowed_and_no_fewer() {
    model("shared breaker, two ask for one probe", 2, 1, || {
        let breaker = Arc::new(half_open(config().probes(NonZeroU32::MIN)));
        let (one, other) = both(&breaker, |breaker| breaker.admit(at(100)), |breaker| breaker.admit(at(100)));
        let admitted = [one, other].into_iter().filter(|answer| matches!(answer, Admit::Yes(_))).count();
        assert_eq!(admitted, 1);
        assert_eq!(breaker.stats(at(100)).probes, 1);
        assert!(matches!(breaker.admit(at(100)), Admit::No { why: Rejection::Probing, .. }));
    });
}

#[test]
fn loom_the_end_of_the_open_time_lets_one_through() {
    model("shared breaker, two ask when the open time ends", 2, 1, || {
        let breaker = breaker(config().consecutive(NonZeroU32::MIN).probes(NonZeroU32::MIN), 8);
        let only = pass(&breaker, 0);
        assert!(matches!(breaker.complete(at(0), only, Outcome::Failure), Ok(Some(_))));
        let breaker = Arc::new(breaker);
        let (one, other) = both(&breaker, |breaker| breaker.admit(at(100)), |breaker| breaker.admit(at(101)));
        let admitted = [one, other].into_iter().filter(|answer| matches!(answer, Admit::Yes(_))).count();
        assert_eq!(admitted, 1);
        assert_eq!(breaker.stats(at(101)).transitions, 2);
    });
}

#[test]
fn loom_an_asker_beside_the_trip_sees_a_whole_open_time() {
    model("shared breaker, asking while it trips", 3, 2, || {
        let breaker = Arc::new(breaker(config().consecutive(NonZeroU32::MIN), 8));
        let only = pass(&breaker, 0);
        let (tripped, answer) = both(
            &breaker,
            move |breaker| breaker.complete(at(7), only, Outcome::Failure),
            |breaker| breaker.admit(at(9)),
        );
        assert!(matches!(tripped, Ok(Some(_))));
        match answer {
            // Before, or after; then until what either of the two wrote.
            Admit::Yes(pass) => assert!(!pass.is_probe()),
            Admit::No { retry_at, .. } => assert!([at(107), at(109)].contains(&retry_at), "{retry_at}"),
        }
        let State::Open { until } = breaker.state(at(9)) else { panic!("it tripped") };
        assert!([at(107), at(109)].contains(&until), "{until}");
        assert_eq!(breaker.admit(at(9)), Admit::No { retry_at: until, why: Rejection::Open });
    });
}

#[test]
fn loom_a_late_outcome_changes_nothing() {
    model("shared breaker, an outcome beside a reset", 3, 2, || {
        let breaker = Arc::new(breaker(config().consecutive(NonZeroU32::new(3).unwrap()), 8));
        let (first, late) = (pass(&breaker, 0), pass(&breaker, 0));
        assert_eq!(breaker.complete(at(0), first, Outcome::Failure), Ok(None));
        let (change, _) = both(
            &breaker,
            |breaker| breaker.reset(at(1)),
            move |breaker| breaker.complete(at(1), late, Outcome::Failure),
        );
        assert_eq!((change.from, change.to), (State::Closed, State::Closed));
        assert_eq!(breaker.stats(at(1)).window, Counts::NONE);
        // Nor does the run of failures go on: two more are not three.
        for _ in 0..2 {
            let next = pass(&breaker, 1);
            assert_eq!(breaker.complete(at(1), next, Outcome::Failure), Ok(None));
        }
        assert_eq!(breaker.stats(at(1)).window, Counts { calls: 2, failures: 2, slow: 0 });
    });
}

/// Nor does it take anything from the new period: what it wrote would bear the old number.
#[test]
fn loom_a_late_outcome_wipes_nothing_off() {
    model("shared breaker, an outcome beside a reset and a call", 3, 2, || {
        let breaker = Arc::new(breaker(config(), 8));
        let late = pass(&breaker, 0);
        both(
            &breaker,
            move |breaker| _ = breaker.complete(at(1), late, Outcome::Failure),
            |breaker| {
                _ = breaker.reset(at(1));
                let next = pass(breaker, 1);
                assert_eq!(breaker.complete(at(1), next, Outcome::Failure), Ok(None));
            },
        );
        assert_eq!(breaker.stats(at(1)).window, Counts { calls: 1, failures: 1, slow: 0 });
    });
}

/// Two failures in different words, which it takes both of to trip: one of the two threads sees both.
#[test]
fn loom_failures_in_different_words_are_seen() {
    model("shared breaker, two failures in two words", 3, 2, || {
        let rate = Q32::from_ratio(2, 9).unwrap();
        let breaker = Arc::new(breaker(config().failure_rate(rate).minimum(1), 16));
        for _ in 0..7 {
            let pass = pass(&breaker, 0);
            assert_eq!(breaker.complete(at(0), pass, Outcome::Success), Ok(None));
        }
        let passes = [pass(&breaker, 0), pass(&breaker, 0)];
        let (one, other) = both(
            &breaker,
            move |breaker| breaker.complete(at(1), passes[0], Outcome::Failure),
            move |breaker| breaker.complete(at(1), passes[1], Outcome::Failure),
        );
        assert_eq!([one, other].into_iter().filter(|answer| matches!(answer, Ok(Some(_)))).count(), 1);
    });
}

/// While one resets, the other counts in the new period: what tidies up wipes off nothing of it.
#[test]
fn loom_tidying_up_takes_nothing_from_the_new_period() {
    model("shared breaker, counting beside the reset", 3, 2, || {
        let breaker = Arc::new(breaker(config(), 8));
        let old = pass(&breaker, 0);
        assert_eq!(breaker.complete(at(0), old, Outcome::Failure), Ok(None));
        let (_, counted) = both(
            &breaker,
            |breaker| breaker.reset(at(1)),
            move |breaker| {
                let pass = pass(breaker, 1);
                (pass.id() == 1, breaker.complete(at(1), pass, Outcome::Failure))
            },
        );
        let expected = if counted.0 { Counts { calls: 1, failures: 1, slow: 0 } } else { Counts::NONE };
        assert_eq!(breaker.stats(at(1)).window, expected);
        assert!(!counted.0 || counted.1 == Ok(None));
    });
}

#[test]
fn loom_a_lost_probe_is_reclaimed_once() {
    model("shared breaker, two reclaim a lost probe", 3, 2, || {
        let config = config().probes(NonZeroU32::MIN).reopen_after(NonZeroU32::new(2).unwrap());
        let breaker = Arc::new(half_open(config));
        _ = pass(&breaker, 100);
        both(&breaker, |breaker| breaker.advance(at(110)), |breaker| breaker.advance(at(111)));
        let stats = breaker.stats(at(111));
        assert_eq!((stats.lost, stats.probed.failures, stats.probes), (1, 1, 0));
        assert_eq!(stats.state, State::HalfOpen);
    });
}

/// One thread's clock is past the probe's deadline while the probe reports in time by its own.
#[test]
fn loom_a_probe_reports_or_is_lost_but_not_both() {
    model("shared breaker, a probe reports while it is reclaimed", 3, 2, || {
        let config = config().probes(NonZeroU32::MIN).close_after(NonZeroU32::new(2).unwrap());
        let breaker = Arc::new(half_open(config.reopen_after(NonZeroU32::new(2).unwrap())));
        let probe = pass(&breaker, 100);
        let (reported, _) = both(
            &breaker,
            move |breaker| breaker.complete(at(109), probe, Outcome::Success),
            |breaker| breaker.advance(at(110)),
        );
        let stats = breaker.stats(at(110));
        let expected = u32::from(reported.is_err());
        assert_eq!((stats.lost, stats.probed.failures, stats.probed.calls), (expected, expected, 1));
        assert_eq!(stats.probes, 0);
    });
}

/// Of two probes that each would close or open it, one does.
#[test]
fn loom_two_probes_decide_once() {
    model("shared breaker, one probe succeeds and one fails", 2, 1, || {
        let two = NonZeroU32::new(2).unwrap();
        let breaker = Arc::new(half_open(config().probes(two).close_after(NonZeroU32::MIN)));
        let (good, bad) = (pass(&breaker, 100), pass(&breaker, 100));
        let (one, other) = both(
            &breaker,
            move |breaker| breaker.complete(at(101), good, Outcome::Success),
            move |breaker| breaker.complete(at(101), bad, Outcome::Failure),
        );
        let changes = [one, other].into_iter().filter(|answer| matches!(answer, Ok(Some(_)))).count();
        assert_eq!(changes, 1);
        let stats = breaker.stats(at(101));
        assert_eq!((stats.transitions, stats.probes, stats.window), (3, 0, Counts::NONE));
    });
}

/// Two claim the same slot, with deadlines that say whose they are, while a third looks.
#[test]
fn loom_a_deadline_is_never_torn() {
    model("slot, two claims and a look", 3, 2, || {
        let slot = Arc::new(Slot::new());
        // Every part of the one differs from that of the other.
        let of = |period: u32| at(u64::from(period) * 0x0040_0010_0004_0001);
        let claim = move |slot: &Slot, period: u32| match slot.look() {
            Seen::Free(word) | Seen::Draft(word) => slot.claim(word, period, of(period)),
            Seen::Held { period: held, deadline, .. } => {
                assert_eq!(deadline, of(held));
                None
            }
        };
        let other = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || claim(&slot, 5))
        };
        let mine = claim(&slot, 9);
        if let Seen::Held { period, deadline, .. } = slot.look() {
            assert_eq!(deadline, of(period));
        }
        let theirs = other.join().unwrap();
        let Seen::Held { word, period, deadline } = slot.look() else { panic!("one of them has it") };
        assert_eq!(deadline, of(period));
        assert_eq!(if period == 9 { mine } else { theirs }, Some(generation(word)));
        assert!(mine.is_none() || theirs.is_none());
    });
}

/// Two threads come into the next bucket of time at once, of which one finds what the last round left.
#[test]
fn loom_a_new_bucket_of_time_counts_exactly() {
    model("shared window of time, two calls in a new bucket", 3, 2, || {
        let window = SharedTimeWindow::<Inline<2>>::new(Duration::from_nanos(20)).unwrap();
        let call = Call { failed: true, slow: false };
        // Buckets 0 and 1; the new one is 2, in the place of 0.
        for now in [0, 0, 10] {
            assert!(window.record(0, at(now), call, || true));
        }
        let window = Arc::new(window);
        let other = {
            let window = Arc::clone(&window);
            thread::spawn(move || assert!(window.record(0, at(20), call, || true)))
        };
        assert!(window.record(0, at(29), call, || true));
        other.join().unwrap();
        assert_eq!(window.counts(0, at(29)), Counts { calls: 3, failures: 3, slow: 0 });
    });
}

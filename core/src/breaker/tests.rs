//! The breaker as its callers see it: what it promises, what peers got wrong, and a model that keeps everything.

use super::*;
use crate::fixed::Q32;
use crate::storage::Inline;
use crate::time::Instant;
use core::num::NonZeroU32;
use core::time::Duration;
use std::vec::Vec;

mod exhaustive;
mod model;

const SECOND: Duration = Duration::from_secs(1);
const YEAR: Duration = Duration::from_secs(31_557_600);

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn count(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("tests ask for at least one")
}

fn share(part: u64, of: u64) -> Q32 {
    Q32::from_ratio(part, of).expect("a share fits")
}

/// Trips at half of ten calls; opens for 10 s, then 20 s, then 40 s; one probe of 2 s.
fn plain() -> Config {
    Config::new()
        .open(10 * SECOND, 40 * SECOND, Q32::from_int(2))
        .jitter(Q32::ZERO)
        .probes(NonZeroU32::MIN)
        .probe_timeout(2 * SECOND)
}

fn ten() -> CountWindow<Inline<4>> {
    CountWindow::new().last(10).expect("ten fit")
}

fn breaker(config: Config) -> Breaker {
    Breaker::new(config.build().expect("a valid config"), ten())
}

#[track_caller]
fn pass<W: Window, P: crate::storage::Storage>(breaker: &mut Breaker<W, P>, now: Instant) -> Pass {
    match breaker.admit(now) {
        Admit::Yes(pass) => pass,
        Admit::No { retry_at, why } => panic!("refused at {now} until {retry_at}: {why}"),
    }
}

#[track_caller]
fn call<W: Window, P: crate::storage::Storage>(
    breaker: &mut Breaker<W, P>,
    now: Instant,
    outcome: Outcome,
) -> Option<Transition> {
    let pass = pass(breaker, now);
    breaker.complete(now, pass, outcome).expect("the pass is fresh")
}

/// Trips it at `now`, by failures alone; when it becomes half-open.
#[track_caller]
fn trip<W: Window, P: crate::storage::Storage>(breaker: &mut Breaker<W, P>, now: Instant) -> Instant {
    for _ in 0..1_000 {
        if let Some(Transition { to: State::Open { until }, .. }) = call(breaker, now, Outcome::Failure) {
            return until;
        }
    }
    panic!("a thousand failures did not trip it");
}

#[test]
fn half_of_the_window_trips_and_less_does_not() {
    let mut breaker = breaker(plain());
    for i in 0..100 {
        // Four of each ten.
        let outcome = if i % 10 < 4 { Outcome::Failure } else { Outcome::Success };
        assert_eq!(call(&mut breaker, at(i), outcome), None);
    }
    let change = call(&mut breaker, at(100), Outcome::Failure);
    assert_eq!(change, None, "the failure replaced another");
    let stats = breaker.stats(at(100));
    assert_eq!((stats.window.calls, stats.window.failures), (10, 4));
    assert_eq!(stats.window.error_rate(), share(4, 10));
    for i in 101..104 {
        assert_eq!(call(&mut breaker, at(i), Outcome::Failure), None);
    }
    let change = call(&mut breaker, at(104), Outcome::Failure);
    let expected = Transition {
        at: at(104),
        from: State::Closed,
        to: State::Open { until: at(104).saturating_add(10 * SECOND) },
        why: Cause::Failures,
        counts: Counts { calls: 10, failures: 5, slow: 0 },
    };
    assert_eq!((change, breaker.last()), (Some(expected), Some(expected)));
}

/// The published bound of Q22: a total failure is seen within ⌈rate × size⌉ calls, from an empty window and from one full
/// of good calls.
#[test]
fn a_total_failure_trips_within_the_rate_times_the_size() {
    for size in 1..=128 {
        for percent in [1, 10, 33, 50, 99, 100] {
            for good in [0, 1, size / 2, size, 3 * size + 1] {
                let rules = plain().failure_rate(share(percent, 100)).build().unwrap();
                let mut breaker: Breaker = Breaker::new(rules, CountWindow::new().last(size).unwrap());
                for i in 0..good {
                    assert_eq!(call(&mut breaker, at(i.into()), Outcome::Success), None);
                }
                let mut calls = 0u64;
                while breaker.state(at(1_000)) == State::Closed {
                    let _ = call(&mut breaker, at(1_000), Outcome::Failure);
                    calls += 1;
                }
                assert!(calls <= (percent * u64::from(size)).div_ceil(100), "{calls} of {size}");
            }
        }
    }
}

#[test]
fn failures_in_a_row_trip_and_a_success_between_them_does_not() {
    let mut breaker = breaker(Config::empty().consecutive(count(3)).probes(count(1)));
    for outcome in [Outcome::Failure, Outcome::Failure, Outcome::Success, Outcome::Failure, Outcome::Failure]
    {
        assert_eq!(call(&mut breaker, at(0), outcome), None);
    }
    // What says nothing does not interrupt either.
    assert_eq!(call(&mut breaker, at(0), Outcome::Ignored), None);
    let change = call(&mut breaker, at(0), Outcome::Failure).expect("the third in a row");
    assert_eq!(change.why, Cause::Consecutive);
    assert_eq!(breaker.stats(at(0)).ignored, 1);
}

#[test]
fn slow_calls_trip_whoever_says_that_they_are_slow() {
    let config = Config::empty().slow_rate(Duration::from_nanos(5), share(1, 2)).minimum(4);
    let mut breaker = breaker(config);
    // Exactly as long as is well is not slow.
    let first = pass(&mut breaker, at(0));
    assert_eq!(breaker.complete(at(5), first, Outcome::Success), Ok(None));
    assert_eq!(breaker.stats(at(5)).window, Counts { calls: 1, failures: 0, slow: 0 });
    let measured = pass(&mut breaker, at(5));
    assert_eq!(breaker.complete(at(11), measured, Outcome::Success), Ok(None));
    let failed = pass(&mut breaker, at(11));
    let change = breaker.complete(at(17), failed, Outcome::Failure).unwrap().expect("two of four");
    assert_eq!((change.why, change.counts), (Cause::SlowCalls, Counts { calls: 3, failures: 1, slow: 2 }));

    breaker.reset(at(20));
    assert_eq!(call(&mut breaker, at(20), Outcome::Slow), None);
    assert_eq!(call(&mut breaker, at(20), Outcome::Slow).map(|change| change.why), Some(Cause::SlowCalls));
    assert_eq!(breaker.stats(at(20)).window.slow_rate(), Q32::ONE);
    // A slow probe does not close it.
    let State::Open { until } = breaker.state(at(20)) else { panic!("it tripped") };
    assert_eq!(call(&mut breaker, until, Outcome::Slow).map(|change| change.why), Some(Cause::ProbeFailed));
}

#[test]
fn slow_says_nothing_where_nobody_asked() {
    let mut breaker = breaker(plain());
    for _ in 0..100 {
        assert_eq!(call(&mut breaker, at(0), Outcome::Slow), None);
    }
    assert_eq!(breaker.stats(at(0)).window, Counts { calls: 10, failures: 0, slow: 10 });
    let until = trip(&mut breaker, at(0));
    assert_eq!(call(&mut breaker, until, Outcome::Slow).map(|change| change.to), Some(State::Closed));
}

#[test]
fn a_confidence_keeps_small_samples_from_tripping() {
    let rules = |config: Config| config.failure_rate(share(1, 2)).minimum(1).build().unwrap();
    let mut hasty: Breaker = Breaker::new(rules(plain()), ten());
    assert!(call(&mut hasty, at(0), Outcome::Failure).is_some(), "one of one is more than half");
    // 95 %: n / (n + z²) reaches a half from z² = 2.7 on.
    let mut sure: Breaker = Breaker::new(rules(plain().confidence(Confidence::P95)), ten());
    assert_eq!(call(&mut sure, at(0), Outcome::Failure), None);
    assert_eq!(call(&mut sure, at(0), Outcome::Failure), None);
    assert!(call(&mut sure, at(0), Outcome::Failure).is_some());
}

#[test]
fn a_window_of_time_forgets() {
    let rules = plain().failure_rate(share(1, 2)).minimum(4).build().unwrap();
    let window = TimeWindow::<Inline<5>>::new(10 * SECOND).unwrap();
    let mut breaker = Breaker::<_, Inline<1>>::new(rules, window);
    assert_eq!(call(&mut breaker, Instant::from_secs(1), Outcome::Failure), None);
    // Its bucket lasts until 2 s, and counts until the fifth one after it begins.
    let failures = |seconds| breaker.stats(Instant::from_secs(seconds)).window.failures;
    assert_eq!([1, 9, 10, 1_000].map(failures), [1, 1, 0, 0]);
    assert_eq!(call(&mut breaker, Instant::from_secs(11), Outcome::Failure), None);
    assert!(call(&mut breaker, Instant::from_secs(12), Outcome::Failure).is_some());
}

#[test]
fn what_began_before_a_change_counts_nowhere() {
    let mut breaker = breaker(plain());
    let early = pass(&mut breaker, at(0));
    let until = trip(&mut breaker, at(1));
    assert_eq!(breaker.complete(at(2), early, Outcome::Success), Err(Stale::Earlier));
    assert_eq!(call(&mut breaker, until, Outcome::Success).map(|change| change.to), Some(State::Closed));
    assert_eq!(breaker.complete(until, early, Outcome::Failure), Err(Stale::Earlier));
    assert_eq!(breaker.stats(until).window, Counts::NONE);
}

#[test]
fn a_probe_counts_once() {
    let mut breaker = breaker(plain().probes(count(2)).close_after(count(3)));
    let until = trip(&mut breaker, at(0));
    let probe = pass(&mut breaker, until);
    assert!(probe.is_probe() && probe.began() == until);
    assert_eq!(breaker.complete(until, probe, Outcome::Success), Ok(None));
    assert_eq!(breaker.complete(until, probe, Outcome::Success), Err(Stale::Unknown));
    let slow = pass(&mut breaker, until);
    let late = until.saturating_add(2 * SECOND);
    assert_eq!(breaker.complete(late, slow, Outcome::Success), Err(Stale::Expired));
    assert_eq!(breaker.last().map(|change| (change.at, change.why)), Some((late, Cause::ProbeLost)));
}

#[test]
fn hands_override_and_reset_gives_back() {
    let mut breaker = breaker(plain());
    let early = pass(&mut breaker, at(0));
    assert_eq!(breaker.force_open(at(1)).map(|change| change.why), Some(Cause::Forced));
    assert_eq!(breaker.force_open(at(1)), None, "it is already");
    assert_eq!(breaker.admit(at(1)), Admit::No { retry_at: Instant::MAX, why: Rejection::Forced });
    assert_eq!((breaker.next_deadline(), breaker.state(Instant::MAX)), (None, State::ForcedOpen));
    assert_eq!(breaker.complete(at(1), early, Outcome::Failure), Err(Stale::Earlier));

    assert!(breaker.force_closed(at(2)).is_some());
    for _ in 0..20 {
        assert_eq!(call(&mut breaker, at(2), Outcome::Failure), None, "it never trips");
    }
    assert_eq!(breaker.stats(at(2)).window.failures, 10, "but counts");

    assert!(breaker.disable(at(3)).is_some());
    let before = breaker.stats(at(3));
    assert_eq!(call(&mut breaker, at(3), Outcome::Failure), None);
    assert_eq!(breaker.stats(at(3)), before);

    assert_eq!(breaker.reset(at(4)).why, Cause::Reset);
    assert_eq!(breaker.stats(at(4)).window, Counts::NONE);
    trip(&mut breaker, at(4));
    let stats = breaker.stats(at(4));
    assert_eq!(
        (stats.transitions(), stats.caused_by(Cause::Forced), stats.caused_by(Cause::Failures)),
        (5, 3, 1)
    );
    assert_eq!((stats.rejected, stats.openings), (1, 1));
}

#[test]
fn open_times_grow_to_the_cap_and_start_again_after_closing() {
    let mut breaker = breaker(plain());
    let mut now = trip(&mut breaker, Instant::ZERO);
    assert_eq!(now, Instant::from_secs(10));
    for seconds in [20, 40, 40] {
        let Some(Transition { to: State::Open { until }, .. }) = call(&mut breaker, now, Outcome::Failure)
        else {
            panic!("a failed probe opens it")
        };
        assert_eq!(until, now.saturating_add(seconds * SECOND));
        now = until;
    }
    assert!(call(&mut breaker, now, Outcome::Success).is_some());
    assert_eq!(trip(&mut breaker, now), now.saturating_add(10 * SECOND));
}

#[test]
fn jitter_takes_a_share_of_the_open_time_and_depends_on_seed_and_number_alone() {
    let rules = |seed| {
        plain().open(SECOND, SECOND, Q32::ONE).jitter(share(1, 4)).seed(seed).build().expect("a valid config")
    };
    let mut sum = 0;
    for n in 1..=1_000 {
        let time = rules(7).open_time(n);
        assert!(time <= SECOND && time >= SECOND * 3 / 4, "{time:?}");
        assert_eq!(time, rules(7).open_time(n));
        assert_ne!(time, rules(8).open_time(n));
        sum += time.as_nanos();
    }
    // Uniform on 750..=1000 ms: mean 875 ms, standard error 2.3 ms; five of those either way.
    assert!((863..=887).contains(&(sum / 1_000 / 1_000_000)), "{sum}");
    let all = plain().jitter(Q32::ONE).build().unwrap();
    assert!(all.open_time(1) <= 10 * SECOND);
}

#[test]
fn nonsense_is_refused() {
    let error = |config: Config| config.build().map(|_| ());
    assert_eq!(error(Config::empty()), Err(ConfigError::NoCriterion));
    assert_eq!(error(plain().failure_rate(Q32::ZERO)), Err(ConfigError::Rate));
    assert_eq!(error(plain().failure_rate(Q32::from_bits((1 << 32) + 1))), Err(ConfigError::Rate));
    assert_eq!(error(plain().slow_rate(SECOND, Q32::ZERO)), Err(ConfigError::Rate));
    assert_eq!(error(plain().jitter(Q32::from_int(2))), Err(ConfigError::Jitter));
    assert_eq!(error(plain().open(Duration::ZERO, SECOND, Q32::ONE)), Err(ConfigError::ZeroOpen));
    assert_eq!(error(plain().open(2 * SECOND, SECOND, Q32::ONE)), Err(ConfigError::CapBelowBase));
    assert_eq!(error(plain().open(SECOND, Duration::MAX, Q32::ONE)), Err(ConfigError::TooLong));
    assert_eq!(error(plain().open(SECOND, SECOND, Q32::ZERO)), Err(ConfigError::Factor));
    assert_eq!(error(plain().probe_timeout(Duration::ZERO)), Err(ConfigError::ZeroProbeTimeout));
    assert_eq!(error(plain().probe_timeout(Duration::MAX)), Err(ConfigError::TooLong));
    assert_eq!(Config::default().build(), Ok(Rules::default()));

    let time = |span| TimeWindow::<Inline<3>>::new(span).map(|window| window.width());
    assert_eq!(time(Duration::ZERO), Err(WindowError::Zero));
    assert_eq!(time(Duration::MAX), Err(WindowError::TooLong));
    assert_eq!(time(Duration::from_nanos(1)), Ok(Duration::from_nanos(1)));
    assert_eq!(time(Duration::from_nanos(4)), Ok(Duration::from_nanos(2)));
}

/// The longest durations there are: nothing overflows, and time that never comes is never over.
#[test]
fn centuries_are_as_good_as_seconds() {
    let longest = Duration::from_nanos(u64::MAX);
    let rules =
        plain().open(longest, longest, Q32::MAX).slow_rate(Duration::MAX, Q32::ONE).probe_timeout(longest);
    let window = TimeWindow::<Inline<4>>::new(longest).unwrap();
    let mut breaker = Breaker::<_, Inline<1>>::new(rules.minimum(2).build().unwrap(), window);
    let now = Instant::ZERO.saturating_add(100 * YEAR);
    let began = pass(&mut breaker, Instant::ZERO);
    assert_eq!(breaker.complete(now, began, Outcome::Success), Ok(None));
    assert_eq!(breaker.stats(now).slow, 0, "no call takes longer than the longest duration");
    assert_eq!(trip(&mut breaker, now), Instant::MAX);
    let later = now.saturating_add(400 * YEAR);
    assert_eq!(breaker.admit(later), Admit::No { retry_at: Instant::MAX, why: Rejection::Open });
    // At the end of time every probe is lost at once; a hand opens it all the same.
    assert!(matches!(breaker.admit(Instant::MAX), Admit::Yes(_)));
    assert!(matches!(breaker.state(Instant::MAX), State::Open { .. } | State::HalfOpen));
    breaker.reset(Instant::MAX);
    assert_eq!(call(&mut breaker, Instant::MAX, Outcome::Success), None);
}

#[test]
fn no_time_at_all_for_slow_calls_makes_every_call_slow_that_takes_any() {
    let mut breaker = breaker(Config::empty().slow_rate(Duration::ZERO, Q32::ONE).minimum(1));
    assert_eq!(call(&mut breaker, at(0), Outcome::Success), None);
    let slow = pass(&mut breaker, at(0));
    assert_eq!(breaker.complete(at(1), slow, Outcome::Success), Ok(None), "one of two");
}

#[test]
fn a_clock_that_goes_back_ends_nothing_and_makes_nothing_slow() {
    let config = plain().slow_rate(SECOND, Q32::ONE);
    let mut breaker = breaker(config);
    let early = pass(&mut breaker, Instant::from_secs(100));
    assert_eq!(breaker.complete(Instant::ZERO, early, Outcome::Success), Ok(None));
    // Admitted at 50 s of a clock that has been at 100 s: no time passes until it is there again.
    let back = pass(&mut breaker, Instant::from_secs(50));
    assert_eq!(back.began(), Instant::from_secs(100));
    assert_eq!(breaker.complete(Instant::from_secs(90), back, Outcome::Success), Ok(None));
    assert_eq!(breaker.stats(Instant::ZERO).slow, 0);
    let until = trip(&mut breaker, Instant::ZERO);
    assert_eq!(until, Instant::from_secs(110));
    assert_eq!(breaker.admit(Instant::ZERO), Admit::No { retry_at: until, why: Rejection::Open });
    let probe = pass(&mut breaker, until);
    assert_eq!(breaker.state(Instant::ZERO), State::HalfOpen, "it does not open again");
    let late = until.saturating_add(2 * SECOND);
    assert!(breaker.advance(late).is_some());
    assert_eq!(breaker.complete(until, probe, Outcome::Success), Err(Stale::Expired));
}

#[test]
fn a_clock_that_stands_still_keeps_it_open_until_it_moves() {
    let mut breaker = breaker(plain());
    let until = trip(&mut breaker, at(0));
    for _ in 0..1_000 {
        assert_eq!(breaker.admit(at(0)), Admit::No { retry_at: until, why: Rejection::Open });
    }
    assert_eq!(breaker.stats(at(0)).rejected, 1_000);
    assert!(matches!(breaker.admit(until), Admit::Yes(_)));
}

/// What is due happens when it was due, however late and however often somebody looks.
#[test]
fn a_jump_is_the_same_as_many_steps() {
    let make = || {
        let mut breaker = breaker(plain().probes(count(3)).reopen_after(count(2)));
        let until = trip(&mut breaker, at(0));
        for seconds in 0..2 {
            let _lost = pass(&mut breaker, until.saturating_add(seconds * SECOND));
        }
        breaker
    };
    let end = Instant::from_secs(60);
    let (mut steps, mut jump) = (make(), make());
    for millis in 10_000..=60_000 {
        let now = Instant::from_millis(millis);
        let looked = steps.state(now);
        steps.advance(now);
        assert_eq!((looked, make().state(now)), (steps.state(now), steps.state(now)));
    }
    jump.advance(end);
    assert_eq!((jump.last(), jump.stats(end)), (steps.last(), steps.stats(end)));
    // 10 s open, a second probe lost at 13 s, 20 s open.
    let last = jump.last().expect("it moved");
    assert_eq!((last.at, last.to), (Instant::from_secs(33), State::HalfOpen));
}

#[cfg(feature = "alloc")]
#[test]
fn the_heap_holds_as_many_calls_and_probes_as_asked_for() {
    use crate::storage::Heap;
    let rules = plain().probes(count(5)).build().unwrap();
    let mut breaker = Breaker::<_, Heap>::with_capacity(rules, CountWindow::<Heap>::with_capacity(count(33)));
    let mut failures = 1;
    while call(&mut breaker, at(0), Outcome::Failure).is_none() {
        failures += 1;
    }
    assert_eq!(failures, 17);
    let until = breaker.next_deadline().expect("it is open");
    for _ in 0..5 {
        let _probe = pass(&mut breaker, until);
    }
    assert!(matches!(breaker.admit(until), Admit::No { why: Rejection::Probing, .. }));
    let window = TimeWindow::<Heap>::with_capacity(SECOND, count(7)).unwrap();
    let breaker = Breaker::<_, Inline<1>>::new(rules, window);
    assert_eq!(breaker.rules(), &rules);
}

/// Rules may ask for more probes than there are slots: the slots decide.
#[test]
fn slots_bound_the_probes() {
    let rules = plain().probes(count(9)).close_after(count(1)).build().unwrap();
    let mut breaker = Breaker::<_, Inline<2>>::new(rules, ten());
    let until = trip(&mut breaker, at(0));
    let (_first, second) = (pass(&mut breaker, until), pass(&mut breaker, until));
    let retry_at = until.saturating_add(2 * SECOND);
    assert_eq!(breaker.admit(until), Admit::No { retry_at, why: Rejection::Probing });
    assert!(matches!(breaker.complete(until, second, Outcome::Success), Ok(Some(_))));
}

// What users of other breakers reported, once each.

/// resilience4j #935: a call that hangs while half-open never gives its permit back, so nothing is admitted again.
#[test]
fn a_probe_that_never_reports_does_not_hold_half_open_resilience4j_935() {
    let mut breaker = breaker(plain());
    let until = trip(&mut breaker, at(0));
    let hung = pass(&mut breaker, until);
    let lost = until.saturating_add(2 * SECOND);
    assert_eq!(breaker.admit(until), Admit::No { retry_at: lost, why: Rejection::Probing });
    let again = lost.saturating_add(20 * SECOND);
    assert_eq!(breaker.admit(lost), Admit::No { retry_at: again, why: Rejection::Open });
    assert_eq!(call(&mut breaker, again, Outcome::Success).map(|change| change.to), Some(State::Closed));
    assert_eq!(breaker.complete(again, hung, Outcome::Failure), Err(Stale::Expired));
    assert_eq!(breaker.state(again), State::Closed);
}

/// resilience4j #903: half-open with 8 of 10 probes reported, no rate is ever computed and no further call admitted.
#[test]
fn probes_that_report_in_part_still_decide_resilience4j_903() {
    let config = plain().minimum(10).probes(count(10)).reopen_after(count(10));
    let rules = config.build().unwrap();
    let mut breaker = Breaker::<_, Inline<10>>::new(rules, ten());
    let until = trip(&mut breaker, at(0));
    let probes: Vec<Pass> = (0..10).map(|_| pass(&mut breaker, until)).collect();
    for probe in &probes[..8] {
        assert_eq!(breaker.complete(until, *probe, Outcome::Failure), Ok(None));
    }
    // Two are missing; their places are not waited for beyond their deadline.
    assert!(matches!(breaker.admit(until), Admit::Yes(_)), "eight places are free again");
    let opened = breaker.advance(until.saturating_add(2 * SECOND)).expect("the rest is lost");
    assert_eq!((opened.why, opened.counts.failures), (Cause::ProbeLost, 10));
}

/// resilience4j #1389: futures that are cancelled report nothing, and the breaker stays half-open for good.
#[test]
fn callers_who_vanish_for_ever_cost_one_open_time_each_resilience4j_1389() {
    let mut breaker = breaker(plain().probes(count(3)));
    let mut now = trip(&mut breaker, at(0));
    for _ in 0..1_000 {
        let _vanished = [pass(&mut breaker, now), pass(&mut breaker, now), pass(&mut breaker, now)];
        let lost = breaker.next_deadline().expect("probes are under way");
        assert_eq!(lost, now.saturating_add(2 * SECOND));
        breaker.advance(lost);
        now = breaker.next_deadline().expect("it is open again");
        assert!(now <= lost.saturating_add(40 * SECOND));
    }
    for _ in 0..3 {
        let _ = call(&mut breaker, now, Outcome::Success);
    }
    assert_eq!(breaker.state(now), State::Closed);
}

/// resilience4j #1568: it goes round between open and half-open, and no call is permitted on the way.
#[test]
fn every_end_of_an_open_time_admits_a_call_resilience4j_1568() {
    let mut breaker = breaker(plain());
    let mut now = trip(&mut breaker, at(0));
    for round in 0..100 {
        // Somebody looks at the very end of the open time, or long after it.
        now = now.saturating_add(Duration::from_secs(round % 3 * 1_000));
        // Answers that say nothing (4xx) do not use up the permit.
        for _ in 0..round {
            assert_eq!(call(&mut breaker, now, Outcome::Ignored), None);
        }
        assert!(call(&mut breaker, now, Outcome::Failure).is_some());
        now = breaker.next_deadline().expect("it is open");
    }
    assert_eq!(call(&mut breaker, now, Outcome::Success).map(|change| change.to), Some(State::Closed));
}

/// resilience4j #544: the last permitted call ends with an ignored error, and its permit is never given back.
#[test]
fn an_ignored_outcome_releases_its_permit_resilience4j_544() {
    let mut breaker = breaker(plain().probes(count(2)).close_after(count(2)));
    let until = trip(&mut breaker, at(0));
    assert_eq!(call(&mut breaker, until, Outcome::Success), None);
    for _ in 0..1_000 {
        assert_eq!(call(&mut breaker, until, Outcome::Ignored), None);
    }
    let stats = breaker.stats(until);
    assert_eq!(
        (stats.state, stats.probes, stats.probed.calls, stats.ignored),
        (State::HalfOpen, 0, 1, 1_000)
    );
    assert!(call(&mut breaker, until, Outcome::Success).is_some());
}

/// resilience4j #1090: more calls than permitted while half-open, where calls of the closed time are still under way.
#[test]
fn calls_of_an_earlier_time_take_and_free_no_permit_resilience4j_1090() {
    let mut breaker = breaker(plain().probes(count(2)).close_after(count(5)));
    let early: Vec<Pass> = (0..50).map(|_| pass(&mut breaker, at(0))).collect();
    let until = trip(&mut breaker, at(0));
    let _probes = [pass(&mut breaker, until), pass(&mut breaker, until)];
    for pass in early {
        assert_eq!(breaker.complete(until, pass, Outcome::Success), Err(Stale::Earlier));
        assert!(matches!(breaker.admit(until), Admit::No { why: Rejection::Probing, .. }));
    }
    assert_eq!(breaker.stats(until).probes, 2);
}

/// resilience4j #1432: on the way from open to half-open more calls pass than are permitted.
#[test]
fn the_end_of_the_open_time_admits_no_more_than_its_probes_resilience4j_1432() {
    for probes in 1..=4 {
        let mut breaker = breaker(plain().probes(count(probes)));
        let until = trip(&mut breaker, at(0));
        let early = Instant::from_nanos(until.as_nanos() - 1);
        let admitted = |now, breaker: &mut Breaker| {
            (0..100).filter(|_| matches!(breaker.admit(now), Admit::Yes(_))).count()
        };
        assert_eq!(admitted(early, &mut breaker), 0);
        assert_eq!(admitted(until, &mut breaker), probes as usize);
        assert_eq!(admitted(until, &mut breaker), 0);
    }
}

/// nora #585 and PR #607: a proxy's error path forgets to report the one probe, and everything is 503 until a restart.
#[test]
fn a_forgotten_report_is_not_a_permanent_503_nora_585() {
    let mut breaker = breaker(plain());
    let until = trip(&mut breaker, at(0));
    let forgotten = pass(&mut breaker, until);
    // Within the probe's time the others are still refused.
    let soon = until.saturating_add(SECOND);
    assert!(matches!(breaker.admit(soon), Admit::No { why: Rejection::Probing, .. }));
    let hour = until.saturating_add(3_600 * SECOND);
    let probe = pass(&mut breaker, hour);
    assert_ne!((probe, breaker.stats(hour).lost), (forgotten, 0));
    assert!(matches!(breaker.complete(hour, probe, Outcome::Success), Ok(Some(_))));
}

/// mofa #1612: half-open lets a whole burst through.
#[test]
fn a_burst_finds_half_open_nearly_shut_mofa_1612() {
    let mut breaker = breaker(plain().probes(count(2)).close_after(count(2)));
    let until = trip(&mut breaker, at(0));
    let burst: Vec<Admit> = (0..10_000).map(|_| breaker.admit(until)).collect();
    assert_eq!(burst.iter().filter(|admit| matches!(admit, Admit::Yes(_))).count(), 2);
    assert_eq!(breaker.stats(until).rejected, 9_998);
}

/// gobreaker #21, #64: counts that are dropped at each interval's end show 90 % errors where the last interval's length
/// has 9 %.
#[test]
fn no_boundary_turns_nine_percent_into_ninety_gobreaker_21_64() {
    let rules = plain().failure_rate(share(1, 2)).minimum(10).build().unwrap();
    let window = TimeWindow::<Inline<10>>::new(10 * SECOND).unwrap();
    let mut breaker = Breaker::<_, Inline<1>>::new(rules, window);
    // 1,000 calls in each of the seconds 1 to 11; of those of the last, 900 fail.
    for millis in 1_000..11_000 {
        let failed = millis >= 10_000 && millis % 10 != 0;
        let outcome = if failed { Outcome::Failure } else { Outcome::Success };
        assert_eq!(call(&mut breaker, Instant::from_millis(millis), outcome), None, "{millis} ms");
    }
    let rate = breaker.stats(Instant::from_millis(10_999)).window.error_rate();
    assert_eq!(rate, share(900, 10_000));
}

/// Polly #2381: one failed probe opens it again, however many others would have succeeded.
#[test]
fn one_unlucky_probe_need_not_open_it_polly_2381() {
    let mut breaker = breaker(plain().probes(count(4)).close_after(count(3)).reopen_after(count(2)));
    let until = trip(&mut breaker, at(0));
    for outcome in [Outcome::Success, Outcome::Failure, Outcome::Success] {
        assert_eq!(call(&mut breaker, until, outcome), None);
    }
    let change = call(&mut breaker, until, Outcome::Success).expect("three of four");
    assert_eq!((change.to, change.counts), (State::Closed, Counts { calls: 4, failures: 1, slow: 0 }));
}

/// Polly #1895: open times that grow need a counter that the user must keep and reset outside the breaker.
#[test]
fn the_breaker_itself_counts_its_openings_polly_1895() {
    let mut breaker = breaker(plain());
    let mut now = trip(&mut breaker, at(0));
    for opening in 2..=5 {
        let _ = call(&mut breaker, now, Outcome::Failure);
        assert_eq!(breaker.stats(now).openings, opening);
        now = breaker.next_deadline().expect("it is open");
    }
    let _ = call(&mut breaker, now, Outcome::Success);
    assert_eq!(breaker.stats(now).openings, 0);
}

/// A window of the last hundred calls that only ever adds up hides a total failure behind old successes.
#[test]
fn a_hundred_thousand_old_successes_hide_nothing() {
    let mut breaker: Breaker = Breaker::new(plain().build().unwrap(), CountWindow::new().last(100).unwrap());
    for i in 0..100_000 {
        assert_eq!(call(&mut breaker, at(i), Outcome::Success), None);
    }
    let mut failures = 1;
    while call(&mut breaker, at(100_000), Outcome::Failure).is_none() {
        failures += 1;
    }
    assert_eq!(failures, 50);
}

#[test]
fn changes_and_refusals_say_what_they_are() {
    use std::string::ToString;
    let mut breaker = breaker(plain());
    let _ = trip(&mut breaker, Instant::from_secs(5));
    let change = breaker.last().expect("it tripped");
    assert_eq!(
        change.to_string(),
        "5.000000000s: closed to open until 15.000000000s, too many calls failed (5 failed and 0 slow of 5)"
    );
    assert!(Rejection::Open.to_string().starts_with("the breaker is open"));
    assert!(std::format!("{breaker:?}").contains("Failures"));
}

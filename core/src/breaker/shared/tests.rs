use super::super::{Breaker, Confidence, Config, CountWindow, TimeWindow};
use super::slot::generation;
use super::window::sealed::SharedWindow as _;
use super::*;
use crate::fixed::Q32;
use crate::rng::{Rng, Xoshiro256PlusPlus};
use core::num::NonZeroU32;
use core::time::Duration;
use proptest::prelude::*;
use std::sync::atomic::{AtomicI32, AtomicU64};
use std::thread;
use std::vec::Vec;

const OPEN: Duration = Duration::from_nanos(100);
const TIMEOUT: Duration = Duration::from_nanos(30);

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn count(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("not zero")
}

fn half() -> Config {
    Config::new().open(OPEN, 8 * OPEN, Q32::from_int(2)).jitter(Q32::ZERO).probe_timeout(TIMEOUT)
}

fn breaker(config: Config) -> SharedBreaker {
    SharedBreaker::new(config.build().unwrap(), SharedCountWindow::new().last(10).unwrap())
}

fn pass(breaker: &SharedBreaker, now: u64) -> Pass {
    match breaker.admit(at(now)) {
        Admit::Yes(pass) => pass,
        no => panic!("{no:?}"),
    }
}

fn fail(breaker: &SharedBreaker, now: u64, times: u32) {
    for _ in 0..times {
        let pass = pass(breaker, now);
        _ = breaker.complete(at(now), pass, Outcome::Failure);
    }
}

#[test]
fn trips_probes_and_closes_and_tells_who_did_it() {
    let breaker = breaker(half().probes(count(2)));
    fail(&breaker, 5, 4);
    let last = pass(&breaker, 6);
    let until = at(106);
    let tripped = breaker.complete(at(6), last, Outcome::Failure).unwrap().expect("half of ten");
    assert_eq!(
        (tripped.from, tripped.to, tripped.why),
        (State::Closed, State::Open { until }, Cause::Failures)
    );
    assert_eq!(tripped.counts, Counts { calls: 5, failures: 5, slow: 0 });
    assert_eq!(breaker.complete(at(6), last, Outcome::Failure), Err(Stale::Earlier));
    assert_eq!(breaker.admit(at(105)), Admit::No { retry_at: until, why: Rejection::Open });
    assert_eq!(breaker.next_deadline(), Some(until));

    let [first, second] = [(); 2].map(|()| pass(&breaker, 106));
    assert!(first.is_probe());
    assert_eq!(breaker.admit(at(107)), Admit::No { retry_at: at(136), why: Rejection::Probing });
    // An ignored probe counts nowhere, and its place is free.
    assert_eq!(breaker.complete(at(107), first, Outcome::Ignored), Ok(None));
    assert_eq!(breaker.complete(at(107), first, Outcome::Success), Err(Stale::Unknown));
    let third = pass(&breaker, 108);
    assert_eq!(breaker.complete(at(108), second, Outcome::Success), Ok(None));
    let closed = breaker.complete(at(109), third, Outcome::Success).unwrap().expect("two are enough");
    assert_eq!((closed.to, closed.why), (State::Closed, Cause::ProbesSucceeded));
    assert_eq!(breaker.stats(at(109)).window, Counts::NONE);
}

/// resilience4j #903, #935, getnora-io/nora #585: a probe that never reports held the breaker half-open for ever.
#[test]
fn a_lost_probe_does_not_wedge_half_open_resilience4j_903() {
    let breaker = breaker(half().probes(count(1)));
    fail(&breaker, 0, 5);
    let lost = pass(&breaker, 100);
    assert!(matches!(breaker.admit(at(129)), Admit::No { why: Rejection::Probing, .. }));
    assert_eq!(breaker.state(at(130)), State::Open { until: at(330) }, "twice as long, from the loss on");
    assert_eq!(breaker.complete(at(130), lost, Outcome::Success), Err(Stale::Expired));
    assert_eq!(breaker.stats(at(130)).lost, 1);
    assert!(matches!(breaker.admit(at(329)), Admit::No { why: Rejection::Open, .. }));
    let probe = pass(&breaker, 330);
    assert!(matches!(breaker.complete(at(331), probe, Outcome::Success), Ok(Some(_))));
}

/// resilience4j #1090, #1432: under concurrency more calls than permitted went through half-open.
#[test]
fn threads_never_get_more_probes_than_the_rules_allow_resilience4j_1432() {
    let (most, rounds) = (3, 4_000);
    let rules = half().probes(count(most)).close_after(NonZeroU32::MAX).reopen_after(NonZeroU32::MAX);
    let breaker = breaker(rules.probe_timeout(Duration::from_secs(1)));
    fail(&breaker, 0, 5);
    let (under_way, admitted) = (AtomicI32::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for seed in 0..4 {
            let (breaker, under_way, admitted) = (&breaker, &under_way, &admitted);
            scope.spawn(move || {
                let mut rng = Xoshiro256PlusPlus::seed(seed);
                let mut held = Vec::new();
                for _ in 0..rounds {
                    if rng.below(2) == 0 {
                        if let Admit::Yes(pass) = breaker.admit(at(200)) {
                            assert!(pass.is_probe());
                            admitted.fetch_add(1, Ordering::Relaxed);
                            assert!(under_way.fetch_add(1, Ordering::Relaxed) < most as i32);
                            held.push(pass);
                        }
                    } else if let Some(pass) = held.pop() {
                        under_way.fetch_sub(1, Ordering::Relaxed);
                        let outcome = [Outcome::Success, Outcome::Ignored][rng.below(2) as usize];
                        assert_eq!(breaker.complete(at(201), pass, outcome), Ok(None));
                    }
                }
                for pass in held {
                    under_way.fetch_sub(1, Ordering::Relaxed);
                    assert_eq!(breaker.complete(at(201), pass, Outcome::Ignored), Ok(None));
                }
            });
        }
    });
    assert!(admitted.into_inner() > 4);
    assert_eq!(breaker.stats(at(201)).probes, 0, "no permit is lost");
    _ = [(); 3].map(|()| pass(&breaker, 202));
    assert!(matches!(breaker.admit(at(202)), Admit::No { .. }));
}

#[test]
fn whatever_threads_do_it_closes_again_once_all_is_well() {
    for seed in 0..8 {
        let config = half().probes(count(2)).consecutive(count(4));
        let breaker = breaker(config);
        let (clock, changes) = (AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            for thread in 0..3 {
                let (breaker, clock, changes) = (&breaker, &clock, &changes);
                scope.spawn(move || {
                    let mut rng = Xoshiro256PlusPlus::seed(seed * 3 + thread);
                    for _ in 0..4_000 {
                        let now = clock.fetch_add(rng.below(12).into(), Ordering::Relaxed);
                        let Admit::Yes(pass) = breaker.admit(at(now)) else { continue };
                        let now = clock.fetch_add(rng.below(12).into(), Ordering::Relaxed);
                        let outcome = match rng.below(16) {
                            0..8 => Outcome::Success,
                            8..13 => Outcome::Failure,
                            13 => Outcome::Slow,
                            14 => Outcome::Ignored,
                            // A caller that vanishes.
                            _ => continue,
                        };
                        if let Ok(Some(_)) = breaker.complete(at(now), pass, outcome) {
                            changes.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let mut now = clock.into_inner() + 10_000;
        assert!(changes.into_inner() > 10, "it trips");
        for _ in 0..8 {
            let pass = pass(&breaker, now);
            assert!(breaker.complete(at(now), pass, Outcome::Success).is_ok());
            now += 1;
        }
        assert_eq!(breaker.state(at(now)), State::Closed);
    }
}

#[test]
fn all_calls_of_all_threads_count_exactly() {
    all_count(SharedCountWindow::<Inline<512>>::new());
    all_count(SharedTimeWindow::<Inline<3>>::new(Duration::from_secs(1)).unwrap());
}

fn all_count(window: impl SharedWindow + Sync) {
    // Never trips: what is looked at is the window.
    let rules = half().failure_rate(Q32::ONE).minimum(u32::MAX).build().unwrap();
    let breaker = SharedBreaker::<_, Inline<1>>::new(rules, window);
    _ = breaker.force_closed(at(0));
    thread::scope(|scope| {
        for thread in 0..4u32 {
            let breaker = &breaker;
            scope.spawn(move || {
                for i in 0..1_000 {
                    let Admit::Yes(pass) = breaker.admit(at(1)) else { panic!("forced closed") };
                    let outcome = match (i + thread) % 4 {
                        0 => Outcome::Failure,
                        1 => Outcome::Slow,
                        _ => Outcome::Success,
                    };
                    assert_eq!(breaker.complete(at(1), pass, outcome), Ok(None));
                }
            });
        }
    });
    assert_eq!(breaker.stats(at(1)).window, Counts { calls: 4_000, failures: 1_000, slow: 1_000 });
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Admit,
    Complete(usize, Outcome),
    Pass(u64),
    ForceOpen,
    ForceClosed,
    Disable,
    Reset,
    Advance,
}

fn op() -> impl Strategy<Value = Op> {
    let outcome = prop_oneof![
        4 => Just(Outcome::Success),
        8 => Just(Outcome::Failure),
        2 => Just(Outcome::Slow),
        1 => Just(Outcome::Ignored),
    ];
    prop_oneof![
        40 => Just(Op::Admit),
        40 => (0usize..64, outcome).prop_map(|(i, outcome)| Op::Complete(i, outcome)),
        10 => (0u64..60).prop_map(Op::Pass),
        1 => Just(Op::ForceOpen),
        1 => Just(Op::ForceClosed),
        1 => Just(Op::Disable),
        2 => Just(Op::Reset),
        3 => Just(Op::Advance),
    ]
}

prop_compose! {
    fn config()(
        rate in prop::option::of(1u64..=10),
        slow in prop::option::of((0u64..40, 1u64..=10)),
        consecutive in 1u32..8,
        minimum in prop::option::of(0u32..40),
        sure: bool,
        jitter in 0u64..=4,
        seed: u64,
        probes in 1u32..6,
        close_after in prop::option::of(1u32..5),
        reopen_after in 1u32..4,
    ) -> Config {
        let tenths = |tenths| Q32::from_ratio(tenths, 10).unwrap();
        let mut config = match (rate, slow) {
            (None, None) => Config::empty().consecutive(count(consecutive)),
            _ if consecutive < 4 => Config::empty().consecutive(count(consecutive + 4)),
            _ => Config::empty(),
        };
        if let Some(rate) = rate {
            config = config.failure_rate(tenths(rate));
        }
        if let Some((longer_than, rate)) = slow {
            config = config.slow_rate(Duration::from_nanos(longer_than), tenths(rate));
        }
        if let Some(minimum) = minimum {
            config = config.minimum(minimum);
        }
        if sure {
            config = config.confidence(Confidence::P90);
        }
        if let Some(close_after) = close_after {
            config = config.close_after(count(close_after));
        }
        config
            .open(OPEN, 8 * OPEN, Q32::from_int(2))
            .jitter(Q32::from_ratio(jitter, 4).unwrap())
            .seed(seed)
            .probes(count(probes))
            .reopen_after(count(reopen_after))
            .probe_timeout(TIMEOUT)
    }
}

/// All of a change but what was counted while it was open, which the shared form forgets.
fn told(change: Option<Transition>) -> Option<Transition> {
    change.map(|change| match change.from {
        State::Closed | State::HalfOpen | State::ForcedClosed => change,
        _ => Transition { counts: Counts::NONE, ..change },
    })
}

/// Gives both forms the same calls at the same times and compares all they tell.
fn compare<W: super::super::Window, V: SharedWindow>(
    mut plain: Breaker<W>,
    shared: SharedBreaker<V>,
    ops: &[Op],
) -> Result<(), TestCaseError> {
    let (mut now, mut passes) = (1_000, Vec::new());
    for op in ops {
        match *op {
            Op::Admit => match (plain.admit(at(now)), shared.admit(at(now))) {
                (Admit::Yes(one), Admit::Yes(other)) => {
                    prop_assert_eq!((one.is_probe(), one.began()), (other.is_probe(), other.began()));
                    passes.push((one, other));
                }
                (one, other) => prop_assert_eq!(one, other),
            },
            Op::Complete(i, outcome) if !passes.is_empty() => {
                // Mostly the latest; slow ones stay, to be completed again.
                let i = passes.len() - 1 - (i * i / 64) % passes.len();
                let (one, other) = if outcome == Outcome::Slow { passes[i] } else { passes.remove(i) };
                let one = plain.complete(at(now), one, outcome);
                prop_assert_eq!(one.map(told), shared.complete(at(now), other, outcome).map(told));
            }
            Op::Complete(..) => {}
            Op::Pass(nanos) => now += nanos,
            Op::ForceOpen => {
                prop_assert_eq!(told(plain.force_open(at(now))), told(shared.force_open(at(now))));
            }
            Op::ForceClosed => {
                prop_assert_eq!(told(plain.force_closed(at(now))), told(shared.force_closed(at(now))));
            }
            Op::Disable => prop_assert_eq!(told(plain.disable(at(now))), told(shared.disable(at(now)))),
            Op::Reset => {
                prop_assert_eq!(told(Some(plain.reset(at(now)))), told(Some(shared.reset(at(now)))));
            }
            Op::Advance => prop_assert_eq!(told(plain.advance(at(now))), told(shared.advance(at(now)))),
        }
        let (one, other) = (plain.stats(at(now)), shared.stats(at(now)));
        prop_assert_eq!(one.state, other.state);
        prop_assert_eq!(plain.next_deadline(), shared.next_deadline());
        prop_assert_eq!(
            (one.probed, one.probes, one.lost, one.openings, one.transitions()),
            (other.probed, other.probes, u64::from(other.lost), other.openings, other.transitions)
        );
        if matches!(one.state, State::Closed | State::ForcedClosed) {
            prop_assert_eq!(one.window, other.window);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    /// One thread, a clock that does not go back: the same answers as the plain form's, call by call.
    #[test]
    fn alone_it_answers_as_the_plain_one(
        config in config(),
        last in 1u32..=32,
        ops in prop::collection::vec(op(), 1..300),
    ) {
        let rules = config.build().unwrap();
        let plain = CountWindow::<Inline<4>>::new().last(last).unwrap();
        let shared = SharedCountWindow::<Inline<16>>::new().last(last).unwrap();
        compare(Breaker::new(rules, plain), SharedBreaker::new(rules, shared), &ops)?;
    }

    #[test]
    fn by_time_too_it_answers_as_the_plain_one(
        config in config(),
        span in 1u64..300,
        ops in prop::collection::vec(op(), 1..300),
    ) {
        let (rules, span) = (config.build().unwrap(), Duration::from_nanos(span));
        let plain = TimeWindow::<Inline<5>>::new(span).unwrap();
        let shared = SharedTimeWindow::<Inline<5>>::new(span).unwrap();
        compare(Breaker::new(rules, plain), SharedBreaker::new(rules, shared), &ops)?;
    }

    /// Any clock at all, any order: no panic, never more probes than the rules allow, and it closes in the end.
    #[test]
    fn no_clock_wedges_it(
        config in config(),
        steps in prop::collection::vec((any::<u64>(), 0u32..6), 1..200),
    ) {
        let rules = config.build().unwrap();
        let shared: SharedBreaker = SharedBreaker::new(rules, SharedCountWindow::new().last(9).unwrap());
        let mut passes = Vec::new();
        for (now, kind) in steps {
            let now = at(if kind % 2 == 0 { now } else { now % 1_000 });
            match kind {
                0..3 => {
                    if let Admit::Yes(pass) = shared.admit(now) {
                        passes.push(pass);
                    }
                }
                _ => {
                    if let Some(pass) = passes.pop() {
                        _ = shared.complete(now, pass, [Outcome::Failure, Outcome::Slow][(kind % 2) as usize]);
                    }
                }
            }
            let stats = shared.stats(now);
            prop_assert!(stats.probes <= rules.probes.get().min(4));
            _ = shared.next_deadline();
        }
        _ = shared.reset(Instant::MAX);
        prop_assert_eq!(shared.state(Instant::ZERO), State::Closed);
    }

    #[test]
    fn a_slot_gives_back_what_it_was_claimed_with(claims in prop::collection::vec((0u32..1 << 22, any::<u64>()), 1..20)) {
        let slot = Slot::new();
        for (period, nanos) in claims {
            let (Seen::Free(word) | Seen::Held { word, .. }) = slot.look() else {
                panic!("nobody drafts");
            };
            let held = slot.claim(word, period, at(nanos)).unwrap();
            prop_assert_eq!(slot.claim(word, 0, at(0)), None, "it was taken since");
            match slot.look() {
                Seen::Held { word, period: p, deadline } => {
                    prop_assert_eq!((generation(word), p, deadline), (held, period, at(nanos)));
                }
                seen => prop_assert!(false, "{:?}", seen),
            }
            if nanos % 2 == 0 {
                prop_assert!(slot.release(held));
                prop_assert!(!slot.release(held));
            }
        }
    }
}

#[test]
fn numbers_of_periods_wrap() {
    let rules = half().consecutive(count(1)).build().unwrap();
    let breaker: SharedBreaker = SharedBreaker::new(rules, SharedCountWindow::new());
    breaker.word.store(Word::closed(u32::MAX >> 10).0, Ordering::Relaxed);
    assert_eq!(breaker.word().period(), u32::MAX >> 10);
    let old = pass(&breaker, 0);
    fail(&breaker, 0, 1);
    assert_eq!((breaker.word().period(), breaker.word().code()), (0, Code::Open));
    assert_eq!(breaker.complete(at(0), old, Outcome::Success), Err(Stale::Earlier));
    assert_eq!(breaker.state(at(99)), State::Open { until: at(100) });
    assert_eq!(breaker.state(at(100)), State::HalfOpen);
}

#[test]
fn openings_are_counted_as_far_as_they_go() {
    let breaker = breaker(half().probes(count(1)));
    fail(&breaker, 0, 5);
    let mut now = 0;
    for _ in 0..300 {
        now += 10_000;
        let probe = pass(&breaker, now);
        assert!(matches!(breaker.complete(at(now), probe, Outcome::Failure), Ok(Some(_))));
    }
    assert_eq!(breaker.stats(at(now)).openings, 127);
    assert_eq!(breaker.state(at(now)), State::Open { until: at(now + 800) });
}

/// What an earlier period left under a number that comes again does not come again with it.
#[test]
fn what_old_periods_left_is_wiped_off() {
    let breaker = breaker(half());
    fail(&breaker, 0, 4);
    assert_eq!(breaker.window.counts(0, at(0)).failures, 4);
    _ = breaker.reset(at(0));
    assert_eq!(breaker.window.counts(1, at(0)), Counts::NONE);
    // The tag of the period before is gone from every word that bore it.
    assert_eq!(breaker.window.counts(0, at(0)), Counts::NONE);
}

/// The clock of one thread is behind that of another: it counts where the other does, and wipes off nothing.
#[test]
fn a_bucket_of_time_takes_what_comes_late() {
    let window = SharedTimeWindow::<Inline<4>>::new(Duration::from_nanos(40)).unwrap();
    let call = Call { failed: true, slow: false };
    for (now, failures) in [(0, 1), (35, 2), (40, 2), (5, 3), (39, 4), (79, 4), (0, 5), (119, 1), (10_000, 1)]
    {
        assert!(window.record(0, at(now), call, || true));
        assert_eq!(window.counts(0, at(now)).failures, failures, "at {now}");
    }
    assert_eq!(window.counts(0, at(10_039)).failures, 1);
    assert_eq!(window.counts(0, at(10_040)), Counts::NONE);
    // So far back that it is a jump ahead.
    let back = 10_000 + 10 * (1 << 20);
    assert!(window.record(0, at(back), call, || true));
    assert!(window.record(0, at(0), call, || true));
    assert_eq!(window.counts(0, at(0)).failures, 1);
    // In another period, and where the period is over, it counts nowhere.
    assert_eq!(window.counts(1, at(0)), Counts::NONE);
    assert!(!window.record(0, at(0), call, || false));
    assert_eq!(window.counts(0, at(0)).failures, 1);
}

#[test]
fn sizes_are_as_documented() {
    assert_eq!(size_of::<SharedTimeWindow<Inline<10>>>(), 10 * 12 + 16);
    assert_eq!(size_of::<Slot>(), 20);
    assert_eq!(size_of::<SharedCountWindow<Inline<16>>>(), 16 * 4 + 8);
    let rest = size_of::<SharedBreaker>() - size_of::<Rules>() - 16 * 4 - 8 - 4 * 20;
    assert!(rest <= 60, "{rest}");
}

#[cfg(feature = "alloc")]
#[test]
fn a_heap_breaker_has_as_many_slots_as_the_rules_have_probes() {
    use crate::breaker::WindowError;
    use crate::storage::Heap;
    let rules = half().probes(count(7)).consecutive(count(1)).build().unwrap();
    let window = SharedCountWindow::<Heap>::with_capacity(100).unwrap();
    let breaker = SharedBreaker::<_, Heap>::with_capacity(rules, window);
    let Admit::Yes(pass) = breaker.admit(at(0)) else { panic!("closed") };
    assert!(matches!(breaker.complete(at(0), pass, Outcome::Failure), Ok(Some(_))));
    let admitted = (0..10).filter(|_| matches!(breaker.admit(at(100)), Admit::Yes(_))).count();
    assert_eq!(admitted, 7);
    let none = SharedCountWindow::<Heap>::with_capacity(0).map(|_| ());
    let many = SharedCountWindow::<Heap>::with_capacity(32_761).map(|_| ());
    assert_eq!((none, many), (Err(WindowError::Zero), Err(WindowError::TooMany)));
}

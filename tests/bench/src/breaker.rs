//! Asking a circuit breaker before a call, and telling it how the call went.

use crate::rounds::{Contender, StartingLine, cpu_time, nanosecond_table, time_each, undisturbed};
use divvy::Instant;
use divvy::breaker::{
    Admit, Breaker, Config, CountWindow, Outcome, SharedBreaker, SharedCountWindow, SharedTimeWindow,
    SharedWindow, TimeWindow, Window,
};
use divvy::fixed::Q32;
use divvy::storage::Inline;
use failsafe::failure_policy::{consecutive_failures, success_rate_over_time_window};
use failsafe::{CircuitBreaker as _, FailurePolicy, StateMachine, backoff};
use reliakit_circuit::RollingBreaker;
use std::future::{Future, Ready, ready};
use std::hint::black_box;
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant as Clock};
use tower::Service;
use tower_resilience_circuitbreaker::{CircuitBreaker, CircuitBreakerLayer, DefaultClassifier};

const CALLS: u64 = 200_000;
/// How many calls the windows hold.
const WINDOW: u32 = 100;
/// No breaker that opened becomes half-open while the bench runs.
const LONG: Duration = Duration::from_secs(100_000);

pub(crate) fn table(rounds: u32) -> Result<String, String> {
    let good = |_| true;
    let tenth_fails = |i: u64| !i.is_multiple_of(10);
    Ok([
        nanosecond_table(
            "closed, a good call; the time is given",
            rounds,
            alone(good, Warm::Closed, Time::Given),
        ),
        nanosecond_table(
            "closed, a good call; the clock is read",
            rounds,
            alone(good, Warm::Closed, Time::Read),
        ),
        nanosecond_table(
            "closed, one call of ten fails; the time is given",
            rounds,
            alone(tenth_fails, Warm::Closed, Time::Given),
        ),
        nanosecond_table("open, a refusal; the time is given", rounds, alone(good, Warm::Open, Time::Given)),
        nanosecond_table("open, a refusal; the clock is read", rounds, alone(good, Warm::Open, Time::Read)),
        nanosecond_table(
            "closed, two threads, a good call; the time is given",
            rounds,
            together(Warm::Closed),
        ),
        nanosecond_table("open, two threads, a refusal; the time is given", rounds, together(Warm::Open)),
    ]
    .join("\n"))
}

/// The state in which a breaker is measured.
#[derive(Clone, Copy, PartialEq)]
enum Warm {
    Closed,
    Open,
}

/// Where divvy and others that take the time as an argument have it from. The rest reads a clock when it needs one.
#[derive(Clone, Copy, PartialEq)]
enum Time {
    Given,
    Read,
}

fn alone(good: fn(u64) -> bool, warm: Warm, time: Time) -> Vec<Contender<'static>> {
    let clock = Clock::now();
    let read = move || clock.elapsed().as_nanos() as u64;
    let mut contenders =
        vec![Contender::new("baseline: a number", || time_each(CALLS, |i| _ = black_box(i)))];
    let mut add = |name: &str, call: Box<dyn Measure>| contenders.push(call.contender(name, good, warm));
    add("recloser", Box::new(Each(recloser_call())));
    let machine = failsafe_consecutive();
    add("failsafe consecutive_failures", Box::new(Each(move |_, good| failsafe_call(&machine, good))));
    // It judges by a moving average of moments, which one failure after a pause brings down: with failures it opens at once.
    if (0..100).all(good) {
        let machine = failsafe_rate();
        add(
            "failsafe success_rate_over_time_window",
            Box::new(Each(move |_, good| failsafe_call(&machine, good))),
        );
    }
    let mut service = tower_service();
    add("tower-resilience-circuitbreaker", Box::new(Each(move |_, good| tower_call(&mut service, good))));
    let (mut rolling, mut plain, shared) = (reliakit(), plain(), shared());
    match time {
        Time::Given => {
            let (mut by_time, shared_by_time) = (by_time(), shared_by_time());
            add(
                "reliakit-circuit RollingBreaker",
                Box::new(Each(move |now, good| rolling_call(&mut rolling, now, now, good))),
            );
            add("divvy Breaker", Box::new(Each(move |now, good| plain_call(&mut plain, now, || now, good))));
            add(
                "divvy Breaker, 10 buckets of time",
                Box::new(Each(move |now, good| plain_call(&mut by_time, now, || now, good))),
            );
            add(
                "divvy SharedBreaker",
                Box::new(Each(move |now, good| shared_call(&shared, now, || now, good))),
            );
            add(
                "divvy SharedBreaker, 10 buckets of time",
                Box::new(Each(move |now, good| shared_call(&shared_by_time, now, || now, good))),
            );
        }
        Time::Read => {
            add(
                "reliakit-circuit RollingBreaker, read once",
                Box::new(Each(move |_, good| {
                    let now = read();
                    rolling_call(&mut rolling, now, now, good)
                })),
            );
            let (mut plain_once, shared_once) = (self::plain(), self::shared());
            add(
                "divvy Breaker, read once",
                Box::new(Each(move |_, good| {
                    let now = read();
                    plain_call(&mut plain_once, now, || now, good)
                })),
            );
            add(
                "divvy SharedBreaker, read once",
                Box::new(Each(move |_, good| {
                    let now = read();
                    shared_call(&shared_once, now, || now, good)
                })),
            );
            add(
                "divvy Breaker, read before and after",
                Box::new(Each(move |_, good| plain_call(&mut plain, read(), read, good))),
            );
            add(
                "divvy SharedBreaker, read before and after",
                Box::new(Each(move |_, good| shared_call(&shared, read(), read, good))),
            );
        }
    }
    contenders
}

/// Something to measure on one thread. Behind a box, so that contenders fit one list; the loop is inside of it.
trait Measure {
    fn contender(self: Box<Self>, name: &str, good: fn(u64) -> bool, warm: Warm) -> Contender<'static>;
}

/// Makes a call at a time that goes well or not; answers whether it was admitted.
struct Each<F>(F);

impl<F: FnMut(u64, bool) -> bool + 'static> Measure for Each<F> {
    fn contender(self: Box<Self>, name: &str, good: fn(u64) -> bool, warm: Warm) -> Contender<'static> {
        let mut call = self.0;
        let mut now = 0;
        warm_up(|good| call(0, good), warm);
        // As far as a branch goes: which calls fail is known to the loop, as it is to a caller.
        let all_good = (0..100).all(good);
        Contender::new(name, move || {
            let mut admitted = 0;
            let seconds = time_each(CALLS, |i| {
                now += 100;
                admitted += u64::from(call(now, all_good || good(i)));
            });
            assert_eq!(admitted, if warm == Warm::Closed { CALLS } else { 0 });
            seconds
        })
    }
}

/// Fills a window with good calls, or opens the breaker.
fn warm_up(mut call: impl FnMut(bool) -> bool, warm: Warm) {
    (0..300).for_each(|_| _ = call(true));
    if warm == Warm::Open {
        // An average over time needs some of it to pass.
        let opened = (0..3_000).any(|i| {
            if i % 300 == 299 {
                thread::sleep(Duration::from_millis(200));
            }
            !call(false)
        });
        assert!(opened, "it opens");
    }
}

/// Two threads on one breaker; wall time by call, those of both threads counted.
fn together(warm: Warm) -> Vec<Contender<'static>> {
    let recloser = recloser();
    let machine = failsafe_consecutive();
    let rolling = Mutex::new(reliakit());
    let plain = Mutex::new(plain());
    let shared = shared();
    vec![
        Contender::new("baseline: a number", || time_each(CALLS, |i| _ = black_box(i))),
        race("recloser", warm, move |_, good| recloser_one(&recloser, good)),
        race("failsafe consecutive_failures", warm, move |_, good| failsafe_call(&machine, good)),
        race("reliakit-circuit RollingBreaker, behind a mutex", warm, move |now, good| {
            rolling_call(&mut rolling.lock().expect("nobody panics"), now, now, good)
        }),
        // Two locks, as the protected call comes between asking and telling.
        race("divvy Breaker, behind a mutex", warm, move |now, good| {
            let admit = plain.lock().expect("nobody panics").admit(Instant::from_nanos(now));
            let Admit::Yes(pass) = admit else { return false };
            let outcome = if good { Outcome::Success } else { Outcome::Failure };
            plain.lock().expect("nobody panics").complete(Instant::from_nanos(now), pass, outcome).is_ok()
        }),
        race("divvy SharedBreaker", warm, move |now, good| shared_call(&shared, now, || now, good)),
    ]
}

fn race(name: &str, warm: Warm, call: impl Fn(u64, bool) -> bool + Sync + 'static) -> Contender<'static> {
    const EACH: u64 = 500_000;
    warm_up(|good| call(0, good), warm);
    Contender::new(name, move || {
        undisturbed(2 * EACH, || {
            let (call, start) = (&call, &StartingLine::new(2));
            let work = move || {
                start.wait();
                let (begin, before) = (Clock::now(), cpu_time());
                for i in 0..EACH {
                    black_box(call(black_box(i), true));
                }
                (begin, Clock::now(), cpu_time() - before)
            };
            thread::scope(|scope| {
                let threads = [scope.spawn(work), scope.spawn(work)];
                let [one, other] = threads.map(|thread| thread.join().expect("the loop does not panic"));
                // From the first one's begin to the last one's end: threads that ran one after the other do not count.
                (one.1.max(other.1) - one.0.min(other.0), one.2.min(other.2))
            })
        })
    })
}

fn recloser() -> recloser::Recloser {
    recloser::Recloser::custom().error_rate(0.5).closed_len(WINDOW as usize).open_wait(LONG).build()
}

fn recloser_call() -> impl FnMut(u64, bool) -> bool {
    let breaker = recloser();
    move |_, good| recloser_one(&breaker, good)
}

#[inline(always)]
fn recloser_one(breaker: &recloser::Recloser, good: bool) -> bool {
    let answer = breaker.call(|| if good { Ok(()) } else { Err(()) });
    !matches!(answer, Err(recloser::Error::Rejected))
}

fn failsafe_consecutive() -> StateMachine<impl FailurePolicy, ()> {
    failsafe::Config::new().failure_policy(consecutive_failures(50, backoff::constant(LONG))).build()
}

fn failsafe_rate() -> StateMachine<impl FailurePolicy, ()> {
    let policy = success_rate_over_time_window(0.5, WINDOW, Duration::from_secs(1), backoff::constant(LONG));
    failsafe::Config::new().failure_policy(policy).build()
}

#[inline(always)]
fn failsafe_call(breaker: &StateMachine<impl FailurePolicy, ()>, good: bool) -> bool {
    let answer = breaker.call(|| if good { Ok(()) } else { Err(()) });
    !matches!(answer, Err(failsafe::Error::Rejected))
}

/// Does as it is told.
#[derive(Clone)]
struct Told;

impl Service<bool> for Told {
    type Response = ();
    type Error = &'static str;
    type Future = Ready<Result<(), &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, good: bool) -> Self::Future {
        ready(if good { Ok(()) } else { Err("told to fail") })
    }
}

fn tower_service() -> CircuitBreaker<Told, DefaultClassifier> {
    let layer = CircuitBreakerLayer::builder()
        .failure_rate_threshold(0.5)
        .sliding_window_size(WINDOW as usize)
        .wait_duration_in_open(LONG)
        .build()
        .expect("a good configuration");
    layer.layer_fn(Told)
}

fn tower_call(service: &mut CircuitBreaker<Told, DefaultClassifier>, good: bool) -> bool {
    use tower_resilience_circuitbreaker::CircuitBreakerError::OpenCircuit;
    let mut context = Context::from_waker(Waker::noop());
    while service.poll_ready(&mut context).is_pending() {}
    let mut call = pin!(service.call(good));
    loop {
        if let Poll::Ready(answer) = call.as_mut().poll(&mut context) {
            return !matches!(answer, Err(OpenCircuit));
        }
    }
}

fn reliakit() -> RollingBreaker<{ WINDOW as usize }> {
    RollingBreaker::new(WINDOW / 2, LONG.as_nanos() as u64)
}

#[inline(always)]
fn rolling_call(breaker: &mut RollingBreaker<{ WINDOW as usize }>, now: u64, ended: u64, good: bool) -> bool {
    let admitted = breaker.allow(now);
    match (admitted, good) {
        (false, _) => {}
        (true, true) => breaker.on_success(),
        (true, false) => breaker.on_failure(ended),
    }
    admitted
}

fn config() -> Config {
    let half = Q32::from_ratio(1, 2).expect("1/2 fits");
    Config::new().failure_rate(half).consecutive(NonZeroU32::new(50).expect("not zero")).open(
        LONG,
        LONG,
        Q32::ONE,
    )
}

fn plain() -> Breaker<CountWindow<Inline<4>>> {
    let window = CountWindow::new().last(WINDOW).expect("it fits");
    Breaker::new(config().build().expect("good rules"), window)
}

fn by_time() -> Breaker<TimeWindow<Inline<10>>> {
    let window = TimeWindow::new(Duration::from_secs(1)).expect("a good span");
    Breaker::new(config().build().expect("good rules"), window)
}

fn shared() -> SharedBreaker<SharedCountWindow<Inline<16>>> {
    let window = SharedCountWindow::new().last(WINDOW).expect("it fits");
    SharedBreaker::new(config().build().expect("good rules"), window)
}

fn shared_by_time() -> SharedBreaker<SharedTimeWindow<Inline<10>>> {
    let window = SharedTimeWindow::new(Duration::from_secs(1)).expect("a good span");
    SharedBreaker::new(config().build().expect("good rules"), window)
}

#[inline(always)]
fn plain_call<W: Window>(
    breaker: &mut Breaker<W>,
    now: u64,
    ended: impl FnOnce() -> u64,
    good: bool,
) -> bool {
    let Admit::Yes(pass) = breaker.admit(Instant::from_nanos(now)) else { return false };
    let outcome = if good { Outcome::Success } else { Outcome::Failure };
    breaker.complete(Instant::from_nanos(ended()), pass, outcome).is_ok()
}

#[inline(always)]
fn shared_call<W: SharedWindow>(
    breaker: &SharedBreaker<W>,
    now: u64,
    ended: impl FnOnce() -> u64,
    good: bool,
) -> bool {
    let Admit::Yes(pass) = breaker.admit(Instant::from_nanos(now)) else { return false };
    let outcome = if good { Outcome::Success } else { Outcome::Failure };
    breaker.complete(Instant::from_nanos(ended()), pass, outcome).is_ok()
}

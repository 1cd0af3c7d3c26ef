//! Choosing a member and accounting for the call's end.

use crate::rounds::{Contender, StartingLine, nanosecond_table, time_each};
use divvy::Instant;
use divvy::balance::{
    Affinity, Balancer, Fleet, HashKey, Hierarchical, LeastLoaded, LeastResponseTime, LowDiscrepancy, Member,
    Outcome, P2c, Pick, Policy, Random, Request, RoundRobin, SharedBalancer, SharedPolicy, SmoothWeighted,
    WeightedLeastLoaded,
};
use divvy::lease::Lease;
use divvy::rng::Xoshiro256PlusPlus;
use divvy::storage::Heap;
use pingora_load_balancing::selection::{BackendIter, BackendSelection, FNVHash, Random as PingoraRandom};
use pingora_load_balancing::{LoadBalancer, selection::RoundRobin as PingoraRoundRobin};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tower::Service;
use tower::balance::p2c::Balance;
use tower::discover::ServiceList;
use tower::load::{CompleteOnResponse, PendingRequests};
use weighted_rs::{SmoothWeight, Weight};

const CALLS: u64 = 100_000;
/// Calls that are out at any time.
const OUT: usize = 32;

pub(crate) fn table(rounds: u32) -> Result<String, String> {
    let mut tables = Vec::new();
    for members in [10, 100, 1_000] {
        let contenders = vec![
            Contender::new("baseline: a number", || time_each(CALLS, |i| _ = black_box(i))),
            pingora::<PingoraRoundRobin>("pingora-load-balancing RoundRobin (no accounting)", members),
            pingora::<PingoraRandom>("pingora-load-balancing Random (no accounting)", members),
            pingora::<FNVHash>("pingora-load-balancing FNVHash (no accounting)", members),
            tower_p2c(members),
            divvy("divvy RoundRobin", members, 1, RoundRobin::new()),
            divvy("divvy Random", members, 1, Random::new()),
            divvy("divvy HashKey", members, 1, HashKey::new()),
            divvy("divvy P2c", members, 1, P2c::new()),
            divvy("divvy P2c by peak latency", members, 1, P2c::peak()),
            divvy("divvy LeastLoaded", members, 1, LeastLoaded::<Heap>::with_capacity(members)),
            divvy("divvy LeastResponseTime", members, 1, LeastResponseTime::new()),
            shared("divvy SharedBalancer, round robin", members, SharedPolicy::RoundRobin),
            shared("divvy SharedBalancer, two choices", members, SharedPolicy::P2c),
            shared("divvy SharedBalancer, hash", members, SharedPolicy::Hash),
        ];
        tables.push(nanosecond_table(
            &format!("pick and complete, {members} equal members"),
            rounds,
            contenders,
        ));
        let contenders = vec![
            Contender::new("baseline: a number", || time_each(CALLS, |i| _ = black_box(i))),
            weighted_rs(members),
            divvy("divvy SmoothWeighted", members, 5, SmoothWeighted::<Heap>::with_capacity(members)),
            divvy("divvy LowDiscrepancy", members, 5, LowDiscrepancy::<Heap>::with_capacity(members)),
        ];
        tables.push(nanosecond_table(
            &format!("pick, {members} members of weights 1 to 5"),
            rounds,
            contenders,
        ));
        let contenders = vec![
            Contender::new("baseline: a number", || time_each(CALLS, |i| _ = black_box(i))),
            linear_scan(members),
            divvy("divvy LeastLoaded", members, 1, LeastLoaded::<Heap>::with_capacity(members)),
            divvy(
                "divvy WeightedLeastLoaded",
                members,
                1,
                WeightedLeastLoaded::<Heap>::with_capacity(members),
            ),
        ];
        tables.push(nanosecond_table(
            &format!("least loaded: pick and complete, {members} members"),
            rounds,
            contenders,
        ));
    }
    tables.push(two_threads(rounds));
    Ok(tables.join("\n"))
}

/// Makes what two threads submit to.
type Make = Box<dyn Fn() -> Box<dyn Submit>>;

/// Two threads submit to the same balancer of 100 members: operations a second of both together, and the time that 99 of
/// 100 picks with their completions stay below, each as it was in the median round.
fn two_threads(rounds: u32) -> String {
    const MEMBERS: u32 = 100;
    let targets: [(&str, f64, f64, Make); 6] = [
        (
            "round robin, shared",
            200_000.0,
            0.5,
            Box::new(|| Box::new(all_ready(SharedPolicy::RoundRobin, MEMBERS))),
        ),
        ("two choices, shared", 150_000.0, 1.0, Box::new(|| Box::new(all_ready(SharedPolicy::P2c, MEMBERS)))),
        ("hash, shared", 180_000.0, 0.8, Box::new(|| Box::new(all_ready(SharedPolicy::Hash, MEMBERS)))),
        (
            "least loaded, behind a mutex",
            150_000.0,
            1.0,
            Box::new(|| {
                Box::new(Mutex::new(balancer(MEMBERS, 1, 8, LeastLoaded::<Heap>::with_capacity(MEMBERS))))
            }),
        ),
        (
            "affinity, behind a mutex",
            180_000.0,
            0.8,
            Box::new(|| Box::new(Mutex::new(balancer(MEMBERS, 1, 8, affinity(MEMBERS))))),
        ),
        (
            "hierarchical, behind a mutex",
            300_000.0,
            1.0,
            Box::new(|| Box::new(Mutex::new(balancer(MEMBERS, 1, 8, hierarchical(MEMBERS))))),
        ),
    ];
    let mut table = String::from(
        "| two threads submit, 100 members | million/s, median | target | p99, µs | target |\n|---|---:|---:|---:|---:|\n",
    );
    let mut samples = vec![(Vec::new(), Vec::new()); targets.len()];
    for _ in 0..rounds {
        for ((_, _, _, make), (rates, tails)) in targets.iter().zip(&mut samples) {
            let (rate, tail) = race(&*make());
            rates.push(rate);
            tails.push(tail);
        }
    }
    for ((name, rate, tail, _), (rates, tails)) in targets.iter().zip(&mut samples) {
        let middle = |samples: &mut Vec<f64>| {
            samples.sort_by(f64::total_cmp);
            samples[samples.len() / 2]
        };
        let (measured, p99) = (middle(rates) / 1e6, middle(tails) * 1e6);
        let (rate, tail) = (rate / 1e6, tail * 1e3);
        table += &format!("| divvy {name} | {measured:.2} | ≥ {rate:.2} | {p99:.2} | ≤ {tail:.0} |\n");
    }
    table
}

/// Something that two threads pick from.
trait Submit: Sync {
    fn pick_and_complete(&self, now: Instant, key: u64, rng: &mut Xoshiro256PlusPlus);
}

impl Submit for SharedBalancer<Heap> {
    fn pick_and_complete(&self, _now: Instant, key: u64, rng: &mut Xoshiro256PlusPlus) {
        drop(black_box(self.pick(&Request::new().key_hash(key), rng).expect("all are ready")));
    }
}

impl<P: Policy + Send> Submit for Mutex<Balancer<P, Heap, Heap>> {
    fn pick_and_complete(&self, now: Instant, key: u64, rng: &mut Xoshiro256PlusPlus) {
        let request = Request::new().key_hash(key);
        let picked = self.lock().expect("nobody panics").pick(now, &request, rng);
        let Pick::Member { lease, .. } = black_box(picked) else { panic!("there is always a member") };
        self.lock().expect("nobody panics").complete(now, lease, Outcome::Success).expect("in time");
    }
}

/// Operations a second, and the 99th percentile of one in seconds.
fn race(submit: &dyn Submit) -> (f64, f64) {
    const EACH: u64 = 50_000;
    let start = StartingLine::new(2);
    let begin = std::time::Instant::now();
    let mut times: Vec<f64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2u64)
            .map(|thread| {
                let start = &start;
                scope.spawn(move || {
                    let mut rng = Xoshiro256PlusPlus::seed(thread);
                    let mut times = Vec::with_capacity(EACH as usize);
                    start.wait();
                    for i in 0..EACH {
                        let key = (2 * i + thread).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                        let began = std::time::Instant::now();
                        submit.pick_and_complete(Instant::from_nanos(i * 100), key, &mut rng);
                        times.push(began.elapsed().as_secs_f64());
                    }
                    times
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("nobody panics")).collect()
    });
    let rate = 2.0 * EACH as f64 / begin.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);
    (rate, times[times.len() * 99 / 100])
}

fn all_ready(policy: SharedPolicy, members: u32) -> SharedBalancer<Heap> {
    let balancer = SharedBalancer::<Heap>::with_capacity(policy, members);
    (0..members).for_each(|slot| balancer.set_ready(slot, true));
    balancer
}

/// As [`divvy`], of the form that threads share.
fn shared<'a>(name: &str, members: u32, policy: SharedPolicy) -> Contender<'a> {
    // It lives as long as the bench; the guards borrow it.
    let balancer: &'static SharedBalancer<Heap> = Box::leak(Box::new(all_ready(policy, members)));
    let mut rng = Xoshiro256PlusPlus::seed(1);
    let mut out = [const { None }; OUT];
    Contender::new(name, move || {
        time_each(CALLS, |i| {
            let place = &mut out[i as usize % OUT];
            *place = None;
            let request = Request::new().key_hash(i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            *place = Some(black_box(balancer.pick(&request, &mut rng).expect("all are ready")));
        })
    })
}

/// One pick and one completion, of the oldest of [`OUT`] calls.
fn divvy<'a>(name: &str, members: u32, weights: u32, policy: impl Policy + 'a) -> Contender<'a> {
    let mut balancer = balancer(members, weights, OUT as u32 + 1, policy);
    let mut rng = Xoshiro256PlusPlus::seed(1);
    let mut out: [Option<Lease>; OUT] = [None; OUT];
    let mut now = 0;
    Contender::new(name, move || {
        time_each(CALLS, |i| {
            now += 100;
            let now = Instant::from_nanos(now);
            let place = &mut out[i as usize % OUT];
            if let Some(lease) = place.take() {
                balancer.complete(now, lease, Outcome::Success).expect("it is in time");
            }
            let Pick::Member { lease, member, .. } =
                balancer.pick(now, &Request::new().key_hash(i.wrapping_mul(0x9E37_79B9_7F4A_7C15)), &mut rng)
            else {
                panic!("there is always a member")
            };
            black_box(member);
            *place = Some(lease);
        })
    })
}

fn balancer<P: Policy>(members: u32, weights: u32, calls: u32, policy: P) -> Balancer<P, Heap, Heap> {
    let mut fleet = Fleet::<Heap, Heap>::with_capacity(Duration::from_secs(10), members, calls);
    for i in 0..members {
        let member = Member::new(format!("10.0.0.{i}:80").as_bytes()).weight(1 + i % weights);
        fleet.insert(Instant::ZERO, member).expect("there is room");
    }
    Balancer::new(fleet, policy)
}

fn pingora<'a, S>(name: &str, members: u32) -> Contender<'a>
where
    S: BackendSelection + 'static,
    S::Iter: BackendIter,
{
    let addresses = (0..members).map(|i| format!("10.0.{}.{}:80", i / 250, i % 250));
    let balancer = LoadBalancer::<S>::try_from_iter(addresses).expect("addresses");
    Contender::new(name, move || {
        time_each(CALLS, |i| {
            black_box(balancer.select(&i.to_le_bytes(), 256).expect("there is always a backend"));
        })
    })
}

struct Nothing;

impl Service<()> for Nothing {
    type Response = ();
    type Error = Infallible;
    type Future = Ready<Result<(), Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        ready(Ok(()))
    }
}

fn tower_p2c<'a>(members: u32) -> Contender<'a> {
    let services = (0..members).map(|_| PendingRequests::new(Nothing, CompleteOnResponse::default()));
    let mut balance = Balance::new(ServiceList::new::<()>(services.collect::<Vec<_>>()));
    let mut context = Context::from_waker(Waker::noop());
    Contender::new("tower p2c Balance, PendingRequests", move || {
        time_each(CALLS, |_| {
            while balance.poll_ready(&mut context).is_pending() {}
            let mut call = pin!(balance.call(()));
            black_box(call.as_mut().poll(&mut context).is_ready());
        })
    })
}

fn weighted_rs<'a>(members: u32) -> Contender<'a> {
    let mut smooth = SmoothWeight::new();
    for i in 0..members {
        smooth.add(i, 1 + (i % 5) as isize);
    }
    Contender::new("weighted-rs SmoothWeight (no accounting)", move || {
        time_each(CALLS / 10, |_| {
            black_box(smooth.next());
        })
    })
}

/// What most people write: counts in a vector, and a look at all of them.
fn linear_scan<'a>(members: u32) -> Contender<'a> {
    let mut counts = vec![0u32; members as usize];
    let mut out = VecDeque::from(vec![0usize; OUT]);
    counts[0] = OUT as u32;
    Contender::new("a linear scan over counts", move || {
        time_each(CALLS / 10, |_| {
            counts[out.pop_front().expect("full")] -= 1;
            // Two passes, since the compiler makes vector instructions of each.
            let lowest = counts.iter().copied().min().expect("members");
            let least = counts.iter().position(|count| *count == lowest).expect("it is there");
            counts[least] += 1;
            out.push_back(black_box(least));
        })
    })
}

fn affinity(members: u32) -> Affinity<LeastLoaded<Heap>, Heap> {
    Affinity::<LeastLoaded<Heap>, Heap>::with_capacity(LeastLoaded::<Heap>::with_capacity(members), 1 << 17)
}

fn hierarchical(members: u32) -> Hierarchical<Heap> {
    Hierarchical::<Heap>::with_capacity(members, 4)
}

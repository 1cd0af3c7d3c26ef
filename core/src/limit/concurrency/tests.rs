use super::*;
use crate::fixed::{Q32, neg_log2};
use crate::lease::{Lease, Stale};
use crate::rng::{Rng, Xoshiro256PlusPlus};
use crate::storage::Inline;
use proptest::prelude::*;
use std::boxed::Box;
use std::collections::BinaryHeap;
use std::vec::Vec;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn bounds(min: u32, max: u32, initial: u32) -> Bounds {
    Bounds::new(min, max).and_then(|bounds| bounds.initial(initial)).expect("valid bounds")
}

fn sample(latency: u64, in_flight: u32, dropped: bool) -> Sample {
    Sample { latency: Duration::from_nanos(latency), in_flight, dropped }
}

/// A server with a line in front of its workers, and a client that sends as much as its limit allows.
struct Loop {
    now: u64,
    /// When each worker is free, negated for the heap.
    free: BinaryHeap<core::cmp::Reverse<u64>>,
    /// Calls that are out: when they end, when they began.
    out: BinaryHeap<core::cmp::Reverse<(u64, u64)>>,
    service: u64,
    /// As many as the client would have out without a limit.
    demand: u32,
    /// Times are exponential rather than all the same.
    is_random: bool,
    rng: Xoshiro256PlusPlus,
    /// What waits for longer is refused at its arrival, if set.
    refuse_beyond: u64,
    ended: u64,
}

impl Loop {
    fn new(workers: u32, service: u64) -> Self {
        Self {
            now: 0,
            free: (0..workers).map(|_| core::cmp::Reverse(0)).collect(),
            out: BinaryHeap::new(),
            service,
            demand: u32::MAX,
            is_random: false,
            rng: Xoshiro256PlusPlus::seed(7),
            refuse_beyond: u64::MAX,
            ended: 0,
        }
    }

    fn time(&mut self) -> u64 {
        if !self.is_random {
            return self.service;
        }
        // −ln u × mean, by halves: −log2 u × ln 2.
        let nats = Q32::LN_2.saturating_mul(neg_log2(self.rng.next_u64()));
        nats.mul_int(self.service)
    }

    /// Runs until `end`; the mean of the limit over the last half of that time, and the largest.
    fn run(&mut self, limit: &mut dyn ConcurrencyLimit, end: u64) -> (f64, u32) {
        let half = self.now + (end - self.now) / 2;
        let (mut area, mut largest, mut last) = (0.0, 0, half);
        while self.now < end {
            while (self.out.len() as u32) < limit.limit().min(self.demand) {
                let core::cmp::Reverse(free) = self.free.pop().expect("a worker");
                if free.saturating_sub(self.now) > self.refuse_beyond {
                    self.free.push(core::cmp::Reverse(free));
                    let in_flight = self.out.len() as u32 + 1;
                    limit.observe(at(self.now), sample(0, in_flight, true));
                    // The client comes back with it a little later.
                    break;
                }
                let ends = free.max(self.now) + self.time();
                self.free.push(core::cmp::Reverse(ends));
                self.out.push(core::cmp::Reverse((ends, self.now)));
            }
            let in_flight = self.out.len() as u32;
            let core::cmp::Reverse((ends, began)) = self.out.pop().expect("a limit is at least 1");
            if ends > half {
                area += f64::from(limit.limit()) * (ends.min(end) - last.min(end)) as f64;
                last = ends;
                largest = largest.max(limit.limit());
            }
            self.now = ends;
            self.ended += 1;
            limit.observe(at(ends), sample(ends - began, in_flight, false));
        }
        (area / (end - half) as f64, largest)
    }
}

/// Where the limit comes to rest at a server of so many workers, and the share of the server's capacity that was used.
fn rests(limit: &mut dyn ConcurrencyLimit, workers: u32, is_random: bool) -> (f64, u32, f64) {
    let mut server = Loop::new(workers, 10 * MS);
    server.is_random = is_random;
    let (mean, largest) = server.run(limit, 10 * SECOND);
    (mean, largest, server.ended as f64 / (f64::from(workers) * 1_000.0))
}

#[test]
fn limits_rest_near_the_capacity_of_the_server() {
    for is_random in [false, true] {
        for workers in [16, 100] {
            for initial in [1, 20] {
                let most = f64::from(workers);
                let (vegas, _, used) = rests(&mut Vegas::new(bounds(1, 2_000, initial)), workers, is_random);
                assert!(vegas > 0.95 * most && vegas < most + 3.5 * most.sqrt(), "{vegas} of {workers}");
                assert!(used > 0.85, "{used}");
                let (gradient, _, used) =
                    rests(&mut Gradient::new(bounds(1, 2_000, initial)), workers, is_random);
                assert!(gradient > 0.95 * most && gradient < 1.7 * most, "{gradient} of {workers}");
                assert!(used > 0.85, "{used}");
            }
        }
    }
}

#[test]
fn aimd_rests_where_the_server_refuses() {
    let mut limit = Aimd::new(bounds(1, 2_000, 20));
    let mut server = Loop::new(50, 10 * MS);
    server.refuse_beyond = 0;
    let (mean, largest) = server.run(&mut limit, 20 * SECOND);
    assert!(mean > 42.0 && mean < 52.0 && largest <= 53, "{mean}, {largest}");
}

#[test]
fn the_base_does_not_follow_a_queue_that_lasts_netflix_165() {
    // Netflix concurrency-limits #165: the latency without a load is taken from a loaded server and grows until nothing is
    // limited. Demand without end, for an hour of the server's time; the limit may not leave its place.
    let (mut vegas, mut gradient) = (Vegas::new(bounds(1, 5_000, 20)), Gradient::new(bounds(1, 5_000, 20)));
    for limit in [&mut vegas as &mut dyn ConcurrencyLimit, &mut gradient] {
        let mut server = Loop::new(8, 50 * MS);
        let (mean, largest) = server.run(limit, 3_600 * SECOND);
        assert!(mean < 24.0 && largest <= 32, "{mean}, {largest}");
    }
    assert!(vegas.base() >= Duration::from_millis(50) && vegas.base() < Duration::from_millis(60));
    assert!(gradient.base() >= Duration::from_millis(50) && gradient.base() < Duration::from_millis(60));
}

#[test]
fn one_lucky_round_does_not_become_the_base_for_ever_netflix_37() {
    // Netflix concurrency-limits #37 (and what #35 to #39 led to, probing): a fast call now and then becomes the base, and
    // the limit falls hard.
    let mut limit = Vegas::new(bounds(1, 500, 20));
    let mut server = Loop::new(64, 10 * MS);
    server.run(&mut limit, 2 * SECOND);
    let before = limit.limit();
    for _ in 0..8 {
        limit.observe(at(server.now), sample(1_000, limit.limit(), false));
    }
    server.run(&mut limit, 3 * SECOND);
    assert!(limit.limit().abs_diff(before) <= before / 4, "{before} to {}", limit.limit());
}

#[test]
fn a_limit_grows_to_a_hundred_times_in_a_hundred_round_trips_netflix_35() {
    // Netflix concurrency-limits #35 and PR #74: the limit ramps up too slowly.
    for mut limit in [
        Box::new(Vegas::new(bounds(1, 10_000, 10))) as Box<dyn ConcurrencyLimit>,
        Box::new(Gradient::new(bounds(1, 10_000, 10))),
    ] {
        let mut server = Loop::new(1_000, 10 * MS);
        server.run(&mut *limit, SECOND);
        assert!(limit.limit() >= 900, "{}", limit.limit());
    }
}

#[test]
fn the_base_falls_with_the_latency_netflix_pr_88() {
    // Netflix concurrency-limits PR #88: a long-term latency that does not come down when calls become faster lets the
    // limit drift up.
    let mut limit = Gradient::new(bounds(1, 5_000, 20));
    let mut server = Loop::new(20, 40 * MS);
    server.run(&mut limit, 20 * SECOND);
    server.service = 10 * MS;
    let (mean, largest) = server.run(&mut limit, 60 * SECOND);
    assert!(limit.base() < Duration::from_millis(12), "{:?}", limit.base());
    assert!(mean < 34.0 && largest < 60, "{mean}, {largest}");
}

#[test]
fn a_gradient_of_four_fifths_does_not_let_the_limit_creep_netflix_134() {
    // Netflix concurrency-limits PR #134: while the gradient stays about 0.8 the allowance for a queue makes the limit grow
    // without end. Every sample says 0.8 of whatever is tolerated now, 100,000 times.
    let mut limit = Gradient::new(bounds(1, u32::MAX, 100));
    let mut now = 0;
    let mut largest = 0;
    for n in 0..100_000u64 {
        let base = (limit.base().as_nanos() as u64).max(10 * MS);
        let latency = if n < 200 { 10 * MS } else { base * 5 / 4 * 5 / 4 };
        now += MS / 5;
        limit.observe(at(now), sample(latency, limit.limit(), false));
        if n > 1_000 {
            largest = largest.max(limit.limit());
        }
    }
    assert!(largest <= 400, "{largest}");
}

#[test]
fn a_limit_that_nobody_reaches_does_not_grow() {
    for mut limit in [
        Box::new(Aimd::new(bounds(1, 10_000, 100))) as Box<dyn ConcurrencyLimit>,
        Box::new(Vegas::new(bounds(1, 10_000, 100))),
        Box::new(Gradient::new(bounds(1, 10_000, 100))),
    ] {
        let mut server = Loop::new(50, 10 * MS);
        server.demand = 30;
        let (_, largest) = server.run(&mut *limit, 20 * SECOND);
        assert_eq!(largest, 100);
        assert_eq!(limit.limit(), 100, "and it is not lowered for a server that is fast enough");
    }
}

#[test]
fn a_burst_of_drops_is_one_sign() {
    let mut limit = Aimd::new(bounds(1, 1_000, 100));
    limit.observe(at(50 * MS), sample(10 * MS, 100, false));
    for n in 0..80 {
        limit.observe(at(60 * MS + n), sample(10 * MS, 100 - n as u32, true));
    }
    assert_eq!(limit.limit(), 90);
    limit.observe(at(75 * MS), sample(MS, 90, true));
    assert_eq!(limit.limit(), 81, "that one began after the decrease");
}

#[test]
fn the_limit_follows_a_server_that_changes() {
    for mut limit in [
        Box::new(Vegas::new(bounds(1, 2_000, 20))) as Box<dyn ConcurrencyLimit>,
        Box::new(Gradient::new(bounds(1, 2_000, 20))),
    ] {
        let mut server = Loop::new(100, 10 * MS);
        server.run(&mut *limit, 5 * SECOND);
        for _ in 0..50 {
            server.free.pop();
        }
        let (mean, _) = server.run(&mut *limit, 25 * SECOND);
        assert!(mean > 48.0 && mean < 85.0, "halved: {mean}");
        let now = server.now;
        (0..50).for_each(|_| server.free.push(core::cmp::Reverse(now)));
        let (mean, _) = server.run(&mut *limit, 45 * SECOND);
        assert!(mean > 95.0 && mean < 165.0, "doubled: {mean}");
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    assert_eq!(Bounds::new(0, 5), Err(LimitError::ZeroMin));
    assert_eq!(Bounds::new(5, 4), Err(LimitError::MaxBelowMin));
    assert_eq!(Bounds::new(5, 9).and_then(|b| b.initial(10)), Err(LimitError::InitialOutside));
    let aimd = Aimd::new(bounds(1, 9, 9));
    assert_eq!(aimd.decrease(Q32::ONE), Err(LimitError::Decrease));
    assert_eq!(aimd.decrease(Q32::ZERO), Err(LimitError::Decrease));
    let vegas = Vegas::new(bounds(1, 9, 9));
    assert_eq!(vegas.queue(Q32::ONE, Q32::ONE), Err(LimitError::Queue));
    assert_eq!(vegas.queue(Q32::ONE, Q32::MAX), Err(LimitError::Queue));
    let gradient = Gradient::new(bounds(1, 9, 9));
    assert_eq!(gradient.tolerance(Q32::ONE), Err(LimitError::Tolerance));
    assert_eq!(gradient.smoothing(Q32::ZERO), Err(LimitError::Smoothing));
    assert_eq!(gradient.probe_every(Duration::ZERO), Err(LimitError::ZeroProbe));
}

#[test]
fn a_place_that_is_lost_comes_back_failsafe_393() {
    // failsafe-lib #393: permits leak until everything behind the bulkhead stops.
    let mut bulkhead = Bulkhead::<Inline<4>>::new(4, Duration::from_nanos(10));
    for now in 0..1_000 {
        // Nobody ever ends a call.
        let _ = bulkhead.admit(at(now));
    }
    let stats = bulkhead.stats();
    assert!(stats.admitted >= 390 && stats.most == 4, "{stats:?}");
}

#[test]
fn a_lower_limit_ends_nothing_and_admits_nothing_until_they_are_fewer() {
    let mut bulkhead = Bulkhead::<Inline<8>>::new(8, Duration::MAX);
    let leases: Vec<Lease> = (0..8)
        .filter_map(|now| match bulkhead.admit(at(now)) {
            Admission::Yes(lease) => Some(lease),
            Admission::No { .. } => None,
        })
        .collect();
    bulkhead.set_limit(2);
    for (n, lease) in leases.iter().enumerate() {
        assert!((bulkhead.admit(at(10)) == Admission::No { retry_at: Some(Instant::MAX) }) == (n < 7));
        if n == 7 {
            break;
        }
        assert!(bulkhead.complete(at(10), *lease).is_ok());
    }
    bulkhead.set_limit(0);
    assert_eq!(bulkhead.admit(at(10)), Admission::No { retry_at: None });
    bulkhead.set_limit(u32::MAX);
    assert_eq!(bulkhead.limit(), 8);
}

#[derive(Clone, Debug)]
enum Op {
    Admit,
    Complete(usize),
    Reclaim,
    Limit(u32),
    Pass(u64),
    Back(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => Just(Op::Admit),
        3 => (0usize..64).prop_map(Op::Complete),
        1 => Just(Op::Reclaim),
        1 => (0u32..8).prop_map(Op::Limit),
        3 => (0u64..8).prop_map(Op::Pass),
        1 => (0u64..100).prop_map(Op::Back),
    ]
}

proptest! {
    /// Against a set of calls: never more than the limit are admitted, each ends once, overdue ones by being given up,
    /// whatever the clock does and however long a time-out is.
    #[test]
    fn a_bulkhead_is_a_set_with_a_bound(
        ops in prop::collection::vec(op(), 1..200),
        timeout in prop_oneof![Just(0u64), 1u64..30, Just(u64::MAX)],
    ) {
        const PLACES: usize = 5;
        let mut bulkhead = Bulkhead::<Inline<PLACES>>::new(3, Duration::from_nanos(timeout));
        // Those that are out, in the order in which they began; those that are not.
        let (mut out, mut over): (Vec<(Lease, u64)>, Vec<Lease>) = (Vec::new(), Vec::new());
        let (mut told, mut latest, mut limit) = (1_000u64, 0u64, 3u32);
        let mut expired = 0;
        let due = |began: u64, latest: u64| began.saturating_add(timeout) <= latest;
        for op in ops {
            if matches!(op, Op::Admit | Op::Reclaim | Op::Complete(_)) {
                // What it was told is what it knows.
                let told_of = match op {
                    Op::Complete(i) if i % 2 == 0 => !out.is_empty(),
                    Op::Complete(_) => !over.is_empty(),
                    _ => true,
                };
                latest = if told_of { latest.max(told) } else { latest };
            }
            match op {
                Op::Admit => {
                    for _ in 0..2 {
                        if out.first().is_some_and(|(_, began)| due(*began, latest)) {
                            over.push(out.remove(0).0);
                            expired += 1;
                        }
                    }
                    match bulkhead.admit(at(told)) {
                        Admission::Yes(lease) => {
                            prop_assert!(out.len() < (limit as usize).min(PLACES));
                            out.push((lease, latest));
                        }
                        Admission::No { retry_at } => {
                            prop_assert!(out.len() >= (limit as usize).min(PLACES));
                            let oldest = out.first().map(|(lease, _)| lease.deadline());
                            prop_assert_eq!(retry_at, if limit == 0 { None } else { oldest });
                        }
                    }
                }
                Op::Complete(i) if i % 2 == 0 => {
                    if out.is_empty() {
                        continue;
                    }
                    let i = i % out.len();
                    let (lease, began) = out[i];
                    let in_flight = out.len() as u32;
                    match bulkhead.complete(at(told), lease) {
                        Ok(sample) => {
                            prop_assert!(!due(began, latest));
                            let expected = Sample {
                                latency: Duration::from_nanos(latest - began), in_flight, dropped: false,
                            };
                            prop_assert_eq!(sample, expected);
                            over.push(out.remove(i).0);
                        }
                        Err(stale) => prop_assert!(stale == Stale::Expired && due(began, latest)),
                    }
                }
                Op::Complete(i) if !over.is_empty() => {
                    let lease = over[i % over.len()];
                    prop_assert_eq!(bulkhead.complete(at(told), lease), Err(Stale::Unknown));
                }
                Op::Reclaim => {
                    let overdue = out.first().is_some_and(|(_, began)| due(*began, latest));
                    prop_assert_eq!(bulkhead.reclaim(at(told)).is_some(), overdue);
                    if overdue {
                        over.push(out.remove(0).0);
                        expired += 1;
                    }
                }
                Op::Limit(new) => { limit = new; bulkhead.set_limit(new); }
                Op::Pass(nanos) => { told = latest.max(told) + nanos; }
                Op::Back(nanos) => told = latest - nanos.min(latest),
                Op::Complete(_) => {}
            }
            let stats = bulkhead.stats();
            prop_assert_eq!((stats.in_flight as usize, stats.expired), (out.len(), expired));
            prop_assert_eq!(stats.admitted, stats.completed + stats.expired + u64::from(stats.in_flight));
            prop_assert_eq!(bulkhead.next_deadline(), out.first().map(|(lease, _)| lease.deadline()));
        }
    }

    /// Whatever calls tell, in whatever order, no limit leaves its bounds.
    #[test]
    fn no_limit_leaves_its_bounds(
        seed: u64,
        min in 1u32..50,
        span in 0u32..500,
        latencies in prop_oneof![Just(0u64), Just(u64::MAX), 1u64..1 << 40],
    ) {
        let bounds = Bounds::new(min, min + span).expect("valid");
        let mut rng = Xoshiro256PlusPlus::seed(seed);
        for mut limit in [
            Box::new(Aimd::new(bounds).increase(7)) as Box<dyn ConcurrencyLimit>,
            Box::new(Vegas::new(bounds).probe_every(Duration::from_nanos(1)).expect("valid")),
            Box::new(Gradient::new(bounds)),
        ] {
            let mut now = 0u64;
            for _ in 0..500 {
                now = match rng.below(8) {
                    0 => now.saturating_sub(rng.next_u64() >> 30),
                    1 => now.saturating_add(rng.next_u64() >> rng.below(40)),
                    _ => now.saturating_add(latencies / 4),
                };
                let in_flight = if rng.below(5) == 0 { rng.next_u64() as u32 } else { limit.limit() };
                let latency = if latencies < 2 || latencies == u64::MAX { latencies } else { rng.below_u64(latencies) };
                limit.observe(at(now), sample(latency, in_flight, rng.below(10) == 0));
                prop_assert!((min..=min + span).contains(&limit.limit()));
            }
        }
    }
}

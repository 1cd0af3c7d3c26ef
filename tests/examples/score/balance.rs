//! How evenly choices fall, what fleets know of their members, and how they start and are ejected.

use crate::figure::{Bound, Figure};
use core::time::Duration;
use divvy::Instant;
use divvy::balance::{
    Balancer, Config, Fleet, HashKey, LeastResponseTime, Member, Outcome, Outlier, OutlierConfig, P2c, Pick,
    Policy, Random, Request, RoundRobin, SharedBalancer, SharedPolicy, SlowStart, Why,
};
use divvy::fixed::Q32;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Heap;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

pub(crate) fn figures() -> Vec<Figure> {
    [balls(), pairs(), black_holes(), estimates(), percentiles(), slow_starts(), outliers()].concat()
}

fn fleet(members: u32, calls: u32, config: Config) -> Fleet<Heap, Heap> {
    let mut fleet = Fleet::<Heap, Heap>::with_capacity(Duration::from_secs(10), members, calls);
    fleet.configure(config).expect("a good configuration");
    for member in 0..members {
        fleet.insert(Instant::ZERO, Member::new(&member.to_le_bytes())).expect("there is room");
    }
    fleet
}

/// A fraction in (0, 1].
fn unit(rng: &mut impl Rng) -> f64 {
    ((rng.next_u64() >> 11) + 1) as f64 / (1u64 << 53) as f64
}

fn exponential(rng: &mut impl Rng, mean: f64) -> f64 {
    -mean * unit(rng).ln()
}

/// Calls that never end.
fn balls() -> Vec<Figure> {
    let members = 1u32 << 20;
    let fullest = |policy| {
        let balancer = SharedBalancer::<Heap>::with_capacity(policy, members);
        (0..members).for_each(|slot| balancer.set_ready(slot, true));
        let mut rng = Xoshiro256PlusPlus::seed(11);
        let held: Vec<_> =
            (0..members).map(|_| balancer.pick(&Request::new(), &mut rng).expect("all are ready")).collect();
        let most = (0..members).map(|slot| balancer.load(slot)).max().unwrap_or(0);
        drop(held);
        f64::from(most)
    };
    let mut figures = vec![
        Figure::new(
            "two choices: the fullest of 2²⁰ members with 2²⁰ calls",
            fullest(SharedPolicy::P2c),
            Bound::AtMost(4.0),
            "ln ln n / ln 2 + O(1): Azar et al. 1994",
        ),
        Figure::new(
            "– the same, one choice",
            fullest(SharedPolicy::Hash),
            Bound::Within(10.0, 1.0),
            "ln n / ln ln n",
        ),
    ];
    let mut balancer = Balancer::new(fleet(1_000, 1_000_000, Config::new()), P2c::new());
    let mut rng = Xoshiro256PlusPlus::seed(12);
    for _ in 0..1_000_000 {
        assert!(matches!(balancer.pick(Instant::ZERO, &Request::new(), &mut rng), Pick::Member { .. }));
    }
    let most = (0..1_000).map(|slot| balancer.fleet().load(slot)).max().unwrap_or(0);
    figures.push(Figure::new(
        "two choices: the fullest over the mean, 1,000 members with 1,000 calls each",
        f64::from(most) - 1_000.0,
        Bound::AtMost(3.0),
        "Berenbrink et al. 2000: does not grow with the calls",
    ));
    figures
}

fn pairs() -> Vec<Figure> {
    let (mut same, mut total) = (0u32, 0u32);
    for members in 2..6 {
        let mut balancer = Balancer::new(fleet(members, 1, Config::new()), P2c::new());
        let mut rng = Xoshiro256PlusPlus::seed(14);
        for _ in 0..250_000 {
            let Pick::Member { member, lease, why } = balancer.pick(Instant::ZERO, &Request::new(), &mut rng)
            else {
                continue;
            };
            total += 1;
            same += u32::from(!matches!(why, Why::LowerOfTwo { other } if other != member.slot()));
            balancer.complete(Instant::ZERO, lease, Outcome::Success).expect("in time");
        }
    }
    assert_eq!(total, 1_000_000);
    vec![Figure::new(
        "two choices: a member compared with itself, of a million choices among 2 to 5",
        same.into(),
        Bound::Exactly(0.0),
        "Envoy issue 11004",
    )]
}

/// One of ten members fails at once, the others take 10 ms; what the first gets of the traffic.
fn black_hole(policy: impl Policy, config: Config) -> f64 {
    let mut balancer = Balancer::new(fleet(10, 1_000, config), policy);
    let mut rng = Xoshiro256PlusPlus::seed(16);
    let mut out = BinaryHeap::new();
    let (mut now, mut lost, requests) = (Instant::ZERO, 0, 100_000);
    for _ in 0..requests {
        // 600 requests a second, of which nine can serve 900.
        let gap = Duration::from_secs_f64(exponential(&mut rng, 1.0 / 600.0));
        let arrival = now.saturating_add(gap);
        while let Some(Reverse((at, _))) = out.peek()
            && *at <= arrival
        {
            let Some(Reverse((at, Order(lease)))) = out.pop() else { break };
            balancer.complete(at, lease, Outcome::Success).expect("in time");
        }
        now = arrival;
        let Pick::Member { member, lease, .. } = balancer.pick(now, &Request::new(), &mut rng) else {
            continue;
        };
        if member.slot() == 0 {
            lost += 1;
            balancer.complete(now, lease, Outcome::Failure).expect("in time");
        } else {
            // Those in flight there slow it down.
            let work = exponential(&mut rng, 0.01) * f64::from(balancer.fleet().load(member.slot()));
            out.push(Reverse((now.saturating_add(Duration::from_secs_f64(work.min(9.0))), Order(lease))));
        }
    }
    f64::from(lost) / f64::from(requests)
}

/// Orders nothing: ends at the same time may come in any order.
struct Order(divvy::lease::Lease);

impl PartialEq for Order {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
impl Eq for Order {}
impl PartialOrd for Order {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Order {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

fn black_holes() -> Vec<Figure> {
    let source = "less than 1/N: linkerd2-proxy pull request 4537";
    let bound = Bound::AtMost(0.1);
    vec![
        Figure::new(
            "a member that fails at once, of 10: its share under two choices by peak latency",
            black_hole(P2c::peak(), Config::new()),
            bound,
            source,
        ),
        Figure::new(
            "– the same, least response time",
            black_hole(LeastResponseTime::new(), Config::new()),
            bound,
            source,
        ),
        Figure::new(
            "– the same, two choices by load, which sees no failures",
            black_hole(P2c::new(), Config::new()),
            Bound::None,
            "",
        ),
        Figure::new(
            "– the same, two choices by peak latency without a penalty",
            black_hole(P2c::peak(), Config::new().penalty(Duration::ZERO)),
            Bound::None,
            "",
        ),
    ]
}

/// The averages in fixed point beside the same in floating point.
fn estimates() -> Vec<Figure> {
    let mut figures = Vec::new();
    for (name, alpha, tau) in [("0.3", 0.3, 10.0), ("0.05", 0.05, 0.5)] {
        let bits = Q32::from_bits((alpha * 4_294_967_296.0) as u64);
        let config = Config::new().alpha(bits).decay(Duration::from_secs_f64(tau));
        let mut balancer = Balancer::new(fleet(1, 2, config), RoundRobin::new());
        let mut rng = Xoshiro256PlusPlus::seed(19);
        let (mut now, mut last) = (Instant::ZERO, Instant::ZERO);
        let (mut mean, mut peak): (f64, f64) = (0.0, 0.0);
        let (mut mean_off, mut peak_off): (f64, f64) = (0.0, 0.0);
        for step in 0..200_000 {
            // 10 µs to 1 s, each decade alike.
            let took = Duration::from_nanos((10f64.powf(4.0 + 5.0 * unit(&mut rng))) as u64);
            let Pick::Member { lease, .. } = balancer.pick(now, &Request::new(), &mut rng) else { continue };
            now = now.saturating_add(took);
            balancer.complete(now, lease, Outcome::Success).expect("in time");
            let sample = took.as_nanos() as f64;
            let left = (-now.saturating_duration_since(last).as_secs_f64() / tau).exp();
            mean = if step == 0 { sample } else { mean + alpha * (sample - mean) };
            peak = if step == 0 { sample } else { sample + left * (peak - sample).max(0.0) };
            last = now;
            let off = |time: Option<Duration>, exact: f64| {
                (time.map_or(0.0, |time| time.as_nanos() as f64) - exact).abs() / exact
            };
            mean_off = mean_off.max(off(balancer.fleet().latency(0), mean));
            peak_off = peak_off.max(off(balancer.fleet().peak_latency(now, 0), peak));
        }
        let source = "0.1 % of the same in floating point";
        figures.push(Figure::new(
            format!("latency average, newest weighs {name}: largest relative error of 200,000"),
            mean_off,
            Bound::AtMost(0.001),
            source,
        ));
        figures.push(Figure::new(
            format!("latency peak, decaying in {tau} s: largest relative error of 200,000"),
            peak_off,
            Bound::AtMost(0.001),
            source,
        ));
    }
    figures
}

/// The estimate of the 95th percentile beside that of the last 100 responses, both beside the true one.
fn percentiles() -> Vec<Figure> {
    type Draw = fn(&mut Xoshiro256PlusPlus) -> f64;
    let cases: [(&str, f64, Draw); 3] = [
        ("exponential", 20f64.ln(), |rng| exponential(rng, 1.0)),
        ("uniform from 1 to 2", 1.95, |rng| 1.0 + unit(rng)),
        ("nine of ten 1, one 10", 10.0, |rng| {
            if rng.below(10) == 0 { 9.8 + 0.4 * unit(rng) } else { 0.9 + 0.2 * unit(rng) }
        }),
    ];
    let mut figures = Vec::new();
    for (name, truth, draw) in cases {
        let mut balancer = Balancer::new(fleet(1, 2, Config::new()), RoundRobin::new());
        let mut rng = Xoshiro256PlusPlus::seed(95);
        let mut window = std::collections::VecDeque::new();
        let (mut ours, mut exact, mut count) = (0.0, 0.0, 0);
        let mut now = Instant::ZERO;
        for step in 0..20_000 {
            let seconds = draw(&mut rng) / 100.0;
            let Pick::Member { lease, .. } = balancer.pick(now, &Request::new(), &mut rng) else { continue };
            now = now.saturating_add(Duration::from_secs_f64(seconds));
            balancer.complete(now, lease, Outcome::Success).expect("in time");
            window.push_back(seconds * 100.0);
            if window.len() > 100 {
                window.pop_front();
            }
            if step >= 100 && step % 10 == 0 {
                let mut sorted: Vec<f64> = window.iter().copied().collect();
                sorted.sort_by(f64::total_cmp);
                let estimate = balancer.fleet().p95(0).map_or(0.0, |p95| p95.as_secs_f64() * 100.0);
                ours += ((estimate - truth) / truth).abs();
                exact += ((sorted[94] - truth) / truth).abs();
                count += 1;
            }
        }
        let count = f64::from(count);
        figures.push(Figure::new(
            format!("95th percentile in 6 bytes, {name}: mean relative error"),
            ours / count,
            Bound::AtMost(0.2),
            "own: as good as the last 100 responses, and twice as much where they lie far apart",
        ));
        figures.push(Figure::new("– the same, of the last 100 responses", exact / count, Bound::None, ""));
    }
    figures
}

/// What a member gets while it starts, over what it would get otherwise, beside the integral of the law.
fn slow_start(policy: impl Policy, aggression: f64) -> f64 {
    const MEMBERS: u32 = 100;
    const REQUESTS: u32 = 2_000_000;
    let window = Duration::from_secs(100);
    let start = SlowStart::new(window).aggression(Q32::from_bits((aggression * 4_294_967_296.0) as u64));
    let mut fleet = Fleet::<Heap, Heap>::with_capacity(Duration::from_secs(10), MEMBERS, 1);
    fleet.configure(Config::new().slow_start(start)).expect("a good configuration");
    for member in 1..MEMBERS {
        fleet.insert(Instant::ZERO, Member::new(&member.to_le_bytes())).expect("there is room");
    }
    let begin = Instant::from_secs(1_000);
    let new = fleet.insert(begin, Member::new(b"new")).expect("there is room");
    let mut balancer = Balancer::new(fleet, policy);
    let mut rng = Xoshiro256PlusPlus::seed(20);
    let mut count = 0u32;
    for request in 0..REQUESTS {
        let now = begin.saturating_add(window / REQUESTS * request);
        let key = Request::new().key_hash(rng.next_u64());
        let Pick::Member { member, lease, .. } = balancer.pick(now, &key, &mut rng) else { continue };
        count += u32::from(member == new);
        balancer.complete(now, lease, Outcome::Success).expect("in time");
    }
    let measured = f64::from(count) * f64::from(MEMBERS) / f64::from(REQUESTS);
    // ∫ max(0.1, t^(1/a)) dt: constant up to 0.1^a, then the power.
    let (floor, exponent) = (0.1f64, 1.0 / aggression);
    let bend = floor.powf(aggression);
    let integral = floor * bend + (1.0 - bend.powf(exponent + 1.0)) / (exponent + 1.0);
    (measured / integral - 1.0).abs()
}

fn slow_starts() -> Vec<Figure> {
    let figure = |name: &str, aggression, off| {
        Figure::new(
            format!("slow start, {name}, aggression {aggression}: traffic off the law's integral"),
            off,
            Bound::AtMost(0.02),
            "Envoy's law: weight × max(least, passed^(1 / aggression))",
        )
    };
    vec![
        figure("round robin", 1.0, slow_start(RoundRobin::new(), 1.0)),
        figure("round robin", 2.0, slow_start(RoundRobin::new(), 2.0)),
        figure("random", 1.0, slow_start(Random::new(), 1.0)),
        figure("random", 0.5, slow_start(Random::new(), 0.5)),
        figure("hash", 1.0, slow_start(HashKey::new(), 1.0)),
        figure("two choices", 1.0, slow_start(P2c::new(), 1.0)),
    ]
}

/// Ejections in `intervals`, where the first `bad` members fail half of their calls and all others `failing`.
fn ejections(members: u32, bad: u32, failing: f64, share: Q32, intervals: u64) -> (f64, f64, f64) {
    let mut balancer = Balancer::new(fleet(members, 1, Config::new()), RoundRobin::new());
    let config =
        OutlierConfig::new().ejection(Duration::from_secs(1)).longest(Duration::from_secs(1)).share(share);
    let mut outlier = Outlier::<Heap>::with_capacity(config, members);
    let mut rng = Xoshiro256PlusPlus::seed(25);
    let (mut healthy, mut found, mut most) = (0u32, 0u32, 0u32);
    outlier.advance(Instant::ZERO, balancer.fleet_mut());
    for interval in 1..=intervals {
        let mut now = Instant::from_secs(10 * interval - 5);
        for _ in 0..members * 150 {
            let Pick::Member { member, lease, .. } = balancer.pick(now, &Request::new(), &mut rng) else {
                continue;
            };
            now = now.saturating_add(Duration::from_secs_f64(exponential(&mut rng, 1e-5)));
            let fails = if member.slot() < bad { 0.5 } else { failing };
            let outcome = if unit(&mut rng) < fails { Outcome::Failure } else { Outcome::Success };
            balancer.complete(now, lease, outcome).expect("in time");
        }
        let end = Instant::from_secs(10 * interval);
        outlier.advance(end, balancer.fleet_mut());
        let out = |slot: &u32| outlier.ejected_until(*slot).is_some();
        healthy += (bad..members).filter(out).count() as u32;
        found += (0..bad).filter(out).count() as u32;
        most = most.max((0..members).filter(out).count() as u32);
        // They come back before the next interval.
        outlier.advance(end.saturating_add(Duration::from_secs(3)), balancer.fleet_mut());
    }
    let intervals = intervals as f64;
    (
        f64::from(healthy) / (f64::from(members - bad) * intervals),
        f64::from(found) / (f64::from(bad.max(1)) * intervals),
        f64::from(most),
    )
}

fn outliers() -> Vec<Figure> {
    let half = Q32::from_bits(1 << 31);
    let mut figures = Vec::new();
    for (members, failing) in [(5, 0.01), (10, 0.001), (10, 0.1), (50, 0.01), (100, 0.3)] {
        let (healthy, _, _) = ejections(members, 0, failing, half, 400);
        figures.push(Figure::new(
            format!("outliers: ejections a member and interval, {members} equal members that fail {failing}"),
            healthy,
            Bound::AtMost(0.001),
            "0.1 %; with mean − 1.9 deviations 2.5 to 5.7 %",
        ));
    }
    for (members, bad) in [(3, 1), (5, 2), (10, 4), (99, 49)] {
        let (_, found, most) = ejections(members, bad, 0.01, half, 20);
        figures.push(Figure::new(
            format!("outliers: found, where {bad} of {members} fail half of their calls"),
            found,
            Bound::Exactly(1.0),
            "the median stands up to just under half",
        ));
        assert!(most <= f64::from(members / 2), "more ejected than may be");
    }
    let (_, _, most) = ejections(9, 4, 0.01, Q32::from_bits((1 << 32) / 4), 20);
    figures.push(Figure::new(
        "outliers: members out at once, where 4 of 9 are bad and a quarter may be out",
        most,
        Bound::Exactly(2.0),
        "Envoy issues 3263 and 26877",
    ));
    figures
}

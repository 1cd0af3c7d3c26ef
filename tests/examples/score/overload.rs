//! How limits find the capacity of a server, and what gates and throttles let through when there is too much.

use crate::figure::{Bound, Figure};
use core::time::Duration;
use divvy::Instant;
use divvy::fixed::{Q32, neg_log2};
use divvy::limit::{
    Aimd, Bounds, Codel, ConcurrencyLimit, Gradient, Law, Order, Sample, Throttle, ThrottleConfig, Vegas,
    Verdict,
};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

pub(crate) fn figures() -> Vec<Figure> {
    [throttle(), codel(), steps(), bounded()].concat()
}

fn exponential(rng: &mut impl Rng, mean: u64) -> u64 {
    Q32::LN_2.saturating_mul(neg_log2(rng.next_u64())).mul_int(mean)
}

/// Ten thousand requests a second to a backend that accepts so many.
fn throttle() -> Vec<Figure> {
    let mut figures = Vec::new();
    for k in [20u32, 15, 11] {
        for overload in [2u32, 5, 10] {
            figures.push(Figure::new(
                format!("throttle: sent / accepted at {overload}x overload, K = {}.{}", k / 10, k % 10),
                sent_per_accepted(k, overload),
                Bound::Within(f64::from(k) / 10.0, f64::from(k) / 1_000.0),
                "K ± 1 %: Site Reliability Engineering, ch. 21",
            ));
        }
    }
    for (overload, name) in [(Some(10), "10x overload"), (None, "an outage")] {
        figures.push(Figure::new(
            format!("throttle: windows from the end of {name} until everything is sent, K = 2"),
            recovery(overload),
            Bound::AtMost(1.0),
            "one window: go-zero PR #5551, kratos #2777",
        ));
    }
    figures
}

struct Backend {
    /// In thousandths of a request.
    credit: u64,
}

impl Backend {
    /// A tenth of a millisecond of `rate` a second.
    fn accepts(&mut self, sent: bool) -> bool {
        let accepts = sent && self.credit >= 10_000;
        self.credit -= if accepts { 10_000 } else { 0 };
        accepts
    }
}

fn new_throttle(k: u32) -> Throttle<Inline<24>> {
    let k = Q32::from_ratio(k.into(), 10).expect("it fits");
    Throttle::new(ThrottleConfig::new().multiplier(k).expect("at least 1"))
}

fn sent_per_accepted(k: u32, overload: u32) -> f64 {
    let (mut throttle, mut rng) = (new_throttle(k), Xoshiro256PlusPlus::seed(k.into()));
    let mut backend = Backend { credit: 0 };
    let (mut sent, mut accepted) = (0u32, 0u32);
    for n in 0..4_800_000u64 {
        let now = Instant::from_nanos(n * MS / 10);
        backend.credit = (backend.credit + 10_000 / u64::from(overload)).min(100_000);
        if throttle.admit(now, &mut rng) == Verdict::Run {
            let accepts = backend.accepts(true);
            throttle.observe(now, accepts);
            // The first two windows are for it to settle.
            if n >= 2_400_000 {
                sent += 1;
                accepted += u32::from(accepts);
            }
        }
    }
    f64::from(sent) / f64::from(accepted)
}

fn recovery(overload: Option<u64>) -> f64 {
    let (mut throttle, mut rng) = (new_throttle(20), Xoshiro256PlusPlus::seed(5));
    let mut backend = Backend { credit: 0 };
    for ms in 0..600_000u64 {
        let now = Instant::from_millis(ms);
        let is_well = ms >= 300_000;
        backend.credit = match overload {
            _ if is_well => 100_000,
            Some(overload) => (backend.credit + 10_000 / overload).min(100_000),
            None => 0,
        };
        if throttle.admit(now, &mut rng) == Verdict::Run {
            let accepts = backend.accepts(true);
            throttle.observe(now, accepts);
        }
        if is_well && throttle.chance(now) == Q32::ZERO {
            return (ms - 300_000) as f64 / 120_000.0;
        }
    }
    f64::INFINITY
}

/// One server of a thousand requests a second, twice as many of which come, for a minute.
fn codel() -> Vec<Figure> {
    let mut figures = Vec::new();
    for (name, law, follows, bound) in [
        ("no gate, a bound of 1,000", None, false, None),
        ("the packet law", Some(Law::Packet), false, None),
        ("the server law", Some(Law::Server), false, Some(10.0)),
        ("the server law, adaptive LIFO", Some(Law::Server), true, Some(10.0)),
    ] {
        let (p99, goodput) = overload(law, follows);
        figures.push(Figure::new(
            format!("CoDel: p99 of the waiting time of what is served at 2x overload, {name}, ms"),
            p99,
            bound.map_or(Bound::None, Bound::AtMost),
            "twice the target of 5 ms: folly, RFC 8289",
        ));
        figures.push(Figure::new(
            format!("CoDel: share of the capacity that serves what waited for at most 10 ms, {name}"),
            goodput,
            bound.map_or(Bound::None, |_| Bound::Within(1.0, 0.02)),
            "all of it: drops cost nothing",
        ));
    }
    figures
}

fn overload(law: Option<Law>, follows: bool) -> (f64, f64) {
    let mut rng = Xoshiro256PlusPlus::seed(11);
    let mut gate = Codel::new(Duration::from_millis(5), Duration::from_millis(100)).expect("the defaults");
    if let Some(law) = law {
        gate = gate.law(law);
    }
    let mut queue: VecDeque<u64> = VecDeque::new();
    let mut waited: Vec<u64> = Vec::new();
    let (mut now, mut arrives) = (0, 0);
    while now < 60 * SECOND {
        while arrives <= now {
            if law.is_some() || queue.len() < 1_000 {
                queue.push_back(arrives);
            }
            arrives += exponential(&mut rng, MS / 2).max(1);
        }
        let at = Instant::from_nanos(now);
        while follows && queue.front().is_some_and(|oldest| gate.is_late(at, Instant::from_nanos(*oldest))) {
            let oldest = queue.pop_front().expect("it is there");
            assert_eq!(gate.verdict(at, Instant::from_nanos(oldest)), Verdict::Drop);
        }
        let taken = match gate.order() {
            Order::Lifo if follows => queue.pop_back(),
            _ => queue.pop_front(),
        };
        let Some(queued) = taken else {
            gate.emptied(at);
            now = arrives;
            continue;
        };
        if law.is_none() || gate.verdict(at, Instant::from_nanos(queued)) == Verdict::Run {
            waited.push(now - queued);
            now += exponential(&mut rng, MS);
        }
    }
    let good = waited.iter().filter(|waited| **waited <= 10 * MS).count();
    waited.sort_unstable();
    (waited[waited.len() * 99 / 100] as f64 / 1e6, good as f64 / 60_000.0)
}

/// A server with a line in front of its workers, whose calls take 10 ms on average, and a client that always has more.
struct Server {
    rng: Xoshiro256PlusPlus,
    free: BinaryHeap<Reverse<u64>>,
    out: BinaryHeap<Reverse<(u64, u64)>>,
    now: u64,
    refuses: bool,
}

impl Server {
    fn new(workers: u32, refuses: bool) -> Self {
        Self {
            rng: Xoshiro256PlusPlus::seed(3),
            free: (0..workers).map(|_| Reverse(0)).collect(),
            out: BinaryHeap::new(),
            now: 0,
            refuses,
        }
    }

    /// Runs for so long; the mean limit and the calls that ended, in the last half of it.
    fn run(&mut self, limit: &mut dyn ConcurrencyLimit, seconds: u64) -> (f64, u64) {
        let (half, end) = (self.now + seconds * SECOND / 2, self.now + seconds * SECOND);
        let (mut area, mut last, mut ended) = (0.0, half, 0);
        while self.now < end {
            while (self.out.len() as u32) < limit.limit() {
                let Reverse(free) = self.free.pop().expect("there are workers");
                if self.refuses && free > self.now {
                    self.free.push(Reverse(free));
                    let in_flight = self.out.len() as u32 + 1;
                    let refused = Sample { latency: Duration::ZERO, in_flight, dropped: true };
                    limit.observe(Instant::from_nanos(self.now), refused);
                    break;
                }
                let ends = free.max(self.now) + exponential(&mut self.rng, 10 * MS);
                self.free.push(Reverse(ends));
                self.out.push(Reverse((ends, self.now)));
            }
            let in_flight = self.out.len() as u32;
            let Reverse((ends, began)) = self.out.pop().expect("a limit is at least 1");
            if ends > half {
                area += f64::from(limit.limit()) * (ends.min(end) - last.min(end)) as f64;
                (last, ended) = (ends, ended + 1);
            }
            self.now = ends;
            let latency = Duration::from_nanos(ends - began);
            limit.observe(Instant::from_nanos(ends), Sample { latency, in_flight, dropped: false });
        }
        (area / (end - half) as f64, ended)
    }
}

/// A name, a limit, whether the server refuses, the bounds at a hundred workers and at fifty, and their source.
type Case = (&'static str, Box<dyn ConcurrencyLimit>, bool, [(f64, f64); 2], &'static str);

/// A hundred workers, then fifty, then a hundred again: by Little's law as many calls are in service as there are
/// workers. A part more waits, as each limit is made for.
fn steps() -> Vec<Figure> {
    let mut figures = Vec::new();
    let bounds = || Bounds::new(1, 10_000).expect("valid bounds");
    let queue = "capacity to capacity + 2√capacity: TCP Vegas, α and β of 0.5 and 1.5";
    let tolerance = "capacity to 1.25 × capacity + √capacity: the tolerance";
    let limits: [Case; 3] = [
        (
            "AIMD, a server that refuses",
            Box::new(Aimd::new(bounds())),
            true,
            [(95.0, 10.0), (47.5, 5.0)],
            "0.9 to 1 × capacity: a decrease of 0.9",
        ),
        ("Vegas", Box::new(Vegas::new(bounds())), false, [(112.5, 12.5), (58.0, 9.0)], queue),
        ("gradient", Box::new(Gradient::new(bounds())), false, [(117.5, 27.5), (60.0, 15.0)], tolerance),
    ];
    for (name, mut limit, refuses, [of_100, of_50], source) in limits {
        let mut server = Server::new(100, refuses);
        for (workers, seconds, step, (middle, distance)) in [
            (100, 10, "from 20", of_100),
            (50, 40, "after half is lost", of_50),
            (100, 60, "after it is back", of_100),
        ] {
            while server.free.len() > workers {
                server.free.pop();
            }
            while server.free.len() < workers {
                server.free.push(Reverse(server.now));
            }
            let (mean, ended) = server.run(&mut *limit, seconds);
            figures.push(Figure::new(
                format!("limit: mean of {name} at {workers} workers, {step}"),
                mean,
                Bound::Within(middle, distance),
                source,
            ));
            let capacity = workers as f64 * 100.0 * seconds as f64 / 2.0;
            figures.push(Figure::new(
                format!("limit: share of the capacity idle under {name} at {workers} workers, {step}"),
                (1.0 - ended as f64 / capacity).max(0.0),
                Bound::AtMost(if refuses { 0.15 } else { 0.05 }),
                "own bound",
            ));
        }
    }
    figures
}

/// Every call takes 1/0.8 of what the gradient tolerates, 100,000 times; and an hour of demand without end.
fn bounded() -> Vec<Figure> {
    let bounds = Bounds::new(1, u32::MAX).and_then(|bounds| bounds.initial(100)).expect("valid bounds");
    let mut limit = Gradient::new(bounds);
    let (mut now, mut largest) = (0, 0);
    for n in 0..100_000u64 {
        let base = (limit.base().as_nanos() as u64).max(10 * MS);
        let latency = if n < 200 { 10 * MS } else { base * 25 / 16 };
        now += MS / 5;
        let sample =
            Sample { latency: Duration::from_nanos(latency), in_flight: limit.limit(), dropped: false };
        limit.observe(Instant::from_nanos(now), sample);
        largest = largest.max(if n > 1_000 { limit.limit() } else { 0 });
    }
    let mut figures = vec![Figure::new(
        "limit: largest limit of the gradient in 100,000 samples at a gradient of 0.8, from 100",
        f64::from(largest),
        Bound::AtMost(400.0),
        "bounded: Netflix concurrency-limits PR #134",
    )];
    for (name, mut limit) in [
        ("Vegas", Box::new(Vegas::new(Bounds::new(1, 10_000).expect("valid"))) as Box<dyn ConcurrencyLimit>),
        ("gradient", Box::new(Gradient::new(Bounds::new(1, 10_000).expect("valid")))),
    ] {
        let mut server = Server::new(10, false);
        let (mean, _) = server.run(&mut *limit, 3_600);
        figures.push(Figure::new(
            format!("limit: mean of {name} at 10 workers after half an hour of endless demand"),
            mean,
            Bound::Within(14.0, 6.0),
            "no drift: Netflix concurrency-limits #165, PR #88",
        ));
    }
    figures
}

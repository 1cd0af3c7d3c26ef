//! What queueing theory and the published experiments say about policies, on the simulated servers.
//!
//! Poisson arrivals and exponentially distributed work of 1 on average unless a name says otherwise; times are in
//! units of that work. Figures begin with the second tenth of the requests.

use crate::figure::{Bound, Figure};
use core::fmt::Debug;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use divvy::balance::{
    Balancer, C3, Choice, Config as Tuning, Fleet, JoinIdleQueue, LeastLoaded, LeastResponseTime, P2c,
    Policy, Prequal, PrequalConfig, Random, Refusal, Report, Request, RoundRobin, View, Why,
};
use divvy::fixed::Q32;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::sim::dispatch::{Arrivals, Config, Dispatch, Information, Server, ServerStats, Service, Summary};
use divvy::storage::{Heap, Storage};
use std::sync::Mutex;

/// The mean work: long in nanoseconds, so that rounding is far below any figure.
const WORK: Duration = Duration::from_secs(1);

/// Servers and their traffic.
#[derive(Clone)]
struct Case {
    servers: Vec<Server>,
    dispatchers: u32,
    config: Config,
    tuning: Tuning,
}

impl Case {
    /// `n` equal servers and one dispatcher, at a load of so many thousandths.
    fn equal(n: u32, load: u64, requests: u64) -> Self {
        Self::of(vec![Server::new(); n as usize], n, load, requests)
    }

    /// These servers, at a load of so many thousandths of what `n` servers of speed 1 and one slot can do.
    fn of(servers: Vec<Server>, n: u32, load: u64, requests: u64) -> Self {
        let load = Q32::from_ratio(load, 1_000).expect("a small number");
        let config = Config::new()
            .arrivals(Arrivals::poisson_at_load(WORK, n, load).expect("a load above 0"))
            .service(Service::exponential(WORK))
            .requests(requests)
            .warm_up(requests / 10);
        Self { servers, dispatchers: 1, config, tuning: Tuning::new() }
    }

    fn dispatchers(mut self, dispatchers: u32) -> Self {
        self.dispatchers = dispatchers;
        self
    }

    fn tuning(mut self, tuning: Tuning) -> Self {
        self.tuning = tuning;
        self
    }

    fn config(mut self, change: impl Fn(Config) -> Config) -> Self {
        self.config = change(self.config);
        self
    }

    fn run<P: Policy + Debug>(&self, policy: impl Fn() -> P) -> (Summary, Vec<ServerStats>) {
        let servers = self.servers.len() as u32;
        // Far more than ever wait, but for a herd.
        let requests = 2_000 + 1_000 * servers;
        let (config, dispatchers) = (self.config, self.dispatchers);
        let mut sim =
            Dispatch::<P, Heap, Heap, Heap, Heap>::with_capacity(config, dispatchers, servers, requests)
                .expect("a valid configuration");
        for _ in 0..dispatchers {
            let timeout = Duration::from_secs(10_000_000);
            let mut fleet = Fleet::with_capacity(timeout, servers, requests);
            fleet.configure(self.tuning).expect("a valid configuration");
            sim.insert_dispatcher(Balancer::new(fleet, policy())).expect("there is room");
        }
        for server in &self.servers {
            sim.insert(*server).expect("there is room");
        }
        sim.run(u64::MAX, &mut Xoshiro256PlusPlus::seed(42));
        let summary = sim.summary();
        assert_eq!(summary.refused + summary.unfinished, 0, "{summary:?}");
        (summary, sim.stats().collect())
    }

    fn mean<P: Policy + Debug>(&self, policy: impl Fn() -> P) -> f64 {
        self.run(policy).0.mean.as_secs_f64()
    }
}

/// Looks at what the last reports said and at nothing else, but for what was sent since if it takes that into account.
#[derive(Debug)]
struct ByReport {
    told: Vec<u32>,
    /// Compares all, or else two.
    all: bool,
    credit: bool,
}

impl ByReport {
    fn new(members: u32, all: bool, credit: bool) -> Self {
        Self { told: vec![0; members as usize], all, credit }
    }
}

impl Policy for ByReport {
    fn choose<M: Storage, L: Storage>(
        &mut self,
        _now: divvy::Instant,
        view: View<'_, M, L>,
        _request: &Request<'_>,
        rng: &mut impl Rng,
    ) -> Result<Choice, Refusal> {
        let slots = view.slots();
        let n = slots.len() as u32;
        let told = |slot: &u32| self.told[*slot as usize];
        let slot = if self.all {
            // Of the least loaded ones, any.
            let start = rng.below(n) as usize;
            slots[start..].iter().chain(&slots[..start]).copied().min_by_key(told)
        } else {
            let (a, b) = (rng.below(n), rng.below(n - 1));
            let (a, b) = (slots[a as usize], slots[(b + u32::from(b >= a)) as usize]);
            Some(if told(&b) < told(&a) { b } else { a })
        };
        let slot = slot.ok_or_else(|| view.refusal())?;
        self.told[slot as usize] += u32::from(self.credit);
        Ok(Choice { slot, why: Why::LeastLoaded })
    }

    fn reported<M: Storage, L: Storage>(
        &mut self,
        _now: divvy::Instant,
        _view: View<'_, M, L>,
        slot: u32,
        report: &Report,
    ) {
        self.told[slot as usize] = report.in_flight;
    }
}

type Job = Box<dyn Fn() -> Vec<Figure> + Send + Sync>;

pub(crate) fn figures() -> Vec<Figure> {
    let jobs: Vec<Job> = [theory(), supermarket(), stale(), uneven(), black_hole(), idle(), probing()]
        .into_iter()
        .flatten()
        .collect();
    // In whatever order they are done, each is the same and stands in its place.
    let (next, done) = (AtomicUsize::new(0), Mutex::new(vec![Vec::new(); jobs.len()]));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(index) else { break };
                    let figures = job();
                    done.lock().expect("no job panics")[index] = figures;
                }
            });
        }
    });
    done.into_inner().expect("no job panics").concat()
}

fn job(figures: impl Fn() -> Vec<Figure> + Send + Sync + 'static) -> Job {
    Box::new(figures)
}

/// One figure that is the mean time under a policy.
fn mean<P: Policy + Debug>(
    name: &'static str,
    case: Case,
    policy: impl Fn() -> P + Send + Sync + 'static,
    bound: Bound,
    source: &'static str,
) -> Job {
    job(move || vec![Figure::new(name, case.mean(&policy), bound, source)])
}

/// This value, give or take so many hundredths of it.
fn near(value: f64, hundredths: f64) -> Bound {
    Bound::Within(value, value * hundredths / 100.0)
}

// The simulator itself.

/// The mean time in an M/M/c system of this load: Erlang's delay formula.
fn erlang(servers: u32, load: f64) -> f64 {
    let offered = load * f64::from(servers);
    // Blocking by the recursion in the number of servers, then waiting by that.
    let blocking =
        (1..=servers).fold(1.0, |blocking, k| offered * blocking / (f64::from(k) + offered * blocking));
    let waiting = blocking / (1.0 - load * (1.0 - blocking));
    1.0 + waiting / (f64::from(servers) * (1.0 - load))
}

/// The mean time in a queue with exponential service and arrivals `phases` exponential phases apart: every `phases`-th of a
/// Poisson stream, as round robin deals it out.
fn erlang_arrivals(phases: f64, load: f64) -> f64 {
    // The root below 1 of s = E[exp(-(1 - s) T)].
    let mut s = 0.5;
    for _ in 0..1_000 {
        s = (1.0 + (1.0 - s) / (load * phases)).powf(-phases);
    }
    1.0 / (1.0 - s)
}

fn theory() -> Vec<Job> {
    let slots = |slots| vec![Server::new().slots(slots)];
    let one = || Case::equal(1, 800, 1_500_000);
    let bimodal =
        Service::bimodal(WORK / 2, WORK * 11 / 2, Q32::from_ratio(1, 10).expect("a share")).expect("a share");
    vec![
        mean(
            "simulator: M/M/1, load 0.8, mean time",
            one(),
            RoundRobin::new,
            near(5.0, 3.0),
            "1 ÷ (1 − load)",
        ),
        mean(
            "simulator: M/M/10, load 0.8, mean time",
            Case::of(slots(10), 10, 800, 1_000_000),
            RoundRobin::new,
            near(erlang(10, 0.8), 3.0),
            "Erlang's delay formula",
        ),
        mean(
            "simulator: M/D/1, load 0.8, mean time",
            one().config(|config| config.service(Service::constant(WORK))),
            RoundRobin::new,
            near(3.0, 3.0),
            "Pollaczek and Khinchine: 1 + load ÷ (2 (1 − load))",
        ),
        mean(
            "simulator: M/G/1, load 0.8, work 0.5 or (1 in 10) 5.5, mean time",
            one().config(move |config| config.service(bimodal)),
            RoundRobin::new,
            near(1.0 + 0.8 * (0.9 * 0.25 + 0.1 * 30.25) / (2.0 * 0.2), 3.0),
            "Pollaczek and Khinchine: 1 + load E[S²] ÷ (2 (1 − load))",
        ),
    ]
}

// The supermarket model.

/// The mean time with the better of `d` choices among infinitely many servers.
fn choices(d: f64, load: f64) -> f64 {
    (1..40).map(|i: i32| load.powf((d.powi(i) - d) / (d - 1.0))).sum()
}

const MITZENMACHER: &str = "Σ load^((dⁱ − d) ÷ (d − 1)), n → ∞: Mitzenmacher 1996";

fn supermarket() -> Vec<Job> {
    let hundred = |requests| Case::equal(100, 900, requests);
    vec![
        mean(
            "random, 100 servers, load 0.9, mean time",
            hundred(3_000_000),
            Random::new,
            near(10.0, 5.0),
            "100 times M/M/1: 1 ÷ (1 − load)",
        ),
        mean(
            "round robin, 100 servers, load 0.9, mean time",
            hundred(1_500_000),
            RoundRobin::new,
            near(erlang_arrivals(100.0, 0.9), 3.0),
            "E₁₀₀/M/1",
        ),
        mean(
            "power of two, 100 servers, load 0.9, mean time",
            hundred(1_500_000),
            P2c::new,
            near(choices(2.0, 0.9), 3.0),
            MITZENMACHER,
        ),
        mean(
            "least loaded, 100 servers, load 0.9, mean time",
            hundred(1_000_000),
            || LeastLoaded::<Heap>::with_capacity(100),
            near(1.07, 3.0),
            "join the shortest queue, re-measured",
        ),
        mean(
            "power of two, 2,000 servers, 5,000,000 requests, load 0.99, mean time",
            Case::equal(2_000, 990, 5_000_000),
            P2c::new,
            near(choices(2.0, 0.99), 3.0),
            MITZENMACHER,
        ),
    ]
}

// Old information.

fn stale() -> Vec<Job> {
    const SOURCE: &str = "Mitzenmacher, How useful is old information, 2000; re-measured";
    let told = |requests| {
        Case::equal(100, 900, requests)
            .config(|config| config.information(Information::Snapshot { every: 20 * WORK }))
    };
    vec![
        mean(
            "old loads (every 20), 100 servers, load 0.9: power of two by them alone, mean time",
            told(600_000),
            || ByReport::new(100, false, false),
            near(7.1, 5.0),
            SOURCE,
        ),
        mean(
            "– power of two by them and what was sent since",
            told(600_000),
            || ByReport::new(100, false, true),
            Bound::AtMost(4.5),
            SOURCE,
        ),
        mean(
            "– the least loaded by them alone",
            told(600_000),
            || ByReport::new(100, true, false),
            near(78.0, 5.0),
            SOURCE,
        ),
        mean("– `P2c`, 1 dispatcher", told(600_000), P2c::new, Bound::AtMost(4.5), SOURCE),
        mean(
            "– `P2c`, 10 dispatchers",
            told(600_000).dispatchers(10),
            P2c::new,
            Bound::AtMost(7.1),
            "no worse than power of two by them alone",
        ),
        mean(
            "– `LeastLoaded`, 10 dispatchers",
            told(500_000).dispatchers(10),
            || LeastLoaded::<Heap>::with_capacity(100),
            Bound::None,
            "",
        ),
    ]
}

// Servers that differ.

fn uneven() -> Vec<Job> {
    const SOURCE: &str = "re-measured";
    let case = || {
        let slow = Server::new().speed(Q32::from_ratio(1, 4).expect("a speed"));
        let mut servers = vec![Server::new(); 100];
        servers[..10].fill(slow);
        // 90 and 10 quarters: 92.5 servers' worth.
        Case::of(servers, 1, 74_000, 600_000)
    };
    fn both<P: Policy + Debug>(
        name: &'static str,
        case: Case,
        policy: impl Fn() -> P + Send + Sync + 'static,
        mean: Bound,
        tail: Bound,
    ) -> Job {
        job(move || {
            let summary = case.run(&policy).0;
            let (value, p999) = (summary.mean.as_secs_f64(), summary.p999.as_secs_f64());
            vec![
                Figure::new(
                    format!("10 of 100 servers 4 times slower, load 0.8: {name}, mean time"),
                    value,
                    mean,
                    SOURCE,
                ),
                Figure::new(format!("– {name}, 99.9 % within"), p999, tail, SOURCE),
            ]
        })
    }
    let quick = Tuning::new().decay(30 * WORK);
    vec![
        both("power of two", case(), P2c::new, near(2.44, 3.0), near(33.0, 5.0)),
        both(
            "least loaded",
            case(),
            || LeastLoaded::<Heap>::with_capacity(100),
            near(1.10, 15.0),
            near(14.0, 15.0),
        ),
        both(
            "power of two by peak latency",
            case().tuning(quick),
            P2c::peak,
            near(2.37, 3.0),
            near(21.6, 5.0),
        ),
        both("least response time", case().tuning(quick), LeastResponseTime::new, Bound::None, Bound::None),
        both("C3", case().tuning(quick), || C3::<Heap>::with_capacity(100), Bound::None, Bound::None),
    ]
}

// Black holes.

fn black_hole() -> Vec<Job> {
    fn share<P: Policy + Debug>(
        name: &'static str,
        tuning: Tuning,
        policy: impl Fn() -> P + Send + Sync + 'static,
        bound: Bound,
        source: &'static str,
    ) -> Job {
        job(move || {
            let mut servers = vec![Server::new(); 10];
            servers[3] = Server::new().black_hole();
            let stats = Case::of(servers, 9, 600, 200_000).tuning(tuning).run(&policy).1;
            let all: u64 = stats.iter().map(|server| server.picked).sum();
            let share = stats[3].picked as f64 / all as f64;
            vec![Figure::new(
                format!("black hole, 1 of 10 servers: share of requests, {name}"),
                share,
                bound,
                source,
            )]
        })
    }
    const FAIR: &str = "no more than its fair share 1/n: linkerd2-proxy 4537";
    let (penalty, blind) = (Tuning::new().penalty(100 * WORK), Tuning::new().penalty(Duration::ZERO));
    vec![
        share("power of two by peak latency", penalty, P2c::peak, Bound::AtMost(0.1), FAIR),
        share("– without the penalty", blind, P2c::peak, Bound::None, ""),
        share("least response time", penalty, LeastResponseTime::new, Bound::AtMost(0.1), FAIR),
        share("C3", penalty, || C3::<Heap>::with_capacity(10), Bound::None, ""),
        share("power of two by load alone", penalty, P2c::new, Bound::None, ""),
    ]
}

// Idle queues.

fn idle() -> Vec<Job> {
    /// How many requests wait, on average: for equal arrivals as good as how long they wait, by Little's law.
    fn waiting<P: Policy + Debug>(case: &Case, policy: impl Fn() -> P) -> f64 {
        let (summary, stats) = case.run(policy);
        let busy: f64 = stats.iter().map(|server| server.busy.as_secs_f64()).sum();
        let held = summary.mean_held.to_bits() as f64 / Q32::ONE.to_bits() as f64;
        (held - busy / summary.elapsed.as_secs_f64()).max(0.0)
    }
    let ratio = |load: u64, dispatchers: u32, bound: Bound| {
        job(move || {
            let case = Case::equal(500, load, 300_000);
            let two = waiting(&case, P2c::new);
            let case = case
                .dispatchers(dispatchers)
                .config(|config| config.idle_reports(true).information(Information::Answers));
            let idle = waiting(&case, || JoinIdleQueue::<Heap>::with_capacity(500));
            let (n, load) = (dispatchers, load as f64 / 1e3);
            let name = format!(
                "join idle queue, 500 servers, dispatchers: {n}, load {load}: waiting over power of two's"
            );
            vec![Figure::new(name, idle / two, bound, "Lu 2011: 1/30 for large systems, 1/10 to be sure")]
        })
    };
    let tenth = Bound::AtMost(0.1);
    vec![ratio(700, 1, tenth), ratio(800, 1, tenth), ratio(900, 1, tenth), ratio(900, 10, Bound::None)]
}

// Probing.

fn probing() -> Vec<Job> {
    let race = |servers: u32, bounded: bool| {
        job(move || {
            // Ten callers that know nothing of each other. A probe and its answer take a hundredth of the work each, and
            // an answer is good for a hundred times the work: Prequal's second, where a request takes 10 ms.
            let case = Case::equal(servers, 900, 300_000).dispatchers(10);
            let case = case.config(|config| config.probe_network(WORK / 100));
            let config = PrequalConfig::new().lifetime(100 * WORK);
            let p99 = |summary: (Summary, _)| summary.0.p99.as_secs_f64();
            let (random, two) = (p99(case.run(Random::new)), p99(case.run(P2c::new)));
            let prequal = p99(case.run(|| Prequal::with(config).expect("a valid configuration")));
            let show = |name: &str, value, bound| {
                let name = format!("10 dispatchers, {servers} servers, load 0.9, 99 % within: {name}");
                Figure::new(
                    name,
                    value,
                    if bounded { bound } else { Bound::None },
                    "random 282, power of two 130, Prequal 93 ms: prequal-rs",
                )
            };
            vec![
                show("random", random, Bound::None),
                show("power of two by own calls", two, Bound::AtMost(random)),
                show("Prequal", prequal, Bound::AtMost(two)),
            ]
        })
    };
    vec![race(100, true), race(4, false)]
}

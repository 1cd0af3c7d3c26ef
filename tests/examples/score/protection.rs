//! Protections between services, on the simulator: what a slow service does to the ones before it, with and without.

use crate::figure::{Bound, Figure};
use divvy::Instant;
use divvy::breaker::Config as BreakerConfig;
use divvy::fixed::Q32;
use divvy::limit::Codel;
use divvy::retry::{Backoff, BudgetConfig};
use divvy::rng::Xoshiro256PlusPlus;
use divvy::sim::chain::{Chain, Config, Discipline, End, Fallback, Fault, Link, Outage, Tier, What};
use divvy::sim::herd::{Config as HerdConfig, Herd, Policy};
use divvy::sim::{Arrivals, Service};
use divvy::storage::Heap;
use std::num::NonZeroU32;
use std::time::Duration;

const MILLI: Duration = Duration::from_millis(1);
type Sim = Chain<Heap, Heap, Heap>;

pub(crate) fn figures() -> Vec<Figure> {
    [cascade(), amplification(), metastable(), herd()].concat()
}

fn number(value: Q32) -> f64 {
    value.to_bits() as f64 / Q32::ONE.to_bits() as f64
}

fn backoff() -> Backoff {
    let three = NonZeroU32::MIN.saturating_add(2);
    Backoff::new(20 * MILLI, 320 * MILLI).expect("a back-off").attempts(three)
}

fn budget() -> BudgetConfig {
    BudgetConfig::new().share(1, 10).floor(1)
}

fn run(chain: &mut Sim, until: Instant) {
    let mut rng = Xoshiro256PlusPlus::seed(1);
    while chain.next_event_at().is_some_and(|at| at < until) && chain.step(&mut rng).is_some() {}
}

/// Services A to E; D takes 20 times as long as usual, and 40 % of the requests need it.
fn slow_fourth(link: impl Fn(u32, Link) -> Link, deadlines: bool) -> Sim {
    let config = Config::new()
        .arrivals(Arrivals::Poisson { gap: 2 * MILLI })
        .until(Instant::from_secs(60))
        .warm_up(Duration::from_secs(5))
        .deadlines(deadlines);
    let mut chain = Sim::with_capacity(config, 5, 100_000).expect("a valid configuration");
    let fault = Fault::Slow { factor: Q32::from_int(20) };
    let slow = Outage { from: Instant::ZERO, until: Instant::MAX, fault };
    for tier in 0..5 {
        let spec = Tier::new().queue(100);
        let (spec, plain) = match tier {
            3 => {
                let share = Q32::from_ratio(2, 5).expect("a share");
                let spec = spec.workers(20).service(Service::exponential(10 * MILLI)).outage(slow);
                (spec, Link::new().share(share))
            }
            4 => (spec.workers(20).service(Service::exponential(5 * MILLI)), Link::new()),
            _ => (spec.workers(40).service(Service::exponential(5 * MILLI)), Link::new()),
        };
        chain.insert(spec, link(tier, plain)).expect("a valid service");
    }
    run(&mut chain, Instant::from_secs(120));
    chain
}

fn timeouts(tier: u32, link: Link) -> Link {
    link.timeout([3_000, 1_000, 600, 300, 150][tier as usize] * MILLI)
}

fn cascade() -> Vec<Figure> {
    let retries = |tier: u32, link: Link| {
        let link = timeouts(tier, link);
        if tier == 0 { link } else { link.retry(backoff()) }
    };
    let rules = BreakerConfig::new()
        .open(Duration::from_secs(1), Duration::from_secs(8), Q32::from_int(2))
        .build()
        .expect("valid rules");
    let protected = |tier: u32, link: Link| {
        let link = retries(tier, link);
        let link = if tier == 0 { link } else { link.budget(budget()) };
        if tier == 3 { link.breaker(rules, 50).bulkhead(20) } else { link }
    };
    let default = |tier: u32, link: Link| {
        let link = protected(tier, link);
        if tier == 3 { link.fallback(Fallback::Default) } else { link }
    };
    let answered = |chain: &Sim| number(chain.summary().all.success_rate());
    let failed = |chain: &Sim| 1.0 - answered(chain);
    let bare = slow_fourth(|_, link| link, false);
    let mut figures = vec![
        Figure::new(
            "cascade A to E, D 20 times slower, needed by 40 %: A answers, without protection",
            answered(&bare),
            Bound::None,
            "",
        ),
        Figure::new(
            "– with time-outs and 2 retries",
            answered(&slow_fourth(retries, false)),
            Bound::None,
            "",
        ),
    ];
    let guarded = slow_fourth(protected, false);
    figures.push(Figure::new(
        "– with budget, breaker and bulkhead: failed, beyond the 40 % that need D",
        (failed(&guarded) - 0.4).max(0.0),
        Bound::Exactly(0.0),
        "who does not need D is answered",
    ));
    let fallback = slow_fourth(default, true);
    figures.push(Figure::new(
        "– and a default answer for D: failed",
        failed(&fallback),
        Bound::AtMost(0.001),
        "everybody is answered",
    ));
    let seconds = fallback.summary().p99.as_secs_f64();
    figures.push(Figure::new(
        "– 99 % within, in seconds",
        seconds,
        Bound::AtMost(1.0),
        "A's time-out towards B",
    ));
    figures
}

/// Attempts that reach the fourth of four layers for each request, if it fails all and each tries three times.
fn amplified(budget: Option<BudgetConfig>) -> f64 {
    let config = Config::new().arrivals(Arrivals::Constant { gap: Duration::from_secs(1) }).requests(4_000);
    let mut chain = Sim::with_capacity(config, 4, 10_000).expect("a valid configuration");
    let fault = Fault::Failing { share: Q32::ONE };
    for tier in 0..4 {
        let mut spec = Tier::new().workers(100).service(Service::constant(MILLI));
        if tier == 3 {
            spec = spec.outage(Outage { from: Instant::ZERO, until: Instant::MAX, fault });
        }
        let link = Link::new().retry(backoff());
        chain.insert(spec, budget.map_or(link, |budget| link.budget(budget))).expect("a valid service");
    }
    run(&mut chain, Instant::MAX);
    chain.stats(3).map_or(f64::NAN, |stats| number(stats.amplification))
}

fn amplification() -> Vec<Figure> {
    let tenth = BudgetConfig::new().share(1, 10).floor(0).ttl(Duration::from_secs(5_000));
    vec![
        Figure::new(
            "retry storm, 4 layers of 3 attempts: calls of the last for each request",
            amplified(None),
            Bound::Exactly(81.0),
            "3⁴",
        ),
        Figure::new(
            "– with a budget of 10 % in each layer",
            amplified(Some(tenth)),
            Bound::AtMost(1.4641),
            "(1 + budget)⁴",
        ),
    ]
}

/// How long after a hiccup of 5 s at 70 % load until users are answered again, in seconds; 45 is never.
fn recovery(link: impl Fn(Link) -> Link, tier: impl Fn(Tier) -> Tier, deadlines: bool) -> f64 {
    let hiccup = Outage {
        from: Instant::from_secs(10),
        until: Instant::from_secs(15),
        fault: Fault::Slow { factor: Q32::from_int(10) },
    };
    let config = Config::new()
        .arrivals(Arrivals::Poisson { gap: MILLI * 10 / 7 })
        .until(Instant::from_secs(60))
        .deadlines(deadlines);
    let mut chain = Sim::with_capacity(config, 1, 100_000).expect("a valid configuration");
    let spec = Tier::new().workers(10).queue(2_000).service(Service::exponential(10 * MILLI)).outage(hiccup);
    let plain = Link::new().timeout(250 * MILLI).retry(backoff());
    chain.insert(tier(spec), link(plain)).expect("a valid service");
    let (mut rng, mut bad) = (Xoshiro256PlusPlus::seed(1), [(0u32, 0u32); 60]);
    while let Some(event) = chain.step(&mut rng) {
        if let What::Ended { end, .. } = event.what
            && let Some((all, failed)) = bad.get_mut((event.at.as_nanos() / 1_000_000_000) as usize)
        {
            *all += 1;
            *failed += u32::from(!matches!(end, End::Success));
        }
    }
    // The last second in which more than one in a hundred went wrong.
    let last = bad.iter().rposition(|(all, failed)| failed * 100 > *all);
    last.map_or(0.0, |last| (last as f64 + 1.0 - 15.0).max(0.0))
}

fn metastable() -> Vec<Figure> {
    const SOURCE: &str = "the trigger is gone: Bronson et al., HotOS 2021";
    let codel = Codel::new(20 * MILLI, 100 * MILLI).expect("a valid gate");
    vec![
        Figure::new(
            "metastable, 70 % load, 3 attempts, 10 times slower for 5 s: seconds to recover, without protection",
            recovery(|link| link, |tier| tier, false),
            Bound::Exactly(45.0),
            "it never does",
        ),
        Figure::new(
            "– with a budget of 10 % and deadlines",
            recovery(|link| link.budget(budget()), |tier| tier, true),
            Bound::AtMost(5.0),
            SOURCE,
        ),
        Figure::new(
            "– with CoDel and adaptive LIFO alone",
            recovery(|link| link, |tier| tier.codel(codel).discipline(Discipline::Adaptive), false),
            Bound::AtMost(5.0),
            SOURCE,
        ),
    ]
}

fn herd() -> Vec<Figure> {
    let run = |policy, tasks| {
        let config =
            HerdConfig::new().policy(policy).tasks(tasks).arrivals(Arrivals::Poisson { gap: 10 * MILLI });
        let mut herd = Herd::<Heap>::with_capacity(config, 10_000).expect("a valid configuration");
        let mut rng = Xoshiro256PlusPlus::seed(1);
        while herd.step(&mut rng).is_some() {}
        herd.summary()
    };
    let one = run(Policy::One, 1_000);
    let per_task = one.wakes_per_task().map_or(f64::NAN, number);
    vec![
        Figure::new(
            "10,000 sleeping workers, 1,000 tasks: wakes per task",
            per_task,
            Bound::Exactly(1.0),
            "Q37",
        ),
        Figure::new("– lost wake-ups", one.lost as f64, Bound::Exactly(0.0), "Q37"),
        Figure::new(
            "– useless wakes per task",
            one.useless as f64 / one.tasks as f64,
            Bound::AtMost(0.01),
            "a worker that has just finished may be faster than the one that wakes",
        ),
        Figure::new(
            "– useless wakes for one task, if all are woken",
            run(Policy::All, 1).useless as f64,
            Bound::None,
            "",
        ),
    ]
}

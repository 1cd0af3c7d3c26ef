use core::num::NonZeroU32;
use core::time::Duration;
use std::boxed::Box;
use std::vec::Vec;

use super::*;
use crate::breaker::{Config as BreakerConfig, Rules};
use crate::limit::{Aimd, Bounds, Codel, Gradient, LoadShed, ThrottleConfig, Vegas};
use crate::retry::{Backoff, BudgetConfig, HedgeConfig};
use crate::rng::Xoshiro256PlusPlus;
use crate::sim::{Arrivals, Service};
use crate::storage::Heap;
use proptest::prelude::*;

const MILLI: Duration = Duration::from_millis(1);
type Sim = Chain<Heap, Heap, Heap>;

fn sim(config: Config) -> Sim {
    Sim::with_capacity(config, 5, 8_192).expect("a valid configuration")
}

fn some(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("tests ask for at least one")
}

fn share(per_cent: u64) -> Q32 {
    Q32::from_ratio(per_cent, 100).expect("a share")
}

fn poisson(gap: Duration) -> Arrivals {
    Arrivals::Poisson { gap }
}

fn backoff(attempts: u32) -> Backoff {
    Backoff::new(10 * MILLI, 100 * MILLI).unwrap().attempts(some(attempts))
}

/// Runs to the end and gives the digest of all events.
fn run<S: Storage, R: Storage, H: Storage>(chain: &mut Chain<S, R, H>) -> u64 {
    let (mut rng, mut digest) = (Xoshiro256PlusPlus::seed(1), crate::hash::Xxh3::new());
    while let Some(event) = chain.step(&mut rng) {
        event.words().iter().for_each(|word| digest.update(&word.to_le_bytes()));
    }
    digest.digest()
}

/// Five services of 20 workers that take 10 ms each, and a queue of 50; the fourth may be ill.
fn five(config: Config, link: impl Fn(u32) -> Link, ill: Option<Outage>) -> Sim {
    let mut chain = sim(config);
    for tier in 0..5 {
        let mut spec = Tier::new().workers(20).queue(50).service(Service::exponential(10 * MILLI));
        if let Some(outage) = ill.filter(|_| tier == 3) {
            spec = spec.outage(outage);
        }
        chain.insert(spec, link(tier)).unwrap();
    }
    chain
}

const fn always(fault: Fault) -> Outage {
    Outage { from: Instant::ZERO, until: Instant::MAX, fault }
}

#[test]
fn one_service_is_a_queue_of_theory() {
    // M/M/c at a load of 0.8; Erlang's delay formula for c = 4: the probability to wait is 0.5964.
    for (workers, mean) in [(1u32, 5.0), (4, 1.0 + 0.596_4 / (4.0 * 0.2))] {
        let gap = 10 * MILLI * 10 / 8 / workers;
        let config = Config::new().arrivals(poisson(gap)).requests(120_000).warm_up(Duration::from_secs(20));
        let mut chain = sim(config);
        let spec = Tier::new().workers(workers).service(Service::exponential(10 * MILLI));
        chain.insert(spec, Link::new()).unwrap();
        run(&mut chain);
        let summary = chain.summary();
        assert_eq!(summary.all.succeeded, summary.all.arrived);
        assert_eq!(summary.no_room, 0);
        let measured = summary.mean.as_secs_f64() / 0.01;
        assert!((measured - mean).abs() < 0.06 * mean, "{workers} workers: {measured}, not {mean}");
        let stats = chain.stats(0).unwrap();
        let busy = stats.utilisation.to_bits() as f64 / 2f64.powi(32);
        assert!((busy - 0.8).abs() < 0.02, "{busy}");
        assert_eq!(stats.amplification, Q32::ONE);
    }
}

#[test]
fn a_worker_is_held_while_the_next_service_works() {
    let config = Config::new().arrivals(Arrivals::Constant { gap: 100 * MILLI }).requests(10);
    let mut chain = sim(config);
    for _ in 0..3 {
        chain.insert(Tier::new().service(Service::constant(10 * MILLI)), Link::new()).unwrap();
    }
    run(&mut chain);
    let busy = [0, 1, 2].map(|tier| chain.stats(tier).unwrap().busy);
    assert_eq!(busy, [300 * MILLI, 200 * MILLI, 100 * MILLI]);
    assert_eq!((chain.summary().p50, chain.summary().max), (30 * MILLI, 30 * MILLI));
}

#[test]
fn who_gives_up_has_the_work_done_all_the_same_unless_the_deadline_is_known() {
    // 50 ms of work for callers that wait 20 ms, one every 25 ms: the queue grows.
    for (deadlines, late) in [(false, 20), (true, 10)] {
        let config =
            Config::new().arrivals(Arrivals::Constant { gap: 25 * MILLI }).requests(20).deadlines(deadlines);
        let mut chain = sim(config);
        let spec = Tier::new().service(Service::constant(50 * MILLI));
        chain.insert(spec, Link::new().timeout(20 * MILLI)).unwrap();
        run(&mut chain);
        let stats = chain.stats(0).unwrap();
        assert_eq!(stats.failures[Failure::TimedOut as usize], 20);
        assert_eq!(stats.late, 20);
        // With deadlines, what waited is dropped; without them, all of it is worked on.
        assert_eq!(stats.wasted, late * 50 * MILLI, "{deadlines}");
    }
}

#[test]
fn a_slow_service_takes_all_before_it_along_and_protection_keeps_it_to_itself() {
    let second = Duration::from_secs(1);
    // Half of the requests need the fourth service, which is twenty times too slow.
    let config =
        || Config::new().arrivals(poisson(4 * MILLI)).until(Instant::from_secs(20)).warm_up(5 * second);
    let slow = always(Fault::Slow { factor: Q32::from_int(20) });
    let link = |tier: u32| if tier == 3 { Link::new().share(share(50)) } else { Link::new() };
    let answered = |chain: &Sim| chain.summary().all.success_rate();

    let mut well = five(config(), link, None);
    run(&mut well);
    assert_eq!(answered(&well), Q32::ONE);

    let mut bare = five(config(), link, Some(slow));
    run(&mut bare);
    // The first service's own workers and queue are full of requests that wait for the fourth.
    let first = bare.stats(0).unwrap();
    assert!(first.longest_queue == 50 && first.utilisation > share(90), "{first:?}");
    // What the fourth can do is 100 a second of the 125 that need it; half of the others fail with them.
    assert!(bare.summary().p99 > second / 2, "{:?}", bare.summary());

    let rules = BreakerConfig::new().open(second, 5 * second, Q32::from_int(2)).build().unwrap();
    let protected = |tier: u32| {
        let link = link(tier).timeout(100 * MILLI).bulkhead(20);
        if tier == 3 { link.breaker(rules, 50).fallback(Fallback::Default) } else { link.timeout(second) }
    };
    let mut guarded = five(config(), protected, Some(slow));
    run(&mut guarded);
    assert!(answered(&guarded) > share(99), "{:?}", guarded.summary());
    assert!(guarded.stats(3).unwrap().opened > 0);
    assert!(guarded.summary().p99 < second / 4 && guarded.summary().all.degraded > 0);
}

/// A service at 70 % load whose callers try three times: a hiccup of some seconds is enough to overload it for good.
fn metastable(link: impl Fn(Link) -> Link, tier: impl Fn(Tier) -> Tier, deadlines: bool) -> Vec<u64> {
    let hiccup = Outage {
        from: Instant::from_secs(10),
        until: Instant::from_secs(15),
        fault: Fault::Slow { factor: Q32::from_int(10) },
    };
    let config =
        Config::new().arrivals(poisson(MILLI * 10 / 7)).until(Instant::from_secs(60)).deadlines(deadlines);
    let mut chain = sim(config);
    let spec =
        tier(Tier::new().workers(10).queue(2_000).service(Service::exponential(10 * MILLI)).outage(hiccup));
    chain.insert(spec, link(Link::new().timeout(250 * MILLI).retry(backoff(3)))).unwrap();
    let mut answers = std::vec![0; 6];
    let mut rng = Xoshiro256PlusPlus::seed(1);
    while let Some(event) = chain.step(&mut rng) {
        if let What::Ended { end: End::Success, .. } = event.what {
            answers[(event.at.as_nanos() / 10_000_000_000).min(5) as usize] += 1;
        }
    }
    answers
}

#[test]
fn retries_keep_an_overload_alive_after_its_cause_is_gone_and_a_budget_ends_it() {
    let none = metastable(|link| link, |tier| tier, false);
    assert!(none[0] > 6_500, "{none:?}");
    // The trigger is gone since second 15; nothing is answered for the rest of the minute.
    assert!(none[2..].iter().all(|answers| *answers < 700), "{none:?}");
    let budget = BudgetConfig::new().share(1, 10).floor(1);
    for (name, answers) in [
        ("budget and deadlines", metastable(|link| link.budget(budget), |tier| tier, true)),
        (
            "CoDel",
            metastable(
                |link| link,
                |tier| {
                    tier.codel(Codel::new(20 * MILLI, 100 * MILLI).unwrap()).discipline(Discipline::Adaptive)
                },
                false,
            ),
        ),
    ] {
        assert!(answers[2..].iter().all(|answers| *answers > 6_000), "{name}: {answers:?}");
    }
}

#[test]
fn amplification_multiplies_along_the_chain_and_a_budget_bounds_it() {
    // So few that nobody waits for a worker.
    let config = || Config::new().arrivals(Arrivals::Constant { gap: Duration::from_secs(20) }).requests(200);
    let down = always(Fault::Failing { share: Q32::ONE });
    let link = |_| Link::new().retry(backoff(3));
    let mut storm = five(config(), link, Some(down));
    run(&mut storm);
    let calls = |chain: &Sim| {
        [0, 1, 2, 3, 4].map(|tier| chain.stats(tier).unwrap().amplification.to_bits() as f64 / 2f64.powi(32))
    };
    // 3 attempts of 3 attempts of 3 attempts, and none reaches the fifth.
    assert_eq!(calls(&storm), [3.0, 9.0, 27.0, 81.0, 0.0]);
    let budget = BudgetConfig::new().share(1, 10).floor(0).ttl(Duration::from_secs(4_000));
    let mut bounded = five(config(), |tier| link(tier).budget(budget), Some(down));
    run(&mut bounded);
    let calls = calls(&bounded);
    assert!(calls[3] < 1.1f64.powi(4) && calls[3] > 1.3, "{calls:?}");
    assert!(bounded.stats(3).unwrap().unpaid > 0);
}

#[test]
fn what_matters_less_is_shed_first() {
    // Twice the load that one service can take; 60 % of it of low priority.
    let config = Config::new()
        .arrivals(poisson(MILLI / 2))
        .low_priority(share(60))
        .requests(10_000)
        .warm_up(1_000 * MILLI);
    let answered = |shed: bool| {
        let mut chain = sim(config);
        let mut tier = Tier::new().workers(10).queue(40).service(Service::exponential(10 * MILLI));
        if shed {
            tier = tier.shed(LoadShed::new());
        }
        chain.insert(tier, Link::new()).unwrap();
        run(&mut chain);
        let summary = chain.summary();
        (summary.important.success_rate(), summary.all.success_rate())
    };
    let (important, all) = answered(false);
    assert!(important < share(55) && all < share(55), "{important} {all}");
    let (important, all) = answered(true);
    assert!(important > share(97) && all > share(45), "{important} {all}");
}

#[test]
fn a_hedge_takes_the_faster_answer_and_leaves_no_trace() {
    let config = Config::new().arrivals(poisson(10 * MILLI)).requests(5_000);
    let service = Service::bimodal(5 * MILLI, 200 * MILLI, share(1)).unwrap();
    let p999 = |hedge: bool| {
        let mut chain = sim(config);
        let mut link = Link::new();
        if hedge {
            link = link.hedge(HedgeConfig::new().percentile(95, 100)).budget(BudgetConfig::new());
        }
        chain.insert(Tier::new().workers(50).service(service), link).unwrap();
        run(&mut chain);
        assert_eq!(chain.summary().all.succeeded, 5_000);
        let stats = chain.stats(0).unwrap();
        assert_eq!((stats.level.working, stats.level.waiting, chain.held()), (0, 0, 0));
        assert_eq!(stats.in_time + stats.late, stats.attempts);
        (chain.summary().p999, stats.hedges)
    };
    let (plain, none) = p999(false);
    let (hedged, some) = p999(true);
    assert_eq!((plain, none), (200 * MILLI, 0));
    assert!(hedged < 20 * MILLI && some > 30, "{hedged:?} with {some} hedges");
}

#[test]
fn an_adaptive_limit_finds_what_the_service_can_do() {
    let bounds = Bounds::new(1, 200).unwrap();
    let limits = [
        Adaptive::Aimd(Aimd::new(bounds)),
        Adaptive::Vegas(Vegas::new(bounds)),
        Adaptive::Gradient(Gradient::new(bounds)),
    ];
    // Of exponential times one in 150 passes the time-out by itself, which is no sign of a queue.
    let services = [Service::uniform(15 * MILLI, 25 * MILLI).unwrap(), Service::exponential(20 * MILLI)];
    for (adaptive, service) in limits.into_iter().flat_map(|limit| services.map(|service| (limit, service))) {
        let config =
            Config::new().arrivals(poisson(MILLI)).until(Instant::from_secs(15)).warm_up(5_000 * MILLI);
        let mut chain = sim(config);
        // 500 a second of the 1,000 that come.
        let tier = Tier::new().workers(10).queue(300).service(service);
        chain.insert(tier, Link::new().timeout(100 * MILLI).adaptive(adaptive)).unwrap();
        run(&mut chain);
        let stats = chain.stats(0).unwrap();
        let goodput = stats.goodput.floor();
        assert!((380..=510).contains(&goodput), "{adaptive:?}: {goodput}");
        assert!(stats.p99 <= 100 * MILLI);
    }
}

#[test]
fn a_surge_comes_and_goes() {
    let surge = Surge {
        from: Instant::from_secs(10),
        until: Instant::from_secs(20),
        arrivals: Arrivals::Constant { gap: MILLI },
    };
    let config = Config::new()
        .arrivals(Arrivals::Constant { gap: 10 * MILLI })
        .surge(surge)
        .until(Instant::from_secs(30));
    let mut chain = sim(config);
    chain.insert(Tier::new().workers(100), Link::new()).unwrap();
    let mut counts = [0; 3];
    let mut rng = Xoshiro256PlusPlus::seed(1);
    while let Some(event) = chain.step(&mut rng) {
        if let What::Arrived { .. } = event.what {
            counts[(event.at.as_nanos() / 10_000_000_000) as usize] += 1;
        }
    }
    assert_eq!(counts, [999, 10_000 - 1, 1_000 - 1].map(|n: u64| n));
}

#[test]
fn faults_come_and_go_by_hand() {
    let mut chain = sim(Config::new().arrivals(Arrivals::Constant { gap: 10 * MILLI }));
    chain.insert(Tier::new().service(Service::constant(MILLI)), Link::new()).unwrap();
    let mut rng = Xoshiro256PlusPlus::seed(1);
    let mut ends = |chain: &mut Sim, until: u64| {
        let mut ends = Vec::new();
        while chain.next_event_at().is_some_and(|at| at < Instant::from_millis(until)) {
            if let Some(Event { what: What::Ended { end, .. }, .. }) = chain.step(&mut rng) {
                ends.push(end);
            }
        }
        ends
    };
    assert_eq!(ends(&mut chain, 35), [End::Success; 3]);
    assert!(chain.set_fault(0, Some(Fault::Down)).is_ok());
    assert_eq!(ends(&mut chain, 55), [End::Failed(Failure::Down); 2]);
    assert!(chain.set_fault(0, Some(Fault::Stopped)).is_ok());
    assert_eq!(ends(&mut chain, 85), []);
    assert_eq!(chain.level(0).unwrap().waiting, 3);
    assert!(chain.set_fault(0, None).is_ok());
    assert_eq!(ends(&mut chain, 89), [End::Success; 3]);
    assert_eq!(chain.set_fault(1, None), Err(TierError::Unknown));
    assert_eq!(chain.set_fault(0, Some(Fault::Slow { factor: Q32::ZERO })), Err(TierError::Factor));
    assert_eq!(chain.set_fault(0, Some(Fault::Failing { share: Q32::MAX })), Err(TierError::Share));
}

#[test]
fn what_has_no_meaning_is_refused() {
    let config = Config::new();
    assert_eq!(Chain::<Inline<0>, Inline<1>>::new(config).err(), Some(ConfigError::Capacity));
    assert_eq!(Sim::with_capacity(config, 0, 1).err(), Some(ConfigError::Capacity));
    assert_eq!(Chain::<Inline<1>, Inline<0>>::new(config).err(), Some(ConfigError::Capacity));
    let never = config.arrivals(poisson(Duration::ZERO));
    assert!(matches!(Sim::with_capacity(never, 1, 1), Err(ConfigError::Arrivals(_))));
    assert_eq!(Sim::with_capacity(config.low_priority(share(101)), 1, 1).err(), Some(ConfigError::Share));
    let surge = Surge { from: Instant::from_secs(2), until: Instant::from_secs(1), arrivals: poisson(MILLI) };
    assert_eq!(Sim::with_capacity(config.surge(surge), 1, 1).err(), Some(ConfigError::Surge));

    let mut chain = sim(config);
    let tier = Tier::new;
    let backwards = Outage { from: Instant::MAX, until: Instant::ZERO, fault: Fault::Down };
    for (bad, error) in [
        (tier().workers(0), TierError::NoWorkers),
        (tier().failures(share(101)), TierError::Share),
        (tier().outage(backwards), TierError::Outage),
        (tier().outage(always(Fault::Slow { factor: Q32::ZERO })), TierError::Factor),
    ] {
        assert_eq!(chain.insert(bad, Link::new()), Err(error));
    }
    for (bad, error) in [
        (Link::new().share(share(101)), LinkError::Share),
        (Link::new().fallback(Fallback::Cached { share: share(101) }), LinkError::Share),
        (Link::new().timeout(Duration::ZERO), LinkError::Timeout),
        (Link::new().bulkhead(0), LinkError::NoPlaces),
    ] {
        assert_eq!(chain.insert(tier(), bad), Err(TierError::Link(error)));
    }
    let window = chain.insert(tier(), Link::new().breaker(Rules::new(), 129));
    assert!(matches!(window, Err(TierError::Link(LinkError::Window(_)))));
    let budget = chain.insert(tier(), Link::new().budget(BudgetConfig::new().share(1, 0)));
    assert!(matches!(budget, Err(TierError::Link(LinkError::Budget(_)))));
    assert_eq!(chain.tiers(), 0);
    // No service: nobody calls.
    assert_eq!(chain.next_event_at(), None);
    assert_eq!(chain.insert(tier(), Link::new()), Ok(0));
    assert!(chain.step(&mut Xoshiro256PlusPlus::seed(1)).is_some());
    assert_eq!(chain.insert(tier(), Link::new()), Err(TierError::Full), "too late");
}

#[test]
fn both_storages_simulate_alike() {
    let config = Config::new().requests(2_000).arrivals(poisson(MILLI)).deadlines(true);
    let link = || {
        Link::new()
            .timeout(20 * MILLI)
            .retry(backoff(2))
            .hedge(HedgeConfig::new())
            .adaptive(Adaptive::Vegas(Vegas::new(Bounds::new(1, 50).unwrap())))
    };
    let tier = || Tier::new().workers(4).service(Service::exponential(3 * MILLI));
    // The hedge's histograms must be as long to see as much.
    let mut inline =
        Chain::<Inline<2>, Inline<64>, Inline<{ crate::sketch::buckets(7, 1 << 40) }>>::new(config)
            .map(Box::new)
            .unwrap();
    let mut heap = Chain::<Heap, Heap, Heap>::with_capacity(config, 2, 64).unwrap();
    for _ in 0..2 {
        inline.insert(tier(), link()).unwrap();
        heap.insert(tier(), link()).unwrap();
    }
    assert_eq!(run(&mut *inline), run(&mut heap));
    assert_eq!(inline.summary(), heap.summary());
    assert_eq!(inline.stats(1), heap.stats(1));
}

fn any_link() -> impl Strategy<Value = Link> {
    let optional = || any::<bool>();
    (
        (0u64..=100, 1u64..60, 0u32..4, optional(), optional(), optional()),
        (0u32..6, 0u32..4, optional(), 0u32..3),
    )
        .prop_map(
            |((part, timeout, retries, endless, budget, breaker), (places, kind, hedge, fallback))| {
                let mut link = Link::new().share(share(part));
                if !endless {
                    link = link.timeout(Duration::from_millis(timeout));
                }
                if retries > 0 {
                    link = link.retry(backoff(retries));
                }
                if budget {
                    link = link.budget(BudgetConfig::new().share(1, 5).floor(1).ttl(Duration::from_secs(1)));
                }
                if breaker {
                    let rules = BreakerConfig::new().open(50 * MILLI, 400 * MILLI, Q32::from_int(2));
                    link = link.breaker(rules.probe_timeout(30 * MILLI).build().unwrap(), 8);
                }
                let bounds = Bounds::new(1, 8).unwrap();
                link = match (places, kind) {
                    (0, _) => link,
                    (1, 0) => link.adaptive(Adaptive::Aimd(Aimd::new(bounds))),
                    (1, 1) => link.adaptive(Adaptive::Vegas(Vegas::new(bounds))),
                    (1, _) => link.adaptive(Adaptive::Gradient(Gradient::new(bounds))),
                    (2, _) => link.throttle(ThrottleConfig::new()),
                    (places, _) => link.bulkhead(places),
                };
                if hedge {
                    link = link.hedge(HedgeConfig::new().samples(some(5)).percentile(1, 2));
                }
                match fallback {
                    0 => link.fallback(Fallback::Default),
                    1 => link.fallback(Fallback::Cached { share: share(50) }),
                    _ => link,
                }
            },
        )
}

fn any_tier() -> impl Strategy<Value = Tier> {
    (
        1u32..4,
        0u32..8,
        0u8..3,
        0u64..20,
        any::<bool>(),
        any::<bool>(),
        prop::option::of((0u8..4, 0u64..200, 0u64..200)),
    )
        .prop_map(|(workers, queue, discipline, failures, codel, shed, outage)| {
            let mut tier = Tier::new()
                .workers(workers)
                .queue(if queue == 7 { u32::MAX } else { queue })
                .failures(share(failures))
                .service(Service::exponential(4 * MILLI))
                .discipline(match discipline {
                    0 => Discipline::Fifo,
                    1 => Discipline::Lifo,
                    _ => Discipline::Adaptive,
                });
            if codel {
                tier = tier.codel(Codel::new(5 * MILLI, 20 * MILLI).unwrap());
            }
            if shed {
                tier = tier.shed(LoadShed::new());
            }
            if let Some((fault, from, after)) = outage {
                let fault = match fault {
                    0 => Fault::Slow { factor: Q32::from_int(20) },
                    1 => Fault::Failing { share: share(70) },
                    2 => Fault::Stopped,
                    _ => Fault::Down,
                };
                let from = Instant::from_millis(from);
                tier = tier.outage(Outage { from, until: from.saturating_add(MILLI * after as u32), fault });
            }
            tier
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 64 }))]

    /// Whatever the chain: each request ends once, whoever is waited for answers or is given up on, every worker and every
    /// place comes back, and the counts of the events are those of the figures.
    #[test]
    fn every_request_ends_once_and_everything_comes_back(
        parts in prop::collection::vec((any_tier(), any_link()), 1..5),
        gap in 1u64..10,
        low in 0u64..100,
        deadlines: bool,
        small: bool,
        seed: u64,
    ) {
        const REQUESTS: u64 = 120;
        let gap = Duration::from_millis(gap);
        let config = Config::new()
            .seed(seed)
            .arrivals(poisson(gap))
            .requests(REQUESTS)
            .low_priority(share(low))
            .deadlines(deadlines);
        fn check<const R: usize>(config: Config, parts: &[(Tier, Link)]) -> Result<(), TestCaseError> {
            let mut chain = Chain::<Inline<5>, Inline<R>, Inline<0>>::new(config).map(Box::new).unwrap();
            for (tier, link) in parts {
                chain.insert(*tier, *link).unwrap();
            }
            let mut rng = Xoshiro256PlusPlus::seed(3);
            let mut ended = [0; REQUESTS as usize];
            let (mut called, mut done) = ([0u64; 5], [0u64; 5]);
            let mut last = Instant::ZERO;
            let mut steps = 0;
            while let Some(Event { at, what }) = chain.step(&mut rng) {
                prop_assert!(at >= last && at == chain.now());
                last = at;
                steps += 1;
                prop_assert!(steps < 2_000_000, "it goes on for ever");
                for tier in 0..chain.tiers() {
                    let level = chain.level(tier).unwrap();
                    prop_assert!(level.working <= level.workers);
                }
                match what {
                    What::Ended { request, .. } => ended[request as usize] += 1,
                    What::Called { tier, .. } => called[tier as usize] += 1,
                    What::Answered { tier, .. } | What::Late { tier, .. } => done[tier as usize] += 1,
                    _ => {}
                }
            }
            prop_assert_eq!(chain.held(), 0, "something is left");
            prop_assert_eq!(called, done);
            let summary = chain.summary();
            prop_assert_eq!(summary.all.arrived, REQUESTS);
            prop_assert_eq!(summary.all.unfinished(), 0);
            prop_assert!(ended.iter().all(|times| *times <= 1));
            let never: u64 = ended.iter().filter(|times| **times == 0).count() as u64;
            prop_assert!(never == 0 || summary.no_room >= never, "{} never ended", never);
            for tier in 0..chain.tiers() {
                let stats = chain.stats(tier).unwrap();
                prop_assert_eq!(stats.level.working + stats.level.waiting, 0);
                prop_assert_eq!(stats.calls.unfinished(), 0);
                prop_assert_eq!(stats.failures.iter().sum::<u64>(), stats.calls.failed);
                prop_assert_eq!(stats.attempts, called[tier as usize]);
                prop_assert_eq!(stats.in_time + stats.late, stats.attempts);
                prop_assert!(stats.wasted <= stats.busy);
            }
            prop_assert_eq!(chain.stats(0).unwrap().calls, summary.all);
            Ok(())
        }
        if small { check::<8>(config, &parts)? } else { check::<512>(config, &parts)? }
    }
}

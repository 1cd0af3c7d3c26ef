use core::time::Duration;
use std::collections::BTreeMap;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::line::NONE;
use super::*;
use crate::Rng;
use crate::balance::{Fleet, Refusal, RoundRobin, State};
use crate::fixed::Q32;
use crate::hash::Xxh3;
use crate::rng::{SplitMix64, Xoshiro256PlusPlus};

const MILLI: Duration = Duration::from_millis(1);
const EVER: Duration = Duration::from_secs(1_000);

type Small = Dispatch<RoundRobin, Inline<2>, Inline<8>, Inline<64>, Inline<4000>>;

fn rng() -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed(1)
}

fn ratio_of(numerator: u64, denominator: u64) -> Q32 {
    Q32::from_ratio(numerator, denominator).unwrap()
}

fn small(config: Config, dispatchers: u32, servers: &[Server]) -> Small {
    let mut sim = Small::new(config).unwrap();
    for _ in 0..dispatchers {
        sim.insert_dispatcher(Balancer::new(Fleet::new(EVER), RoundRobin::new())).unwrap();
    }
    for server in servers {
        sim.insert(*server).unwrap();
    }
    sim
}

fn poisson(servers: u32, percent: u64) -> Arrivals {
    Arrivals::poisson_at_load(MILLI, servers, ratio_of(percent, 100)).unwrap()
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// Every event to the end.
fn run(sim: &mut Small) -> Vec<Event> {
    let mut rng = rng();
    core::iter::from_fn(|| sim.step(&mut rng)).collect()
}

fn ends(events: &[Event]) -> Vec<(u64, u32, End)> {
    let end = |event: &Event| match event.what {
        What::Ended { request, server, end, .. } => Some((request, server, end)),
        _ => None,
    };
    events.iter().filter_map(end).collect()
}

/// What a request went through.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    picked: u32,
    refused: u32,
    ended: u32,
    late: u32,
    timed_out: bool,
}

/// Steps to the end, and checks what must hold between any two events and then.
fn check_run(sim: &mut Small, rng: &mut impl Rng) -> Vec<Event> {
    let mut seen: BTreeMap<u64, Seen> = BTreeMap::new();
    let mut events: Vec<Event> = vec![];
    let mut last = Instant::ZERO;
    while let Some(due) = sim.next_event_at() {
        let event = sim.step(rng).expect("an event is due");
        assert!(event.at >= last && event.at >= due, "time went back");
        last = event.at;
        events.push(event);
        match event.what {
            What::Picked { request, .. } => seen.entry(request).or_default().picked += 1,
            What::Refused { request, .. } => seen.entry(request).or_default().refused += 1,
            What::Ended { request, end, .. } => {
                let seen = seen.entry(request).or_default();
                seen.ended += 1;
                seen.timed_out |= end == End::TimedOut;
            }
            What::Late { request, .. } => seen.entry(request).or_default().late += 1,
            _ => {}
        }
        for station in sim.stations.iter() {
            let frozen = station.fault == Some(Fault::Frozen);
            assert!(frozen || station.waiting == 0 || station.serving == station.spec.slots, "a slot idles");
            let most = station.spec.slots.saturating_add(station.spec.queue_limit);
            assert!(station.in_flight() <= most, "more wait than may");
            assert!(station.serving <= station.spec.slots);
        }
        let stages = (0..64).filter_map(|place| sim.calls.places().get(place));
        let (mut waiting, mut serving, mut held) = (0, 0, 0);
        for call in stages {
            waiting += u32::from(call.stage == calls::Stage::Waiting);
            serving += u32::from(call.stage == calls::Stage::Serving);
            held += u32::from(call.stage != calls::Stage::Free);
        }
        assert_eq!(waiting, sim.stations.iter().map(|station| station.waiting).sum::<u32>());
        assert_eq!(serving, sim.stations.iter().map(|station| station.serving).sum::<u32>());
        assert_eq!(held, sim.held());
        assert!(events.len() < 100_000, "no end in sight");
    }
    let stuck = sim.held() as usize;
    let mut open = 0;
    for (request, seen) in &seen {
        assert_eq!(seen.picked + seen.refused, 1, "request {request}: {seen:?}");
        assert!(seen.ended <= seen.picked && seen.late <= u32::from(seen.timed_out), "{seen:?}");
        let gone = seen.refused == 1 || (seen.ended == 1 && (!seen.timed_out || seen.late == 1));
        open += usize::from(!gone);
    }
    assert_eq!(open, stuck, "what has not ended is still there");
    let (summary, stats) = (sim.summary(), sim.stats().collect::<Vec<_>>());
    if sim.config.warm_up == 0 {
        let count = |is: fn(&Seen) -> bool| seen.values().filter(|seen| is(seen)).count() as u64;
        assert_eq!(summary.arrived, seen.len() as u64);
        assert_eq!(summary.refused, count(|seen| seen.refused == 1));
        assert_eq!(summary.late, count(|seen| seen.late == 1));
        assert_eq!(summary.unfinished, count(|seen| seen.picked > seen.ended));
        assert_eq!(summary.succeeded + summary.errors() + summary.unfinished, summary.arrived);
        assert_eq!(sim.latencies().count(), summary.succeeded);
        assert_eq!(stats.iter().map(|server| server.picked).sum::<u64>(), count(|seen| seen.picked == 1));
    }
    let counted = stats.iter().map(|server| server.served).sum::<u64>();
    assert!(counted >= summary.succeeded, "{summary:?}");
    events
}

fn any_fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::Down),
        Just(Fault::BlackHole),
        Just(Fault::Frozen),
        Just(Fault::Slow { speed: ratio_of(1, 8) }),
    ]
}

fn any_server() -> impl Strategy<Value = Server> {
    let outage = (0u64..60, 0u64..40, any_fault(), any::<bool>()).prop_map(|(from, long, fault, noticed)| {
        let outage = Outage::new(at(from), at(from + long), fault);
        if noticed { outage.noticed(2 * MILLI) } else { outage }
    });
    (1u32..4, 0u32..6, 1u64..5, prop::option::of(outage), 0u64..50, prop::option::of(0u64..80), 0u64..3)
        .prop_map(|(slots, limit, speed, outage, joins, leaves, fails)| {
            let mut server = Server::new()
                .slots(slots)
                .queue_limit(limit)
                .speed(ratio_of(speed, 2))
                .failure_rate(ratio_of(fails, 4))
                .warm_up(10 * MILLI, ratio_of(1, 4))
                .joins_at(at(joins.saturating_sub(20)));
            if let Some(outage) = outage {
                server = server.outage(outage);
            }
            if let Some(leaves) = leaves {
                server = server.leaves_at(at(leaves));
            }
            server
        })
}

fn any_config() -> impl Strategy<Value = Config> {
    let information = prop_oneof![
        Just(Information::Own),
        Just(Information::Snapshot { every: 3 * MILLI }),
        Just(Information::Answers),
    ];
    let timeout = prop::option::of(1u64..20);
    (any::<u64>(), 1u32..60, timeout, 0u64..2_000, information, any::<bool>(), 0u64..50).prop_map(
        |(seed, per_ten_milli, timeout, network, information, idle, warm_up)| {
            let config = Config::new()
                .seed(seed)
                .arrivals(Arrivals::Poisson { gap: 10 * MILLI / per_ten_milli })
                .keys(Keys::Uniform { keys: 5 })
                .network(Duration::from_micros(network))
                .information(information)
                .idle_reports(idle)
                .requests(300)
                .warm_up(warm_up);
            match timeout {
                Some(timeout) => config.timeout(MILLI * timeout as u32),
                None => config,
            }
        },
    )
}

proptest! {
    #[test]
    fn every_request_ends_once_whatever_happens(
        config in any_config(),
        servers in prop::collection::vec(any_server(), 0..6),
        dispatchers in 0u32..3,
    ) {
        let mut sim = small(config, dispatchers, &servers);
        let events = check_run(&mut sim, &mut rng());
        // Once more, event for event.
        let mut again = small(config, dispatchers, &servers);
        prop_assert_eq!(events, run(&mut again));
    }

    #[test]
    fn pushed_requests_come_when_they_should(
        gaps in prop::collection::vec((0u64..3, prop::option::of(0u64..4), prop::option::of(0u64..5)), 1..150),
    ) {
        let mut sim = small(Config::new(), 1, &[Server::new(), Server::new().slots(2)]);
        let (mut now, mut rng, mut expected) = (0, rng(), vec![]);
        let mut came = vec![];
        let mut note = |event: Event| if let What::Picked { .. } = event.what { came.push(event.at) };
        for (gap, key, work) in gaps {
            now += gap;
            let work = work.map(|millis| MILLI * millis as u32);
            expected.push(at(now));
            while sim.push(at(now), key, work) == Err(PushError::Full) {
                note(sim.step(&mut rng).expect("it is full of requests"));
            }
        }
        prop_assert_eq!(sim.push(at(now).saturating_sub(MILLI), None, None), if now == 0 { Ok(()) } else { Err(PushError::Late) });
        if now == 0 {
            expected.push(at(0));
        }
        while let Some(event) = sim.step(&mut rng) {
            note(event);
        }
        prop_assert_eq!(came, expected);
        prop_assert_eq!(sim.summary().errors() + u64::from(sim.held()), 0);
    }

    #[test]
    fn the_spread_is_that_of_the_queues(seed: u64) {
        let config = Config::new().seed(seed).arrivals(poisson(3, 90)).requests(200);
        let mut sim = small(config, 1, &[Server::new(), Server::new(), Server::new().leaves_at(at(40))]);
        let (mut rng, mut last, mut present) = (rng(), Instant::ZERO, 3.0);
        let (mut held, mut apart, mut time) = (0.0, 0.0, 0.0);
        let mut queues: Vec<f64> = vec![0.0; 3];
        while let Some(event) = sim.step(&mut rng) {
            let since = event.at.saturating_duration_since(last).as_nanos() as f64;
            let mean = queues.iter().sum::<f64>() / present;
            let variance = queues.iter().map(|queue| queue * queue).sum::<f64>() / present - mean * mean;
            held += since * mean * present;
            apart += since * variance * present;
            time += since * present;
            last = event.at;
            let here = || sim.stats().filter(|server| server.present);
            queues = here().map(|server| f64::from(server.waiting + server.serving)).collect();
            present = here().count() as f64;
        }
        let summary = sim.summary();
        let float = |number: Q32| number.to_bits() as f64 / 4_294_967_296.0;
        let elapsed = summary.elapsed.as_nanos() as f64;
        prop_assert!((float(summary.mean_held) - held / elapsed).abs() < 1e-6);
        prop_assert!((float(summary.spread) - (apart / time).sqrt()).abs() < 1e-4);
    }
}

#[test]
fn the_same_seed_gives_the_same_digest_and_another_one_does_not() {
    let digest = |seed| {
        let config = Config::new().seed(seed).arrivals(poisson(2, 80)).requests(500);
        let mut hash = Xxh3::new();
        for event in run(&mut small(config, 1, &[Server::new(), Server::new()])) {
            event.words().iter().for_each(|word| hash.update(&word.to_le_bytes()));
        }
        hash.digest()
    };
    assert_eq!(digest(1), digest(1));
    assert_ne!(digest(1), digest(2));
}

/// When requests come and how much work they are.
fn traffic(servers: &[Server], seed: u64) -> Vec<(Instant, u64)> {
    let config = Config::new().arrivals(poisson(1, 50)).requests(60).keys(Keys::Uniform { keys: 3 });
    let mut sim = small(config, 1, servers);
    let mut rng = Xoshiro256PlusPlus::seed(seed);
    let mut came = vec![];
    while let Some(event) = sim.step(&mut rng) {
        if let What::Picked { request, .. } = event.what {
            came.push((event.at, request));
        }
    }
    came
}

#[test]
fn the_traffic_depends_neither_on_the_servers_nor_on_the_policys_chance() {
    let servers = [Server::new(), Server::new().speed(ratio_of(1, 3)).failure_rate(Q32::ONE)];
    assert_eq!(traffic(&servers, 1), traffic(&[Server::new()], 2));
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_else_is_lost() {
    let mut sim =
        Dispatch::<RoundRobin, Inline<1>, Inline<1>, Inline<4>, Inline<0>>::new(Config::new()).unwrap();
    sim.insert_dispatcher(Balancer::new(Fleet::new(EVER), RoundRobin::new())).unwrap();
    let again = sim.insert_dispatcher(Balancer::new(Fleet::new(EVER), RoundRobin::new()));
    assert!(again.is_err());
    assert_eq!(sim.insert(Server::new()), Ok(0));
    assert_eq!(sim.insert(Server::new()), Err(ServerError::Full));
    for _ in 0..4 {
        assert_eq!(sim.push(at(1), None, Some(MILLI)), Ok(()));
    }
    assert_eq!(sim.push(at(1), None, None), Err(PushError::Full));
    for _ in 0..4 {
        assert_eq!(sim.schedule(at(2), 0, Change::Weight(2)), Ok(()));
    }
    assert_eq!(sim.schedule(at(2), 0, Change::Weight(3)), Err(ChangeError::Full));
    assert_eq!(sim.schedule(at(2), 1, Change::Leave), Err(ChangeError::UnknownServer));
    assert_eq!(sim.apply(0, Change::Speed(Q32::ZERO)), Err(ChangeError::Speed));
    assert!(sim.run(u64::MAX, &mut rng()) > 0);
    let summary = sim.summary();
    assert_eq!((summary.succeeded, summary.errors(), sim.held()), (4, 0, 0));
    assert_eq!(sim.schedule(at(0), 0, Change::Leave), Err(ChangeError::Late));
    // One after the other, each a millisecond: 1 + 2 + 3 + 4 over 4.
    assert_eq!(summary.mean, MILLI * 5 / 2);
}

#[test]
fn drawn_requests_for_which_there_is_no_room_are_counted() {
    let config = Config::new().arrivals(Arrivals::Constant { gap: MILLI }).requests(10);
    let config = config.service(Service::constant(100 * MILLI));
    let mut sim = Dispatch::<RoundRobin, Inline<1>, Inline<1>, Inline<3>, Inline<0>>::new(config).unwrap();
    sim.insert_dispatcher(Balancer::new(Fleet::new(EVER), RoundRobin::new())).unwrap();
    sim.insert(Server::new()).unwrap();
    let mut rng = rng();
    let mut refused = vec![];
    while let Some(event) = sim.step(&mut rng) {
        if let What::Refused { request, why, .. } = event.what {
            refused.push((request, why));
        }
    }
    assert_eq!(refused, (3..10).map(|request| (request, Unplaced::Full)).collect::<Vec<_>>());
    assert_eq!((sim.summary().succeeded, sim.summary().refused), (3, 7));
}

#[test]
fn without_dispatchers_or_servers_requests_go_nowhere() {
    let config = Config::new().arrivals(Arrivals::Constant { gap: MILLI }).requests(1);
    let refused = |dispatchers| match run(&mut small(config, dispatchers, &[]))[..] {
        [Event { what: What::Refused { why, .. }, .. }] => why,
        ref other => panic!("{other:?}"),
    };
    assert_eq!(refused(0), Unplaced::NoDispatcher);
    assert_eq!(refused(1), Unplaced::Balancer(Refusal::Empty));
}

#[test]
fn impossible_parameters_are_refused() {
    let new = |config| Small::new(config).map(|_| ()).unwrap_err();
    let zero = Duration::ZERO;
    let none = ConfigError::Arrivals(ArrivalsError);
    assert_eq!(new(Config::new().arrivals(Arrivals::Poisson { gap: zero })), none);
    assert_eq!(new(Config::new().arrivals(Arrivals::Bursts { gap: MILLI, on: zero, off: MILLI })), none);
    assert_eq!(new(Config::new().keys(Keys::Uniform { keys: 0 })), ConfigError::Keys(KeysError::NoKeys));
    let steep = Keys::Zipf { keys: 2, exponent: Q32::from_int(9) };
    assert_eq!(new(Config::new().keys(steep)), ConfigError::Keys(KeysError::Exponent));
    let hot = Keys::Hot { keys: 2, share: Q32::from_int(2), every: MILLI };
    assert_eq!(new(Config::new().keys(hot)), ConfigError::Keys(KeysError::Share));
    let restless = Keys::Hot { keys: 2, share: Q32::ONE, every: zero };
    assert_eq!(new(Config::new().keys(restless)), ConfigError::Keys(KeysError::Restless));
    assert_eq!(new(Config::new().information(Information::Snapshot { every: zero })), ConfigError::Snapshot);
    assert_eq!(new(Config::new().timeout(zero)), ConfigError::Timeout);
    let mut sim = small(Config::new(), 1, &[]);
    assert_eq!(sim.insert(Server::new().speed(Q32::ZERO)), Err(ServerError::Speed));
    assert_eq!(sim.insert(Server::new().slots(0)), Err(ServerError::NoSlots));
    assert_eq!(sim.insert(Server::new().failure_rate(Q32::from_int(2))), Err(ServerError::FailureRate));
    assert_eq!(sim.insert(Server::new().warm_up(MILLI, Q32::ZERO)), Err(ServerError::WarmUp));
    let stop = Outage::new(at(0), at(1), Fault::Slow { speed: Q32::ZERO });
    assert_eq!(sim.insert(Server::new().outage(stop)), Err(ServerError::Speed));
    sim.insert(Server::new().weight(u32::MAX)).unwrap();
    assert_eq!(sim.insert(Server::new()), Err(ServerError::Fleet));
    assert_eq!((sim.servers(), sim.balancer(0).unwrap().fleet().len()), (1, 1));
    assert_eq!(sim.apply(0, Change::Weight(7)).unwrap().words(), [0, 8, 0, 8, 7]);
    assert_eq!(sim.insert(Server::new()), Ok(1));
    assert_eq!(sim.apply(1, Change::Weight(u32::MAX)), Err(ChangeError::Weight));
    assert_eq!(Service::pareto(zero, MILLI, Q32::ONE), Err(ServiceError::Zero));
    assert_eq!(Service::pareto(MILLI, 2 * MILLI, Q32::ZERO), Err(ServiceError::Shape));
    assert_eq!(Service::pareto(2 * MILLI, MILLI, Q32::ONE), Err(ServiceError::Reversed));
    assert_eq!(Service::bimodal(MILLI, MILLI, Q32::from_int(2)), Err(ServiceError::Share));
}

#[test]
fn one_server_waits_as_theory_says() {
    // M/M/1 at load 1/2: mean time 2.
    let mut sim = small(Config::new().arrivals(poisson(1, 50)).requests(200_000), 1, &[Server::new()]);
    sim.run(u64::MAX, &mut rng());
    let summary = sim.summary();
    assert!(summary.mean > MILLI * 195 / 100 && summary.mean < MILLI * 205 / 100, "{summary:?}");
    // Little: what is there is what comes in the time that it takes.
    let there = summary.mean_held.to_bits() as f64 / 4_294_967_296.0;
    assert!(
        (there - 1.0).abs() < 0.05 && (summary.utilisation.to_bits() >> 23).abs_diff(256) < 5,
        "{summary:?}"
    );
}

#[test]
fn a_server_that_leaves_and_returns_keeps_its_counts() {
    let mut sim =
        small(Config::new().service(Service::constant(10 * MILLI)), 1, &[Server::new(), Server::new()]);
    for _ in 0..8 {
        sim.push(at(0), None, None).unwrap();
    }
    let mut rng = rng();
    sim.run_until(at(15), &mut rng);
    let in_flight =
        |sim: &Small| (0..2).map(|slot| sim.balancer(0).unwrap().fleet().in_flight(slot)).collect::<Vec<_>>();
    assert_eq!(in_flight(&sim), [3, 3]);
    sim.apply(0, Change::Leave).unwrap();
    assert_eq!(sim.balancer(0).unwrap().fleet().state(0), State::Leaving);
    sim.push(at(15), None, None).unwrap();
    assert!(matches!(sim.step(&mut rng).unwrap().what, What::Picked { server: 1, .. }));
    sim.run_until(at(25), &mut rng);
    assert_eq!((in_flight(&sim), sim.server(0).unwrap().present), (vec![2, 3], false));
    sim.apply(0, Change::Join).unwrap();
    assert_eq!((in_flight(&sim), sim.server(0).unwrap().present), (vec![2, 3], true));
    sim.run(u64::MAX, &mut rng);
    assert_eq!((in_flight(&sim), sim.summary().succeeded), (vec![0, 0], 9));
    // Once it has nothing left, its place is free, and it comes back to it all the same.
    sim.apply(0, Change::Leave).unwrap();
    sim.apply(0, Change::Join).unwrap();
    sim.push(sim.now(), None, None).unwrap();
    sim.push(sim.now(), None, None).unwrap();
    sim.run(u64::MAX, &mut rng);
    assert_eq!(sim.stats().map(|server| server.served).collect::<Vec<_>>(), [5, 6]);
}

#[test]
fn a_server_that_goes_down_loses_what_it_has() {
    let outage = Outage::new(at(15), at(25), Fault::Down).noticed(MILLI);
    let config = Config::new().service(Service::constant(10 * MILLI));
    let mut sim = small(config, 1, &[Server::new().outage(outage)]);
    // The third waits when it goes down, the fourth finds it down, the fifth after the check has noticed.
    for millis in [0, 1, 2, 15, 17, 40] {
        sim.push(at(millis), None, None).unwrap();
    }
    let events = check_run(&mut sim, &mut rng());
    use End::{Lost, Success};
    assert_eq!(ends(&events), [(0, 0, Success), (1, 0, Lost), (2, 0, Lost), (3, 0, Lost), (5, 0, Success)]);
    let gone = Unplaced::Balancer(Refusal::NoneReady);
    assert!(events.iter().any(|event| event.what == What::Refused { request: 4, dispatcher: 0, why: gone }));
    let stats = sim.server(0).unwrap();
    assert_eq!((stats.served, stats.lost, stats.busy), (2, 3, 25 * MILLI));
}

#[test]
fn a_black_hole_answers_at_once_and_a_frozen_server_later() {
    let black = Outage::new(at(5), at(15), Fault::BlackHole);
    let config = Config::new().service(Service::constant(10 * MILLI));
    let mut sim = small(config, 1, &[Server::new().outage(black)]);
    for millis in [0, 6, 20] {
        sim.push(at(millis), None, None).unwrap();
    }
    let events = check_run(&mut sim, &mut rng());
    assert_eq!(ends(&events), [(1, 0, End::Failed), (0, 0, End::Success), (2, 0, End::Success)]);
    assert_eq!(sim.summary().max, 10 * MILLI);

    let frozen = Outage::new(at(5), at(100), Fault::Frozen);
    let mut sim = small(config, 1, &[Server::new().outage(frozen)]);
    sim.push(at(0), None, None).unwrap();
    sim.push(at(6), None, None).unwrap();
    let events = check_run(&mut sim, &mut rng());
    assert_eq!(events.last().unwrap().at, at(110));
    assert_eq!(sim.summary().max, 104 * MILLI);
}

#[test]
fn slow_and_cold_servers_take_longer() {
    let config = Config::new().service(Service::constant(10 * MILLI));
    let latency = |server: Server, when: u64| {
        let mut sim = small(config, 1, &[server]);
        sim.push(at(when), None, None).unwrap();
        run(&mut sim);
        sim.summary().max
    };
    let half = ratio_of(1, 2);
    assert_eq!(latency(Server::new().speed(half), 0), 20 * MILLI);
    let slow = Outage::new(at(5), at(15), Fault::Slow { speed: ratio_of(1, 4) });
    assert_eq!(latency(Server::new().outage(slow), 4), 10 * MILLI);
    assert_eq!(latency(Server::new().outage(slow), 6), 40 * MILLI);
    assert_eq!(latency(Server::new().outage(slow), 16), 10 * MILLI);
    // Half its speed at first, three quarters of it half way through, all of it at the end.
    let cold = Server::new().warm_up(100 * MILLI, half);
    assert_eq!(latency(cold, 0), 20 * MILLI);
    assert_eq!(latency(cold, 50).as_micros(), 13_333);
    assert_eq!(latency(cold, 100), 10 * MILLI);
    // After it was down it is cold again.
    let down = Outage::new(at(200), at(300), Fault::Down);
    assert_eq!(latency(cold.outage(down), 300), 20 * MILLI);
}

#[test]
fn callers_give_up_and_servers_work_for_nothing() {
    let config = Config::new().service(Service::constant(10 * MILLI)).timeout(15 * MILLI);
    let mut sim = small(config, 1, &[Server::new()]);
    for _ in 0..3 {
        sim.push(at(0), None, None).unwrap();
    }
    let events = check_run(&mut sim, &mut rng());
    assert_eq!(ends(&events), [(0, 0, End::Success), (1, 0, End::TimedOut), (2, 0, End::TimedOut)]);
    let (summary, stats) = (sim.summary(), sim.server(0).unwrap());
    assert_eq!((summary.timed_out, summary.late, stats.served), (2, 2, 3));
    assert_eq!((stats.busy, events.last().unwrap().at), (30 * MILLI, at(30)));
}

#[test]
fn the_network_takes_its_time_both_ways() {
    let config = Config::new().service(Service::constant(10 * MILLI)).network(3 * MILLI);
    let mut sim = small(config, 1, &[Server::new()]);
    sim.push(at(0), None, None).unwrap();
    let times: Vec<Instant> = run(&mut sim).iter().map(|event| event.at).collect();
    assert_eq!(times, [at(0), at(3), at(13), at(16)]);
    assert_eq!(sim.server(0).unwrap().busy, 10 * MILLI);
}

#[test]
fn a_full_queue_rejects() {
    let config = Config::new().service(Service::constant(10 * MILLI));
    let mut sim = small(config, 1, &[Server::new().slots(2).queue_limit(1)]);
    for _ in 0..5 {
        sim.push(at(0), None, None).unwrap();
    }
    check_run(&mut sim, &mut rng());
    let stats = sim.server(0).unwrap();
    assert_eq!((stats.served, stats.rejected, stats.peak, sim.summary().rejected), (3, 2, 3, 2));
}

#[test]
fn keys_that_change_servers_are_counted() {
    let mut sim = small(Config::new(), 1, &[Server::new(), Server::new()]);
    // In turns between two servers: key 1 goes to 0, 1, 1; key 2 goes to 0, 0.
    for key in [1, 1, 2, 1, 2] {
        sim.push(at(0), Some(key), Some(MILLI)).unwrap();
    }
    run(&mut sim);
    assert_eq!((sim.summary().repeated, sim.summary().moved), (3, 1));
}

#[test]
fn what_comes_before_the_figures_begin_counts_nowhere() {
    let config = Config::new().arrivals(Arrivals::Constant { gap: 10 * MILLI }).requests(10).warm_up(4);
    let config = config.service(Service::constant(15 * MILLI));
    let mut sim = small(config, 1, &[Server::new()]);
    run(&mut sim);
    let (summary, stats) = (sim.summary(), sim.server(0).unwrap());
    assert_eq!((summary.arrived, summary.succeeded, stats.picked, stats.served), (6, 6, 6, 6));
    // The fifth comes at 50 and waits for two others; the last ends at 160. It is busy all the time.
    assert_eq!((summary.elapsed, stats.busy, stats.utilisation), (110 * MILLI, 110 * MILLI, Q32::ONE));
}

#[test]
fn requests_avoid_what_they_are_told_to() {
    let mut sim = small(Config::new().service(Service::constant(MILLI)), 1, &[Server::new(); 8]);
    let mut rng = rng();
    for server in 0..7 {
        sim.apply(server, Change::Avoid).unwrap();
        sim.apply(server, Change::Avoid).unwrap();
    }
    let mut pick = |sim: &mut Small| {
        sim.push(sim.now(), None, None).unwrap();
        let what = sim.step(&mut rng).unwrap().what;
        sim.run(u64::MAX, &mut rng);
        what
    };
    let why = Unplaced::Balancer(Refusal::Avoided);
    for request in 0..3 {
        assert!(matches!(pick(&mut sim), What::Picked { server: 7, .. }), "{request}");
    }
    sim.apply(7, Change::Avoid).unwrap();
    assert_eq!(pick(&mut sim), What::Refused { request: 3, dispatcher: 0, why });
    sim.apply(2, Change::Allow).unwrap();
    assert!(matches!(pick(&mut sim), What::Picked { server: 2, .. }));
    sim.apply(2, Change::Allow).unwrap();
    sim.apply(2, Change::Leave).unwrap();
    assert_eq!(pick(&mut sim), What::Refused { request: 5, dispatcher: 0, why });
    sim.apply(2, Change::Avoid).unwrap();
    assert_eq!(sim.avoided, 8);
    // A ninth is more than a request can name.
    let mut sim =
        Dispatch::<RoundRobin, Inline<1>, Inline<9>, Inline<9>, Inline<0>>::new(Config::new()).unwrap();
    for server in 0..9 {
        sim.insert(Server::new()).unwrap();
        let full = sim.apply(server, Change::Avoid).map(|_| ());
        assert_eq!(full, if server < 8 { Ok(()) } else { Err(ChangeError::TooManyAvoided) });
    }
}

/// Takes what it is told of the loads, and always chooses the slot that told the least.
#[derive(Debug, Default)]
struct Told {
    loads: [u32; 4],
    reports: u32,
    features: u32,
    expected: Duration,
    probing: bool,
}

impl Policy for Told {
    fn choose<M: Storage, L: Storage>(
        &mut self,
        _now: Instant,
        view: crate::balance::View<'_, M, L>,
        request: &crate::balance::Request<'_>,
        _rng: &mut impl Rng,
    ) -> Result<crate::balance::Choice, Refusal> {
        let candidates = view.slots().iter().filter(|slot| !request.avoids(**slot));
        let slot =
            *candidates.min_by_key(|slot| self.loads[**slot as usize]).ok_or_else(|| view.refusal())?;
        self.probing = true;
        self.features = request.feature_values().iter().sum();
        Ok(crate::balance::Choice { slot, why: crate::balance::Why::LeastLoaded })
    }

    fn reported<M: Storage, L: Storage>(
        &mut self,
        _now: Instant,
        _view: crate::balance::View<'_, M, L>,
        slot: u32,
        report: &crate::balance::Report,
    ) {
        self.loads[slot as usize] = report.in_flight;
        self.reports += 1;
        self.expected = report.latency;
    }

    fn probe<M: Storage, L: Storage>(
        &mut self,
        _now: Instant,
        _view: crate::balance::View<'_, M, L>,
        _rng: &mut impl Rng,
    ) -> Option<u32> {
        core::mem::take(&mut self.probing).then_some(1)
    }
}

type Informed = Dispatch<Told, Inline<1>, Inline<4>, Inline<16>, Inline<0>>;

fn informed(config: Config) -> Informed {
    let config = config.service(Service::constant(10 * MILLI));
    let mut sim = Informed::new(config).unwrap();
    sim.insert_dispatcher(Balancer::new(Fleet::new(EVER), Told::default())).unwrap();
    sim.insert(Server::new()).unwrap();
    sim.insert(Server::new()).unwrap();
    sim
}

#[test]
fn snapshots_answers_and_probes_tell_the_loads() {
    let mut rng = rng();
    let mut sim =
        informed(Config::new().information(Information::Snapshot { every: 4 * MILLI }).network(MILLI));
    for millis in [0, 1, 5] {
        sim.push(at(millis), None, None).unwrap();
    }
    let mut picks = vec![];
    let mut told = vec![];
    while let Some(event) = sim.step(&mut rng) {
        match event.what {
            What::Picked { server, .. } => picks.push(server),
            What::Snapshot => told.push((event.at, sim.balancer(0).unwrap().policy().loads)),
            // The last request goes there itself, and arrives before its probe.
            What::Probed { server, in_flight, .. } => {
                assert_eq!((server, in_flight), (1, u32::from(event.at == at(7))));
            }
            _ => {}
        }
    }
    // By the snapshot at 4 the first server has two, and the next request goes to the other one.
    assert_eq!(picks, [0, 0, 1]);
    assert_eq!(&told[..2], [(at(4), [2, 0, 0, 0]), (at(8), [2, 1, 0, 0])]);
    assert_eq!(sim.summary().probes, 3);

    let mut sim = informed(Config::new().information(Information::Answers));
    sim.push(at(0), None, None).unwrap();
    sim.push(at(0), None, None).unwrap();
    sim.run_until(at(10), &mut rng);
    assert_eq!(sim.balancer(0).unwrap().policy().loads, [1, 0, 0, 0]);
    // A request that came now would wait for one of 10 ms and take as long itself.
    assert_eq!(sim.balancer(0).unwrap().policy().expected, 20 * MILLI);
    sim.run_until(at(20), &mut rng);
    assert_eq!(sim.balancer(0).unwrap().policy().expected, 10 * MILLI);
    // Two answers, and two probes that were answered at once.
    assert_eq!(
        (sim.balancer(0).unwrap().policy().loads, sim.balancer(0).unwrap().policy().reports),
        ([0; 4], 4)
    );

    let mut sim = informed(Config::new().work_known(true));
    sim.push(at(0), None, Some(7 * MILLI)).unwrap();
    sim.push(at(1), None, None).unwrap();
    sim.run_until(at(0), &mut rng);
    assert_eq!(sim.balancer(0).unwrap().policy().features, 7_000);
    sim.run_until(at(1), &mut rng);
    assert_eq!(sim.balancer(0).unwrap().policy().features, 10_000);

    let mut sim = informed(Config::new().idle_reports(true));
    sim.push(at(0), None, None).unwrap();
    sim.run_until(at(10), &mut rng);
    assert_eq!(sim.balancer(0).unwrap().policy().reports, 2);
}

// Distributions.

#[test]
fn samples_have_the_mean_and_the_shape_of_their_distribution() {
    let second = Duration::from_secs(1);
    let cases = [
        (Service::constant(second), second),
        (Service::uniform(second, 3 * second).unwrap(), 2 * second),
        (Service::exponential(second), second),
        // Bounded Pareto, shape 2 from 1 to 100: 2 (1 - 1/100) / (1 - 1/10000) = 1.980198
        (Service::pareto(second, 100 * second, Q32::from_int(2)).unwrap(), Duration::from_micros(1_980_198)),
        // Shape 1: ln 100 / (1 - 1/100) = 4.651687
        (Service::pareto(second, 100 * second, Q32::ONE).unwrap(), Duration::from_micros(4_651_687)),
        (Service::bimodal(second, 10 * second, ratio_of(1, 10)).unwrap(), Duration::from_millis(1_900)),
    ];
    for (service, mean) in cases {
        let mut rng = rng();
        let sum: u128 = (0..100_000).map(|_| service.sample(&mut rng).as_nanos()).sum();
        let near =
            |a: u128, thousandths: u128| a.abs_diff(mean.as_nanos()) * 1_000 <= mean.as_nanos() * thousandths;
        assert!(near(sum / 100_000, 25), "{service:?}: {sum}");
        assert!(near(service.mean().as_nanos(), 1), "{service:?}: {:?}", service.mean());
    }
}

#[test]
fn samples_are_exceeded_as_often_as_the_law_says() {
    let second = Duration::from_secs(1);
    let above = |service: Service, limit: Duration| {
        let mut rng = rng();
        (0..100_000).filter(|_| service.sample(&mut rng) > limit).count()
    };
    // e^-1 and e^-3; for Pareto (x^-1.5 - 100^-1.5) / (1 - 100^-1.5).
    for (service, limit, expected) in [
        (Service::exponential(second), second, 36_788),
        (Service::exponential(second), 3 * second, 4_979),
        (Service::pareto(second, 100 * second, ratio_of(3, 2)).unwrap(), 2 * second, 35_291),
        (Service::pareto(second, 100 * second, ratio_of(3, 2)).unwrap(), 10 * second, 3_065),
    ] {
        let found = above(service, limit);
        // Five standard deviations of a binomial count.
        assert!(found.abs_diff(expected) < 5 * expected.isqrt(), "{service:?} above {limit:?}: {found}");
    }
    let pareto = Service::pareto(second, 100 * second, ratio_of(3, 2)).unwrap();
    assert_eq!((pareto.at(u64::MAX), pareto.at(0)), (1_000_000_000, 100_000_000_000));
}

#[test]
fn extreme_distributions_saturate() {
    assert_eq!(Service::exponential(Duration::MAX).at(1), u64::MAX);
    let wide = Service::uniform(Duration::ZERO, Duration::MAX).unwrap();
    assert_eq!((wide.at(0), wide.at(u64::MAX)), (0, u64::MAX));
    let steep = Service::pareto(Duration::from_nanos(1), Duration::MAX, ratio_of(1, 16)).unwrap();
    assert_eq!(steep.at(u64::MAX), 1);
    assert!(steep.at(0) > 1 << 40);
}

fn frequencies(keys: Keys, count: usize, draws: u32) -> Vec<u32> {
    let drawer = Drawer::new(keys).unwrap();
    let hashes: BTreeMap<u64, usize> =
        (0..count).map(|rank| (crate::hash::xxh3_64(&(rank as u64).to_le_bytes()), rank)).collect();
    let mut counts = vec![0; count];
    let mut rng = SplitMix64::seed(5);
    for i in 0..draws {
        let key = drawer.draw(at(u64::from(i)), &mut rng).unwrap();
        counts[hashes[&key]] += 1;
    }
    counts
}

#[test]
fn zipf_keys_fall_as_the_law_says() {
    for (exponent, keys) in [(0, 10), (5, 10), (10, 100), (11, 1_000), (20, 7), (80, 5)] {
        let counts =
            frequencies(Keys::Zipf { keys, exponent: ratio_of(exponent, 10) }, keys as usize, 200_000);
        let weight = |rank: usize| ((rank + 1) as f64).powf(-(exponent as f64) / 10.0);
        let all: f64 = (0..keys as usize).map(weight).sum();
        // Pearson's statistic over the ranks that are expected at least ten times.
        let (mut chi, mut freedom) = (0.0, 0.0);
        for (rank, count) in counts.iter().enumerate() {
            let expected = 200_000.0 * weight(rank) / all;
            if expected >= 10.0 {
                chi += (f64::from(*count) - expected).powi(2) / expected;
                freedom += 1.0;
            }
        }
        let far = 5.0 * f64::sqrt(2.0 * freedom) + 5.0;
        assert!(f64::abs(chi - freedom) < far, "exponent {exponent}/10, {keys} keys: {chi} for {freedom}");
    }
    // The largest that there can be.
    let drawer = Drawer::new(Keys::Zipf { keys: u32::MAX, exponent: Q32::ZERO }).unwrap();
    assert!(drawer.draw(at(0), &mut SplitMix64::seed(1)).is_some());
}

#[test]
fn one_key_is_hot_at_a_time() {
    let keys = Keys::Hot { keys: 10, share: ratio_of(1, 2), every: 10_000 * MILLI };
    let counts = frequencies(keys, 10, 20_000);
    // Two were hot, half of the time each, with half of the requests and a tenth of the others.
    let mean = [6_000, 6_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000];
    for (found, expected) in counts.iter().zip(mean) {
        let expected: u32 = expected;
        assert!(found.abs_diff(expected) < 5 * expected.isqrt(), "{counts:?}");
    }
    assert_eq!(frequencies(Keys::Uniform { keys: 3 }, 3, 9_000).iter().sum::<u32>(), 9_000);
}

#[test]
fn bursts_come_and_go() {
    let bursts = Arrivals::Bursts { gap: MILLI, on: 10 * MILLI, off: 90 * MILLI };
    let (mut now, mut rng, mut count) = (Instant::ZERO, SplitMix64::seed(3), 0);
    while let Some(next) = bursts.next(now, rng.next_u64()).filter(|next| *next < at(100_000)) {
        assert!(next >= now && next.as_nanos() % 100_000_000 < 10_000_000, "{next}");
        (now, count) = (next, count + 1);
    }
    // 1,000 bursts of 10 each: a Poisson count of mean 10,000.
    assert!((9_500..10_500).contains(&count), "{count}");
    // Requests that would come after the end of time never come.
    assert_eq!(Arrivals::Constant { gap: Duration::MAX }.next(at(1), 0), None);
}

#[test]
fn no_server_is_called_none() {
    assert_eq!(small(Config::new(), 1, &[Server::new()]).balancer(NONE).map(|_| ()), None);
}

//! The simulation of balancers: every event of small runs in which servers queue, fail, forget, leave and join.

use core::time::Duration;

use divvy::Instant;
use divvy::balance::{Balancer, Fleet, P2c, Policy, RoundRobin};
use divvy::fixed::Q32;
use divvy::hash::xxh3_64_seeded;
use divvy::rng::Xoshiro256PlusPlus;
use divvy::sim::dispatch::{
    Arrivals, Change, Config, ConfigError, Dispatch, Fault, Information, Keys, Outage, Server, Service,
};
use divvy::storage::Inline;

const MILLI: Duration = Duration::from_millis(1);
/// Few requests at once, so that all fits the stack of a small core; what finds no place is part of the digest.
type Sim<P> = Dispatch<P, Inline<1>, Inline<2>, Inline<2>, Inline<0>>;

pub(super) fn run() -> u64 {
    let mut digest = 0;
    for case in 0..CASES {
        run_case(&mut digest, case, RoundRobin::new());
        run_case(&mut digest, case, P2c::new());
    }
    digest
}

const CASES: u32 = 6;

#[inline(never)]
fn traffic(case: u32) -> Config {
    let half = Q32::from_bits(1 << 31);
    let config = Config::new().seed(u64::from(case) + 0xD15).requests(60).warm_up(5);
    match case {
        0 => config.arrivals(Arrivals::Poisson { gap: MILLI }),
        1 => config
            .arrivals(Arrivals::Bursts { gap: MILLI / 4, on: 3 * MILLI, off: 7 * MILLI })
            .information(Information::Snapshot { every: 2 * MILLI })
            .timeout(4 * MILLI),
        2 => config
            .arrivals(Arrivals::Constant { gap: MILLI / 2 })
            .service(Service::uniform(MILLI / 2, 3 * MILLI / 2).unwrap_or(Service::constant(MILLI)))
            .keys(Keys::Uniform { keys: 4 })
            .network(MILLI / 4),
        3 => config
            .arrivals(Arrivals::Poisson { gap: MILLI / 2 })
            .service(Service::pareto(MILLI / 4, 40 * MILLI, half).unwrap_or(Service::constant(MILLI)))
            .keys(Keys::Zipf { keys: 9, exponent: Q32::ONE }),
        4 => config
            .arrivals(Arrivals::Poisson { gap: MILLI / 2 })
            .service(Service::bimodal(MILLI / 2, 8 * MILLI, half).unwrap_or(Service::constant(MILLI)))
            .keys(Keys::Hot { keys: 9, share: half, every: 4 * MILLI })
            .information(Information::Answers),
        _ => config.requests(0),
    }
}

/// A digest in eight bytes: the stack is needed for the simulation.
fn feed(digest: &mut u64, decision: u64) {
    *digest = xxh3_64_seeded(&decision.to_le_bytes(), *digest);
}

/// This and what follows are functions of their own, so that one simulation is on the stack at a time, and what each
/// part of it needs is gone when it returns.
#[inline(never)]
fn run_case<P: Policy>(digest: &mut u64, case: u32, policy: P) {
    // By reference, since taking it out would copy it.
    let mut sim = begin(&traffic(case));
    let Ok(sim) = &mut sim else { return };
    insert_all(digest, case, policy, sim);
    feed_events(digest, case, sim);
    feed_summary(digest, sim);
}

#[inline(never)]
fn begin<P: Policy>(config: &Config) -> Result<Sim<P>, ConfigError> {
    Sim::new(*config)
}

#[inline(never)]
fn insert_all<P: Policy>(digest: &mut u64, case: u32, policy: P, sim: &mut Sim<P>) {
    let placed = sim.insert_dispatcher(Balancer::new(const { Fleet::new(Duration::from_secs(1)) }, policy));
    feed(digest, u64::from(placed.is_ok()));
    let quarter = Q32::from_bits(1 << 30);
    let fault = if case.is_multiple_of(2) { Fault::Down } else { Fault::BlackHole };
    let outage = Outage::new(Instant::from_millis(6), Instant::from_millis(14), fault).noticed(MILLI);
    let mut second = Server::new().outage(outage);
    if case >= 2 {
        second = second.joins_at(Instant::from_millis(4)).warm_up(8 * MILLI, quarter).queue_limit(1);
    }
    let first = Server::new().slots(2).leaves_at(Instant::from_millis(10)).failure_rate(quarter);
    // There is room for two.
    for server in [&first, &second, &second] {
        feed(digest, u64::from(sim.insert(*server).is_ok()));
    }
    let returns = Instant::from_millis(18);
    feed(digest, u64::from(sim.schedule(returns, 0, Change::Join).is_ok()));
}

#[inline(never)]
fn feed_events<P: Policy>(digest: &mut u64, case: u32, sim: &mut Sim<P>) {
    let mut rng = Xoshiro256PlusPlus::seed(0x51D + u64::from(case));
    // Case 5 is a trace of its own.
    let mut pushed = if case == CASES - 1 { 0 } else { 24 };
    loop {
        while pushed < 24 {
            let (at, work) = (Instant::from_millis(pushed), MILLI * (pushed % 5) as u32);
            if sim.push(at, Some(pushed % 3), Some(work)).is_err() {
                break;
            }
            pushed += 1;
        }
        let Some(event) = sim.step(&mut rng) else { break };
        for word in event.words() {
            feed(digest, word);
        }
    }
}

#[inline(never)]
fn feed_summary<P: Policy>(digest: &mut u64, sim: &Sim<P>) {
    let summary = sim.summary();
    for part in [summary.succeeded, summary.errors(), summary.unfinished, summary.late, summary.moved] {
        feed(digest, part);
    }
    for part in [summary.skew, summary.spread, summary.mean_held, summary.utilisation] {
        feed(digest, part.to_bits());
    }
    for duration in [summary.mean, summary.max, summary.elapsed] {
        feed(digest, u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }
}

//! The simulation of chains: every event of two small services that fail, with each protection in turn.

use core::num::NonZeroU32;
use core::time::Duration;

use divvy::Instant;
use divvy::breaker::Config as BreakerConfig;
use divvy::fixed::Q32;
use divvy::hash::xxh3_64_seeded;
use divvy::limit::{Aimd, Bounds, Codel, LoadShed, ThrottleConfig};
use divvy::retry::{Backoff, BudgetConfig};
use divvy::rng::Xoshiro256PlusPlus;
use divvy::sim::chain::{
    Adaptive, Chain, Config, ConfigError, Discipline, Fallback, Fault, Link, Outage, Tier,
};
use divvy::sim::{Arrivals, Service};
use divvy::storage::Inline;

const MILLI: Duration = Duration::from_millis(1);
/// Few jobs at once: what finds no place is part of the digest.
type Sim = Chain<Inline<2>, Inline<4>, Inline<0>>;

const CASES: u32 = 5;

fn run() -> u64 {
    let mut digest = 0;
    for case in 0..CASES {
        run_case(&mut digest, case);
    }
    digest
}

/// A digest in eight bytes: the stack is needed for the simulation.
fn feed(digest: &mut u64, decision: u64) {
    *digest = xxh3_64_seeded(&decision.to_le_bytes(), *digest);
}

const fn half() -> Q32 {
    Q32::from_bits(1 << 31)
}

/// This and what follows are functions of their own, so that one simulation is on the stack at a time, and what each
/// part of it needs is gone when it returns.
#[inline(never)]
fn run_case(digest: &mut u64, case: u32) {
    // By reference, since taking it out would copy it.
    let mut sim = begin(case);
    let Ok(sim) = &mut sim else { return };
    insert(digest, case, sim);
    feed_events(digest, case, sim);
    feed_stats(digest, sim);
}

#[inline(never)]
fn begin(case: u32) -> Result<Sim, ConfigError> {
    let config = Config::new()
        .seed(u64::from(case) + 0xCA5)
        .arrivals(Arrivals::Poisson { gap: 2 * MILLI })
        .requests(80)
        .low_priority(half())
        .deadlines(case % 2 == 1);
    Sim::new(config)
}

#[inline(never)]
fn insert(digest: &mut u64, case: u32, sim: &mut Sim) {
    let fault = match case {
        0 => Fault::Slow { factor: Q32::from_int(20) },
        1 => Fault::Failing { share: half() },
        2 => Fault::Stopped,
        _ => Fault::Down,
    };
    let outage = Outage { from: Instant::from_millis(30), until: Instant::from_millis(90), fault };
    let mut back = Tier::new().workers(2).queue(2).service(Service::exponential(MILLI)).outage(outage);
    if let (2, Ok(codel)) = (case, Codel::new(MILLI, 4 * MILLI)) {
        back = back.codel(codel).discipline(Discipline::Adaptive);
    }
    if case == 3 {
        back = back.shed(LoadShed::new());
    }
    let front = Tier::new().workers(3).service(Service::constant(MILLI / 2));
    feed(digest, u64::from(sim.insert(front, Link::new()).is_ok()));
    let inserted = sim.insert(back, link(case)).is_ok();
    feed(digest, u64::from(inserted));
}

#[inline(never)]
fn link(case: u32) -> Link {
    let mut link = Link::new().timeout(6 * MILLI);
    if let Ok(backoff) = Backoff::new(MILLI, 8 * MILLI) {
        link = link.retry(backoff.attempts(NonZeroU32::MIN.saturating_add(2)));
    }
    match case {
        0 => {
            let rules =
                BreakerConfig::new().open(10 * MILLI, 40 * MILLI, Q32::from_int(2)).probe_timeout(8 * MILLI);
            if let Ok(rules) = rules.build() {
                link = link.breaker(rules, 8);
            }
            link.fallback(Fallback::Default)
        }
        1 => {
            link.budget(BudgetConfig::new().share(1, 5).floor(1)).fallback(Fallback::Cached { share: half() })
        }
        2 => link.bulkhead(2),
        3 => link.throttle(ThrottleConfig::new()),
        _ => match Bounds::new(1, 3) {
            Ok(bounds) => link.adaptive(Adaptive::Aimd(Aimd::new(bounds))),
            Err(_) => link,
        },
    }
}

#[inline(never)]
fn feed_events(digest: &mut u64, case: u32, sim: &mut Sim) {
    let mut rng = Xoshiro256PlusPlus::seed(0xC4A + u64::from(case));
    while let Some(event) = sim.step(&mut rng) {
        for word in event.words() {
            feed(digest, word);
        }
    }
}

#[inline(never)]
fn feed_stats(digest: &mut u64, sim: &Sim) {
    for tier in 0..2 {
        let Some(stats) = sim.stats(tier) else { continue };
        for part in
            [stats.calls.succeeded, stats.calls.degraded, stats.calls.failed, stats.attempts, stats.late]
        {
            feed(digest, part);
        }
        feed(digest, u64::from(stats.opened));
        feed(digest, u64::try_from(stats.busy.as_nanos()).unwrap_or(u64::MAX));
        feed(digest, stats.amplification.to_bits());
    }
}

#[test]
fn the_decisions_stay_as_they_are() {
    // Its golden digest, as a scenario has one.
    assert_eq!(run(), 0x81a7_82ee_9d4c_fd48);
}

//! The simulation of sleeping workers: every event of small herds, by each policy.

use core::time::Duration;

use divvy::hash::xxh3_64_seeded;
use divvy::rng::Xoshiro256PlusPlus;
use divvy::sim::herd::{Config, Herd, Policy};
use divvy::sim::{Arrivals, Service};
use divvy::storage::Inline;

const MICRO: Duration = Duration::from_micros(1);

pub(super) fn run() -> u64 {
    let policies =
        [Policy::Poll { every: 700 * MICRO }, Policy::All, Policy::One, Policy::Some { workers: 3 }];
    let mut digest = 0;
    for (case, policy) in (0..).zip(policies) {
        run_case(&mut digest, case, policy);
    }
    digest
}

#[inline(never)]
fn run_case(digest: &mut u64, case: u64, policy: Policy) {
    let config = Config::new()
        .policy(policy)
        .tasks(60)
        .arrivals(Arrivals::Poisson { gap: 200 * MICRO })
        .service(Service::exponential(900 * MICRO));
    let Ok(mut herd) = Herd::<Inline<24>>::new(config) else { return };
    let mut rng = Xoshiro256PlusPlus::seed(0x4E4D + case);
    let mut feed = |decision: u64| *digest = xxh3_64_seeded(&decision.to_le_bytes(), *digest);
    while let Some(event) = herd.step(&mut rng) {
        event.words().into_iter().for_each(&mut feed);
    }
    let summary = herd.summary();
    for part in [summary.wakes, summary.useless, summary.lost, summary.finished] {
        feed(part);
    }
    for time in [summary.mean_delay, summary.overhead] {
        feed(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }
}

use core::time::Duration;

use super::*;
use crate::balance::{Fleet, RoundRobin};
use crate::fixed::Q32;
use crate::rng::Xoshiro256PlusPlus;

const MILLI: Duration = Duration::from_millis(1);

type Small<P> = Dispatch<P, Inline<2>, Inline<8>, Inline<64>, Inline<4000>>;

fn small(config: Config) -> Small<RoundRobin> {
    let mut sim = Small::new(config).unwrap();
    let fleet = Fleet::new(Duration::from_secs(1_000));
    sim.insert_dispatcher(Balancer::new(fleet, RoundRobin::new())).unwrap();
    sim
}

fn poisson(servers: u32, percent: u64) -> Arrivals {
    Arrivals::poisson_at_load(MILLI, servers, Q32::from_ratio(percent, 100).unwrap()).unwrap()
}

#[test]
fn one_server_waits_as_theory_says() {
    // M/M/1 at load 1/2: mean time 2.
    let config = Config::new().arrivals(poisson(1, 50)).requests(200_000);
    let mut sim = small(config);
    sim.insert(Server::new()).unwrap();
    sim.run(u64::MAX, &mut Xoshiro256PlusPlus::seed(1));
    let summary = sim.summary();
    assert!(summary.mean > MILLI * 19 / 10 && summary.mean < MILLI * 21 / 10, "{summary:?}");
}

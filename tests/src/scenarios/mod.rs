//! The scenarios, one part of the core each.

mod admission;
mod affinity;
mod anchor;
mod annealed;
mod balance_hash;
mod balance_shared;
mod bottleneck;
mod breaker;
mod breaker_shared;
mod budget;
mod bulkhead;
mod c3;
mod capacity;
mod codel;
mod concurrency;
mod consistent;
mod consolidate;
mod dag;
mod deadline;
mod deque;
mod drive;
mod energy;
mod even;
mod fixed;
mod fleet;
mod gcra;
mod gcra_cells;
mod gcra_shared;
mod hash;
mod hash_partition;
mod hedge;
mod herd;
mod hierarchical;
mod hierarchy;
mod histogram;
mod hot_keys;
mod jiq;
mod jump_back;
mod karger;
mod ketama;
mod keyed;
mod lease;
mod least_loaded;
mod least_response_time;
mod low_discrepancy;
mod lpt;
mod maglev;
mod membership;
mod mpmc;
mod multi_probe;
mod outlier;
mod p2c;
mod prequal;
mod priority;
mod random;
mod range;
mod realtime;
mod redistribute;
mod registry_all;
mod regression;
mod rendezvous;
mod retry;
mod ring_audit;
mod rng;
mod round_robin;
mod sched;
mod sched_policies;
// With every protection in it, a chain takes more than the 4 KiB of stack that a scenario may have on the boards.
#[cfg(test)]
mod sim_chain;
mod sim_dispatch;
mod sliding_log;
mod slow_start;
mod smooth;
mod space_saving;
mod spsc;
mod stealing;
mod subset;
mod thompson;
mod throttle;
mod timer_wheel;
mod traffic;
mod ucb;
mod weighted_least_loaded;
mod zone;

/// One part of the core, driven from a seed that is part of the scenario.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What it is called in the golden file and on every target's line.
    pub name: &'static str,
    /// Runs it; the digest of every decision it made.
    pub run: fn() -> u64,
}

/// Every scenario, from the ground floor up.
pub static ALL: &[Scenario] = &[
    Scenario { name: "rng", run: rng::run },
    Scenario { name: "hash", run: hash::run },
    Scenario { name: "fixed", run: fixed::run },
    Scenario { name: "lease", run: lease::run },
    Scenario { name: "even-partition", run: even::run },
    Scenario { name: "hash-partition", run: hash_partition::run },
    Scenario { name: "range-partition", run: range::run },
    Scenario { name: "space-saving", run: space_saving::run },
    Scenario { name: "histogram", run: histogram::run },
    Scenario { name: "hot-keys", run: hot_keys::run },
    Scenario { name: "lpt", run: lpt::run },
    Scenario { name: "annealed", run: annealed::run },
    Scenario { name: "karger", run: karger::run },
    Scenario { name: "ketama", run: ketama::run },
    Scenario { name: "multi-probe", run: multi_probe::run },
    Scenario { name: "rendezvous", run: rendezvous::run },
    Scenario { name: "ring-audit", run: ring_audit::run },
    Scenario { name: "maglev", run: maglev::run },
    Scenario { name: "anchor", run: anchor::run },
    Scenario { name: "jump-back", run: jump_back::run },
    Scenario { name: "balance-hash", run: balance_hash::run },
    Scenario { name: "consistent", run: consistent::run },
    Scenario { name: "hierarchical", run: hierarchical::run },
    Scenario { name: "affinity", run: affinity::run },
    Scenario { name: "ucb", run: ucb::run },
    Scenario { name: "thompson", run: thompson::run },
    Scenario { name: "regression", run: regression::run },
    Scenario { name: "energy", run: energy::run },
    Scenario { name: "registry-all", run: registry_all::run },
    Scenario { name: "smooth", run: smooth::run },
    Scenario { name: "low-discrepancy", run: low_discrepancy::run },
    Scenario { name: "jiq", run: jiq::run },
    Scenario { name: "prequal", run: prequal::run },
    Scenario { name: "c3", run: c3::run },
    Scenario { name: "subset", run: subset::run },
    Scenario { name: "zone", run: zone::run },
    Scenario { name: "breaker", run: breaker::run },
    Scenario { name: "gcra", run: gcra::run },
    Scenario { name: "gcra-shared", run: gcra_shared::run },
    Scenario { name: "gcra-cells", run: gcra_cells::run },
    Scenario { name: "sliding-log", run: sliding_log::run },
    Scenario { name: "keyed", run: keyed::run },
    Scenario { name: "limit-hierarchy", run: hierarchy::run },
    Scenario { name: "retry", run: retry::run },
    Scenario { name: "budget", run: budget::run },
    Scenario { name: "hedge", run: hedge::run },
    Scenario { name: "mpmc", run: mpmc::run },
    Scenario { name: "spsc", run: spsc::run },
    Scenario { name: "deque", run: deque::run },
    Scenario { name: "priority", run: priority::run },
    Scenario { name: "timer-wheel", run: timer_wheel::run },
    Scenario { name: "dag", run: dag::run },
    Scenario { name: "sched", run: sched::run },
    Scenario { name: "sched-policies", run: sched_policies::run },
    Scenario { name: "redistribute", run: redistribute::run },
    Scenario { name: "capacity", run: capacity::run },
    Scenario { name: "bottleneck", run: bottleneck::run },
    Scenario { name: "consolidate", run: consolidate::run },
    Scenario { name: "admission", run: admission::run },
    Scenario { name: "edf", run: realtime::edf },
    Scenario { name: "fixed-priority", run: realtime::fixed_priority },
    Scenario { name: "sim-deadline", run: deadline::run },
    Scenario { name: "sim-stealing", run: stealing::run },
    Scenario { name: "sim-dispatch", run: sim_dispatch::run },
    Scenario { name: "herd", run: herd::run },
    Scenario { name: "round-robin", run: round_robin::run },
    Scenario { name: "random", run: random::run },
    Scenario { name: "least-response-time", run: least_response_time::run },
    Scenario { name: "least-loaded", run: least_loaded::run },
    Scenario { name: "weighted-least-loaded", run: weighted_least_loaded::run },
    Scenario { name: "p2c", run: p2c::run },
    Scenario { name: "fleet", run: fleet::run },
    Scenario { name: "outlier", run: outlier::run },
    Scenario { name: "slow-start", run: slow_start::run },
    Scenario { name: "balance-shared", run: balance_shared::run },
    Scenario { name: "breaker-shared", run: breaker_shared::run },
    Scenario { name: "aimd", run: concurrency::aimd },
    Scenario { name: "vegas", run: concurrency::vegas },
    Scenario { name: "gradient", run: concurrency::gradient },
    Scenario { name: "bulkhead", run: bulkhead::run },
    Scenario { name: "codel", run: codel::run },
    Scenario { name: "throttle", run: throttle::run },
];

//! What a hedge learns from latencies of every magnitude, what it sends, and what it forgets.

use crate::Digest;
use core::num::NonZeroU32;
use core::time::Duration;
use divvy::Instant;
use divvy::retry::{Budget, BudgetConfig, Hedge, HedgeConfig, HedgeStep, NoHedge};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::sketch::buckets;
use divvy::storage::Inline;

/// Up to 17 s, to 1/4.
const BUCKETS: usize = buckets(2, u64::MAX >> 30);

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0x4ED6);
    let count = |n: u32| NonZeroU32::MIN.saturating_add(n - 1);
    let second = Duration::from_secs(1);
    let base = HedgeConfig::new().samples(count(20)).window(second);
    for config in [
        base,
        base.percentile(1, 2).hedges(count(3)).initial(second / 10),
        base.percentile(1, 1).at_least(second / 4).window(Duration::from_nanos(2)),
        base.percentile(0, 1).window(Duration::from_nanos(u64::MAX)),
        base.percentile(2, 1),
        base.window(Duration::ZERO),
    ] {
        let Ok(mut hedge) = Hedge::<Inline<BUCKETS>, 2>::new(config) else {
            digest.feed(u64::MAX);
            continue;
        };
        let Ok(mut budget) = Budget::new(BudgetConfig::new().floor(2).ttl(second)) else { return 0 };
        let mut now = Instant::from_secs(50);
        for _ in 0..600 {
            let latency = Duration::from_nanos(rng.next_u64() >> (30 + rng.below(20)));
            now = match rng.below(60) {
                0 => now.saturating_sub(latency),
                1 => now.saturating_add(second * rng.below(3)),
                _ => now.saturating_add(second / 500 * rng.below(4)),
            };
            if rng.below(3) > 0 {
                budget.deposit(now);
                hedge.observe(now, latency);
            } else {
                let began = now.saturating_sub(latency / 4);
                match hedge.ask(now, began, rng.below(2), &mut budget) {
                    HedgeStep::Send => digest.feed(0),
                    HedgeStep::Wait { until } => digest.feed(until.as_nanos()),
                    HedgeStep::No(NoHedge::Enough) => digest.feed(1),
                    HedgeStep::No(NoHedge::Unknown) => digest.feed(2),
                    HedgeStep::No(NoHedge::Budget { retry_at }) => {
                        digest.feed_option(Some(retry_at.as_nanos()))
                    }
                    HedgeStep::No(_) => digest.feed(3),
                }
            }
            digest.feed_option(hedge.delay().map(|delay| delay.as_nanos() as u64));
            digest.feed(hedge.next_deadline().as_nanos());
        }
        let stats = hedge.stats();
        digest.feed(stats.samples);
        digest.feed(stats.sent);
        digest.feed(stats.refused);
    }
    digest.finish()
}

//! The budget of retries and hedges in both of its forms, under a clock that stands still, runs, and jumps either way.

use crate::Digest;
use core::time::Duration;
use divvy::Instant;
use divvy::retry::{Budget, BudgetConfig, SharedBudget, Spend};
use divvy::rng::{Rng, Xoshiro256PlusPlus};

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0xB0D6);
    let second = Duration::from_secs(1);
    for (part, of, floor, ttl) in [
        (1, 5, 1, 10 * second),
        (3, 5, 0, second),
        (0, 1, 7, second),
        (u32::MAX, 2, 0, Duration::from_nanos(7)),
        (1, u32::MAX, u32::MAX, second),
        (1, 5, 0, Duration::from_nanos(u64::MAX)),
        (1, 0, 0, second),
        (1, 5, 1, Duration::ZERO),
    ] {
        let config = BudgetConfig::new().share(part, of).floor(floor).ttl(ttl);
        let (Ok(mut plain), Ok(shared)) = (Budget::new(config), SharedBudget::new(config)) else {
            digest.feed(u64::MAX);
            continue;
        };
        let mut now = Instant::from_secs(1_000);
        for _ in 0..600 {
            let step = ttl / 64 * rng.below(8);
            now = match rng.below(40) {
                0 => now.saturating_sub(step * 8),
                1 => now.saturating_add(step * 16),
                2..20 => now,
                _ => now.saturating_add(step),
            };
            if rng.below(3) > 0 {
                plain.deposit(now);
                shared.deposit(now);
            } else {
                for spend in [plain.withdraw(now), shared.withdraw(now)] {
                    digest.feed_option(match spend {
                        Spend::Yes => None,
                        Spend::No { retry_at } => Some(retry_at.as_nanos()),
                    });
                }
            }
            digest.feed(plain.balance(now).into());
        }
        for stats in [plain.stats(now), shared.stats(now)] {
            digest.feed(stats.balance.into());
            digest.feed(stats.deposited);
            digest.feed(stats.withdrawn);
            digest.feed(stats.refused);
        }
    }
    digest.finish()
}

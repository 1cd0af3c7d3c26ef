//! Levels that come, go and change their quotas, and cells that must pass several of them.

use crate::Digest;
use core::num::NonZeroU32;
use core::time::Duration;
use divvy::Instant;
use divvy::limit::{Hierarchy, LevelError, Passage, Quota};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0x7EE);
    let mut limits = Hierarchy::<Inline<8>>::new(quota(20, 6));
    // Names of levels, some of them of levels that are gone.
    let mut names = [limits.top(); 8];
    let mut now = Instant::ZERO;
    for _ in 0..4_000 {
        now = match rng.below(40) {
            0 => now.saturating_sub(Duration::from_nanos(rng.below(100).into())),
            _ => now.saturating_add(Duration::from_nanos(rng.below(40).into())),
        };
        let level = names[rng.below(8) as usize];
        let outcome = match rng.below(20) {
            0..2 => limits.insert(level, quota(1 + rng.below(20), 1 + rng.below(8))).map(|level| {
                names[1 + rng.below(7) as usize] = level;
                1
            }),
            2 => limits.remove(level).map(|()| 2),
            3 => limits.set_quota(now, level, quota(1 + rng.below(20), 1 + rng.below(8))).map(|()| 3),
            _ => limits.admit_n(now, level, NonZeroU32::MIN.saturating_add(rng.below(3))).map(|passage| {
                match passage {
                    Passage::Yes => 4,
                    Passage::No { retry_at, level } => {
                        let at = names.iter().position(|name| *name == level).unwrap_or(8);
                        retry_at.as_nanos() * 16 + at as u64
                    }
                }
            }),
        };
        digest.feed(match outcome {
            Ok(word) => word,
            Err(LevelError::Unknown) => 1 << 60,
            Err(LevelError::Full) => 2 << 60,
            Err(LevelError::HasLevels) => 3 << 60,
            Err(LevelError::OverBurst { burst, .. }) => (4 << 60) + u64::from(burst),
            Err(_) => u64::MAX,
        });
    }
    digest.feed(limits.iter().count() as u64);
    digest.finish()
}

fn quota(cells: u32, burst: u32) -> Quota {
    let count = |n: u32| NonZeroU32::MIN.saturating_add(n - 1);
    let quota =
        Quota::new(count(cells), Duration::from_nanos(300)).and_then(|quota| quota.burst(count(burst)));
    quota.expect("the quotas of the scenario are valid")
}

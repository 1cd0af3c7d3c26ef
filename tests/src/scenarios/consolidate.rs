//! A load that swells and ebbs with bursts on top: how many workers are kept awake at each step.

use core::num::NonZeroU32;
use core::time::Duration;

use crate::Digest;
use divvy::Instant;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::sched::consolidate::ConsolidateConfig;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0xC0150);
    let workers = NonZeroU32::MIN.saturating_add(15);
    let Ok(mut energy) = ConsolidateConfig::new(workers).least(2).build() else { return 0 };
    for tick in 0..3_000u64 {
        // Up and down within a minute, from 0 to 12 workers' worth of 50 ms.
        let phase = tick % 1_200;
        let load = if phase < 600 { phase } else { 1_200 - phase } * 12 / 600;
        let busy = Duration::from_micros(load * 50_000 + rng.below_u64(40_000));
        let waiting = if rng.below(200) == 0 { rng.below(80) } else { rng.below(4) };
        digest.feed(energy.observe(Instant::from_millis(tick * 50), busy, waiting).into());
        digest.feed(energy.load().to_bits());
    }
    digest.finish()
}

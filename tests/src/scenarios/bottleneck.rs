//! Three stages in a row with a limit that moves: what is counted, and which stage is named with what gain.

use core::num::NonZeroU32;

use crate::Digest;
use divvy::Instant;
use divvy::fixed::Q32;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::sched::bottleneck::{StageMeter, bottleneck};

const STAGES: usize = 3;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0xB077);
    let mut meters = [StageMeter::new(Instant::ZERO, NonZeroU32::MIN); STAGES];
    // Each stage has one worker: how many wait, since when the one at work has been there, and when it is done.
    let mut waiting = [0u32; STAGES];
    let mut running = [None; STAGES];
    for tick in 0..6_000u64 {
        let now = Instant::from_micros(tick * 100);
        if rng.below(10) == 0 {
            meters[0].arrive(now);
            waiting[0] += 1;
        }
        for stage in 0..STAGES {
            if let Some((since, until)) = running[stage]
                && until <= now
            {
                running[stage] = None;
                meters[stage].complete(now, since);
                if let Some(next) = meters.get_mut(stage + 1) {
                    next.arrive(now);
                    waiting[stage + 1] += 1;
                }
            }
            if running[stage].is_none() && waiting[stage] > 0 {
                waiting[stage] -= 1;
                meters[stage].start(now);
                // A different stage is slow in each third.
                let slow = tick / 2_000 == stage as u64;
                let ticks = 1 + u64::from(rng.below(if slow { 24 } else { 8 }));
                running[stage] = Some((now, Instant::from_micros((tick + ticks) * 100)));
            }
        }
        if tick % 500 == 499 {
            let windows = meters.each_mut().map(|meter| meter.window(now));
            for window in windows {
                let figures = window.figures();
                for figure in [figures.utilisation, figures.throughput, figures.length, figures.residual] {
                    digest.feed(figure.to_bits());
                }
                digest.feed(figures.backlog);
            }
            let found = bottleneck(&windows, Q32::from_bits(3 << 30));
            digest.feed_option(found.map(|found| found.stage.into()));
            digest.feed_option(found.map(|found| found.gain.to_bits()));
            digest.feed_option(found.map(|found| found.ceiling.to_bits()));
            for meter in &mut meters {
                meter.restart(now);
            }
        }
    }
    digest.finish()
}

//! A queue at the edge of overload, its gate by both laws, from either end, under a clock that jumps.

use crate::Digest;
use core::time::Duration;
use divvy::Instant;
use divvy::limit::{Codel, Criticality, Law, LoadShed, Order, Verdict};
use divvy::rng::{Rng, Xoshiro256PlusPlus};

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0xC0DE1);
    for law in [Law::Server, Law::Packet] {
        let Ok(gate) = Codel::new(Duration::from_millis(5), Duration::from_millis(100)) else { continue };
        let mut gate = gate.law(law);
        let mut shed = LoadShed::new();
        let mut now = Instant::from_secs(9);
        // How long the oldest in the queue has waited, which is all that the gate sees of it.
        let mut waited = 0u64;
        for n in 0..6_000u32 {
            let load = if n / 1_500 % 2 == 0 { 130 } else { 80 };
            now = match rng.below(900) {
                0 => now.saturating_sub(Duration::from_millis(30)),
                1 => now.saturating_add(Duration::from_millis(250)),
                _ => now.saturating_add(Duration::from_millis(1)),
            };
            waited = (waited + 10_000 * u64::from(rng.below(2 * load))).saturating_sub(1_000_000);
            let age = match gate.order() {
                Order::Fifo => waited,
                Order::Lifo => rng.below_u64(waited + 1),
            };
            let verdict = gate.verdict(now, now.saturating_sub(Duration::from_nanos(age)));
            if verdict == Verdict::Drop {
                waited = waited.saturating_sub(1_000_000);
            }
            if waited == 0 {
                gate.emptied(now);
            }
            shed.observe(divvy::fixed::Q32::from_bits(waited << 9));
            digest.feed(u64::from(verdict == Verdict::Drop));
            digest.feed(u64::from(shed.admit(Criticality::Critical) == Verdict::Drop));
        }
        let stats = gate.stats();
        [stats.run, stats.dropped, stats.overloads].into_iter().for_each(|count| digest.feed(count));
    }
    digest.finish()
}

//! What a fleet knows of its members, while lists of members come and go and clocks jump.

use crate::Digest;
use core::time::Duration;
use divvy::Instant;
use divvy::balance::{Balancer, Config, Fleet, Member, Outcome, P2c, Pick, Request};
use divvy::fixed::Q32;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

const MEMBERS: usize = 6;
const CALLS: usize = 10;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0xF1EE7);
    let mut fleet = const { Fleet::<Inline<MEMBERS>, Inline<CALLS>>::new(Duration::from_millis(500)) };
    let config = Config::new()
        .decay(Duration::from_millis(700))
        .window(50)
        .panic_below(Q32::from_bits(1 << 31))
        .latency_target(Duration::from_millis(40))
        .load_target(3);
    digest.feed(fleet.configure(config).is_ok().into());
    let mut balancer = Balancer::new(fleet, P2c::peak());
    let mut leases = [None; CALLS];
    let mut now = Instant::from_secs(1);
    for step in 0..6_000u32 {
        now = match rng.below(200) {
            0 => now.saturating_sub(Duration::from_millis(u64::from(rng.below(900)))),
            1 => now.saturating_add(Duration::from_millis(u64::from(rng.below(900)))),
            _ => now.saturating_add(Duration::from_micros(u64::from(rng.below(9_000)))),
        };
        let any = rng.below(CALLS as u32) as usize;
        match if step == 0 { 0 } else { rng.below(64) } {
            0 => {
                let first = rng.below(8);
                let list: [Member; 5] = core::array::from_fn(|i| {
                    Member::new(&[((first + i as u32) % 8) as u8]).weight(1 + rng.below(3))
                });
                let synced = balancer.fleet_mut().sync(now, &list[..1 + rng.below(5) as usize]);
                digest.feed_option(synced.ok().map(|synced| {
                    u64::from(synced.inserted) << 32
                        | u64::from(synced.removed) << 16
                        | u64::from(synced.changed)
                }));
            }
            1 => {
                if let Some(id) = balancer.fleet().id(rng.below(MEMBERS as u32)) {
                    let fleet = balancer.fleet_mut();
                    let done = if rng.below(2) == 0 { fleet.mark_down(id) } else { fleet.resume(id) };
                    digest.feed(u64::from(done.is_ok()) << 1 | u64::from(fleet.is_panicking()));
                }
            }
            2..32 => {
                if let Pick::Member { member, lease, .. } = balancer.pick(now, &Request::new(), &mut rng) {
                    digest.feed(member.slot().into());
                    leases[any] = Some((lease, member.slot()));
                }
            }
            _ => {
                if let Some((lease, slot)) = leases[any].take() {
                    let outcome = match rng.below(8) {
                        0 => Outcome::Failure,
                        1 => Outcome::Ignored,
                        _ => Outcome::Success,
                    };
                    digest.feed(balancer.complete(now, lease, outcome).is_ok().into());
                    let fleet = balancer.fleet();
                    for time in [fleet.latency(slot), fleet.peak_latency(now, slot), fleet.p95(slot)] {
                        digest.feed_option(time.map(|time| time.as_nanos() as u64));
                    }
                    digest.feed(fleet.error_rate(slot).to_bits());
                    digest.feed(fleet.health(slot).to_bits());
                    digest.feed_option(fleet.capacity_estimate(slot).map(Q32::to_bits));
                }
            }
        }
    }
    digest.finish()
}

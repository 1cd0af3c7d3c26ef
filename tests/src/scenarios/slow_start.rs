//! A member that starts slowly, under several policies.

use crate::Digest;
use core::time::Duration;
use divvy::Instant;
use divvy::balance::{
    Balancer, Config, Fleet, HashKey, LeastLoaded, Member, Outcome, P2c, Pick, Policy, Random, Request,
    RoundRobin, SlowStart,
};
use divvy::fixed::Q32;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let one = Q32::ONE;
    let two = Q32::from_int(2);
    let half = Q32::from_bits(1 << 31);
    ramp(&mut digest, RoundRobin::new(), one);
    ramp(&mut digest, Random::new(), two);
    ramp(&mut digest, P2c::new(), half);
    ramp(&mut digest, HashKey::new(), two);
    ramp(&mut digest, LeastLoaded::<Inline<4>>::new(), half);
    digest.finish()
}

#[inline(never)]
fn ramp(digest: &mut Digest, policy: impl Policy, aggression: Q32) {
    let mut rng = Xoshiro256PlusPlus::seed(0x5107);
    let mut fleet = Fleet::<Inline<4>, Inline<4>>::new(Duration::from_secs(1));
    let start = SlowStart::new(Duration::from_secs(10)).aggression(aggression);
    digest.feed(fleet.configure(Config::new().slow_start(start)).is_ok().into());
    for name in 0..3u8 {
        digest.feed(fleet.insert(Instant::ZERO, Member::new(&[name])).is_ok().into());
    }
    let mut balancer = Balancer::new(fleet, policy);
    let mut now = Instant::from_secs(20);
    digest.feed(balancer.fleet_mut().insert(now, Member::new(b"new")).is_ok().into());
    for _ in 0..1_200 {
        now = now.saturating_add(Duration::from_millis(10));
        let request = Request::new().key_hash(rng.next_u64());
        if let Pick::Member { member, lease, .. } = balancer.pick(now, &request, &mut rng) {
            digest.feed(member.slot().into());
            digest.feed(balancer.fleet().factor(now, member.slot()).to_bits());
            digest.feed(balancer.complete(now, lease, Outcome::Success).is_ok().into());
        }
    }
}

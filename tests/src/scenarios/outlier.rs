//! Members that get worse and better again, and who is ejected when.

use crate::Digest;
use core::time::Duration;
use divvy::Instant;
use divvy::balance::{
    Balancer, Fleet, Member, Outcome, Outlier, OutlierConfig, Pick, Request, RoundRobin, State,
};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

const MEMBERS: usize = 7;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0x0071);
    let mut balancer =
        Balancer::new(Fleet::<Inline<MEMBERS>, Inline<2>>::new(Duration::from_secs(1)), RoundRobin::new());
    for name in 0..MEMBERS as u8 {
        let inserted = balancer.fleet_mut().insert(Instant::ZERO, Member::new(&[name]));
        digest.feed(inserted.is_ok().into());
    }
    let config = OutlierConfig::new()
        .interval(Duration::from_secs(1))
        .requests(30)
        .ejection(Duration::from_secs(2))
        .longest(Duration::from_secs(5));
    let mut outlier = Outlier::<Inline<MEMBERS>>::new(config);
    // What each fails of a hundred, and how long it takes.
    let mut failures = [1u32; MEMBERS];
    let mut micros = [500u64; MEMBERS];
    let mut now = Instant::ZERO;
    for _ in 0..12_000 {
        if rng.below(1_500) == 0 {
            let who = rng.below(MEMBERS as u32) as usize;
            failures[who] = [1, 1, 50, 100][rng.below(4) as usize];
            micros[who] = [500, 500, 2_500][rng.below(3) as usize];
        }
        now = now.saturating_add(Duration::from_millis(2));
        let Pick::Member { member, lease, .. } = balancer.pick(now, &Request::new(), &mut rng) else {
            continue;
        };
        let who = member.slot() as usize;
        now = now.saturating_add(Duration::from_micros(micros[who] + u64::from(rng.below(300))));
        let outcome = if rng.below(100) < failures[who] { Outcome::Failure } else { Outcome::Success };
        digest.feed(balancer.complete(now, lease, outcome).is_ok().into());
        let swept = outlier.advance(now, balancer.fleet_mut());
        if swept != divvy::balance::Swept::default() {
            digest.feed(now.as_nanos());
            digest.feed(
                u64::from(swept.ejected) << 32 | u64::from(swept.returned) << 16 | u64::from(swept.spared),
            );
            for slot in 0..MEMBERS as u32 {
                digest.feed((balancer.fleet().state(slot) == State::Ejected).into());
            }
            digest.feed_option(outlier.next_deadline().map(Instant::as_nanos));
        }
    }
    digest.finish()
}

use super::*;
use crate::balance::{Balancer, Fleet, LeastLoaded, Member, Pick};
use crate::lease::Lease;
use crate::rng::{Rng, SplitMix64, Xoshiro256PlusPlus};
use crate::storage::Inline;
use proptest::prelude::*;
use std::vec::Vec;

type Saving = Balancer<EnergyAware<LeastLoaded<Inline<8>>>, Inline<8>, Inline<64>>;

fn saving(config: EnergyConfig) -> Saving {
    let mut fleet = Fleet::new(Duration::from_secs(1_000));
    for name in 0..8u8 {
        fleet.insert(Instant::ZERO, Member::new(&[name])).expect("there is room");
    }
    Balancer::new(fleet, EnergyAware::new(LeastLoaded::<Inline<8>>::new(), config))
}

fn pick(balancer: &mut Saving, millis: u64, request: Request<'_>) -> (u32, Why, Lease) {
    match balancer.pick(Instant::from_millis(millis), &request, &mut SplitMix64::seed(1)) {
        Pick::Member { member, why, lease } => (member.slot(), why, lease),
        Pick::None { why, .. } => panic!("{why}"),
    }
}

#[test]
fn members_wake_with_the_load_and_are_released_one_a_dwell_after_it() {
    let mut balancer = saving(EnergyConfig::new(2));
    let leases: Vec<_> = (0..12).map(|_| pick(&mut balancer, 0, Request::new())).collect();
    assert_eq!(balancer.policy().awake(), 6);
    assert_eq!(leases.iter().filter(|(_, why, _)| *why == Why::Woken).count(), 5);
    for (_, _, lease) in leases {
        balancer.complete(Instant::from_millis(100), lease, Outcome::Success).expect("in time");
    }
    let mut before = 6;
    for secs in 1..80 {
        let (_, _, lease) = pick(&mut balancer, secs * 1_000, Request::new());
        balancer.complete(Instant::from_secs(secs), lease, Outcome::Success).expect("in time");
        let awake = balancer.policy().awake();
        assert_eq!(awake, 7u32.saturating_sub(secs as u32 / 10).clamp(1, 6), "{secs}");
        assert!(before - awake <= 1);
        before = awake;
    }
    let stats = balancer.policy().stats();
    assert_eq!((stats.woken, stats.released), (6, 5));
    // Six for twenty seconds, the first ten of which were busy, five for ten, …, two for ten, then one.
    assert_eq!(stats.awake_micros / 1_000_000, 120 + 50 + 40 + 30 + 20 + 19);
    assert_eq!(stats.ready_micros, 8 * 79 * 1_000_000);
}

#[test]
fn a_request_that_avoids_those_awake_gets_another() {
    let mut balancer = saving(EnergyConfig::new(2));
    assert_eq!(pick(&mut balancer, 0, Request::new()).0, 0);
    let (slot, why, _) = pick(&mut balancer, 0, Request::new().avoid(&[0]));
    assert_eq!((slot, why, balancer.policy().awake()), (1, Why::Woken, 1));
    let none = balancer.pick(
        Instant::ZERO,
        &Request::new().avoid(&[0, 1, 2, 3, 4, 5, 6, 7]),
        &mut SplitMix64::seed(1),
    );
    assert_eq!(none, Pick::None { retry_at: None, why: Refusal::Avoided });
}

#[test]
fn late_answers_wake_one_more_and_keep_it() {
    let bound = Duration::from_millis(50);
    let mut balancer = saving(EnergyConfig::new(4).latency_bound(bound));
    let mut call = |start: u64, took| {
        let (_, _, lease) = pick(&mut balancer, start, Request::new());
        balancer.complete(Instant::from_millis(start + took), lease, Outcome::Success).expect("in time");
        balancer.policy().awake()
    };
    for nth in 0..8 {
        assert_eq!(call(nth * 100, 60), 1);
    }
    assert_eq!(call(1_000, 40), 2);
    // The average is above half of the bound for now, so nobody is released.
    assert_eq!((call(12_000, 20), call(24_000, 20)), (2, 2));
    for nth in 0..20 {
        call(25_000 + nth * 100, 20);
    }
    assert_eq!(call(40_000, 20), 1);
}

proptest! {
    /// Whatever the load does: never more calls than awake members can take while any sleeps, no two releases within a
    /// dwell, and nobody chosen who sleeps.
    #[test]
    fn it_never_thrashes(seed: u64, steps in prop::collection::vec((0u32..4, 0u64..3_000), 1..300)) {
        let mut balancer = saving(EnergyConfig::new(3));
        let mut rng = Xoshiro256PlusPlus::seed(seed);
        let mut leases = Vec::new();
        let (mut now, mut released, mut last) = (0, 0, None);
        for (what, wait) in steps {
            now += wait;
            if what == 0 && !leases.is_empty() {
                let lease = leases.swap_remove(rng.below(leases.len() as u32) as usize);
                balancer.complete(Instant::from_millis(now), lease, Outcome::Success).expect("in time");
                continue;
            }
            if leases.len() == 24 {
                continue;
            }
            let (slot, _, lease) = pick(&mut balancer, now, Request::new());
            leases.push(lease);
            let policy = balancer.policy();
            prop_assert!(slot < policy.awake());
            prop_assert!(leases.len() as u32 <= 3 * policy.awake());
            let stats = policy.stats();
            if stats.released > released {
                prop_assert_eq!(stats.released, released + 1);
                prop_assert!(last.is_none_or(|last| now - last >= 10_000));
                last = Some(now);
            }
            released = stats.released;
            prop_assert_eq!(stats.woken - stats.released, u64::from(policy.awake()));
        }
    }
}

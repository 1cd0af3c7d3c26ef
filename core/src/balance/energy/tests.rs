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
        assert_eq!(awake, 6u32.saturating_sub(secs as u32 / 10).max(1), "{secs}");
        assert!(before - awake <= 1);
        before = awake;
    }
    let stats = balancer.policy().stats();
    assert_eq!((stats.woken, stats.released), (6, 5));
    // Six for ten seconds, five for ten, …, two for ten, then one.
    assert!((stats.awake_micros / 1_000_000).abs_diff(60 + 50 + 40 + 30 + 20 + 29) <= 6, "{stats:?}");
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
    let (_, _, lease) = pick(&mut balancer, 0, Request::new());
    balancer.complete(Instant::from_millis(60), lease, Outcome::Success).expect("in time");
    let (_, _, lease) = pick(&mut balancer, 1_060, Request::new());
    assert_eq!(balancer.policy().awake(), 2);
    balancer.complete(Instant::from_millis(1_100), lease, Outcome::Success).expect("in time");
    // The average is above half of the bound for now, so nobody is released.
    pick(&mut balancer, 30_000, Request::new());
    assert_eq!(balancer.policy().awake(), 2);
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

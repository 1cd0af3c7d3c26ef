use super::*;
use crate::balance::{Balancer, Fleet, Member, Pick};
use crate::rng::{Rng, Xoshiro256PlusPlus};
use proptest::prelude::*;
use std::vec::Vec;

fn micros(n: u64) -> Duration {
    Duration::from_micros(n)
}

proptest! {
    /// Times that are a linear function of the features are found, whatever the scales, once enough were seen.
    #[test]
    fn a_linear_law_is_found(
        seed: u64,
        constant in 1u64..1_000_000,
        slopes in prop::collection::vec((0u64..10_000, 0u32..20), 1..6),
    ) {
        let mut rng = Xoshiro256PlusPlus::seed(seed);
        let mut fit = Fit::new();
        let mut draw = || -> (Vec<u32>, u64) {
            let features: Vec<u32> = slopes.iter().map(|(_, bits)| rng.below(2 << bits)).collect();
            let time = slopes.iter().zip(&features).map(|((slope, _), feature)| slope * u64::from(*feature)).sum::<u64>();
            (features, constant + time)
        };
        for _ in 0..400 {
            let (features, time) = draw();
            fit.note(&features, micros(time));
        }
        let mut largest = 1;
        let mut worst = 0;
        for _ in 0..100 {
            let (features, time) = draw();
            let estimate = fit.estimate(&features).unwrap().as_nanos() as u64;
            largest = largest.max(1_000 * time);
            worst = worst.max(estimate.abs_diff(1_000 * time));
        }
        // Off by less than a thousandth of the largest.
        prop_assert!(worst * 1_000 <= largest, "{worst} of {largest}");
    }

    /// Whatever it is told, it answers.
    #[test]
    fn no_input_breaks_it(notes in prop::collection::vec((prop::collection::vec(any::<u32>(), 0..9), any::<u64>()), 1..80)) {
        let mut fit = Fit::new();
        for (features, nanos) in &notes {
            fit.note(features, Duration::from_nanos(*nanos));
            prop_assert!(fit.estimate(features).is_some());
        }
    }
}

#[test]
fn features_that_say_the_same_do_no_harm_and_change_is_followed() {
    let mut rng = Xoshiro256PlusPlus::seed(4);
    let mut fit = Fit::new();
    // One of three classes, as three features that add up to the constant, twice, and one that is always 0.
    for slow in [1u64, 3] {
        for _ in 0..4_000 {
            let class = rng.below(3) as usize;
            let mut features = [0; 7];
            features[class] = 1;
            features[3 + class] = 1;
            fit.note(&features, micros(slow * [100, 400, 1_000][class] + u64::from(rng.below(20))));
        }
        for (class, time) in [100, 400, 1_000].into_iter().enumerate() {
            let mut features = [0; 7];
            features[class] = 1;
            features[3 + class] = 1;
            let estimate = fit.estimate(&features).unwrap().as_micros() as u64;
            assert!(estimate.abs_diff(slow * time + 10) * 50 < slow * time, "{class}: {estimate}");
        }
    }
}

/// One worker after another is as quick as it is, and the long run does not spoil the fit.
#[test]
fn a_slow_member_gets_less_and_its_factor_is_learned() {
    let mut balancer = Balancer::new(
        Fleet::<Inline<3>, Inline<16>>::new(Duration::from_secs(1_000)),
        Regression::<Inline<16>>::new(),
    );
    let mut now = Instant::ZERO;
    let ids: Vec<_> = [b"a", b"b", b"c"]
        .into_iter()
        .map(|name| balancer.fleet_mut().insert(now, Member::new(name)).expect("there is room"))
        .collect();
    let mut rng = Xoshiro256PlusPlus::seed(9);
    let mut ends = Vec::new();
    let mut free = [Instant::ZERO; 3];
    let mut counts = [0u32; 3];
    for nth in 0..20_000 {
        // The third works at half the speed. Arrivals use 84 % of what the three can do.
        now = now.saturating_add(micros(u64::from(rng.below(1_000))));
        ends.sort_unstable_by_key(|(end, _)| *end);
        while let Some((end, lease)) = ends.first().copied().filter(|(end, _)| *end <= now) {
            balancer.complete(end, lease, Outcome::Success).expect("in time");
            ends.remove(0);
        }
        let size = rng.below(100);
        let request = Request::new().features(core::slice::from_ref(&size));
        let Pick::Member { member, lease, .. } = balancer.pick(now, &request, &mut rng) else { continue };
        let slot = member.slot() as usize;
        let took = micros(50 + 20 * u64::from(size)) * if slot == 2 { 2 } else { 1 };
        free[slot] = free[slot].max(now).saturating_add(took);
        ends.push((free[slot], lease));
        if nth > 1_000 {
            counts[slot] += 1;
        }
    }
    assert_eq!(ids.len(), 3);
    let policy = balancer.policy();
    let factor = |slot: usize| policy.runners[slot].on_it(1_000) as u64;
    // Relative to each other: what is common to all is the fit's.
    let ratio = factor(2) * 100 / factor(0);
    assert!((190..=210).contains(&ratio), "{ratio}");
    assert!(counts[2] * 10 < counts[0] * 7, "{counts:?}");
    let estimate = policy.fit().estimate(&[50]).unwrap().as_micros() as u64 * factor(0) / 1_000;
    assert!((1_000..1_100).contains(&estimate), "{estimate}");
}

#[test]
fn more_members_than_places_are_refused() {
    let mut fleet = Fleet::<Inline<3>, Inline<4>>::new(Duration::from_secs(1));
    for name in [b"a", b"b", b"c"] {
        fleet.insert(Instant::ZERO, Member::new(name)).expect("there is room");
    }
    let mut policy = Regression::<Inline<2>>::new();
    let mut rng = Xoshiro256PlusPlus::seed(9);
    let choice = policy.choose(Instant::ZERO, View::of(&fleet), &Request::new(), &mut rng);
    assert_eq!(choice, Err(Refusal::PolicyTooSmall));
}

//! What users of other outlier detectors reported, and does not happen here.

use super::{Outlier, OutlierConfig, Swept};
use crate::balance::{Balancer, Fleet, Member, Outcome, Pick, Request, RoundRobin, State};
use crate::fixed::Q32;
use crate::rng::SplitMix64;
use crate::storage::Inline;
use crate::time::Instant;
use core::time::Duration;
use std::vec::Vec;

/// Members by turns, of which some fail every call, watched over intervals of 10 s.
struct Bed {
    balancer: Balancer<RoundRobin, Inline<16>, Inline<4>>,
    outlier: Outlier<Inline<16>>,
    rng: SplitMix64,
    now: Instant,
}

impl Bed {
    fn new(members: u8, config: OutlierConfig) -> Self {
        let mut balancer = Balancer::new(Fleet::new(Duration::from_secs(1)), RoundRobin::new());
        for name in 0..members {
            balancer.fleet_mut().insert(Instant::ZERO, Member::new(&[name])).expect("there is room");
        }
        let mut outlier = Outlier::new(config);
        assert_eq!(outlier.advance(Instant::ZERO, balancer.fleet_mut()), Swept::default());
        Self { balancer, outlier, rng: SplitMix64::seed(1), now: Instant::ZERO }
    }

    /// An interval in which each member that is in has 200 calls, and the slots named fail so many of a hundred.
    fn interval(&mut self, percent: u32, failing: &[u32]) -> Swept {
        let end = self.now.saturating_add(Duration::from_secs(10));
        let calls = 200 * self.up().len() as u32;
        for call in 0..calls {
            let now = self.now.saturating_add(Duration::from_secs(9) * call / calls.max(1));
            let Pick::Member { member, lease, .. } = self.balancer.pick(now, &Request::new(), &mut self.rng)
            else {
                panic!("somebody is up");
            };
            let bad = failing.contains(&member.slot()) && call * 37 % 100 < percent;
            let outcome = if bad { Outcome::Failure } else { Outcome::Success };
            self.balancer.complete(now, lease, outcome).expect("in time");
        }
        self.now = end;
        self.outlier.advance(end, self.balancer.fleet_mut())
    }

    fn up(&self) -> Vec<u32> {
        (0..16).filter(|slot| self.balancer.fleet().state(*slot) == State::Up).collect()
    }
}

/// Envoy #3263 and pull request #27909: with a largest share of a tenth, one of two or three members was ejected all the
/// same, since the first ejection was exempt.
#[test]
fn a_share_that_rounds_down_to_nobody_ejects_nobody_envoy_3263() {
    for members in [3, 5, 9] {
        let mut bed = Bed::new(members, OutlierConfig::new().share(Q32::from_ratio(1, 10).unwrap()));
        let swept = bed.interval(100, &[1]);
        assert_eq!((swept.ejected, swept.spared), (0, 1), "of {members}");
        assert_eq!(bed.up().len(), members.into());
    }
}

/// Envoy #26877: with a largest share of one half, two of three members were ejected, since the share was looked at before
/// the ejection and not after it.
#[test]
fn the_share_counts_the_ejection_that_it_allows_envoy_26877() {
    let mut bed = Bed::new(3, OutlierConfig::new());
    let mut most = 0;
    for slots in [[1, 2], [0, 1], [0, 2]] {
        bed.interval(100, &slots);
        most = most.max(3 - bed.up().len());
    }
    assert!(most <= 1, "{most} of 3 were out");
    // The share is the ratio that was meant, not what rounding left of it.
    let mut bed = Bed::new(10, OutlierConfig::new().share(Q32::from_ratio(1, 10).unwrap()));
    assert_eq!(bed.interval(100, &[7]).ejected, 1);
    // And where there are more outliers than may be out, as many as may be are.
    let mut bed = Bed::new(9, OutlierConfig::new().share(Q32::from_ratio(1, 3).unwrap()));
    let swept = bed.interval(100, &[0, 1, 2, 3]);
    assert_eq!((swept.ejected, swept.spared, bed.up().len()), (3, 1, 6));
}

/// Envoy #26758: a member that failed in one interval after another was out for the same time again and again.
#[test]
fn the_time_out_grows_while_a_member_stays_bad_envoy_26758() {
    let mut bed = Bed::new(5, OutlierConfig::new().longest(Duration::from_secs(100)));
    let mut times = Vec::new();
    for _ in 0..60 {
        if bed.interval(100, &[2]).ejected == 1 {
            let until = bed.outlier.ejected_until(2).expect("it is out");
            times.push(until.saturating_duration_since(bed.now).as_secs());
        }
    }
    assert_eq!(times[..5], [30, 60, 90, 100, 100]);
    // Intervals in which it is well take the count down again.
    for _ in 0..30 {
        bed.interval(0, &[]);
    }
    assert_eq!(bed.interval(100, &[2]).ejected, 1);
    let until = bed.outlier.ejected_until(2).expect("it is out");
    assert_eq!(until.saturating_duration_since(bed.now).as_secs(), 30);
}

/// Envoy #8105: where success rates are judged by mean and deviation alone, a small difference between good members ejects
/// and a large one between few members does not, and people ask for a fixed percentage. Here the two-point floor leaves the
/// first alone and the median finds the second.
#[test]
fn neither_a_point_of_difference_nor_two_bad_of_five_mislead_envoy_8105() {
    let mut bed = Bed::new(10, OutlierConfig::new());
    assert_eq!(bed.interval(1, &[3]), Swept::default());
    let mut bed = Bed::new(5, OutlierConfig::new());
    assert_eq!(bed.interval(50, &[0, 4]).ejected, 2);
    assert_eq!(bed.up(), [1, 2, 3]);
}

/// istio #20135: something that all members depend on failed, and all members were ejected.
#[test]
fn when_all_fail_nobody_is_ejected_istio_20135() {
    let mut bed = Bed::new(6, OutlierConfig::new().share(Q32::ONE));
    for percent in [100, 50, 100] {
        assert_eq!(bed.interval(percent, &[0, 1, 2, 3, 4, 5]).ejected, 0);
    }
    assert_eq!(bed.up().len(), 6);
}

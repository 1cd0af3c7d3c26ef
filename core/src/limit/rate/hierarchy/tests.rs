//! Levels against limiters of their own that are asked one after the other.

use super::*;
use crate::limit::{Admit, Gcra};
use core::time::Duration;
use proptest::prelude::*;
use std::vec::Vec;

fn count(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("tests ask for at least one")
}

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn quota(cells: u32, per: u64, burst: u32) -> Quota {
    Quota::new(count(cells), Duration::from_nanos(per)).unwrap().burst(count(burst)).unwrap()
}

#[test]
fn who_is_refused_above_has_used_up_nothing() {
    let mut limits = Hierarchy::<Inline<4>>::new(quota(1, 100, 1));
    let all = limits.top();
    let one = limits.insert(all, quota(1, 10, 3)).unwrap();
    assert_eq!(limits.admit(at(0), one), Ok(Passage::Yes));
    for _ in 0..10 {
        assert_eq!(limits.admit(at(50), one), Ok(Passage::No { retry_at: at(100), level: all }));
    }
    limits.set_quota(at(100), all, quota(1, 1, 3)).unwrap();
    for now in [101, 102, 103] {
        assert_eq!(limits.admit(at(now), one), Ok(Passage::Yes));
    }
    assert_eq!(limits.next_free_n(at(103), one, count(1)), Ok(at(111)));
}

#[test]
fn levels_come_and_go() {
    let mut limits = Hierarchy::<Inline<3>>::new(quota(1, 10, 5));
    let all = limits.top();
    let tenant = limits.insert(all, quota(1, 10, 4)).unwrap();
    let route = limits.insert(tenant, quota(1, 10, 6)).unwrap();
    assert_eq!(limits.insert(all, quota(1, 1, 1)), Err(LevelError::Full));
    assert_eq!(limits.above(route), Ok(Some(tenant)));
    assert_eq!(limits.above(all), Ok(None));
    assert_eq!(
        limits.admit_n(at(0), route, count(5)),
        Err(LevelError::OverBurst { burst: 4, level: tenant })
    );
    assert_eq!(limits.admit_n(at(0), route, count(7)), Err(LevelError::OverBurst { burst: 6, level: route }));
    assert_eq!(limits.remove(tenant), Err(LevelError::HasLevels));
    assert_eq!(limits.remove(all), Err(LevelError::HasLevels));
    assert_eq!(limits.remove(route), Ok(()));
    assert_eq!(limits.remove(route), Err(LevelError::Unknown));
    let other = limits.insert(all, quota(2, 7, 1)).unwrap();
    // The slot is used again, its name is not.
    assert_ne!(other, route);
    assert_eq!(limits.admit(at(0), route), Err(LevelError::Unknown));
    assert_eq!(limits.quota(other), Ok(quota(2, 7, 1)));
    assert_eq!(limits.iter().collect::<Vec<_>>(), [all, tenant, other]);
    assert_eq!(limits.remove(other), Ok(()));
    assert_eq!(limits.remove(tenant), Ok(()));
}

#[test]
fn never_is_never_at_every_level() {
    let mut limits = Hierarchy::<Inline<2>>::new(quota(1, u64::MAX, 1));
    let one = limits.insert(limits.top(), quota(1, 1, 1)).unwrap();
    assert_eq!(limits.admit(at(5), one), Ok(Passage::Yes));
    let never = Passage::No { retry_at: Instant::MAX, level: limits.top() };
    assert_eq!(limits.admit(at(5), one), Ok(never));
    assert_eq!(limits.admit(Instant::MAX, one), Ok(never));
}

proptest! {
    /// As a limiter for each level, all of which are asked first and told afterwards.
    #[test]
    fn the_answers_are_those_of_all_levels_together(
        quotas in prop::collection::vec((1u32..6, 1u64..30, 1u32..6, 0usize..6), 6),
        steps in prop::collection::vec((0u8..10, 0u64..20, 0usize..6, 1u32..4), 1..200),
    ) {
        let new = |i: usize| quota(quotas[i].0, quotas[i].1, quotas[i].2);
        let mut limits = Hierarchy::<Inline<6>>::new(new(0));
        let mut levels = std::vec![(limits.top(), Gcra::new(new(0)), None)];
        for (i, config) in quotas.iter().enumerate().skip(1) {
            let above = config.3 % i;
            levels.push((limits.insert(levels[above].0, new(i)).unwrap(), Gcra::new(new(i)), Some(above)));
        }
        let mut now = 0u64;
        for (what, gap, level, n) in steps {
            now = if what == 0 { now.saturating_sub(gap) } else { now + gap / 3 };
            if what == 1 {
                let other = quota(n, gap + 1, n + 1);
                limits.set_quota(at(now), levels[level].0, other).unwrap();
                // One clock for all.
                for (_, gcra, _) in &mut levels {
                    let same = gcra.quota();
                    gcra.set_quota(at(now), same);
                }
                levels[level].1.set_quota(at(now), other);
                continue;
            }
            let mut path = std::vec![level];
            while let Some(above) = levels[*path.last().unwrap()].2 {
                path.push(above);
            }
            let answer = limits.admit_n(at(now), levels[level].0, count(n));
            if let Some(over) = path.iter().find(|i| levels[**i].1.quota().burst_size() < n) {
                let burst = levels[*over].1.quota().burst_size();
                prop_assert_eq!(answer, Err(LevelError::OverBurst { burst, level: levels[*over].0 }));
                continue;
            }
            for (_, gcra, _) in &mut levels {
                let same = gcra.quota();
                gcra.set_quota(at(now), same);
            }
            let free = |i: &usize| levels[*i].1.next_free_n(at(now), count(n)).unwrap();
            let retry_at = path.iter().map(free).max().unwrap();
            let refuses = path.iter().find(|i| free(i) == retry_at).unwrap();
            if answer == Ok(Passage::Yes) {
                for i in path {
                    prop_assert_eq!(levels[i].1.admit_n(at(now), count(n)), Ok(Admit::Yes));
                }
            } else {
                prop_assert_eq!(answer, Ok(Passage::No { retry_at, level: levels[*refuses].0 }));
                prop_assert!(retry_at > at(now));
            }
        }
    }
}

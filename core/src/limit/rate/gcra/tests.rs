//! The generic cell rate algorithm against exact oracles, and the issues of its peers.

use super::*;
use crate::limit::QuotaError;
use core::num::NonZeroU32;
use core::time::Duration;
use proptest::prelude::*;
use std::vec::Vec;

fn count(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("tests ask for at least one")
}

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

#[test]
fn thirds_of_a_nanosecond_add_up() {
    let mut limit = Gcra::new(Quota::new(count(3), Duration::from_nanos(10)).unwrap());
    let mut admitted = Vec::new();
    for nanos in 0..=30 {
        if limit.admit(at(nanos)) == Admit::Yes {
            admitted.push(nanos);
        }
    }
    // Theoretical times 0, 3 1/3, 6 2/3, 10…; one that comes late pushes the next.
    assert_eq!(admitted, [0, 4, 8, 12, 16, 20, 24, 28]);
    // With a burst the lateness is made up for: exactly 3 in each 10 ns in the long run.
    let quota =
        Quota::new(count(3), Duration::from_nanos(10)).and_then(|quota| quota.burst(count(2))).unwrap();
    let mut limit = Gcra::new(quota);
    let admitted = (0..10_000).filter(|nanos| limit.admit(at(*nanos)) == Admit::Yes).count();
    assert_eq!(admitted, 3_001);
}

#[test]
fn more_than_a_cell_each_nanosecond_is_exact_too() {
    let quota =
        Quota::new(count(5), Duration::from_nanos(2)).and_then(|quota| quota.burst(count(5))).unwrap();
    let mut limit = Gcra::new(quota);
    let mut admitted = 0;
    for nanos in 0..1_000 {
        while limit.admit(at(nanos)) == Admit::Yes {
            admitted += 1;
        }
    }
    assert_eq!(admitted, 5 + 999 * 5 / 2);
}

#[test]
fn a_clock_that_goes_back_refunds_nothing() {
    let mut limit = Gcra::new(Quota::new(count(1), Duration::from_nanos(10)).unwrap());
    assert_eq!(limit.admit(at(100)), Admit::Yes);
    assert_eq!(limit.admit(at(0)), Admit::No { retry_at: at(110) });
    assert_eq!(limit.admit(at(110)), Admit::Yes);
}

#[test]
fn nonsense_is_refused_and_the_largest_quota_is_not() {
    assert_eq!(Quota::new(count(1), Duration::ZERO), Err(QuotaError::ZeroPeriod));
    assert_eq!(Quota::new(count(1), Duration::MAX), Err(QuotaError::TooLong));
    let longest = Quota::new(count(1), Duration::from_nanos(u64::MAX)).unwrap();
    assert_eq!(longest.burst(count(3)), Err(QuotaError::TooLong));
    let mut limit = Gcra::new(longest);
    assert_eq!(limit.admit(at(5)), Admit::Yes);
    assert_eq!(limit.admit(at(6)), Admit::No { retry_at: Instant::MAX });
}

proptest! {
    /// In every window of time at most burst + window × cells / per cells, counted with exact fractions; and a
    /// cell that waits for `retry_at` is admitted then.
    #[test]
    fn no_window_holds_more_than_its_share(
        cells in 1u32..20,
        per in 1u64..50,
        burst in 1u32..6,
        gaps in prop::collection::vec(0u64..20, 1..150),
    ) {
        let quota = Quota::new(count(cells), Duration::from_nanos(per)).unwrap().burst(count(burst)).unwrap();
        let mut limit = Gcra::new(quota);
        let mut now = 0;
        let mut admitted: Vec<u64> = Vec::new();
        for gap in gaps {
            now += gap;
            match limit.admit(at(now)) {
                Admit::Yes => admitted.push(now),
                Admit::No { retry_at } => {
                    prop_assert!(retry_at > at(now));
                    prop_assert_eq!(limit.next_free(at(now)), retry_at);
                    prop_assert_eq!(limit.clone().admit(retry_at), Admit::Yes);
                    let early = Instant::from_nanos(retry_at.as_nanos() - 1);
                    prop_assert_ne!(limit.clone().admit(early), Admit::Yes);
                }
            }
        }
        for (i, start) in admitted.iter().enumerate() {
            for (j, end) in admitted.iter().enumerate().skip(i) {
                let share = u64::from(burst) * per + (end - start) * u64::from(cells);
                prop_assert!((j - i + 1) as u64 * per <= share, "{admitted:?}");
            }
        }
    }
}

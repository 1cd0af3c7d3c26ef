use super::{SharedGcra, SharedGcra32, SplitGcra};
use crate::limit::{Admit, Gcra, Quota};
use crate::time::Instant;
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

fn quota(cells: u32, per: u64, burst: u32) -> Quota {
    Quota::new(count(cells), Duration::from_nanos(per)).and_then(|quota| quota.burst(count(burst))).unwrap()
}

/// Quotas from a cell in hundreds of years to several in a nanosecond, and bursts that still fit.
fn any_quota() -> impl Strategy<Value = Quota> {
    let cells = prop_oneof![1u32..20, 1u32.., Just(1_000_000), Just(u32::MAX)];
    let per = prop_oneof![1u64..100, 1u64..10_000_000_000, Just(1_000_000_000), 1u64..];
    let burst = prop_oneof![Just(1u32), 1u32..10, 1u32..100_000, 1u32..];
    (cells, per, burst).prop_filter_map("a burst of less than 584 years", |(cells, per, burst)| {
        Quota::new(count(cells), Duration::from_nanos(per)).and_then(|quota| quota.burst(count(burst))).ok()
    })
}

/// Times in hundredths of a cell or of the burst: standing still, running, and leaping by epochs.
fn step(quota: &Quota, kind: u32, size: u64) -> u64 {
    let cell = quota.per_nanos() / u64::from(quota.cells());
    let burst = cell.saturating_mul(quota.burst_size().into());
    match kind {
        0..3 => 0,
        3..7 => (u128::from(cell) * u128::from(size) / 100) as u64,
        7 => (u128::from(burst) * u128::from(size) / 100) as u64,
        8 => size,
        _ => burst.saturating_mul(size).saturating_add(size << 33),
    }
}

/// That no window holds more than burst + length × cells / per: exactly, with the cells of each call and when it came.
fn assert_within(quota: &Quota, admitted: &[(u64, u32)]) {
    let (per, cells, burst) =
        (u128::from(quota.per_nanos()), u128::from(quota.cells()), u128::from(quota.burst_size()));
    let mut admitted = admitted.to_vec();
    admitted.sort_unstable();
    for (i, (start, _)) in admitted.iter().enumerate() {
        let mut sum = 0u128;
        for (end, n) in &admitted[i..] {
            sum += u128::from(*n);
            let share = (burst * per).saturating_add(u128::from(end - start) * cells);
            assert!(sum * per <= share, "{sum} from {start} to {end}: {quota:?}");
        }
    }
}

#[test]
fn a_static_serves_all_threads() {
    static LIMIT: SharedGcra = SharedGcra::new(match Quota::new(NonZeroU32::MIN, Duration::from_secs(1)) {
        Ok(quota) => quota,
        Err(_) => panic!("a second is longer than nothing"),
    });
    assert_eq!(LIMIT.admit(at(5)), Admit::Yes);
    assert_eq!(LIMIT.admit(at(5)), Admit::No { retry_at: at(1_000_000_005) });
}

#[test]
fn what_they_weigh() {
    assert_eq!(size_of::<SharedGcra>(), 120);
    assert_eq!(size_of::<SharedGcra32>(), 120);
    assert_eq!(size_of::<SplitGcra>(), 136);
    assert_eq!(size_of::<super::Share<'_>>(), 24);
}

proptest! {
    /// Where ticks are exact, as they are for all quotas here, the word of 64 bits decides as one owner does.
    #[test]
    fn the_wide_one_is_the_plain_one(
        cells in prop_oneof![1u32..20, 1u32.., Just(1_000_000)],
        per in prop_oneof![1u64..100, 1u64..1 << 28, Just(1_000_000_000)],
        burst in prop_oneof![Just(1u32), 1u32..10, 1u32..1 << 30],
        start in prop_oneof![Just(0), any::<u64>()],
        steps in prop::collection::vec((0u32..10, 0u64..200, 1u32..5), 1..80),
    ) {
        let quota = quota(cells, per, burst);
        let (shared, mut plain) = (SharedGcra::new(quota), Gcra::new(quota));
        let mut now = start / 2;
        for (kind, size, n) in steps {
            now = u64::saturating_add(now, step(&quota, kind, size));
            if now > 1 << 63 {
                // Near the end of time the plain one stops.
                break;
            }
            let n = count(n);
            prop_assert_eq!(shared.next_free_n(at(now), n), plain.next_free_n(at(now), n));
            prop_assert_eq!(shared.admit_n(at(now), n), plain.admit_n(at(now), n));
            prop_assert_eq!(shared.next_free(at(now)), plain.next_free(at(now)));
        }
    }

    /// For any quota, in any order of times: never more than the quota, and `retry_at` keeps its word.
    #[test]
    fn none_of_them_admits_more_than_the_quota(
        quota in any_quota(),
        start in prop_oneof![Just(0), any::<u64>()],
        steps in prop::collection::vec((0u32..10, 0u64..200, 1u32..5, 0u32..8, 0u64..30), 1..80),
    ) {
        let (wide, narrow) = (SharedGcra::new(quota), SharedGcra32::new(quota));
        let (mut by_wide, mut by_narrow) = (Vec::new(), Vec::new());
        let mut latest = start / 2;
        for (kind, size, n, back, by) in steps {
            latest = u64::saturating_add(latest, step(&quota, kind, size));
            // Another thread's clock that is late.
            let cell = quota.per_nanos() / u64::from(quota.cells());
            let now = if back == 0 { latest.saturating_sub(cell.saturating_mul(by)) } else { latest };
            match wide.admit_n(at(now), count(n)) {
                Ok(Admit::Yes) => by_wide.push((now, n)),
                Ok(Admit::No { retry_at }) => {
                    prop_assert!(retry_at > at(now) || now == u64::MAX);
                    prop_assert_eq!(wide.next_free_n(at(now), count(n)), Ok(retry_at));
                    if retry_at < Instant::MAX {
                        prop_assert_eq!(wide.next_free_n(retry_at, count(n)), Ok(retry_at));
                    }
                }
                Err(over) => prop_assert!(over.burst < n),
            }
            match narrow.admit_n(at(now), count(n)) {
                Ok(Admit::Yes) => by_narrow.push((now, n)),
                Ok(Admit::No { retry_at }) => {
                    prop_assert!(retry_at > at(now) || now == u64::MAX);
                    prop_assert_eq!(narrow.next_free_n(at(now), count(n)), Ok(retry_at));
                    if retry_at < Instant::MAX {
                        prop_assert_eq!(narrow.next_free_n(retry_at, count(n)), Ok(retry_at));
                    }
                }
                Err(over) => prop_assert!(over.burst < n),
            }
        }
        assert_within(&quota, &by_wide);
        assert_within(&quota, &by_narrow);
    }

    /// Whoever comes no faster than the quota is not refused by the narrow one either, in any century: with a burst of
    /// one if the times fall on ticks.
    #[test]
    fn even_arrivals_all_go(
        per in prop_oneof![8u64..100_000, Just(1_000_000_000), 1u64 << 30..1 << 50],
        burst in 1u32..100,
        start in 0u64..1 << 63,
    ) {
        let quota = quota(1, per, burst);
        let (wide, narrow) = (SharedGcra::new(quota), SharedGcra32::new(quota));
        let start = if burst == 1 { start / per * per } else { start };
        for i in 0..200 {
            let now = at(start + i * per);
            prop_assert_eq!(wide.admit(now), Admit::Yes);
            prop_assert_eq!(narrow.admit(now), Admit::Yes, "the {}th", i);
        }
    }

    /// However the shares draw, park and come and go: together never more than the quota.
    #[test]
    fn shares_together_admit_no_more_than_the_quota(
        quota in any_quota(),
        shares in 1u32..5,
        batch in 1u32..20,
        start in prop_oneof![Just(0), any::<u64>()],
        steps in prop::collection::vec((0u32..10, 0u64..200, 0usize..4, 1u32..4, 0u32..20), 1..120),
    ) {
        let split = SplitGcra::new(quota, count(shares), count(batch));
        let mut hands: Vec<_> = (0..shares).map(|_| split.share().unwrap()).collect();
        prop_assert!(split.share().is_none());
        let mut now = start / 2;
        let mut admitted = Vec::new();
        for (kind, size, who, n, then) in steps {
            now = u64::saturating_add(now, step(&quota, kind, size));
            let hand = &mut hands[who % shares as usize];
            if hand.admit_n(at(now), count(n)) == Ok(Admit::Yes) {
                admitted.push((now, n));
            }
            prop_assert!(hand.in_hand() < split.batch().max(2));
            match then {
                0 => hand.park(at(now)),
                1 => {
                    let _ = hands.swap_remove(who % shares as usize);
                    hands.push(split.share().unwrap());
                }
                _ => {}
            }
        }
        assert_within(&quota, &admitted);
    }
}

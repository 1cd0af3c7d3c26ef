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
    assert_eq!(size_of::<SharedGcra>(), 136);
    assert_eq!(size_of::<SharedGcra32>(), 128);
    assert_eq!(size_of::<SplitGcra>(), 144);
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
                // An older time than the epoch is its beginning.
                Ok(Admit::Yes) => by_wide.push((now.max(wide.epoch_began()), n)),
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
                Ok(Admit::Yes) => by_narrow.push((now.max(narrow.epoch_began()), n)),
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

/// One asks for the burst; then four threads, each with a clock of its own that runs through 10 ms, for all there is. Whichever is ahead finds the
/// bucket filled since the last one, so all of burst + rate × time goes, and not a cell more.
fn all_that_there_is<A: FnMut(Instant) -> bool>(ask: impl Fn() -> A + Sync) -> u64 {
    let work = |offset: u64| {
        let mut ask = ask();
        let mut admitted = 0;
        for step in 0..=20_000 {
            let now = at((step * 500 + offset).min(10_000_000));
            while ask(now) {
                admitted += 1;
            }
        }
        admitted
    };
    let mut first = ask();
    let mut at_once = 0;
    while first(at(0)) {
        at_once += 1;
    }
    drop(first);
    at_once
        + std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|i| scope.spawn(move || work(i * 100))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<u64>()
        })
}

#[test]
fn threads_get_exactly_what_there_is() {
    // A cell each microsecond, on ticks of the narrow one.
    let quota = quota(1_000_000, 1_000_000_000, 300);
    let all = 300 + 10_000;
    let wide = SharedGcra::new(quota);
    assert_eq!(all_that_there_is(|| |now| wide.admit(now) == Admit::Yes), all);
    let narrow = SharedGcra32::new(quota);
    assert_eq!(all_that_there_is(|| |now| narrow.admit(now) == Admit::Yes), all);
    let split = SplitGcra::new(quota, count(4), count(16));
    let by_shares = all_that_there_is(|| {
        let mut share = split.share().unwrap();
        move |now| share.admit(now) == Admit::Yes
    });
    // Shares come with empty hands, and ask until theirs are empty.
    assert_eq!(by_shares, all - 4 * 15);
}

#[test]
fn more_at_once_than_the_burst_is_refused_for_good() {
    let limit = SharedGcra::new(quota(5, 10, 3));
    let over = crate::limit::OverBurst { burst: 3 };
    assert_eq!(limit.admit_n(at(0), count(4)), Err(over));
    assert_eq!(limit.admit_n(at(0), count(3)), Ok(Admit::Yes));
    assert_eq!(limit.next_free_n(at(0), count(4)), Err(over));
    let split = SplitGcra::new(quota(5, 10, 40), count(2), count(5));
    assert_eq!((split.batch(), split.common_burst()), (5, 32));
    let mut share = split.share().unwrap();
    assert_eq!(share.admit_n(at(0), count(33)), Err(crate::limit::OverBurst { burst: 32 }));
    assert_eq!(share.admit_n(at(0), count(32)), Ok(Admit::Yes));
}

#[test]
fn a_burst_too_small_to_split_is_shared() {
    for (burst, shares, batch) in [(1, 1, 1), (1, 4, 16), (2, 1, 16), (7, 4, 16), (8, 4, 16)] {
        let split = SplitGcra::new(quota(1, 1_000, burst), count(shares), count(batch));
        let most = split.batch() - 1;
        assert!(2 * most * shares <= burst && split.batch() <= split.common_burst());
        let mut hands: Vec<_> = (0..shares).map(|_| split.share().unwrap()).collect();
        let admitted: usize = hands
            .iter_mut()
            .map(|hand| (0..2 * burst).filter(|_| hand.admit(at(0)) == Admit::Yes).count())
            .sum();
        assert_eq!(admitted as u32, split.common_burst(), "{burst} {shares} {batch}");
    }
}

#[test]
fn a_clock_that_leaps_ahead_and_back_refunds_nothing() {
    for leap in [1u64 << 33, 1 << 40, 1 << 62, u64::MAX - 7] {
        let (wide, narrow) = (SharedGcra::new(quota(1, 1_000, 2)), SharedGcra32::new(quota(1, 1_000, 2)));
        let times = [leap, 5, leap, 5, leap].map(at);
        assert_eq!(times.iter().filter(|now| wide.admit(**now) == Admit::Yes).count(), 2, "{leap}");
        assert_eq!(times.iter().filter(|now| narrow.admit(**now) == Admit::Yes).count(), 2, "{leap}");
        assert!(matches!(wide.admit(at(5)), Admit::No { retry_at } if retry_at >= at(leap)));
        assert!(matches!(narrow.admit(at(5)), Admit::No { retry_at } if retry_at > at(5)));
        assert!(matches!(narrow.admit(at(leap)), Admit::No { retry_at } if retry_at >= at(leap)));
    }
}

proptest! {
    /// Another quota finds no more cells in the bucket than it does with one owner.
    #[test]
    fn another_quota_keeps_the_cells(
        quotas in prop::collection::vec((1u32..1_000, 1u64..1 << 40, 1u32..1_000), 2..6),
        asks in prop::collection::vec((0u64..1 << 40, 1u32..50, 0usize..4), 1..40),
    ) {
        let quotas: Vec<_> = quotas.into_iter().map(|(cells, per, burst)| quota(cells, per, burst)).collect();
        let (mut wide, mut narrow) = (SharedGcra::new(quotas[0]), SharedGcra32::new(quotas[0]));
        let mut plain = Gcra::new(quotas[0]);
        let (mut now, mut narrow_went_along) = (0, true);
        for (step, n, change) in asks {
            now += step;
            if change == 0 {
                let to = quotas[n as usize % quotas.len()];
                wide.set_quota(at(now), to);
                narrow.set_quota(at(now), to);
                plain.set_quota(at(now), to);
                prop_assert_eq!((wide.quota(), narrow.quota()), (to, to));
            }
            let free = plain.next_free(at(now));
            let (by_wide, by_narrow) = (wide.next_free(at(now)), narrow.next_free(at(now)));
            // What was rounded is never given away.
            prop_assert!(by_wide >= free, "{:?} {:?}", free, by_wide);
            prop_assert!(by_narrow >= free || !narrow_went_along, "{:?} {:?}", free, by_narrow);
            if wide.admit(at(now)) == Admit::Yes {
                prop_assert_eq!(plain.admit(at(now)), Admit::Yes);
                narrow_went_along &= narrow.admit(at(now)) == Admit::Yes;
            } else {
                break;
            }
        }
    }
}

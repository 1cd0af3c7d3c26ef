//! The generic cell rate algorithm against exact oracles, and the issues of its peers.

#![allow(clippy::float_arithmetic, reason = "windows of several rates are checked in floats")]

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

/// The token bucket, in whole numbers: a token is `per` parts, and each nanosecond brings `cells` of them.
struct Bucket {
    quota: Quota,
    parts: i128,
    latest: u64,
}

impl Bucket {
    fn new(quota: Quota) -> Self {
        Self { quota, parts: Self::full(quota), latest: 0 }
    }

    fn token(quota: Quota) -> i128 {
        quota.per().as_nanos() as i128
    }

    fn full(quota: Quota) -> i128 {
        i128::from(quota.burst_size()) * Self::token(quota)
    }

    fn see(&mut self, now: u64) {
        let passed = i128::from(now.saturating_sub(self.latest));
        self.latest = self.latest.max(now);
        self.parts = (self.parts + passed * i128::from(self.quota.cells())).min(Self::full(self.quota));
    }

    /// When `n` cells may go.
    fn next(&self, n: u32) -> u64 {
        let lacks = i128::from(n) * Self::token(self.quota) - self.parts;
        let cells = i128::from(self.quota.cells());
        u64::try_from(i128::from(self.latest) + (lacks.max(0) + cells - 1) / cells).unwrap_or(u64::MAX)
    }

    fn take(&mut self, n: u32) {
        self.parts -= i128::from(n) * Self::token(self.quota);
    }

    fn set(&mut self, quota: Quota) {
        let parts = (self.parts * Self::token(quota)).div_euclid(Self::token(self.quota));
        self.parts = parts.min(Self::full(quota));
        self.quota = quota;
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Wait(u64),
    Back(u64),
    Admit(u32),
    Reserve(u32),
    Set(Quota),
}

fn quotas() -> impl Strategy<Value = Quota> {
    let small = (1u32..30, 1u64..60, 1u32..12);
    let fast = (1u32..=u32::MAX, 1u64..5, 1u32..=u32::MAX);
    let slow = (1u32..5, 1u64 << 50..1 << 56, 1u32..8);
    prop_oneof![4 => small, 1 => fast, 1 => slow].prop_map(|(cells, per, burst)| {
        Quota::new(count(cells), Duration::from_nanos(per)).unwrap().burst(count(burst)).unwrap()
    })
}

fn steps(with: impl Strategy<Value = Step>) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0u64..20).prop_map(Step::Wait),
        1 => (0u64..1 << 55).prop_map(Step::Wait),
        1 => (0u64..1 << 56).prop_map(Step::Back),
        6 => (1u32..8).prop_map(Step::Admit),
        1 => (1u32..=u32::MAX).prop_map(Step::Admit),
        2 => with,
    ];
    prop::collection::vec(step, 1..120)
}

proptest! {
    /// Step for step the answers of a token bucket in whole numbers: what is admitted, when to come back, how much is
    /// left; under several cells at once, other quotas, reservations, and a clock that stands, runs, jumps and goes back.
    #[test]
    fn the_answers_are_those_of_a_token_bucket(
        quota in quotas(),
        steps in steps(prop_oneof![
            quotas().prop_map(Step::Set),
            (1u32..8).prop_map(Step::Reserve),
        ]),
    ) {
        let mut limit = Gcra::new(quota);
        let mut bucket = Bucket::new(quota);
        let mut now = 0u64;
        for step in steps {
            match step {
                Step::Wait(gap) => now += gap,
                Step::Back(gap) => now = now.saturating_sub(gap),
                Step::Set(quota) => {
                    bucket.see(now);
                    bucket.set(quota);
                    limit.set_quota(at(now), quota);
                    prop_assert_eq!(limit.quota(), quota);
                    if limit.next.is_never() {
                        // So much is owed that the clock ends first: that is for good.
                        prop_assert_eq!(bucket.next(quota.burst_size()), u64::MAX);
                        break;
                    }
                }
                Step::Admit(n) => {
                    let burst = bucket.quota.burst_size();
                    if n > burst {
                        prop_assert_eq!(limit.admit_n(at(now), count(n)), Err(OverBurst { burst }));
                        continue;
                    }
                    bucket.see(now);
                    let tokens = bucket.parts.max(0) / Bucket::token(bucket.quota);
                    prop_assert_eq!(i128::from(limit.available(at(now))), tokens);
                    prop_assert_eq!(limit.next_free(at(now)), at(bucket.next(1)));
                    let next = bucket.next(n);
                    prop_assert_eq!(limit.next_free_n(at(now), count(n)), Ok(at(next)));
                    let answer = if n == 1 { limit.admit(at(now)) } else { limit.admit_n(at(now), count(n)).unwrap() };
                    if next > bucket.latest {
                        prop_assert_eq!(answer, Admit::No { retry_at: at(next) });
                    } else {
                        prop_assert_eq!(answer, Admit::Yes);
                        bucket.take(n);
                    }
                }
                Step::Reserve(n) => {
                    match limit.reserve(at(now), count(n)) {
                        Ok(reservation) => {
                            bucket.see(now);
                            let go = bucket.next(n);
                            prop_assert_eq!(reservation.at(), at(go));
                            // A bucket that overflows before they go loses what runs over.
                            let gain = i128::from(go - bucket.latest) * i128::from(bucket.quota.cells());
                            bucket.parts = (bucket.parts + gain).min(Bucket::full(bucket.quota)) - gain;
                            bucket.take(n);
                        }
                        Err(ReserveError::OverBurst(_)) => prop_assert!(n > bucket.quota.burst_size()),
                        Err(ReserveError::TooLate) => prop_assert_eq!(bucket.next(n.max(bucket.quota.burst_size())), u64::MAX),
                    }
                }
            }
        }
    }

    /// Q32, and more than it asks: a window in which the quota changes, however often, holds at most the burst with which
    /// it began and what each rate brings in its time.
    #[test]
    fn no_change_of_quota_gives_cells_away(
        first in quotas(),
        steps in steps(quotas().prop_map(Step::Set)),
    ) {
        let mut limit = Gcra::new(first);
        let mut now = 0u64;
        let (mut latest, mut quota) = (0, first);
        // Per event: when, the quota from then on, cells admitted.
        let mut log = std::vec![(0u64, first, 0u64)];
        for step in steps {
            match step {
                // Short enough for exact products below.
                Step::Wait(gap) => now += gap % 1_000,
                Step::Back(gap) => now = now.saturating_sub(gap % 1_000),
                Step::Set(next) => {
                    quota = next;
                    limit.set_quota(at(now), next);
                    latest = latest.max(now);
                    log.push((latest, next, 0));
                }
                Step::Admit(n) | Step::Reserve(n) => {
                    let answer = limit.admit_n(at(now), count(n));
                    // Whoever asks for more than the burst has not told the time.
                    latest = if answer.is_ok() { latest.max(now) } else { latest };
                    if answer == Ok(Admit::Yes) {
                        log.push((latest, quota, n.into()));
                    }
                }
            }
        }
        for (i, start) in log.iter().enumerate() {
            // Every window that starts with an admission or a change, in cells and in floating point with room for its error:
            // the fractions of several rates have no common denominator that fits.
            let mut share = f64::from(start.1.burst_size());
            let mut admitted = 0.0;
            for (j, event) in log.iter().enumerate().skip(i) {
                if j > i {
                    let before = log[j - 1];
                    let rate = f64::from(before.1.cells()) / before.1.per().as_nanos() as f64;
                    share += (event.0 - before.0) as f64 * rate;
                }
                admitted += event.2 as f64;
                prop_assert!(admitted <= share * (1.0 + 1e-9) + 1e-6, "{admitted} of {share}: {:?}", &log[i..=j]);
            }
        }
    }

    /// Whatever is reserved, used and released in whichever order: cells that were used keep to the quota at the instants
    /// at which they may go.
    #[test]
    fn what_is_given_back_is_never_more_than_what_was_taken(
        cells in 1u32..8,
        per in 1u64..20,
        burst in 1u32..10,
        steps in prop::collection::vec((0u8..8, 0u64..12, 1u32..6, any::<u8>()), 1..150),
    ) {
        let quota = Quota::new(count(cells), Duration::from_nanos(per)).unwrap().burst(count(burst)).unwrap();
        let mut limit = Gcra::new(quota);
        let mut now = 0u64;
        let mut used: Vec<(u64, u64)> = Vec::new();
        let mut held: Vec<Reservation> = Vec::new();
        for (what, gap, n, pick) in steps {
            now = if what == 7 { now.saturating_sub(gap) } else { now + gap * u64::from(what == 6) + gap / 6 };
            let n = n.min(burst);
            match what {
                0 | 1 => {
                    let answer = limit.admit_n(at(now), count(n));
                    if answer == Ok(Admit::Yes) {
                        used.push((limit.latest.as_nanos(), n.into()));
                    }
                }
                2 | 3 => if let Ok(reservation) = limit.reserve(at(now), count(n)) {
                    prop_assert!(reservation.at() >= limit.latest);
                    held.push(reservation);
                },
                4 | 5 if !held.is_empty() => {
                    let mut reservation = held.swap_remove(usize::from(pick) % held.len());
                    let spent = reservation.spend(u32::from(pick) % 4);
                    used.push((reservation.at().as_nanos(), spent.into()));
                    let cells = reservation.cells();
                    let before = limit;
                    let refund = limit.release(at(now), reservation);
                    let gained = before.next.nanos.saturating_sub(limit.next.nanos);
                    prop_assert!(u128::from(gained) * u128::from(quota.cells()) <= u128::from(cells) * u128::from(per) + 30);
                    prop_assert_eq!(refund == Refund::None, before.next == limit.next);
                    prop_assert!(limit.next_free(at(now)) >= limit.latest);
                }
                _ => {}
            }
        }
        for reservation in held {
            used.push((reservation.at().as_nanos(), reservation.cells().into()));
        }
        used.sort_unstable();
        for (i, start) in used.iter().enumerate() {
            let mut sum = 0;
            for end in &used[i..] {
                sum += end.1;
                let share = u64::from(burst) * per + (end.0 - start.0) * u64::from(cells);
                prop_assert!(sum * per <= share, "{used:?}");
            }
        }
    }

    /// The last reservation given back at once leaves no trace, and so do several, the last one first.
    #[test]
    fn the_last_reservation_given_back_leaves_no_trace(
        quota in quotas(),
        gaps in prop::collection::vec((0u64..50, 1u32..5), 1..20),
        n in 1u32..6,
    ) {
        let mut limit = Gcra::new(quota);
        let mut now = 0;
        for (gap, n) in gaps {
            now += gap;
            if let Ok(reservation) = limit.reserve(at(now), count(n)) && n == 4 {
                let _ = limit.release(at(now), reservation);
            }
        }
        let before = limit;
        let mut held: Vec<_> = (0..3).filter_map(|_| limit.reserve(at(now), count(n)).ok()).collect();
        while let Some(reservation) = held.pop() {
            prop_assert_eq!(limit.release(at(now), reservation), Refund::All);
        }
        // But for the part of a nanosecond by which each promise is rounded up.
        let late = limit.next_free(at(now)).as_nanos() - before.next_free(at(now)).as_nanos();
        prop_assert!(late <= 3);
        prop_assert_eq!(limit.promised, before.promised);
        prop_assert_eq!(limit.taken, before.taken);
    }
}

/// The most cells that a half-open window of `window` holds if all are asked for as early as they go.
fn most(quota: Quota, window: u64) -> u64 {
    let mut limit = Gcra::new(quota);
    // The worst window starts with a full bucket.
    let start = 1_000_000_007;
    let (mut now, mut admitted) = (start, 0);
    while now < start + window {
        match limit.admit(at(now)) {
            Admit::Yes => admitted += 1,
            Admit::No { retry_at } => now = retry_at.as_nanos(),
        }
    }
    admitted
}

#[test]
fn q31_the_worst_window_holds_the_burst_and_what_the_rate_brings() {
    for (burst, expected) in [(1, 100), (10, 109), (100, 199)] {
        let quota = Quota::new(count(100), Duration::from_secs(1)).unwrap().burst(count(burst)).unwrap();
        assert_eq!(most(quota, 1_000_000_000), expected);
    }
    // Whatever the window. Where a cell is no whole number of nanoseconds, the last of ⌈T/t⌉ may have to wait for one.
    for window in [1, 7, 13, 100, 999] {
        for (cells, per, burst) in [(3, 10, 2), (7, 100, 5), (1, 10, 3), (2, 5, 9), (5, 2, 9), (1, 3, 1)] {
            let quota =
                Quota::new(count(cells), Duration::from_nanos(per)).unwrap().burst(count(burst)).unwrap();
            let bound = u64::from(burst) - 1 + (window * u64::from(cells)).div_ceil(per);
            let reached = u64::from(burst) + (window - 1) * u64::from(cells) / per;
            assert_eq!(most(quota, window), reached, "{cells} per {per}, burst {burst}, window {window}");
            assert!(reached == bound || reached < bound && cells > 1);
        }
    }
}

#[test]
fn what_the_clock_cannot_tell_is_never() {
    let century = Duration::from_secs(100 * 365 * 24 * 3_600);
    let quota = Quota::new(count(1), century * 2).unwrap().burst(count(2)).unwrap();
    let mut limit = Gcra::new(quota);
    let now = Instant::ZERO.saturating_add(century * 2);
    assert_eq!((limit.admit(now), limit.admit(now)), (Admit::Yes, Admit::Yes));
    // Full again after 600 years, which no instant can say: the limit holds all the same, for good.
    assert_eq!(limit.admit(now), Admit::No { retry_at: Instant::MAX });
    assert_eq!(limit.admit(Instant::MAX), Admit::No { retry_at: Instant::MAX });
    assert_eq!((limit.available(Instant::MAX), limit.next_free(now)), (0, Instant::MAX));
    assert_eq!(limit.reserve(now, count(1)), Err(ReserveError::TooLate));
    limit.set_quota(now, Quota::new(count(u32::MAX), Duration::from_nanos(1)).unwrap());
    assert_ne!(limit.admit(Instant::MAX), Admit::Yes);
}

#[test]
fn the_largest_numbers_are_exact() {
    // Four billion cells a nanosecond, four billion at once.
    let most = count(u32::MAX);
    let quota = Quota::new(most, Duration::from_nanos(1)).unwrap().burst(most).unwrap();
    let mut limit = Gcra::new(quota);
    assert_eq!(limit.admit_n(at(0), most), Ok(Admit::Yes));
    assert_eq!(limit.admit(at(0)), Admit::No { retry_at: at(1) });
    assert_eq!(limit.available(at(1)), u32::MAX);
    assert_eq!(limit.admit_n(at(1), count(u32::MAX - 1)), Ok(Admit::Yes));
    assert_eq!((limit.admit(at(1)), limit.admit(at(1))), (Admit::Yes, Admit::No { retry_at: at(2) }));
    assert_eq!(limit.quota().per(), Duration::from_nanos(1));
}

// The issues of the peers.

/// governor #16: 1,200 a minute let through half as many again, because the burst (by default the whole quota) was not
/// seen to come on top. Here the burst is one unless it is asked for, and a first minute holds exactly the quota.
#[test]
fn a_minute_holds_its_quota_governor_16() {
    let quota = Quota::new(count(1_200), Duration::from_secs(60)).unwrap();
    assert_eq!(most(quota, 60_000_000_000), 1_200);
    assert_eq!(most(quota.burst(count(10)).unwrap(), 60_000_000_000), 1_209);
}

/// governor #39 and #273: a quota could only be changed by a new limiter, which let a whole burst through at once. Here an
/// empty bucket stays empty.
#[test]
fn a_new_quota_does_not_refill_the_bucket_governor_39_273() {
    let quota =
        |cells| Quota::new(count(cells), Duration::from_secs(1)).unwrap().burst(count(cells)).unwrap();
    let mut limit = Gcra::new(quota(10));
    assert_eq!(limit.admit_n(at(0), count(10)), Ok(Admit::Yes));
    for cells in [100, 10, 1_000, 10] {
        limit.set_quota(at(0), quota(cells));
        assert_eq!(limit.admit(at(0)), Admit::No { retry_at: at(1_000_000_000 / u64::from(cells)) });
    }
    // Half a token stays half a token.
    limit.set_quota(at(50_000_000), quota(1));
    assert_eq!(limit.next_free(at(50_000_000)), at(550_000_000));
}

/// governor #203: at more than a billion cells a second the time of one cell was rounded to zero or one nanosecond.
#[test]
fn a_billion_and_one_a_second_is_that_governor_203() {
    for cells in [1_000_000_001, 3_000_000_000, u32::MAX] {
        let quota = Quota::new(count(cells), Duration::from_secs(1)).unwrap().burst(count(cells)).unwrap();
        let mut limit = Gcra::new(quota);
        assert_eq!(limit.admit_n(at(0), count(cells)), Ok(Admit::Yes));
        assert_eq!(limit.available(at(0)), 0);
        assert_eq!(limit.available(at(500_000_000)), cells / 2);
        assert_eq!(limit.available(at(999_999_999)), (u64::from(cells) * 999_999_999 / 1_000_000_000) as u32);
        assert_eq!(limit.available(at(1_000_000_000)), cells);
    }
}

/// governor #218: jobs that take long should hold their cells and give back those they did not need.
#[test]
fn a_long_job_gives_back_what_it_did_not_need_governor_218() {
    let quota = Quota::new(count(10), Duration::from_secs(1)).unwrap().burst(count(10)).unwrap();
    let mut limit = Gcra::new(quota);
    let mut job = limit.reserve(at(0), count(8)).unwrap();
    assert_eq!(limit.admit_n(at(0), count(2)), Ok(Admit::Yes));
    assert_eq!(limit.available(at(100_000_000)), 1);
    assert_eq!(job.spend(3), 3);
    assert_eq!(limit.release(at(100_000_000), job), Refund::All);
    // Five came back: as if three and two had been taken and one had been gained since.
    assert_eq!(limit.available(at(100_000_000)), 6);
    // A job that comes back after the bucket would have been full without it gets nothing on top.
    let job = limit.reserve(at(2_000_000_000), count(10)).unwrap();
    assert_eq!(limit.admit_n(at(4_000_000_000), count(10)), Ok(Admit::Yes));
    assert_eq!(limit.release(at(4_000_000_000), job), Refund::None);
    assert_eq!(limit.available(at(4_000_000_000)), 0);
}

/// governor PR #251: the tolerance was one cell too large, so checks of several cells were off by one.
#[test]
fn a_burst_holds_its_cells_and_not_one_more_governor_251() {
    let quota = Quota::new(count(1), Duration::from_secs(1)).unwrap().burst(count(5)).unwrap();
    assert_eq!(Gcra::new(quota).admit_n(at(0), count(6)), Err(OverBurst { burst: 5 }));
    let mut limit = Gcra::new(quota);
    assert_eq!(limit.admit_n(at(0), count(5)), Ok(Admit::Yes));
    assert_eq!(limit.admit(at(999_999_999)), Admit::No { retry_at: at(1_000_000_000) });
    let single = Quota::new(count(1), Duration::from_secs(1)).unwrap();
    let mut limit = Gcra::new(single);
    assert_eq!((limit.admit(at(0)), limit.available(at(0))), (Admit::Yes, 0));
}

/// ratelimit_meter #36: the time to come back was that at which the bucket is full, not that of the next cell.
#[test]
fn the_wait_is_for_a_cell_not_for_a_full_bucket_ratelimit_meter_36() {
    let quota = Quota::new(count(1), Duration::from_secs(1)).unwrap().burst(count(5)).unwrap();
    let mut limit = Gcra::new(quota);
    assert_eq!(limit.admit_n(at(0), count(5)), Ok(Admit::Yes));
    assert_eq!(limit.admit(at(0)), Admit::No { retry_at: at(1_000_000_000) });
}

/// redis PR #14826: a request for the whole capacity was told never to come back (`<` for `<=`), larger ones looked as if
/// they could, and the sum of a time and an increment could overflow.
#[test]
fn the_whole_burst_may_come_back_redis_14826() {
    let quota = Quota::new(count(5), Duration::from_secs(60)).unwrap().burst(count(5)).unwrap();
    let mut limit = Gcra::new(quota);
    assert_eq!(limit.admit(at(0)), Admit::Yes);
    let retry_at = at(12_000_000_000);
    assert_eq!(limit.admit_n(at(0), count(5)), Ok(Admit::No { retry_at }));
    assert_eq!(limit.admit_n(retry_at, count(5)), Ok(Admit::Yes));
    assert_eq!(limit.admit_n(retry_at, count(6)), Err(OverBurst { burst: 5 }));
    assert_eq!(limit.next_free_n(retry_at, count(6)), Err(OverBurst { burst: 5 }));
    // At the end of the clock nothing wraps into the past.
    assert_ne!(limit.admit_n(at(u64::MAX - 1), count(5)), Ok(Admit::No { retry_at: at(0) }));
    assert_eq!(limit.admit(at(u64::MAX)), Admit::No { retry_at: Instant::MAX });
}

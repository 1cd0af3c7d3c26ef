use super::*;
use core::time::Duration;
use proptest::prelude::*;
use std::string::ToString;
use std::vec::Vec;

const SECOND: Duration = Duration::from_secs(1);

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn config(part: u32, of: u32, floor: u32, ttl: Duration) -> BudgetConfig {
    BudgetConfig::new().share(part, of).floor(floor).ttl(ttl)
}

fn budget(part: u32, of: u32, floor: u32, ttl: Duration) -> Budget {
    Budget::new(config(part, of, floor, ttl)).unwrap()
}

/// What the docs promise, from the list of all that happened: `now` is the latest time seen.
struct Oracle {
    part: u128,
    of: u128,
    floor: u128,
    slice: u64,
    latest: u64,
    deposits: Vec<u64>,
    withdrawals: Vec<u64>,
}

impl Oracle {
    fn new(part: u32, of: u32, floor: u32, ttl: u64) -> Self {
        let floor = u128::from(floor) * u128::from(ttl) / 1_000_000_000;
        Self {
            part: part.into(),
            of: of.into(),
            floor,
            slice: ttl.div_ceil(10),
            latest: 0,
            deposits: Vec::new(),
            withdrawals: Vec::new(),
        }
    }

    /// How many of `times` are in the window that ends with the slice of `now`.
    fn count(&self, times: &[u64], now: u64) -> u128 {
        let slice = now / self.slice;
        times.iter().filter(|time| slice - *time / self.slice < 10).count() as u128
    }

    fn grants(&self, now: u64) -> bool {
        let (deposits, withdrawals) = (self.count(&self.deposits, now), self.count(&self.withdrawals, now));
        (withdrawals + 1) * self.of <= deposits * self.part + self.floor * self.of
    }

    fn withdraw(&mut self) -> Spend {
        let now = self.latest;
        if self.grants(now) {
            self.withdrawals.push(now);
            return Spend::Yes;
        }
        let begins = (1..=10).map(|ahead| (now / self.slice + ahead) * self.slice);
        let retry_at = begins.into_iter().find(|begin| self.grants(*begin));
        Spend::No { retry_at: retry_at.map_or(Instant::MAX, at) }
    }
}

proptest! {
    /// Both forms do exactly what the oracle does, under clocks that jump either way; and in any time of one `ttl`,
    /// aligned or not, withdrawals stay within the bound plus those of one slice.
    #[test]
    fn both_forms_do_what_an_exact_list_of_events_does(
        part in 0u32..8,
        of in 1u32..8,
        floor in 0u32..4,
        ttl in 1u64..40,
        // At the start of time, somewhere, and where the number of the slice leaves 31 and 32 bits.
        start in prop_oneof![Just((0, 0)), Just((0, 1_000_000_000_123)), (Just(1u64 << 31), 0..20u64), (Just(1u64 << 32), 0..20u64)],
        steps in prop::collection::vec((0u32..10, -40i64..60), 1..300),
    ) {
        let ttl = ttl * 1_000_000_000;
        let mut oracle = Oracle::new(part, of, floor, ttl);
        let config = config(part, of, floor, Duration::from_nanos(ttl));
        let mut plain = Budget::new(config).unwrap();
        let shared = SharedBudget::new(config).unwrap();
        let (slice, before) = start;
        let mut now =
            if slice == 0 { before } else { (slice - before) * ttl.div_ceil(10) };
        for (what, jump) in steps {
            // Most calls come at short distances, some after a jump of up to a few windows.
            let step = if what == 9 { jump * ttl as i64 / 20 } else { jump.abs() * ttl as i64 / 400 };
            now = now.saturating_add_signed(step);
            oracle.latest = oracle.latest.max(now);
            if what < 5 {
                oracle.deposits.push(oracle.latest);
                plain.deposit(at(now));
                shared.deposit(at(now));
            } else {
                let balance = plain.balance(at(now));
                let expected = oracle.withdraw();
                prop_assert_eq!(balance > 0, expected == Spend::Yes);
                prop_assert_eq!(shared.balance(at(now)), balance);
                prop_assert_eq!(plain.withdraw(at(now)), expected);
                prop_assert_eq!(shared.withdraw(at(now)), expected);
                if let Spend::No { retry_at } = expected && retry_at < Instant::MAX {
                    let early = at(retry_at.as_nanos() - 1);
                    prop_assert_ne!({ plain }.withdraw(early), Spend::Yes);
                    prop_assert_eq!({ plain }.withdraw(retry_at), Spend::Yes);
                }
            }
        }
        let stats = plain.stats(at(now));
        prop_assert_eq!(stats.deposited, oracle.deposits.len() as u64);
        prop_assert_eq!(stats.withdrawn, oracle.withdrawals.len() as u64);
        prop_assert_eq!(shared.stats(at(now)), stats);
        for end in &oracle.withdrawals {
            let within = |times: &[u64], longest: u64| {
                times.iter().filter(|time| *time <= end && end - *time < longest).count() as u128
            };
            let withdrawals = within(&oracle.withdrawals, ttl - oracle.slice);
            let deposits = within(&oracle.deposits, ttl);
            prop_assert!(withdrawals * oracle.of <= deposits * oracle.part + oracle.floor * oracle.of);
        }
    }

    /// Over any time, the sum of its windows: withdrawals ≤ share × deposits + floor × windows.
    #[test]
    fn nothing_is_paid_for_twice(part in 0u32..10, of in 1u32..10, floor in 0u32..3, gaps in prop::collection::vec(0u64..700, 1..400)) {
        let mut budget = budget(part, of, floor, SECOND);
        let (mut now, mut deposits, mut withdrawals) = (0, 0, 0);
        for (i, gap) in gaps.iter().enumerate() {
            now += gap * 1_000_000;
            if i % 3 == 0 {
                budget.deposit(at(now));
                deposits += 1;
            }
            while budget.withdraw(at(now)) == Spend::Yes {
                withdrawals += 1;
            }
        }
        let windows = now / 1_000_000_000 + 2;
        let most = deposits * u64::from(part) + windows * u64::from(floor) * u64::from(of);
        prop_assert!(withdrawals * u64::from(of) <= most, "{withdrawals} for {deposits} in {windows} windows");
    }
}

/// tower #857, PR #863: a share of 0.6 cost 1/0.6 cut down to 1, so ten deposits paid for ten retries.
#[test]
fn six_of_ten_are_six_of_ten_tower_857() {
    for (part, of, expected) in
        [(3, 5, 6), (6, 10, 6), (2, 3, 6), (7, 10, 7), (1, 5, 2), (13, 10, 13), (0, 1, 0)]
    {
        let mut budget = budget(part, of, 0, SECOND);
        let shared = SharedBudget::new(config(part, of, 0, SECOND)).unwrap();
        for _ in 0..10 {
            budget.deposit(at(0));
            shared.deposit(at(0));
        }
        let granted = (0..20).filter(|_| budget.withdraw(at(0)) == Spend::Yes).count();
        let granted_shared = (0..20).filter(|_| shared.withdraw(at(0)) == Spend::Yes).count();
        assert_eq!((granted, granted_shared), (expected, expected), "{part}/{of}");
    }
}

/// A third of three million is a million, and of one less it is one less.
#[test]
fn a_third_loses_nothing_to_rounding() {
    let mut budget = budget(1, 3, 0, SECOND);
    for _ in 0..2_999_999 {
        budget.deposit(at(0));
    }
    assert_eq!(budget.balance(at(0)), 999_999);
    budget.deposit(at(0));
    assert_eq!(budget.balance(at(0)), 1_000_000);
}

/// tower-resilience #370, PR #411: counts were loaded, changed and stored apart, so that threads lost each other's
/// withdrawals; and the rate per second was never used.
#[test]
fn threads_lose_no_withdrawal_tower_resilience_370() {
    let shared = SharedBudget::new(config(1, 5, 0, 10 * SECOND)).unwrap();
    let granted: u32 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|thread: u32| {
                let shared = &shared;
                scope.spawn(move || {
                    let mut granted = 0;
                    for step in 0..5_000 {
                        if (step + thread).is_multiple_of(2) {
                            shared.deposit(at(step.into()));
                        }
                        granted += u32::from(shared.withdraw(at(step.into())) == Spend::Yes);
                    }
                    granted
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let stats = shared.stats(at(5_000));
    assert_eq!((stats.deposited, stats.withdrawn), (10_000, granted.into()));
    assert_eq!((granted + stats.balance, stats.refused), (2_000, 20_000 - u64::from(granted)));
}

/// The same race while slices pass: what threads withdrew in all never passes what was earned.
#[test]
fn threads_withdraw_no_more_than_was_earned_while_slices_pass() {
    let shared = SharedBudget::new(config(1, 5, 1, SECOND)).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let shared = &shared;
            scope.spawn(move || {
                for step in 0..20_000u64 {
                    // 20 s, and clocks that disagree by half a slice.
                    let now = at(step * 1_000_000 + thread * 15_000_000);
                    if step % 4 == thread {
                        shared.deposit(now);
                    }
                    let _ = shared.withdraw(now);
                }
            });
        }
    });
    let stats = shared.stats(at(20_000_000_000));
    assert!(stats.deposited <= 20_000, "{stats:?}");
    assert!(stats.withdrawn <= stats.deposited / 5 + 22, "{stats:?}");
    assert!(stats.withdrawn >= 20, "the floor alone grants one a second: {stats:?}");
}

/// tower-resilience #370: `tokens_per_second` was accepted and ignored.
#[test]
fn the_floor_grants_so_many_a_second_without_any_deposit_tower_resilience_370() {
    let mut budget = budget(1, 5, 3, 2 * SECOND);
    let mut granted = 0;
    for millis in 0..20_000 {
        granted += u32::from(budget.withdraw(Instant::from_millis(millis)) == Spend::Yes);
    }
    assert_eq!(granted, 3 * 20);
}

#[test]
fn nonsense_is_refused_and_the_largest_is_not() {
    let refused = |config| {
        let error = Budget::new(config).unwrap_err();
        assert_eq!(SharedBudget::new(config).unwrap_err(), error);
        assert!(error.to_string().contains("budget"));
        error
    };
    assert_eq!(refused(config(1, 0, 0, SECOND)), BudgetError::ZeroDenominator);
    assert_eq!(refused(config(1, 5, 0, Duration::ZERO)), BudgetError::ZeroTtl);
    assert_eq!(refused(config(1, 5, 0, Duration::MAX)), BudgetError::TooLong);
    assert_eq!(refused(config(1, 5, 1, SECOND / 2)), BudgetError::FloorBelowOne);
    assert_eq!(refused(config(1, 5, u32::MAX, 2 * SECOND)), BudgetError::FloorTooHigh);
    assert!(Budget::new(config(u32::MAX, u32::MAX, u32::MAX, SECOND)).is_ok());
    assert!(Budget::new(BudgetConfig::default()).is_ok());
}

#[test]
fn centuries_are_a_window_too() {
    let centuries = Duration::from_nanos(u64::MAX);
    for start in [0, u64::MAX / 2, u64::MAX] {
        let mut budget = budget(1, 2, 0, centuries);
        let shared = SharedBudget::new(config(1, 2, 0, centuries)).unwrap();
        for _ in 0..4 {
            budget.deposit(at(start));
            shared.deposit(at(start));
        }
        for expected in [Spend::Yes, Spend::Yes, Spend::No { retry_at: Instant::MAX }] {
            assert_eq!(budget.withdraw(at(start)), expected);
            assert_eq!(shared.withdraw(at(start)), expected);
        }
        // The end of time is in the last slice or after it, and the same whenever it is asked.
        let end = budget.balance(Instant::MAX);
        assert_eq!((budget.balance(Instant::MAX), shared.balance(Instant::MAX)), (end, end));
    }
}

#[test]
fn slices_of_a_nanosecond_pass_one_by_one() {
    let mut budget = budget(1, 1, 0, Duration::from_nanos(1));
    budget.deposit(at(5));
    assert_eq!(budget.balance(at(14)), 1);
    assert_eq!(budget.balance(at(15)), 0);
}

#[test]
fn counts_stop_at_their_ends_and_grant_no_more() {
    // A slice of the shared form holds 2²⁰ − 1 withdrawals.
    let shared = SharedBudget::new(config(1, 1, 2_000_000, SECOND)).unwrap();
    let granted = (0..1_100_000).filter(|_| shared.withdraw(at(0)) == Spend::Yes).count();
    assert_eq!(granted, (1 << 20) - 1);
    assert_eq!(shared.withdraw(at(100_000_000)), Spend::Yes);
    assert_eq!(shared.balance(at(100_000_000)), 2_000_000 - (1 << 20));
}

/// Words that are not touched while slices pass carry the lower bits of their number only.
#[test]
fn old_withdrawals_do_not_come_back_after_2048_slices() {
    for ahead in (2_040..2_060).chain(4_090..4_100) {
        let shared = SharedBudget::new(config(1, 1, 10, SECOND)).unwrap();
        let start = 7;
        for _ in 0..10 {
            shared.deposit(at(start * 100_000_000));
            assert_eq!(shared.withdraw(at(start * 100_000_000)), Spend::Yes);
        }
        // In one jump, or in steps that leave out most places.
        for step in [ahead, 16, 8] {
            let mut slice = start;
            while slice < start + ahead {
                slice += step.min(start + ahead - slice);
                let _ = shared.balance(at(slice * 100_000_000));
            }
            assert_eq!(shared.balance(at(slice * 100_000_000)), 10, "{ahead} in steps of {step}");
        }
    }
}

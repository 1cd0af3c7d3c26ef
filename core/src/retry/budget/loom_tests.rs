use super::*;
use crate::sync::model;
use core::time::Duration;
use loom::sync::Arc;
use loom::thread;

/// Slices of a second, two of them a window.
fn shared(part: u32, of: u32, floor: u32) -> SharedBudget {
    let config = BudgetConfig::new().share(part, of).floor(floor).ttl(Duration::from_secs(2));
    SharedBudget::new(config).unwrap()
}

fn granted(budget: &SharedBudget, second: u64) -> u32 {
    u32::from(budget.withdraw(Instant::from_secs(second)) == Spend::Yes)
}

#[test]
fn loom_the_last_retry_is_granted_once() {
    model("budget, 2 withdrawals of 1", 6, 3, || {
        let budget = Arc::new(shared(1, 1, 0));
        budget.deposit(Instant::ZERO);
        let other = {
            let budget = Arc::clone(&budget);
            thread::spawn(move || granted(&budget, 0))
        };
        let mine = granted(&budget, 0);
        assert_eq!(mine + other.join().unwrap(), 1);
        assert_eq!(budget.stats(Instant::ZERO).withdrawn, 1);
    });
}

#[test]
fn loom_a_withdrawal_while_the_slice_ends_counts_in_the_next() {
    model("budget, 2 withdrawals of 1 while a slice ends", 4, 2, || {
        // One in any two seconds. Both seconds are in one window, whoever comes first.
        let budget = Arc::new(shared(1, 1, 0));
        budget.deposit(Instant::ZERO);
        let other = {
            let budget = Arc::clone(&budget);
            thread::spawn(move || granted(&budget, 1))
        };
        let mine = granted(&budget, 0);
        assert_eq!(mine + other.join().unwrap(), 1);
        assert_eq!(budget.balance(Instant::from_secs(1)), 0);
    });
}

#[test]
fn loom_clocks_that_disagree_forget_nothing_too_soon() {
    model("budget, 3 withdrawals of 1 in slices 1, 2 and 1", 2, 1, || {
        let budget = Arc::new(shared(1, 1, 0));
        budget.deposit(Instant::from_secs(1));
        let others = [1, 2].map(|second| {
            let budget = Arc::clone(&budget);
            thread::spawn(move || granted(&budget, second))
        });
        let mine = granted(&budget, 1);
        let sum = others.into_iter().fold(mine, |sum, other| sum + other.join().unwrap());
        assert_eq!(sum, 1);
    });
}

#[test]
fn loom_deposits_are_spent_once_while_slices_end() {
    model("budget, deposit against withdrawals while a slice ends", 3, 1, || {
        let budget = Arc::new(shared(1, 1, 0));
        let depositor = {
            let budget = Arc::clone(&budget);
            thread::spawn(move || budget.deposit(Instant::from_secs(1)))
        };
        let other = {
            let budget = Arc::clone(&budget);
            thread::spawn(move || granted(&budget, 1))
        };
        let mine = granted(&budget, 0);
        depositor.join().unwrap();
        let sum = mine + other.join().unwrap();
        let later = granted(&budget, 1);
        // Who empties the next slice late can lose the deposit; nobody can spend it twice.
        assert!(sum + later + budget.balance(Instant::from_secs(1)) <= 1);
    });
}

#[test]
fn loom_what_was_earned_long_ago_is_gone_before_anybody_can_spend_it() {
    model("budget, 2 withdrawals where an old deposit stood", 2, 1, || {
        let budget = Arc::new(shared(1, 1, 0));
        budget.deposit(Instant::ZERO);
        // The same place as that of second 0.
        let other = {
            let budget = Arc::clone(&budget);
            thread::spawn(move || granted(&budget, 4))
        };
        let mine = granted(&budget, 4);
        assert_eq!(mine + other.join().unwrap(), 0);
    });
}

//! What the tests stand on.

use divvy::Instant;
use divvy::breaker::{Config, Rules};
use divvy::retry::{Backoff, BudgetConfig, SharedBudget};
use divvy_host::call::{Call, Clock};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub(crate) const MILLI: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn count(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("tests ask for at least one")
}

/// A clock that stands still unless it is moved, or somebody sleeps.
#[derive(Clone, Debug, Default)]
pub(crate) struct ByHand(Arc<AtomicU64>);

impl ByHand {
    pub(crate) fn pass(&self, time: Duration) {
        self.0.fetch_add(time.as_nanos() as u64, Ordering::SeqCst);
    }

    pub(crate) fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::SeqCst))
    }
}

impl Clock for ByHand {
    fn now(&self) -> Instant {
        Instant::ZERO.saturating_add(self.elapsed())
    }

    fn sleep(&self, duration: Duration) {
        self.pass(duration);
    }
}

/// Opens for a second after `failures` in a row, and then lets one probe through.
pub(crate) fn rules(failures: u32) -> Rules {
    Config::empty()
        .consecutive(count(failures))
        .open(SECOND, SECOND, divvy::fixed::Q32::ONE)
        .jitter(divvy::fixed::Q32::ZERO)
        .probes(count(1))
        .close_after(count(1))
        .build()
        .expect("the rules are valid")
}

/// Up to `attempts`, each wait below 10 ms.
pub(crate) fn backoff(attempts: u32) -> Backoff {
    Backoff::new(10 * MILLI, 10 * MILLI).expect("the back-off is valid").attempts(count(attempts))
}

/// So many retries and hedges a second, whatever else happens.
pub(crate) fn budget(floor: u32) -> Arc<SharedBudget> {
    let config = BudgetConfig::new().share(0, 1).floor(floor).ttl(SECOND);
    Arc::new(SharedBudget::new(config).expect("the budget is valid"))
}

pub(crate) fn by_hand() -> (Call, ByHand) {
    let clock = ByHand::default();
    (Call::new().clock(clock.clone()).seed(1), clock)
}

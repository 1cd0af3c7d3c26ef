//! How well a member is, in one number.

use super::Fleet;
use crate::balance::slow_start;
use crate::fixed::Q32;
use crate::storage::Storage;
use crate::time::{Instant, saturating_nanos};

impl<M: Storage, L: Storage> Fleet<M, L> {
    /// How well the member is, 1 at best: the share of its responses that were good, times how far its 95th percentile
    /// and its load are within the targets of the [`Config`](crate::balance::Config) (target / value where the value is above it;
    /// 1 without a target).
    #[must_use]
    pub fn health(&self, slot: u32) -> Q32 {
        let tuning = self.tuning();
        let good = Q32::ONE.saturating_sub(self.error_rate(slot));
        let p95 = self.p95(slot).map_or(0, saturating_nanos);
        let within = |target: u64, value: u64| match value > target {
            true => Q32::from_ratio(target, value).unwrap_or(Q32::ONE),
            false => Q32::ONE,
        };
        good.saturating_mul(within(tuning.latency_target, p95))
            .saturating_mul(within(tuning.load_target.into(), self.load(slot).into()))
    }

    /// The share of its full traffic that the member gets now: what the slow start leaves of it, and its
    /// [`health`](Self::health) if the [`Config`](crate::balance::Config) sheds.
    #[must_use]
    pub fn factor(&self, now: Instant, slot: u32) -> Q32 {
        let tuning = self.tuning();
        let mut factor = Q32::ONE;
        if tuning.ramp > 0 {
            let age = now.as_nanos().saturating_sub(self.joined(slot).as_nanos());
            factor = slow_start::share(age, tuning.ramp, tuning.inverse, tuning.minimum);
        }
        if tuning.shed {
            factor = factor.saturating_mul(self.health(slot));
        }
        factor
    }
}

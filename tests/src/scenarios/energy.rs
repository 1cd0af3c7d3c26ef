//! As few members awake as the load needs.

use super::traffic::{MEMBERS, drive};
use crate::Digest;
use core::time::Duration;
use divvy::balance::{EnergyAware, EnergyConfig, LeastLoaded, P2c};
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let config = EnergyConfig::new(2).dwell(Duration::from_millis(400));
    drive(&mut digest, || EnergyAware::new(LeastLoaded::<Inline<MEMBERS>>::new(), config), 0xE6E1, 800);
    let bounded = config.latency_bound(Duration::from_millis(200)).at_least(2);
    drive(&mut digest, || EnergyAware::new(P2c::new(), bounded), 0xE6E2, 800);
    digest.finish()
}

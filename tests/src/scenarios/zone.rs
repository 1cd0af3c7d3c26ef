//! Zones of different sizes, said, counted and taken as equal.

use super::drive::{MEMBERS, drive};
use crate::Digest;
use divvy::balance::{SmoothWeighted, ZoneAware};
use divvy::storage::Inline;

type Smooth = SmoothWeighted<Inline<MEMBERS>>;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let zones = || ZoneAware::<Smooth, Inline<MEMBERS>>::new(1, Smooth::new()).min_members(2);
    drive(&mut digest, zones, 0x203E, 2_000);
    drive(&mut digest, || zones().counted().min_in_zone(2), 0x203F, 2_000);
    let mut refused = 0u64;
    let said = || {
        let mut zones = zones();
        for (zone, traffic) in [(0, 5), (1, 9), (2, 1)] {
            refused += u64::from(zones.share(zone, traffic).is_err());
        }
        zones
    };
    drive(&mut digest, said, 0x2040, 2_000);
    digest.feed(refused);
    digest.finish()
}

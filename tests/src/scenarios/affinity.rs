//! Keys that stay where they were, in a table too small for all of them.

use super::traffic::{MEMBERS, drive};
use crate::Digest;
use core::time::Duration;
use divvy::balance::{Affinity, LeastLoaded, RoundRobin};
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    drive(&mut digest, || Affinity::<_, Inline<8>>::new(RoundRobin::new()), 0xAFF1, 800);
    let limited = || {
        Affinity::<_, Inline<16>>::new(LeastLoaded::<Inline<MEMBERS>>::new())
            .time_to_live(Duration::from_millis(500))
            .spill_at(3)
    };
    drive(&mut digest, limited, 0xAFF2, 800);
    digest.finish()
}

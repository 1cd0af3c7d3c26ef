//! The least loaded for its weight, under change.

use super::drive::{MEMBERS, drive};
use crate::Digest;
use divvy::balance::WeightedLeastLoaded;
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    drive(&mut digest, WeightedLeastLoaded::<Inline<MEMBERS>>::new, 0x4246, 4_000);
    digest.finish()
}

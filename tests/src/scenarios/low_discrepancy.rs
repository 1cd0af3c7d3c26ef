//! Weighted turns within Tijdeman's bound, under change.

use super::drive::{MEMBERS, drive};
use crate::Digest;
use divvy::balance::LowDiscrepancy;
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    drive(&mut digest, || const { LowDiscrepancy::<Inline<MEMBERS>>::new() }, 0x10D1, 4_000);
    digest.finish()
}

//! Scores of replicas, under change.

use super::drive::{MEMBERS, drive};
use crate::Digest;
use divvy::balance::C3;
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    drive(&mut digest, || C3::<Inline<MEMBERS>>::new().callers(3), 0x0C30, 3_000);
    digest.finish()
}

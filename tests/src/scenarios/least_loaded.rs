//! The least loaded, under change.

use super::drive::{MEMBERS, drive};
use crate::Digest;
use divvy::balance::LeastLoaded;
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    drive(&mut digest, LeastLoaded::<Inline<MEMBERS>>::new, 0x4245, 4_000);
    digest.finish()
}

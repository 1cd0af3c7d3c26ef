//! The queue of the idle, under change.

use super::drive::{MEMBERS, drive};
use crate::Digest;
use divvy::balance::JoinIdleQueue;
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    drive(&mut digest, JoinIdleQueue::<Inline<MEMBERS>>::new, 0x1D1E, 4_000);
    digest.finish()
}

//! Weighted turns in nginx's order, under change.

use super::drive::{MEMBERS, drive};
use crate::Digest;
use divvy::balance::SmoothWeighted;
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    drive(&mut digest, || const { SmoothWeighted::<Inline<MEMBERS>>::new() }, 0x5300, 4_000);
    digest.finish()
}

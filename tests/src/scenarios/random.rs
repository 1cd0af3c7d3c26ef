//! Chance, under change.

use super::drive::drive;
use crate::Digest;
use divvy::balance::Random;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    drive(&mut digest, Random::new, 0x4243, 4_000);
    digest.finish()
}

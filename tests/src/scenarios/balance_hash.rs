//! Placement by the key alone, with and without a seed.

use super::traffic::drive;
use crate::Digest;
use divvy::balance::HashKey;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    drive(&mut digest, HashKey::new, 0x4A50, 1_000);
    drive(&mut digest, || HashKey::new().seed(7), 0x4A51, 1_000);
    digest.finish()
}

//! The better of two by load and by peak latency, under change.

use super::drive::drive;
use crate::Digest;
use divvy::balance::P2c;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    drive(&mut digest, P2c::new, 0x4247, 2_500);
    drive(&mut digest, P2c::peak, 0x4248, 2_500);
    digest.finish()
}

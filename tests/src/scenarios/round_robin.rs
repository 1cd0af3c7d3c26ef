//! Each in its turn, under change.

use super::drive::drive;
use crate::Digest;
use divvy::balance::RoundRobin;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    drive(&mut digest, RoundRobin::new, 0x4242, 4_000);
    digest.finish()
}

//! Parts of a fleet for several callers, dealt out and by rendezvous.

use super::drive::{MEMBERS, drive};
use crate::Digest;
use divvy::balance::{RoundRobin, Subset};
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    for caller in [0, 2, 3, 1_000_000] {
        let even = || Subset::<RoundRobin, Inline<MEMBERS>>::even(caller, 5, RoundRobin::new());
        drive(&mut digest, even, 0x5B5E, 1_000);
        let near = || Subset::<RoundRobin, Inline<MEMBERS>>::rendezvous(caller, 3, RoundRobin::new());
        drive(&mut digest, near, 0x5B5E, 1_000);
    }
    digest.finish()
}

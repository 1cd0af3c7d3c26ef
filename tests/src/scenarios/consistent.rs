//! Placement on rings that follow a fleet, with and without a bound on load.

use super::traffic::{MEMBERS, drive};
use crate::Digest;
use divvy::balance::Consistent;
use divvy::fixed::Q32;
use divvy::ring::{JumpBack, Maglev, Rendezvous};
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let slack = Q32::from_bits(5 << 30);
    drive(&mut digest, || Consistent::new(Rendezvous::<Inline<MEMBERS>>::new()), 0xC051, 600);
    drive(&mut digest, || Consistent::new(Rendezvous::<Inline<MEMBERS>>::new()).bound(slack), 0xC052, 600);
    drive(
        &mut digest,
        || Consistent::new(Maglev::<Inline<MEMBERS>, Inline<53>>::new()).bound(slack),
        0xC053,
        300,
    );
    drive(&mut digest, || Consistent::new(JumpBack::<Inline<MEMBERS>>::new()), 0xC054, 600);
    digest.finish()
}

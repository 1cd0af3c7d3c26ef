//! Upper confidence bounds over what calls cost.

use super::traffic::{MEMBERS, drive};
use crate::Digest;
use divvy::balance::Ucb;
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    drive(&mut digest, Ucb::<Inline<MEMBERS>>::new, 0x0CB1, 800);
    drive(&mut digest, || Ucb::<Inline<MEMBERS>>::new().half_life(50).with_load(), 0x0CB2, 800);
    digest.finish()
}

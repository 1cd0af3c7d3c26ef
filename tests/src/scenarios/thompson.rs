//! Thompson sampling over what calls cost.

use super::traffic::{MEMBERS, drive};
use crate::Digest;
use divvy::balance::Thompson;
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    drive(&mut digest, Thompson::<Inline<MEMBERS>>::new, 0x7401, 800);
    drive(&mut digest, || Thompson::<Inline<MEMBERS>>::new().half_life(50).with_load(), 0x7402, 800);
    digest.finish()
}

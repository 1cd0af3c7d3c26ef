//! Placement down a tree, a complete one and one of the caller's.

use super::traffic::{MEMBERS, drive};
use crate::Digest;
use divvy::balance::{Hierarchical, Select};
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    drive(&mut digest, || Hierarchical::<Inline<MEMBERS>>::new(2), 0x7EE1, 800);
    let grouped = || {
        let mut tree = Hierarchical::<Inline<MEMBERS>>::new(2).select(Select::LowerOfTwo);
        // Slots 0 and 1 in group 2, 2 and 3 in group 3, 4 right below group 1.
        let set = tree.groups(&[0, 0, 1, 1], &[2, 2, 3, 3, 1]);
        debug_assert!(set.is_ok());
        tree
    };
    drive(&mut digest, grouped, 0x7EE2, 800);
    digest.finish()
}

//! The hash partition of 10,000 keys, as text and as numbers, and how evenly they fall.

use crate::Digest;
use core::num::NonZeroU32;
use divvy::partition::{HashPartition, skew};

const KEYS: u32 = 10_000;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    for (parts, seed) in [(1, 0), (3, 0), (16, 0), (100, 7), (u32::MAX, 7)] {
        let partition = HashPartition::new(NonZeroU32::MIN.saturating_add(parts - 1)).seed(seed);
        let mut loads = [0u64; 100];
        for key in 0..KEYS {
            let owner = partition.owner(&text(key));
            digest.feed(owner.into());
            digest.feed(partition.owner_u64(key.into()).into());
            if let Some(load) = loads.get_mut(owner as usize) {
                *load += 1;
            }
        }
        let loads = &loads[..loads.len().min(parts as usize)];
        for load in loads {
            digest.feed(*load);
        }
        digest.feed_option(skew(loads).map(|skew| skew.to_bits()));
    }
    digest.finish()
}

/// `key-00000` to `key-09999`.
fn text(mut key: u32) -> [u8; 9] {
    let mut text = *b"key-00000";
    for digit in text[4..].iter_mut().rev() {
        *digit = b'0' + (key % 10) as u8;
        key /= 10;
    }
    text
}

//! XXH3-64 over every class of length that its specification knows, at once and in pieces.

use crate::Digest;
use divvy::hash::{Xxh3, xxh3_64, xxh3_64_seeded};
use divvy::rng::{Rng, SplitMix64};

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = SplitMix64::seed(0x0DD5);
    let mut bytes = [0; 1_200];
    for word in bytes.chunks_exact_mut(8) {
        word.copy_from_slice(&rng.next_u64().to_le_bytes());
    }
    // 0; 1 to 3; 4 to 8; 9 to 16; 17 to 128; 129 to 240; longer, up to and past the end of a block of 1,024.
    let lengths = (0..=260).chain([511, 512, 513, 1_023, 1_024, 1_025, 1_087, 1_088, 1_089, 1_200]);
    for len in lengths {
        let bytes = &bytes[..len];
        digest.feed(xxh3_64(bytes));
        digest.feed(xxh3_64_seeded(bytes, rng.next_u64()));
    }
    for _ in 0..16 {
        let mut pieces = Xxh3::with_seed(rng.next_u64());
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (piece, later) = rest.split_at((1 + rng.below(300) as usize).min(rest.len()));
            pieces.update(piece);
            digest.feed(pieces.digest());
            rest = later;
        }
    }
    digest.finish()
}

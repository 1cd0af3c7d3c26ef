//! Keys to parts by split points, chosen and sampled, with a heavy key among them; weights, turns and batches.

use crate::Digest;
use core::num::{NonZeroU32, NonZeroU64};
use divvy::partition::{Even, RangePartition, RoundRobin, Splitters, Weighted};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::sketch::Reservoir;
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0x5EA5);
    by_split_points(&mut digest, &mut rng);
    by_sample(&mut digest, &mut rng);
    by_weight(&mut digest, &mut rng);
    digest.finish()
}

fn by_split_points(digest: &mut Digest, rng: &mut Xoshiro256PlusPlus) {
    for splits in [&[][..], &["m"], &["d", "k", "ka", "x"], &["b", "a"], &["a", "b", "b"]] {
        let Ok(cut) = RangePartition::new(splits) else {
            digest.feed(u64::MAX);
            continue;
        };
        digest.feed(cut.parts().into());
        for _ in 0..200 {
            let key = [b'a' + rng.below(26) as u8, b'a' + rng.below(3) as u8];
            let key = core::str::from_utf8(&key[..1 + rng.below(2) as usize]).unwrap_or("");
            digest.feed(cut.owner(key).into());
        }
    }
}

/// Half of the records have one key.
fn record(rng: &mut Xoshiro256PlusPlus) -> u32 {
    if rng.below(2) == 0 { 700 } else { rng.below(1_000) }
}

fn by_sample(digest: &mut Digest, rng: &mut Xoshiro256PlusPlus) {
    for weights in [&[1, 1, 1, 1][..], &[5, 0, 1], &[1; 9], &[0, 0]] {
        let mut sample = Reservoir::<u32, Inline<64>>::new();
        for _ in 0..2_000 {
            let key = record(rng);
            sample.record(key, rng);
        }
        let Ok(cut) = Splitters::<u32, Inline<8>>::new(sample.items_mut(), weights) else {
            digest.feed(u64::MAX);
            continue;
        };
        for split in cut.splits() {
            digest.feed(split.key.into());
            digest.feed(split.tie);
        }
        let mut loads = [0u64; 9];
        for _ in 0..1_000 {
            let (key, tie) = (record(rng), rng.next_u64());
            loads[cut.owner(&key, tie) as usize] += 1;
        }
        for load in loads {
            digest.feed(load);
        }
    }
}

fn by_weight(digest: &mut Digest, rng: &mut Xoshiro256PlusPlus) {
    for len in [0, 1, 10, 1_000_003, u64::MAX] {
        let weights: [u32; 7] = core::array::from_fn(|_| rng.below(5) * rng.below(1 << 20));
        match Weighted::<Inline<7>>::new(len, &weights) {
            Ok(cut) => {
                for part in cut.iter() {
                    digest.feed(part.end);
                }
                digest.feed_option(cut.of(len / 2).map(u64::from));
            }
            Err(_) => digest.feed(u64::MAX),
        }
        let most = NonZeroU64::MIN.saturating_add(len / 5);
        match Even::batches(len, most) {
            Ok(batches) => batches.iter().for_each(|batch| digest.feed(batch.end)),
            Err(_) => digest.feed(u64::MAX),
        }
    }
    let mut turns = RoundRobin::new(NonZeroU32::MIN.saturating_add(6)).start_at(rng.below(1_000));
    for _ in 0..20 {
        digest.feed(turns.assign().into());
    }
}

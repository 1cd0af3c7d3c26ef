//! The bounded queue with many senders and receivers, filled to the brim and emptied, around its ring many times.

use crate::Digest;
use divvy::queue::Mpmc;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0x3BBC);
    let queue = Mpmc::<u64, Inline<16>>::new();
    for _ in 0..300 {
        for _ in 0..rng.below(24) {
            let item = rng.next_u64();
            digest.feed_option(queue.push(item).err().map(|full| full.0));
        }
        for _ in 0..rng.below(24) {
            digest.feed_option(queue.pop());
        }
        digest.feed(queue.is_empty().into());
    }
    // Several at once.
    for _ in 0..200 {
        let mut items = [(); 12].map(|()| rng.next_u64()).into_iter();
        digest.feed(queue.push_batch(&mut items) as u64);
        digest.feed(queue.len() as u64);
        for item in queue.pop_batch(rng.below(16) as usize) {
            digest.feed(item);
        }
    }
    digest.finish()
}

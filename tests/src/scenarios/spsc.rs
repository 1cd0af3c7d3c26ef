//! The ring between one producer and one consumer, one by one and several at once.

use crate::Digest;
use divvy::queue::Spsc;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy::storage::Inline;

pub(super) fn run() -> u64 {
    let mut digest = Digest::new();
    let mut rng = Xoshiro256PlusPlus::seed(0x59_5C);
    let queue = Spsc::<u64, Inline<16>>::new();
    let (Some(mut producer), Some(mut consumer)) = (queue.producer(), queue.consumer()) else {
        return digest.finish();
    };
    for _ in 0..400 {
        for _ in 0..rng.below(12) {
            let item = rng.next_u64();
            digest.feed_option(producer.push(item).err().map(|full| full.0));
        }
        let mut items = [(); 8].map(|()| rng.next_u64()).into_iter();
        digest.feed(producer.push_batch(&mut items) as u64);
        for _ in 0..rng.below(12) {
            digest.feed_option(consumer.pop());
        }
        for item in consumer.pop_batch(rng.below(12) as usize) {
            digest.feed(item);
        }
        digest.feed(producer.spare_capacity() as u64);
    }
    digest.finish()
}

//! Many threads that count into one memory: three ways, of which two scale.
//!
//! `cargo run --release -p divvy-host --example shared_memory`
//!
//! Counting by key is where shared memory goes wrong most easily: one lock makes the threads take turns, and one array of
//! atomics makes them take turns at cache lines. Partitioned, each thread writes only what is its own, and what they counted
//! is put together at the end.

use divvy::rng::{Rng, Xoshiro256PlusPlus};
use divvy_host::lock::{OrderedMutex, lock_all};
use divvy_host::pool::Pool;
use std::error::Error;
use std::time::Instant;

const KEYS: usize = 64;
const EVENTS: usize = 400_000;

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let pool = Pool::new(std::thread::available_parallelism()?.get())?;
    let mut rng = Xoshiro256PlusPlus::seed(1);
    // Products: some keys are much more frequent than others, and some never come.
    let events: Vec<usize> = (0..EVENTS).map(|_| (rng.below(8) * rng.below(8)) as usize).collect();

    // Shared: the counts are behind locks, a few keys to each.
    let start = Instant::now();
    let shards: Vec<OrderedMutex<[u64; KEYS]>> =
        (0..8).map(|_| OrderedMutex::new("shard", 1, [0; KEYS])).collect();
    pool.par_for_each(&events, |key| {
        // A task that panicked under the lock would have poisoned it, and its panic ends the loop.
        if let Ok(mut counts) = shards[key % shards.len()].lock() {
            counts[*key] += 1;
        }
    });
    // All of them at once, in the one order: a consistent picture, and no deadlock whoever else does the same.
    let all: Vec<_> = shards.iter().collect();
    let shared = lock_all(all.as_slice())?.iter().fold([0; KEYS], |sum, counts| added(sum, counts));
    println!("locks, eight of them: {:>8.2?}", start.elapsed());

    // Partitioned: each block of events has counts of its own, and neighbours are merged.
    let start = Instant::now();
    let count = |mut counts: [u64; KEYS], key: &usize| {
        counts[*key] += 1;
        counts
    };
    let partitioned = pool.par_reduce(&events, || [0; KEYS], count, |left, right| added(left, &right));
    println!("partitioned, merged:  {:>8.2?}", start.elapsed());

    // The same for keys that nobody knows before: pairs by key, partitioned by the hash of the key.
    let start = Instant::now();
    let pairs = pool.map_reduce(&events, |key, emit| emit(*key, 1), |count, more| *count += more);
    println!("map-reduce:           {:>8.2?}", start.elapsed());

    assert_eq!(shared, partitioned);
    assert!(pairs.iter().all(|(key, count)| partitioned[*key] == *count));
    assert_eq!(partitioned.iter().sum::<u64>(), EVENTS as u64);
    let (key, count) = pairs.iter().max_by_key(|(_, count)| *count).ok_or("there are events")?;
    println!("{EVENTS} events, {} keys, most of key {key}: {count}", pairs.len());
    Ok(())
}

fn added(mut sum: [u64; KEYS], counts: &[u64; KEYS]) -> [u64; KEYS] {
    for (sum, count) in sum.iter_mut().zip(counts) {
        *sum += count;
    }
    sum
}

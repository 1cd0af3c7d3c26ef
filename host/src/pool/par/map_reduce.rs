//! Map-reduce in memory: pairs by key, partitioned by the hash of the key.

use super::chunking::Chunking;
use super::items::{Blocks, Items, drive_over};
use super::loops::Chunked;
use crate::pool::threads::Pool;
use divvy::hash::xxh3_64_seeded;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::marker::PhantomData;

/// Partitions for each thread, so that one with much in it holds nobody up for long.
const PARTITIONS_PER_THREAD: usize = 4;

impl Pool {
    /// Maps each of `items` to pairs of a key and a value, and reduces the values of each key to one: the pairs, by key in
    /// ascending order.
    ///
    /// `map` gets an item and a function to emit a pair with, as often as it likes. `reduce` adds a value to what the values
    /// before it came to, in the order in which they were emitted, item by item.
    ///
    /// The result is the same with any number of threads if it makes no difference how the values of a key are grouped.
    /// [`Chunking`] says which of its kinds fix the grouping.
    ///
    /// *When not to use it:* where keys are few and known (a [`par_reduce`](Self::par_reduce) into an array), or where the
    /// pairs do not fit into memory.
    ///
    /// # Examples
    ///
    /// ```
    /// use divvy_host::pool::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// let lines = ["to be or", "not to be"];
    /// let words = pool.map_reduce(
    ///     &lines,
    ///     |line, emit| line.split(' ').for_each(|word| emit(word, 1)),
    ///     |count, more| *count += more,
    /// );
    /// assert_eq!(words, [("be", 2), ("not", 1), ("or", 1), ("to", 2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Complexity
    ///
    /// One look into a hash table for each pair, and another one for each key of each thread; then a sort of the keys.
    /// Room for the keys and values of each thread, never for all pairs.
    ///
    /// # Panics
    ///
    /// As the functions, and `K`'s `Hash`, `Eq` and `Ord`, do.
    ///
    /// # References
    ///
    /// Dean, Ghemawat: *MapReduce: simplified data processing on large clusters*, OSDI 2004; its combiner is `reduce`.
    pub fn map_reduce<I: Items, K: Hash + Ord + Send, V: Send>(
        &self,
        items: I,
        map: impl Fn(I::Item, &mut dyn FnMut(K, V)) + Sync,
        reduce: impl Fn(&mut V, V) + Sync,
    ) -> Vec<(K, V)> {
        self.chunked(Chunking::Adaptive).map_reduce(items, map, reduce)
    }
}

impl Chunked<'_> {
    /// See [`Pool::map_reduce`]. The blocks are those of the map phase; each has tables of its own.
    pub fn map_reduce<I: Items, K: Hash + Ord + Send, V: Send>(
        &self,
        items: I,
        map: impl Fn(I::Item, &mut dyn FnMut(K, V)) + Sync,
        reduce: impl Fn(&mut V, V) + Sync,
    ) -> Vec<(K, V)> {
        let partitions =
            if self.pool.threads() == 1 { 1 } else { PARTITIONS_PER_THREAD * self.pool.threads() };
        let body = Map {
            partitions,
            of_block: |block: I::Block, tables: &mut Tables<K, V>| {
                let mut emit = |key: K, value: V| tables.add(Hashed::new(key), value, &reduce);
                block.for_each(|item| map(item, &mut emit));
            },
            emits: PhantomData,
        };
        let emitted = drive_over(self.pool, items, self.chunking, &body).unwrap_or_default();

        // Each partition is now put together and sorted by one thread; the tables come in the order of the items.
        let mut by_partition: Vec<Vec<Table<K, V>>> = (0..partitions).map(|_| Vec::new()).collect();
        for Tables(tables) in emitted {
            for (partition, table) in by_partition.iter_mut().zip(tables) {
                partition.push(table);
            }
        }
        let one_by_one = self.pool.chunked(Chunking::Dynamic { size: 1 });
        let sorted = one_by_one.par_map(&mut by_partition, |tables| {
            let mut all: Vec<(K, V)> = unite(std::mem::take(tables), &reduce)
                .into_iter()
                .map(|(key, value)| (key.key, value))
                .collect();
            all.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            all
        });
        let mut pairs: Vec<(K, V)> = Vec::with_capacity(sorted.iter().map(Vec::len).sum());
        pairs.extend(sorted.into_iter().flatten());
        // Sorted runs, one for each partition: what is left is to merge them.
        self.pool.par_sort_by(&mut pairs, |a, b| a.0.cmp(&b.0));
        pairs
    }
}

/// Later tables go into the first.
fn unite<K: Hash + Eq, V>(tables: Vec<Table<K, V>>, reduce: &impl Fn(&mut V, V)) -> Table<K, V> {
    let mut tables = tables.into_iter();
    let mut all = tables.next().unwrap_or_default();
    for table in tables {
        for (key, value) in table {
            add(&mut all, key, value, reduce);
        }
    }
    all
}

fn add<K: Hash + Eq, V>(table: &mut Table<K, V>, key: Hashed<K>, value: V, reduce: &impl Fn(&mut V, V)) {
    match table.entry(key) {
        Entry::Occupied(mut so_far) => reduce(so_far.get_mut(), value),
        Entry::Vacant(place) => {
            place.insert(value);
        }
    }
}

/// The keys of one partition.
type Table<K, V> = HashMap<Hashed<K>, V, BuildHasherDefault<HashOfKey>>;

/// What some neighbouring items emitted, by partition.
struct Tables<K, V>(Vec<Table<K, V>>);

impl<K: Hash + Eq, V> Tables<K, V> {
    fn add(&mut self, key: Hashed<K>, value: V, reduce: &impl Fn(&mut V, V)) {
        // Bits that the table itself does not look at first: it takes the lowest and the highest.
        let bits = u64::from((key.hash >> 24) as u32);
        let partition = (bits * self.0.len() as u64) >> 32;
        add(&mut self.0[partition as usize], key, value, reduce);
    }
}

struct Map<K, V, F> {
    partitions: usize,
    /// Adds what the items of a block emit.
    of_block: F,
    emits: PhantomData<fn() -> (K, V)>,
}

impl<I: Items, K: Send, V: Send, F: Fn(I::Block, &mut Tables<K, V>) + Sync> Blocks<I> for Map<K, V, F> {
    type Out = Vec<Tables<K, V>>;

    fn run(&self, before: Option<Self::Out>, block: I::Block) -> Self::Out {
        let mut all = before.unwrap_or_default();
        if all.is_empty() {
            all.push(Tables((0..self.partitions).map(|_| Table::default()).collect()));
        }
        if let Some(tables) = all.last_mut() {
            (self.of_block)(block, tables);
        }
        all
    }

    fn combine(&self, mut left: Self::Out, mut right: Self::Out) -> Self::Out {
        left.append(&mut right);
        left
    }
}

/// A key with its hash, so that it is computed once.
struct Hashed<K> {
    hash: u64,
    key: K,
}

impl<K: Hash> Hashed<K> {
    fn new(key: K) -> Self {
        let mut hasher = Xxh3OfParts(0);
        key.hash(&mut hasher);
        Self { hash: hasher.finish(), key }
    }
}

impl<K: PartialEq> PartialEq for Hashed<K> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<K: Eq> Eq for Hashed<K> {}

impl<K> Hash for Hashed<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// The hash is there already.
#[derive(Default)]
struct HashOfKey(u64);

impl Hasher for HashOfKey {
    fn write(&mut self, _: &[u8]) {
        unreachable!("a hashed key is a number");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// XXH3-64 of what a key is made of, part by part: each under the hash of those before it.
struct Xxh3OfParts(u64);

impl Hasher for Xxh3OfParts {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_seeded(bytes, self.0);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

//! XXH3-64 of short keys and longer input.

use crate::rounds::{Contender, nanosecond_table, time_each};
use std::hint::black_box;

/// A hash function of bytes.
trait Hash {
    const NAME: &str;
    fn hash(bytes: &[u8]) -> u64;
}

struct Baseline;

impl Hash for Baseline {
    const NAME: &str = "baseline: the length";
    fn hash(bytes: &[u8]) -> u64 {
        bytes.len() as u64
    }
}

struct XxhashRust;

impl Hash for XxhashRust {
    const NAME: &str = "xxhash-rust";
    fn hash(bytes: &[u8]) -> u64 {
        xxhash_rust::xxh3::xxh3_64(bytes)
    }
}

struct Divvy;

impl Hash for Divvy {
    const NAME: &str = "divvy::hash (safe, portable)";
    fn hash(bytes: &[u8]) -> u64 {
        divvy::hash::xxh3_64(bytes)
    }
}

pub(crate) fn table(rounds: u32) -> Result<String, String> {
    let mut tables = Vec::new();
    for len in [8, 12, 64, 200, 4_096] {
        let keys = Keys::new(len);
        if keys.iter().any(|key| Divvy::hash(key) != XxhashRust::hash(key)) {
            return Err(format!("divvy and xxhash-rust disagree on {len} bytes"));
        }
        let contenders =
            vec![contender::<Baseline>(&keys), contender::<XxhashRust>(&keys), contender::<Divvy>(&keys)];
        tables.push(nanosecond_table(&format!("hash {len} bytes"), rounds, contenders));
    }
    Ok(tables.join("\n"))
}

fn contender<H: Hash>(keys: &Keys) -> Contender<'_> {
    let calls = (4_000_000 / (keys.len as u64 + 8)).max(1_000);
    Contender::new(H::NAME, move || {
        time_each(calls, |i| {
            black_box(H::hash(black_box(keys.get(i))));
        })
    })
}

/// Different keys of one length, together within the first-level cache.
struct Keys {
    bytes: Vec<u8>,
    len: usize,
}

impl Keys {
    const COUNT: usize = 4;

    fn new(len: usize) -> Self {
        Self { bytes: (0..len * Self::COUNT).map(|i| ((i * 0x9E37) >> 3) as u8).collect(), len }
    }

    fn get(&self, i: u64) -> &[u8] {
        let start = i as usize % Self::COUNT * self.len;
        &self.bytes[start..start + self.len]
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks_exact(self.len)
    }
}

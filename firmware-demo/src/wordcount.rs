//! A word count as MapReduce: the text is cut into chunks, each core counts the words of the chunks it got, each word
//! goes to the partition that owns it, and one task a partition adds up what the cores found.
//!
//! Nothing here knows how the tasks reach the cores: [`WordCount::run`] runs one task on one core, in whatever order
//! and on whichever core. `team.rs` hands them out.

use crate::table::Table;
use crate::words::{Letters, Word, words};
use core::num::NonZeroU32;
use core::sync::atomic::{AtomicU32, Ordering};
use divvy::hash::xxh3_64_seeded;
use divvy::partition::{Even, HashPartition};
use divvy::storage::Full;

/// The text: divvy's own documentation.
pub static TEXT: &[u8] = include_bytes!("text.txt");

/// How often the text is counted. Once is a few milliseconds of work: too little for several cores to share visibly.
pub const ROUNDS: u32 = 8;
/// Chunks that the text is cut into; each is one task in each round.
pub const CHUNKS: NonZeroU32 = NonZeroU32::new(32).unwrap();
/// Partitions that the words are shuffled into; each is one task.
pub const PARTITIONS: NonZeroU32 = NonZeroU32::new(16).unwrap();
/// Tasks in all, of which [`MAPS`] come first.
pub const TASKS: u32 = MAPS + PARTITIONS.get();
/// The tasks that count words.
pub const MAPS: u32 = ROUNDS * CHUNKS.get();

/// Different words that a core may find.
const WORDS: usize = 4096;
/// Different words that may belong to one partition.
const WORDS_OF_PARTITION: usize = 512;

/// What [`WordCount::run`] and [`alone`] must come to, whatever the number of cores. A test computes it on the host.
pub const EXPECTED: Total = Total { words: 74_032, distinct: 1_551, checksum: 0x42c4_c62a_49ad_3ce7 };

/// A table for the words of the whole text.
pub type AllWords = Table<WORDS>;

/// A piece of the word count that one core can do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Task {
    /// Count the words of this chunk.
    Map(u32),
    /// Add up what all cores found of the words in this partition.
    Reduce(u32),
}

/// The state that the cores share: what each of them found, and what it adds up to.
#[derive(Debug)]
pub struct WordCount<const CORES: usize> {
    /// The combiner: what each core found so far, already added up over its own chunks.
    found: [AllWords; CORES],
    reduced: [Table<WORDS_OF_PARTITION>; PARTITIONS.get() as usize],
    /// Tasks done, counted up so that all of this is zero at first and takes no flash.
    maps_done: AtomicU32,
    reduces_done: AtomicU32,
    refused: AtomicU32,
}

/// What was done by one task.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Done {
    /// Words counted (map) or added up (reduce).
    pub words: u32,
    /// It was the last of its kind: after the last map the reduces may start, after the last reduce all is done.
    pub last: bool,
}

impl<const CORES: usize> WordCount<CORES> {
    /// Nothing is counted yet.
    pub const fn new() -> Self {
        Self {
            found: [const { Table::new() }; CORES],
            reduced: [const { Table::new() }; PARTITIONS.get() as usize],
            maps_done: AtomicU32::new(0),
            reduces_done: AtomicU32::new(0),
            refused: AtomicU32::new(0),
        }
    }

    /// Runs `task` on `core`. Each task must run once, each core one at a time, and no reduce before the last map.
    pub fn run(&self, core: usize, task: Task) -> Done {
        let (words, done, all) = match task {
            Task::Map(chunk) => (self.map(core, chunk), &self.maps_done, MAPS),
            Task::Reduce(partition) => (self.reduce(partition), &self.reduces_done, PARTITIONS.get()),
        };
        // Ordering: release publishes this core's table to whoever sees the count rise; acquire shows the one who
        // completes it every other core's table.
        Done { words, last: done.fetch_add(1, Ordering::AcqRel) + 1 == all }
    }

    fn map(&self, core: usize, chunk: u32) -> u32 {
        let owners = HashPartition::new(PARTITIONS);
        let mut counted = 0;
        for word in words_of_chunk(chunk % CHUNKS.get()) {
            self.note(self.found[core].add(TEXT, word, 1, |letters| owners.owner(letters)));
            counted += 1;
        }
        counted
    }

    fn reduce(&self, partition: u32) -> u32 {
        let mut added = 0;
        for found in &self.found {
            for (word, count, _) in found.iter().filter(|&(_, _, owner)| owner == partition) {
                self.note(self.reduced[partition as usize].add(TEXT, word, count, |_| partition));
                added += 1;
            }
        }
        added
    }

    fn note(&self, added: Result<(), Full<Word>>) {
        if added.is_err() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Words that found their table full. If there are any, the count is wrong: raise `WORDS` or `WORDS_OF_PARTITION`.
    pub fn refused(&self) -> u32 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Whether the last reduce is done.
    pub fn is_done(&self) -> bool {
        // Ordering: acquire, so that whoever sees it sees the reduced tables too.
        self.reduces_done.load(Ordering::Acquire) == PARTITIONS.get()
    }

    /// What it all came to, and the most frequent words.
    pub fn summary(&self) -> Summary {
        Summary::of(self.reduced.iter().flat_map(Table::iter))
    }
}

impl<const CORES: usize> Default for WordCount<CORES> {
    fn default() -> Self {
        Self::new()
    }
}

/// The same count in one loop, by one core, without chunks, partitions or tasks.
///
/// # Errors
///
/// The table is full. Remedy: a larger `WORDS`.
pub fn alone(table: &AllWords) -> Result<Summary, Full<Word>> {
    for _ in 0..ROUNDS {
        for word in words(TEXT, 0..TEXT.len()) {
            table.add(TEXT, word, 1, |_| 0)?;
        }
    }
    Ok(Summary::of(table.iter()))
}

fn words_of_chunk(chunk: u32) -> impl Iterator<Item = Word> {
    let range = Even::new(TEXT.len() as u64, CHUNKS).part(chunk).unwrap_or(0..0);
    words(TEXT, range.start as usize..range.end as usize)
}

/// Figures that two counts of the same text agree in.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Total {
    /// Words in all.
    pub words: u32,
    /// Different words.
    pub distinct: u32,
    /// The sum of each word's XXH3-64, seeded with its count: it depends on every word and count, but not on order.
    pub checksum: u64,
}

/// How many words [`Summary`] ranks.
pub const TOP: usize = 10;

/// A count's totals and its most frequent words.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    /// The totals.
    pub total: Total,
    top: [Option<(Letters, u32)>; TOP],
}

impl Summary {
    fn of(counts: impl Iterator<Item = (Word, u32, u32)>) -> Self {
        let mut summary = Self { total: Total::default(), top: [None; TOP] };
        for (word, count, _) in counts {
            let letters = word.letters(TEXT);
            let total = &mut summary.total;
            total.words = total.words.wrapping_add(count);
            total.distinct += 1;
            total.checksum =
                total.checksum.wrapping_add(xxh3_64_seeded(letters.as_bytes(), u64::from(count)));
            summary.rank(letters, count);
        }
        summary
    }

    /// Takes the word in if it is among the most frequent; of equally frequent ones, the first by its letters.
    fn rank(&mut self, letters: Letters, count: u32) {
        let mut next = Some((letters, count));
        for place in &mut self.top {
            let comes_first = match (&next, &*place) {
                (Some((letters, count)), Some((other, others))) => {
                    (others, letters.as_bytes()) < (count, other.as_bytes())
                }
                (next, _) => next.is_some(),
            };
            if comes_first {
                core::mem::swap(place, &mut next);
            }
        }
    }

    /// The most frequent words and their counts, the most frequent first.
    pub fn top(&self) -> impl Iterator<Item = (&str, u32)> {
        self.top.iter().flatten().map(|(letters, count)| (letters.as_str(), *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use divvy::rng::{Rng, Xoshiro256PlusPlus};
    use std::boxed::Box;
    use std::collections::BTreeMap;
    use std::string::String;

    /// The count by other means: std's strings and maps, words split by hand.
    fn naive() -> BTreeMap<String, u32> {
        let text = core::str::from_utf8(TEXT).unwrap();
        assert!(text.is_ascii());
        let mut counts = BTreeMap::new();
        for piece in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '\'') {
            for word in piece.split("''").map(|word| word.trim_matches('\'')).filter(|word| !word.is_empty())
            {
                *counts.entry(word.to_ascii_lowercase()).or_default() += ROUNDS;
            }
        }
        counts
    }

    #[test]
    fn the_expected_total_is_what_the_text_says() {
        let counts = naive();
        assert!(counts.keys().all(|word| word.len() <= crate::words::LONGEST));
        let total = Total {
            words: counts.values().sum(),
            distinct: counts.len() as u32,
            checksum: counts.iter().fold(0, |sum: u64, (word, &count)| {
                sum.wrapping_add(xxh3_64_seeded(word.as_bytes(), count.into()))
            }),
        };
        assert_eq!(total, EXPECTED, "the text changed: set EXPECTED to the left value");
    }

    #[test]
    fn one_loop_comes_to_the_expected_total_and_ranks_the_words() {
        let table = Box::new(AllWords::new());
        let summary = alone(&table).unwrap();
        assert_eq!(summary.total, EXPECTED);
        let mut ranked: Vec<_> = naive().into_iter().collect();
        ranked.sort_by(|(word, count), (other, others)| others.cmp(count).then(word.cmp(other)));
        ranked.truncate(TOP);
        let top: Vec<_> = summary.top().map(|(word, count)| (word.to_owned(), count)).collect();
        assert_eq!(top, ranked);
    }

    #[test]
    fn equally_frequent_words_are_ranked_by_their_letters() {
        let text = b"d b a c";
        let mut summary = Summary { total: Total::default(), top: [None; TOP] };
        for (word, count) in words(text, 0..text.len()).zip([1, 2, 2, 2]) {
            summary.rank(word.letters(text), count);
        }
        assert_eq!(summary.top().collect::<Vec<_>>(), [("a", 2), ("b", 2), ("c", 2), ("d", 1)]);
    }

    #[test]
    fn whichever_core_runs_which_task_in_whatever_order_the_total_is_the_same() {
        let mut rng = Xoshiro256PlusPlus::seed(26);
        for _ in 0..3 {
            let count = Box::new(WordCount::<4>::new());
            for (kind, tasks) in [(Task::Map as fn(u32) -> Task, MAPS), (Task::Reduce, PARTITIONS.get())] {
                let mut order: Vec<_> = (0..tasks).collect();
                rng.shuffle(&mut order);
                for (index, &task) in order.iter().enumerate() {
                    assert!(!count.is_done());
                    let done = count.run(rng.below(4) as usize, kind(task));
                    assert_eq!(done.last, index + 1 == order.len());
                }
            }
            assert!(count.is_done());
            assert_eq!(count.refused(), 0);
            assert_eq!(count.summary().total, EXPECTED);
        }
    }
}

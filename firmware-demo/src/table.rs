//! A table of counted words: open addressing in a fixed array.

use crate::words::Word;
use core::sync::atomic::{AtomicU32, Ordering};
use divvy::hash::xxh3_64;
use divvy::storage::Full;

/// How often each word was seen, for up to `SLOTS` different words.
///
/// One core adds at a time; others may read once they know that it is done. That is why a slot is two atomics: all of
/// it is safe code, and on these chips a relaxed load or store is a plain one.
///
/// `SLOTS` must be a power of two.
#[derive(Debug)]
pub struct Table<const SLOTS: usize> {
    slots: [Slot; SLOTS],
}

#[derive(Debug)]
struct Slot {
    /// The word's bits, or 0 where there is none.
    word: AtomicU32,
    count: AtomicU32,
    /// The partition whose reducer gets this word.
    owner: AtomicU32,
}

impl<const SLOTS: usize> Table<SLOTS> {
    /// An empty table.
    pub const fn new() -> Self {
        const { assert!(SLOTS.is_power_of_two(), "SLOTS must be a power of two") };
        Self {
            slots: [const { Slot { word: AtomicU32::new(0), count: AtomicU32::new(0), owner: AtomicU32::new(0) } };
                SLOTS],
        }
    }

    /// Counts `word` of `text` another `times`. For a word that is new here, `owner` is asked from its letters.
    ///
    /// # Errors
    ///
    /// The word is new and every slot is taken: nothing changed. Remedy: more `SLOTS`.
    pub fn add(
        &self,
        text: &[u8],
        word: Word,
        times: u32,
        owner: impl FnOnce(&[u8]) -> u32,
    ) -> Result<(), Full<Word>> {
        let letters = word.letters(text);
        let first = xxh3_64(letters.as_bytes()) as usize;
        for step in 0..SLOTS {
            let slot = &self.slots[first.wrapping_add(step) % SLOTS];
            // Ordering: relaxed throughout, for only this core adds; readers learn by other means that it is done.
            let there = slot.word.load(Ordering::Relaxed);
            if there == 0 {
                slot.owner.store(owner(letters.as_bytes()), Ordering::Relaxed);
                slot.count.store(times, Ordering::Relaxed);
                slot.word.store(word.to_bits(), Ordering::Relaxed);
                return Ok(());
            }
            if Word::from_bits(there).as_written(text).eq_ignore_ascii_case(letters.as_bytes()) {
                slot.count.store(slot.count.load(Ordering::Relaxed).wrapping_add(times), Ordering::Relaxed);
                return Ok(());
            }
        }
        Err(Full(word))
    }

    /// Every word, how often it was seen, and who owns it; in no useful order.
    pub fn iter(&self) -> impl Iterator<Item = (Word, u32, u32)> {
        self.slots.iter().filter_map(|slot| {
            let word = slot.word.load(Ordering::Relaxed);
            (word != 0).then(|| {
                (
                    Word::from_bits(word),
                    slot.count.load(Ordering::Relaxed),
                    slot.owner.load(Ordering::Relaxed),
                )
            })
        })
    }
}

impl<const SLOTS: usize> Default for Table<SLOTS> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::words;

    #[test]
    fn a_full_table_gives_the_word_back_and_still_counts_the_known_ones() {
        let text = b"a b c A";
        let table = Table::<2>::new();
        let [a, b, c, again] = [0, 2, 4, 6].map(|at| words(text, at..at + 1).next().unwrap());
        assert_eq!(table.add(text, a, 1, |_| 7), Ok(()));
        assert_eq!(table.add(text, b, 1, |_| 8), Ok(()));
        assert_eq!(table.add(text, c, 1, |_| 9), Err(Full(c)));
        assert_eq!(table.add(text, again, 5, |_| panic!("`a` has an owner already")), Ok(()));
        let mut all: Vec<_> =
            table.iter().map(|(word, count, owner)| (word.as_written(text), count, owner)).collect();
        all.sort();
        assert_eq!(all, [(&b"a"[..], 6, 7), (b"b", 1, 8)]);
    }
}

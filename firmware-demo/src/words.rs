//! What a word is, and where it begins.
//!
//! A word is a run of ASCII letters and digits; one apostrophe between two of them belongs to it (`don't`). Everything
//! else is punctuation and parts words. Capitals count as small letters.

use core::ops::Range;

/// The most bytes of a word that count; a longer one is told apart by its first ones only.
pub const LONGEST: usize = 63;
/// The longest text that [`Word`] can point into.
pub const LONGEST_TEXT: usize = 1 << 26;

const LENGTH_BITS: u32 = LONGEST.count_ones();

/// A word as a place in the text: offset and length in 32 bits, so that a table of them is small and one store sets
/// one. It is never 0, because no word has length 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(target_os = "none", derive(defmt::Format))]
pub struct Word(u32);

impl Word {
    fn new(start: usize, end: usize) -> Self {
        Self((start as u32) << LENGTH_BITS | (end - start).min(LONGEST) as u32)
    }

    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    pub(crate) const fn to_bits(self) -> u32 {
        self.0
    }

    /// Its letters as they stand in `text`.
    pub fn as_written(self, text: &[u8]) -> &[u8] {
        let start = (self.0 >> LENGTH_BITS) as usize;
        let length = self.0 as usize & LONGEST;
        text.get(start..start + length).unwrap_or_default()
    }

    /// Its letters, small.
    pub fn letters(self, text: &[u8]) -> Letters {
        let written = self.as_written(text);
        let mut letters = Letters { bytes: [0; LONGEST], length: written.len() };
        for (small, letter) in letters.bytes.iter_mut().zip(written) {
            *small = letter.to_ascii_lowercase();
        }
        letters
    }
}

/// A word's letters, small: what is hashed, compared and shown.
#[derive(Clone, Copy, Debug)]
pub struct Letters {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Letters {
    /// As bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        str::from_utf8(self.as_bytes()).unwrap_or("?")
    }
}

/// The words of `text` that begin within `range`. The last may end after it, so that ranges which cover the text once
/// cover its words once, wherever the cuts fall.
pub fn words(text: &[u8], range: Range<usize>) -> impl Iterator<Item = Word> {
    let range = range.start..range.end.min(text.len()).min(LONGEST_TEXT);
    let mut at = range.start;
    core::iter::from_fn(move || {
        while at < range.end {
            let start = at;
            at += 1;
            if begins(text, start) {
                at = end(text, start);
                return Some(Word::new(start, at));
            }
        }
        None
    })
}

fn is_letter(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(u8::is_ascii_alphanumeric)
}

fn is_inner_apostrophe(text: &[u8], at: usize) -> bool {
    text.get(at) == Some(&b'\'') && at > 0 && is_letter(text, at - 1) && is_letter(text, at + 1)
}

fn begins(text: &[u8], at: usize) -> bool {
    is_letter(text, at) && (at == 0 || !(is_letter(text, at - 1) || is_inner_apostrophe(text, at - 1)))
}

fn end(text: &[u8], start: usize) -> usize {
    let mut at = start;
    while is_letter(text, at) || is_inner_apostrophe(text, at) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use divvy::partition::Even;
    use divvy::rng::{Rng, Xoshiro256PlusPlus};
    use std::num::NonZeroU32;
    use std::string::String;

    fn found(text: &str, range: Range<usize>) -> Vec<String> {
        words(text.as_bytes(), range).map(|word| word.letters(text.as_bytes()).as_str().to_owned()).collect()
    }

    #[test]
    fn words_are_small_letters_without_punctuation() {
        let text = "Don't `panic!`: it's 'Divvy' -- core::sync, x86-64. 'tis rock'n'roll''s";
        let expected =
            ["don't", "panic", "it's", "divvy", "core", "sync", "x86", "64", "tis", "rock'n'roll", "s"];
        assert_eq!(found(text, 0..text.len()), expected);
        assert_eq!(found("", 0..0), [""; 0]);
        assert_eq!(found("word", 0..1000), ["word"], "a range past the end is the rest of the text");
    }

    #[test]
    fn a_long_word_is_counted_by_its_first_letters() {
        let text = "x".repeat(100) + " y";
        assert_eq!(found(&text, 0..text.len()), [&text[..LONGEST], "y"]);
    }

    #[test]
    fn wherever_the_cuts_fall_each_word_is_found_once() {
        let mut rng = Xoshiro256PlusPlus::seed(26);
        for _ in 0..2_000 {
            let length = rng.below(60) as usize;
            let text: Vec<u8> = (0..length).map(|_| b"aB9' .'z"[rng.below(8) as usize]).collect();
            let whole: Vec<_> = words(&text, 0..length).collect();
            let parts = NonZeroU32::new(1 + rng.below(20)).unwrap();
            let pieces: Vec<_> = Even::new(length as u64, parts)
                .iter()
                .flat_map(|range| words(&text, range.start as usize..range.end as usize))
                .collect();
            assert_eq!(pieces, whole, "{} in {parts}", String::from_utf8_lossy(&text));
        }
    }
}

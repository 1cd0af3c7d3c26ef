//! What a scenario feeds its decisions to.

use divvy::hash::Xxh3;

/// A running digest of decisions, each a 64-bit number fed as its eight bytes, the lowest first.
///
/// # Examples
///
/// ```
/// use divvy_tests::Digest;
///
/// let (mut one, mut other) = (Digest::new(), Digest::new());
/// one.feed(1);
/// other.feed(2);
/// assert_ne!(one.finish(), other.finish());
/// ```
#[derive(Clone, Debug)]
pub struct Digest(Xxh3);

impl Digest {
    /// The digest of no decision yet.
    pub const fn new() -> Self {
        Self(Xxh3::new())
    }

    /// Adds one decision.
    pub fn feed(&mut self, decision: u64) {
        self.0.update(&decision.to_le_bytes());
    }

    /// Adds a decision that may be none; no number is mistaken for it.
    pub fn feed_option(&mut self, decision: Option<u64>) {
        match decision {
            Some(decision) => {
                self.feed(1);
                self.feed(decision);
            }
            None => self.feed(0),
        }
    }

    /// The digest of all decisions so far.
    pub fn finish(&self) -> u64 {
        self.0.digest()
    }
}

impl Default for Digest {
    fn default() -> Self {
        Self::new()
    }
}

//! One part after the other.

use core::num::NonZeroU32;

/// Parts in turn: after any number of items no part has more than one item more than another.
///
/// *When not to use it:* when items differ much in cost, or when the same key must land on the same part.
///
/// # Examples
///
/// ```
/// use core::num::NonZeroU32;
/// use divvy::partition::RoundRobin;
///
/// let mut turns = RoundRobin::new(NonZeroU32::new(3).expect("three is not zero"));
/// assert!((0..4).map(|_| turns.assign()).eq([0, 1, 2, 0]));
/// // Several cutters start at different parts, or all of them give the first part the larger share:
/// assert_eq!(turns.start_at(7).assign(), 1);
/// ```
///
/// # Complexity
///
/// *O*(1) without a division; 8 bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RoundRobin {
    parts: NonZeroU32,
    next: u32,
}

impl RoundRobin {
    /// `parts` in turn, the first one first.
    #[must_use]
    pub const fn new(parts: NonZeroU32) -> Self {
        Self { parts, next: 0 }
    }

    /// The same, with part `first` next, counted round: any number will do.
    #[must_use]
    pub const fn start_at(mut self, first: u32) -> Self {
        self.next = first % self.parts.get();
        self
    }

    /// How many parts there are.
    #[must_use]
    pub const fn parts(&self) -> u32 {
        self.parts.get()
    }

    /// The part of the next item.
    #[inline]
    pub const fn assign(&mut self) -> u32 {
        let part = self.next;
        self.next = if part + 1 == self.parts.get() { 0 } else { part + 1 };
        part
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;

    proptest! {
        #[test]
        fn turns_never_differ_by_more_than_one(parts in 1u32..50, first: u32, items in 0usize..300) {
            let mut turns = RoundRobin::new(NonZeroU32::new(parts).unwrap()).start_at(first);
            let mut counts = vec![0u32; parts as usize];
            for item in 0..items {
                let part = turns.assign();
                prop_assert_eq!(u64::from(part), (u64::from(first) + item as u64) % u64::from(parts));
                counts[part as usize] += 1;
                prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1);
            }
        }
    }

    #[test]
    fn the_largest_number_of_parts_turns_over() {
        let mut turns = RoundRobin::new(NonZeroU32::MAX).start_at(u32::MAX - 1);
        assert_eq!((turns.assign(), turns.assign()), (u32::MAX - 1, 0));
    }
}

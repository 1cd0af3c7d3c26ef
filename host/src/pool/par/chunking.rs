//! How a loop is cut into blocks.

use std::ops::Range;

/// How a parallel loop is cut into blocks, and so who runs what.
///
/// | | blocks | what it is for | what it costs |
/// |---|---|---|---|
/// | `Static` | one for each thread, of equal length | bodies that all take the same time, on cores that do nothing else | nothing; the slowest core decides |
/// | `Dynamic` | of `size`, whoever is free takes the next | bodies whose time varies, a known size that pays | one atomic addition for each block |
/// | `Guided` | half a thread's share of what is left, at least `min` | the same, with fewer blocks | one compare-and-swap for each block |
/// | `Adaptive` | halves of what is left, given away when somebody is idle | whatever you know nothing about | a look at the clock each 10 µs or so |
///
/// # What the results depend on
///
/// `par_map` gives the same list with any of them, and so does a reduction whose operator is associative: blocks are combined
/// in the order of the input. Where the operator is not quite associative (sums of floating-point numbers), the
/// grouping matters:
///
/// | | the grouping is the same |
/// |---|---|
/// | `Dynamic` | always: it depends on the length and `size` alone |
/// | `Static`, `Guided` | on pools of the same number of threads |
/// | `Adaptive` | never: it follows the clock |
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Chunking {
    /// One block for each thread, of equal length.
    Static,
    /// Blocks of one size, claimed one by one.
    Dynamic {
        /// How many items a block has; 0 counts as 1. The last block may be shorter.
        size: usize,
    },
    /// Blocks that shrink: each takes half a thread's share of what is left.
    Guided {
        /// How many items a block has at least; 0 counts as 1. The last block may be shorter.
        min: usize,
    },
    /// Blocks of some microseconds; half of the rest is given away when somebody is idle.
    #[default]
    Adaptive,
}

/// Part `index` of `parts` of `0..len`: lengths differ by one at most, the longer ones come first.
pub(super) fn equal_part(len: usize, parts: usize, index: usize) -> Range<usize> {
    let (each, longer) = (len / parts, len % parts);
    let start = index * each + index.min(longer);
    start..start + each + usize::from(index < longer)
}

/// How many items the next guided block takes of the `left` ones.
pub(super) fn guided_block(left: usize, threads: usize, min: usize) -> usize {
    (left / (2 * threads)).max(min).max(1).min(left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equal_parts_cover_everything_once(len in 0usize..10_000, parts in 1usize..300) {
            let mut next = 0;
            for index in 0..parts {
                let part = equal_part(len, parts, index);
                prop_assert_eq!(part.start, next);
                prop_assert!(part.len() == len / parts || part.len() == len / parts + 1);
                next = part.end;
            }
            prop_assert_eq!(next, len);
        }

        #[test]
        fn guided_blocks_shrink_to_the_least(len in 0usize..100_000, threads in 1usize..300, min in 0usize..2_000) {
            let (mut left, mut last) = (len, usize::MAX);
            while left > 0 {
                let block = guided_block(left, threads, min);
                prop_assert!(block >= 1 && block <= left && block <= last);
                prop_assert!(block >= min || block == left);
                (left, last) = (left - block, block);
            }
        }
    }
}

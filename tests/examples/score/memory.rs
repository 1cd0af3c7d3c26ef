//! What the structures weigh, against what their documentation says.

use crate::figure::{Bound, Figure};
use core::mem::size_of;
use divvy::graph::Dag;
use divvy::lease::{Lease, Leases};
use divvy::queue::{Deque, Mpmc, PriorityQueue};
use divvy::storage::Inline;

const WORD: usize = size_of::<usize>();
/// The two ends of a queue for many, kept apart where there are cache lines.
const ENDS: usize = if WORD == 8 { 2 * 128 } else { 2 * WORD };

/// A deque's four words and its items, of so many bytes: one word is kept apart where there are cache lines.
fn in_lines(items: usize) -> usize {
    if WORD == 8 { 128 + (3 * 4 + items).next_multiple_of(128) } else { 4 * WORD + items }
}

pub(crate) fn figures() -> Vec<Figure> {
    let figure = |name: &str, bytes: usize, bound: usize, source| {
        Figure::new(format!("bytes: {name}"), bytes as f64, Bound::AtMost(bound as f64), source)
    };
    let deque = "four words, one with two cache lines to itself, and the items: `queue::Deque`";
    let mpmc = "two words with two cache lines each, and a word more than the item each: `queue::Mpmc`";
    vec![
        figure("deque of 16 × u32", size_of::<Deque<u32, Inline<16>>>(), in_lines(16 * 4), deque),
        figure("deque of 256 × u64", size_of::<Deque<u64, Inline<256>>>(), in_lines(256 * 8), deque),
        figure("deque of 4,096 × u64", size_of::<Deque<u64, Inline<4096>>>(), in_lines(4096 * 8), deque),
        figure("queue of 16 × u32", size_of::<Mpmc<u32, Inline<16>>>(), ENDS + 16 * (4 + WORD), mpmc),
        figure("queue of 128 × u64", size_of::<Mpmc<u64, Inline<128>>>(), ENDS + 128 * (8 + WORD), mpmc),
        figure(
            "priority queue of 64 × u64",
            size_of::<PriorityQueue<u64, Inline<64>>>(),
            64 * (8 + 16) + 4 * WORD,
            "the item and 16 each, four words: `queue::PriorityQueue`",
        ),
        figure("lease", size_of::<Lease>(), 16, "`lease::Lease`"),
        figure(
            "leases, 64 slots",
            size_of::<Leases<Inline<64>>>(),
            64 * 28 + 5 * WORD,
            "28 a slot, five words: `lease::Leases`",
        ),
        figure(
            "graph of 64 nodes and 128 edges",
            size_of::<Dag<Inline<64>, Inline<128>>>(),
            64 * 36 + 128 * 8 + 4 * WORD,
            "36 a node, 8 an edge, four words: `graph::Dag`",
        ),
    ]
}

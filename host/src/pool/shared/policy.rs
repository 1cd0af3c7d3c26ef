//! How a pool shares forks.

/// How a pool shares forks.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Policy {
    /// A worker keeps its forks to itself, except the oldest, which is the largest piece of work in divide and conquer:
    /// that one is there to be taken, and the next one when it was taken. A fork costs a few stores and a load. While
    /// several workers are idle and all forks are short, at most as many are public as there are idle workers.
    #[default]
    Heartbeat,
    /// Each fork is public at once, as in Rayon. Each costs what a deque costs.
    Eager,
}

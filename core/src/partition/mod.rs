//! Cutting work: which part does an index, a key or a record belong to?
//!
//! | what is cut | by | |
//! |---|---|---|
//! | a range of indices | count | [`Even`], in batches of bounded size with [`Even::batches`] |
//! | a range of indices | the parts' weights | [`Weighted`] |
//! | one item after the other | turns | [`RoundRobin`] |
//! | keys | hash | [`HashPartition`] |
//! | keys, of which a few carry most of the traffic | hash, the heavy ones spread | [`HotKeys`] |
//! | keys whose order must survive | split points | [`RangePartition`], [`Splitters`] from a sample |
//! | items of known cost | cost | [`Assignment`]: the longest first, [`Annealer`] where that is not good enough |
//!
//! [`skew`] says how good any of them was.

mod annealer;
mod assignment;
mod even;
mod hash;
mod hot_keys;
mod range;
mod round_robin;
mod skew;
mod splitters;
mod weighted;

pub use annealer::{Annealer, Gain};
pub use assignment::{AssignError, Assignment};
pub use even::{Even, TooManyBatches};
pub use hash::HashPartition;
pub use hot_keys::{HotKeys, Place, TooManyParts};
pub use range::{RangePartition, SplitError};
pub use round_robin::RoundRobin;
pub use skew::skew;
pub use splitters::{Splitter, Splitters};
pub use weighted::{Weighted, WeightsError, apportion};

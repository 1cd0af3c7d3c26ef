//! A fixed number of equally long windows from the clock's start on, which get longer as time goes on.

use core::fmt;
use core::time::Duration;

use crate::Instant;
use crate::storage::{Inline, List, Storage};
use crate::time::saturating_nanos;

/// What happened in one window.
pub(super) trait Window {
    /// Nothing yet.
    const EMPTY: Self;
    /// The window after this one becomes part of it.
    fn merge(&mut self, later: &Self);
}

/// When something happens after the last window, each two become one of twice the length.
pub(super) struct Windows<W, S: Storage> {
    windows: S::List<W>,
    width: u64,
}

impl<W, const N: usize> Windows<W, Inline<N>> {
    pub(super) const fn new(width: Duration) -> Self {
        const { assert!(N > 1, "one window cannot be halved") };
        Self { windows: heapless::Vec::new(), width: at_least_one(width) }
    }
}

#[cfg(feature = "alloc")]
impl<W> Windows<W, crate::storage::Heap> {
    pub(super) fn with_capacity(width: Duration, windows: u32) -> Self {
        let windows = crate::storage::HeapList::with_capacity(windows.max(2) as usize);
        Self { windows, width: at_least_one(width) }
    }
}

const fn at_least_one(width: Duration) -> u64 {
    match saturating_nanos(width) {
        0 => 1,
        nanos => nanos,
    }
}

impl<W: Window, S: Storage> Windows<W, S> {
    /// The window of this time; there always is one.
    pub(super) fn at(&mut self, at: Instant) -> Option<&mut W> {
        while at.as_nanos() / self.width >= self.windows.capacity() as u64 {
            self.halve();
        }
        let index = (at.as_nanos() / self.width) as usize;
        while self.windows.len() <= index && self.windows.push(W::EMPTY).is_ok() {}
        self.windows.get_mut(index)
    }

    /// Makes one window of each two.
    fn halve(&mut self) {
        self.width = self.width.saturating_mul(2);
        let pairs = self.windows.len().div_ceil(2);
        for pair in 0..pairs {
            if pair > 0 {
                self.windows.swap(pair, 2 * pair);
            }
            let (upto, from) = self.windows.split_at_mut(2 * pair + 1);
            if let Some(second) = from.first() {
                upto[pair].merge(second);
            }
        }
        while self.windows.len() > pairs {
            self.windows.pop();
        }
    }

    pub(super) const fn width(&self) -> Duration {
        Duration::from_nanos(self.width)
    }

    /// Up to the last one in which something happened.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &W> {
        self.windows.iter()
    }
}

impl<W: fmt::Debug, S: Storage> fmt::Debug for Windows<W, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Windows").field("windows", &&*self.windows).field("width", &self.width).finish()
    }
}

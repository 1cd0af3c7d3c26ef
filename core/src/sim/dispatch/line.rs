//! A line of calls that wait, linked through the calls themselves.

/// No request.
pub(super) const NONE: u32 = u32::MAX;

/// First in, first out, linked through the calls.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) head: u32,
    pub(super) tail: u32,
}

impl Line {
    pub(super) const fn new() -> Self {
        Self { head: NONE, tail: NONE }
    }

    /// The first of the line.
    pub(super) fn first(&self) -> Option<u32> {
        (self.head != NONE).then_some(self.head)
    }
}

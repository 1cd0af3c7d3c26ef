//! Whose turn it is: with `--keep-order` outputs are shown in the order of the jobs.

use std::collections::BTreeMap;

/// Ends that wait for their turn.
#[derive(Debug)]
pub(crate) struct Order<T> {
    next: u64,
    waiting: BTreeMap<u64, Option<T>>,
    /// How much of their output is in memory, and how many files hold the rest.
    pub(crate) memory: u64,
    pub(crate) files: usize,
}

impl<T> Order<T> {
    pub(crate) fn new() -> Self {
        Self { next: 1, waiting: BTreeMap::new(), memory: 0, files: 0 }
    }

    /// Whether it is the turn of job `seq`.
    pub(crate) fn is_next(&self, seq: u64) -> bool {
        self.next == seq
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Job `seq` has nothing to show (any more).
    pub(crate) fn pass(&mut self, seq: u64) {
        if self.next == seq {
            self.next += 1;
        } else {
            self.waiting.insert(seq, None);
        }
    }

    pub(crate) fn wait(&mut self, seq: u64, end: T) {
        self.waiting.insert(seq, Some(end));
    }

    /// The end whose turn it is, if it waits.
    pub(crate) fn take(&mut self) -> Option<T> {
        while let Some(end) = self.waiting.remove(&self.next) {
            self.next += 1;
            if end.is_some() {
                return end;
            }
        }
        None
    }

    /// Whatever waits, in order: nothing else will come.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = T> {
        std::mem::take(&mut self.waiting).into_values().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_come_out_in_the_order_of_their_numbers() {
        let mut order = Order::new();
        order.wait(3, 'c');
        order.pass(2);
        assert_eq!((order.take(), order.len(), order.is_next(1)), (None, 2, true));
        order.pass(1);
        assert_eq!((order.take(), order.take(), order.is_next(4)), (Some('c'), None, true));
        order.wait(6, 'f');
        order.wait(5, 'e');
        assert_eq!(order.take(), None);
        assert_eq!(order.drain().collect::<String>(), "ef");
    }
}

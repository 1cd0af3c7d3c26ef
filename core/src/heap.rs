//! A binary heap in a slice: the one behind every queue of the core that is ordered by more than arrival.

/// The order of a heap, and who is told where an item stands.
pub(crate) trait Order<T> {
    /// Whether `a` goes before `b`. Two items neither of which goes before the other may come in either order.
    fn before(&self, a: &T, b: &T) -> bool;

    /// `item` stands at `at` now, for those that must find it again.
    fn placed(&mut self, _item: &T, _at: usize) {}
}

/// Puts the item at `at` where it belongs, if it belongs there or nearer to the front. *O*(log len).
pub(crate) fn sift_up<T>(items: &mut [T], mut at: usize, order: &mut impl Order<T>) {
    while at > 0 {
        let parent = (at - 1) / 2;
        if !order.before(&items[at], &items[parent]) {
            break;
        }
        items.swap(at, parent);
        order.placed(&items[at], at);
        at = parent;
    }
    if let Some(item) = items.get(at) {
        order.placed(item, at);
    }
}

/// Puts the item at `at` where it belongs, if it belongs there or further from the front. *O*(log len).
pub(crate) fn sift_down<T>(items: &mut [T], mut at: usize, order: &mut impl Order<T>) {
    loop {
        let mut first = at;
        for child in [2 * at + 1, 2 * at + 2] {
            if child < items.len() && order.before(&items[child], &items[first]) {
                first = child;
            }
        }
        if first == at {
            break;
        }
        items.swap(at, first);
        order.placed(&items[at], at);
        at = first;
    }
    if let Some(item) = items.get(at) {
        order.placed(item, at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    /// Numbers, smallest first; `at` knows where each stands.
    struct Smallest {
        at: Vec<usize>,
    }

    impl Order<usize> for Smallest {
        fn before(&self, a: &usize, b: &usize) -> bool {
            a < b
        }

        fn placed(&mut self, item: &usize, at: usize) {
            self.at[*item] = at;
        }
    }

    proptest! {
        #[test]
        fn items_leave_in_order_and_are_always_found(numbers in prop::collection::hash_set(0usize..100, 0..60)) {
            let mut order = Smallest { at: vec![usize::MAX; 100] };
            let mut heap = Vec::new();
            let mut sorted: Vec<usize> = numbers.into_iter().collect();
            for number in &sorted {
                heap.push(*number);
                let last = heap.len() - 1;
                sift_up(&mut heap, last, &mut order);
            }
            sorted.sort_unstable();
            for number in sorted {
                prop_assert!(heap.iter().enumerate().all(|(at, item)| order.at[*item] == at));
                prop_assert_eq!(heap.swap_remove(0), number);
                sift_down(&mut heap, 0, &mut order);
            }
        }
    }
}

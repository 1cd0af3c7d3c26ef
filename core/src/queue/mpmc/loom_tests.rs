use super::*;
use crate::sync::model;
use loom::sync::Arc;
use loom::thread::{self, JoinHandle};
use std::boxed::Box;
use std::vec::Vec;

/// Boxed items, so that one taken twice or never shows as a double free or a leak. Nobody waits for anyone: what
/// is refused is counted, what is left is taken at the end.
type Queue<const N: usize> = Mpmc<Box<u32>, Inline<N>>;

/// Pushes `items`, and answers those that were not refused.
fn producer<const N: usize, const K: usize>(queue: &Arc<Queue<N>>, items: [u32; K]) -> JoinHandle<Vec<u32>> {
    let queue = Arc::clone(queue);
    thread::spawn(move || items.into_iter().filter(|&item| queue.push(Box::new(item)).is_ok()).collect())
}

fn pop<const N: usize>(queue: &Queue<N>) -> Option<u32> {
    queue.pop().map(|item| *item)
}

#[test]
fn loom_two_producers_and_a_consumer() {
    model("mpmc, 2 producers, 1 consumer, capacity 2", 6, 2, || {
        let queue = Arc::new(Queue::<2>::new());
        let producers = [producer(&queue, [1, 2]), producer(&queue, [10])];
        let mut taken: Vec<u32> = (0..2).filter_map(|_| pop(&queue)).collect();
        let mut given: Vec<u32> = producers.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        taken.extend(core::iter::from_fn(|| pop(&queue)));
        assert!(queue.is_empty());
        // First in, first out: 1 never comes after 2.
        let place = |item| taken.iter().position(|&other| other == item);
        assert!(place(2).is_none() || place(1) < place(2), "{taken:?}");
        given.sort_unstable();
        taken.sort_unstable();
        assert_eq!(given, taken);
    });
}

#[test]
fn loom_a_producer_and_two_consumers_over_one_place() {
    model("mpmc, 1 producer, 2 consumers, capacity 1", 6, 2, || {
        let queue = Arc::new(Queue::<1>::new());
        let consumers: Vec<_> = (0..2)
            .map(|_| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || pop(&queue))
            })
            .collect();
        let given: Vec<u32> = (1..=3).filter(|&item| queue.push(Box::new(item)).is_ok()).collect();
        let mut taken: Vec<u32> = consumers.into_iter().filter_map(|thread| thread.join().unwrap()).collect();
        taken.extend(pop(&queue));
        taken.sort_unstable();
        assert_eq!(given, taken);
    });
}

#[test]
fn loom_push_and_pop_by_both() {
    model("mpmc, 2 threads push and pop, capacity 2", 6, 3, || {
        let queue = Arc::new(Queue::<2>::new());
        let other = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                queue.push(Box::new(1)).unwrap();
                pop(&queue)
            })
        };
        queue.push(Box::new(2)).unwrap();
        let mut taken: Vec<u32> = pop(&queue).into_iter().collect();
        taken.extend(other.join().unwrap());
        taken.extend(core::iter::from_fn(|| pop(&queue)));
        taken.sort_unstable();
        assert_eq!(taken, [1, 2]);
    });
}

#[test]
fn loom_a_batch_of_two_against_single_pops() {
    model("mpmc, batch of 2 pushed, 2 consumers, capacity 2", 5, 2, || {
        let queue = Arc::new(Queue::<2>::new());
        let consumer = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || pop(&queue))
        };
        let mut items = [1, 2, 3].map(Box::new).into_iter();
        let mut pushed = queue.push_batch(&mut items);
        let mut taken: Vec<u32> = queue.pop_batch(1).map(|item| *item).collect();
        pushed += queue.push_batch(&mut items);
        taken.extend(consumer.join().unwrap());
        taken.extend(queue.pop_batch(2).map(|item| *item));
        taken.sort_unstable();
        assert!((1..=pushed as u32).eq(taken));
        assert!(queue.is_empty());
    });
}

#[test]
fn loom_two_batches_into_one_ring() {
    model("mpmc, batches of 2 by 2 producers, capacity 3", 4, 2, || {
        let queue = Arc::new(Queue::<3>::new());
        let other = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.push_batch(&mut [10, 11].map(Box::new).into_iter()))
        };
        let ours = queue.push_batch(&mut [1, 2].map(Box::new).into_iter());
        let theirs = other.join().unwrap();
        // Three places: whoever came second got what was left.
        assert_eq!(ours + theirs, 3);
        let taken: Vec<u32> = queue.pop_batch(4).map(|item| *item).collect();
        assert!(taken == [1, 2, 10] || taken == [10, 11, 1], "{taken:?}");
    });
}

#[test]
fn loom_a_batch_that_comes_short() {
    /// Says one more than it has.
    struct Short(Option<Box<u32>>);
    impl Iterator for Short {
        type Item = Box<u32>;
        fn next(&mut self) -> Option<Box<u32>> {
            self.0.take()
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            (2, Some(2))
        }
    }
    impl ExactSizeIterator for Short {}

    model("mpmc, a place passed over, 2 consumers, capacity 2", 5, 2, || {
        let queue = Arc::new(Queue::<2>::new());
        let consumer = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || pop(&queue))
        };
        assert_eq!(queue.push_batch(&mut Short(Some(Box::new(1)))), 1);
        let mut taken: Vec<u32> = queue.pop_batch(2).map(|item| *item).collect();
        taken.extend(consumer.join().unwrap());
        taken.extend(pop(&queue));
        assert_eq!(taken, [1]);
        // The place that was passed over is free.
        assert_eq!(queue.push_batch(&mut [5, 6].map(Box::new).into_iter()), 2);
    });
}

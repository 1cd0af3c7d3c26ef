use super::*;
use crate::sync::model;
use loom::sync::Arc;
use loom::thread;
use std::boxed::Box;
use std::vec::Vec;

/// Boxed items, so that one taken twice or never shows as a double free or a leak.
type Queue<const N: usize> = Spsc<Box<u32>, Inline<N>>;

#[test]
fn loom_what_went_in_comes_out_in_order() {
    model("spsc, 3 pushes, 3 pops, capacity 2", 6, 3, || {
        let queue = Arc::new(Queue::<2>::new());
        let producer = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                let mut producer = queue.producer().unwrap();
                (1..=3).filter(|item| producer.push(Box::new(*item)).is_ok()).collect::<Vec<u32>>()
            })
        };
        let mut consumer = queue.consumer().unwrap();
        let mut taken: Vec<u32> = (0..3).filter_map(|_| consumer.pop()).map(|item| *item).collect();
        let given = producer.join().unwrap();
        taken.extend(core::iter::from_fn(|| consumer.pop()).map(|item| *item));
        assert_eq!(given, taken);
    });
}

#[test]
fn loom_batches_around_the_end() {
    model("spsc, batches, capacity 2", 6, 3, || {
        let queue = Arc::new(Queue::<2>::new());
        let producer = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                let mut producer = queue.producer().unwrap();
                producer.push(Box::new(1)).unwrap();
                1 + producer.push_batch(&mut (2..=4).map(Box::new)) as u32
            })
        };
        let mut consumer = queue.consumer().unwrap();
        let mut taken: Vec<u32> = consumer.pop_batch(2).map(|item| *item).collect();
        taken.extend(consumer.pop_batch(1).map(|item| *item));
        let given = producer.join().unwrap();
        taken.extend(consumer.pop_batch(2).map(|item| *item));
        assert!((1..=given).eq(taken));
    });
}

#[test]
fn loom_the_next_producer_goes_on_where_the_one_before_stopped() {
    model("spsc, two producers one after the other", 6, 4, || {
        let queue = Arc::new(Queue::<2>::new());
        let other = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.producer().is_some_and(|mut end| end.push(Box::new(1)).is_ok()))
        };
        let ours = queue.producer().is_some_and(|mut end| end.push(Box::new(1)).is_ok());
        let pushed = usize::from(ours) + usize::from(other.join().unwrap());
        assert!(pushed >= 1);
        assert_eq!(queue.consumer().unwrap().len(), pushed);
    });
}

use super::*;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;
use std::vec::Vec;

impl<T, S: Storage> Spsc<T, S> {
    /// An empty queue whose positions begin here.
    fn starting_at(self, start: u32) -> Self {
        self.head.store(start, Ordering::Relaxed);
        self.tail.store(start, Ordering::Relaxed);
        self
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Push,
    Pop,
    PushBatch(usize),
    /// Asks for so many and takes so many of them.
    PopBatch(usize, usize),
    /// Both ends are given up and taken again.
    Change,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Push),
        3 => Just(Step::Pop),
        1 => (0usize..12).prop_map(Step::PushBatch),
        1 => (0usize..12, 0usize..12).prop_map(|(most, taken)| Step::PopBatch(most, taken)),
        1 => Just(Step::Change),
    ]
}

fn same_as_model<const N: usize>(steps: &[Step], start: u32) -> Result<(), TestCaseError> {
    let queue = Spsc::<u32, Inline<N>>::new().starting_at(start);
    let (mut producer, mut consumer) = (queue.producer().unwrap(), queue.consumer().unwrap());
    let (mut model, mut next) = (VecDeque::new(), 0..);
    for step in steps {
        match *step {
            Step::Push => {
                let item = next.next().unwrap();
                let fits = model.len() < N;
                prop_assert_eq!(producer.push(item), if fits { Ok(()) } else { Err(Full(item)) });
                model.extend(fits.then_some(item));
            }
            Step::Pop => prop_assert_eq!(consumer.pop(), model.pop_front()),
            Step::PushBatch(count) => {
                let items: Vec<u32> = next.by_ref().take(count).collect();
                let mut rest = items.iter().copied();
                let pushed = producer.push_batch(&mut rest);
                prop_assert_eq!(pushed, count.min(N - model.len()));
                prop_assert_eq!(rest.len(), count - pushed);
                model.extend(&items[..pushed]);
            }
            Step::PopBatch(most, taken) => {
                let mut batch = consumer.pop_batch(most);
                prop_assert_eq!(batch.len(), most.min(model.len()));
                let items: Vec<u32> = batch.by_ref().take(taken).collect();
                prop_assert!(items.iter().copied().eq(model.drain(..items.len())));
            }
            Step::Change => {
                prop_assert!(queue.producer().is_none() && queue.consumer().is_none());
                drop((producer, consumer));
                prop_assert!(!queue.has_producer() && !queue.has_consumer());
                (producer, consumer) = (queue.producer().unwrap(), queue.consumer().unwrap());
            }
        }
        prop_assert_eq!(consumer.len(), model.len());
        prop_assert_eq!(consumer.is_empty(), model.is_empty());
        prop_assert_eq!(producer.spare_capacity(), N - model.len());
    }
    Ok(())
}

proptest! {
    #[test]
    fn behaves_like_a_bounded_fifo(steps in prop::collection::vec(step(), 0..100), before in 0u32..40) {
        let start = 0u32.wrapping_sub(before);
        same_as_model::<1>(&steps, start)?;
        same_as_model::<2>(&steps, start)?;
        same_as_model::<8>(&steps, start)?;
    }
}

#[test]
fn every_item_passes_once_and_in_order() {
    fn pass<const N: usize>(count: u32, batch: usize) {
        let queue = Spsc::<u32, Inline<N>>::new().starting_at(u32::MAX - count / 2);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut producer = queue.producer().unwrap();
                let mut items = (0..count).peekable();
                while let Some(item) = items.peek().copied() {
                    let pushed = match item % 3 {
                        0 => producer.push_batch(&mut items.by_ref().take(batch)),
                        _ => producer.push(item).is_ok().then(|| items.next()).iter().len(),
                    };
                    if pushed == 0 {
                        thread::yield_now();
                    }
                }
            });
            let mut consumer = queue.consumer().unwrap();
            let mut expected = 0;
            while expected < count {
                let before = expected;
                for item in consumer.pop_batch(batch) {
                    assert_eq!(item, expected);
                    expected += 1;
                }
                if let Some(item) = consumer.pop() {
                    assert_eq!(item, expected);
                    expected += 1;
                }
                if expected == before {
                    thread::yield_now();
                }
            }
        });
    }
    pass::<1>(2_000, 4);
    pass::<4>(20_000, 3);
    pass::<128>(300_000, 32);
}

/// `take` ends the iterator that is handed in; what it did not hand over is still in the source.
#[test]
fn a_batch_takes_from_its_source_what_fits_and_no_more() {
    let queue = Spsc::<u8, Inline<2>>::new();
    let mut source = (1..=4).peekable();
    assert_eq!(queue.producer().unwrap().push_batch(&mut source), 2);
    assert_eq!(source.next(), Some(3));
}

#[test]
fn a_batch_whose_source_panics_keeps_what_came() {
    let queue = Spsc::<u8, Inline<4>>::new();
    let mut producer = queue.producer().unwrap();
    let mut items = (0..4).inspect(|item| assert_ne!(*item, 2, "the source fails"));
    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| producer.push_batch(&mut items)));
    assert!(failed.is_err());
    assert!(queue.consumer().unwrap().pop_batch(9).eq([0, 1]));
    assert_eq!(producer.push(7), Ok(()));
}

#[test]
fn what_is_left_is_dropped_once() {
    let token = Arc::new(());
    let queue = Spsc::<_, Inline<4>>::new();
    let mut producer = queue.producer().unwrap();
    assert_eq!(producer.push_batch(&mut core::iter::repeat_n(&token, 4).map(Arc::clone)), 4);
    drop(producer);
    let mut consumer = queue.consumer().unwrap();
    drop(consumer.pop_batch(3).next());
    assert_eq!((consumer.len(), Arc::strong_count(&token)), (3, 4));
    core::mem::forget(consumer);
    drop(queue);
    assert_eq!(Arc::strong_count(&token), 1);
}

#[cfg(feature = "alloc")]
#[test]
fn a_heap_queue_has_the_capacity_that_was_asked_for() {
    let queue = Spsc::<u8, Heap>::with_capacity(4).unwrap();
    assert_eq!(queue.producer().unwrap().spare_capacity(), 4);
    assert_eq!(Spsc::<u8, Heap>::with_capacity(0).unwrap_err(), CapacityError::Zero);
    assert_eq!(Spsc::<u8, Heap>::with_capacity(3).unwrap_err(), CapacityError::NotPowerOfTwo);
    let error = Spsc::<(), Heap>::with_capacity(usize::MAX).unwrap_err();
    assert_eq!(error, CapacityError::TooLarge { max: 1 << 31 });
}

#[test]
fn sizes_are_as_documented() {
    let words = if cfg!(target_pointer_width = "64") { 3 * 128 } else { 12 };
    assert_eq!(size_of::<Spsc<u64, Inline<16>>>(), words + 16 * 8);
}

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;
use std::vec::Vec;

impl<S: Storage> SpaceSaving<S> {
    /// Everything that must hold between the counters, the table and the cursor, whatever was recorded.
    fn check(&self) {
        assert!(self.iter().is_sorted_by_key(|hitter| (Reverse(hitter.count), hitter.key)));
        assert_eq!(self.iter().count(), self.len());
        for (id, hitter) in self.counters.iter().enumerate() {
            assert_eq!(self.find(hitter.key), Ok(id as u32));
            assert!(hitter.count > self.least || (hitter.count == self.least && id >= self.cursor as usize));
        }
        let used = self.table.as_flattened().iter().filter(|id| **id != NONE).count();
        assert_eq!(used, self.len());
    }

    /// The published guarantees, against the true counts. Halving rounds, which may add 1 to an error.
    fn check_against(&self, truth: &HashMap<u64, u64>, total: u64, halved: bool) {
        let most = total / self.capacity() as u64;
        assert_eq!(self.total(), total);
        assert!(self.max_error() <= most);
        let most = most + u64::from(halved);
        for hitter in self.iter() {
            let exact = truth.get(&hitter.key).copied().unwrap_or(0);
            assert!(hitter.at_least() <= exact && exact <= hitter.count, "{hitter:?}, {exact}");
            assert!(hitter.count - exact <= most && hitter.error <= most, "{hitter:?}, {exact} of {total}");
        }
        for (key, exact) in truth {
            match self.estimate(*key) {
                Some(hitter) => assert_eq!(hitter.key, *key),
                None => assert!(*exact <= self.max_error(), "{key} came {exact} times"),
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Record(u64, u64),
    Halve,
    Merge(Vec<(u64, u64)>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Few keys often, many keys seldom.
    let record = || (prop_oneof![0u64..4, 0u64..60], prop_oneof![4 => Just(1u64), 1 => 0u64..20]);
    let step = prop_oneof![
        60 => record().prop_map(|(key, n)| Step::Record(key, n)),
        1 => Just(Step::Halve),
        1 => prop::collection::vec(record(), 0..40).prop_map(Step::Merge),
    ];
    prop::collection::vec(step, 0..300)
}

proptest! {
    #[test]
    fn counts_keep_their_bounds_through_records_halving_and_merging(steps in steps()) {
        let mut sketch = SpaceSaving::<Inline<10>>::new();
        let mut truth = HashMap::new();
        let (mut total, mut halved) = (0, false);
        for step in steps {
            match step {
                Step::Record(key, n) => {
                    let told = sketch.record_n(key, n);
                    prop_assert_eq!(told, sketch.estimate(key));
                    *truth.entry(key).or_insert(0) += n;
                    total += n;
                }
                Step::Halve => {
                    sketch.halve();
                    truth.values_mut().for_each(|count| *count /= 2);
                    total /= 2;
                    halved = true;
                }
                Step::Merge(records) => {
                    let mut other = SpaceSaving::<Inline<10>>::new();
                    for (key, n) in records {
                        other.record_n(key, n);
                        *truth.entry(key).or_insert(0) += n;
                        total += n;
                    }
                    sketch.merge(&other);
                }
            }
            sketch.check();
            sketch.check_against(&truth, total, halved);
        }
    }

    #[test]
    fn with_a_counter_for_each_key_every_count_is_exact(keys in prop::collection::vec(0u64..20, 0..200)) {
        let mut sketch = SpaceSaving::<Inline<20>>::new();
        for key in &keys {
            sketch.record(*key);
        }
        for key in 0..20 {
            let exact = keys.iter().filter(|other| **other == key).count() as u64;
            let told = sketch.estimate(key);
            prop_assert_eq!(told.map_or(0, |hitter| hitter.count), exact);
            prop_assert_eq!(told.map_or(0, |hitter| hitter.error), 0);
        }
    }
}

#[test]
fn halving_lets_a_new_key_overtake_an_old_one() {
    let mut sketch = SpaceSaving::<Inline<4>>::new();
    sketch.record_n(1, 1_000);
    for _ in 0..5 {
        sketch.record_n(2, 100);
        sketch.halve();
    }
    assert_eq!(sketch.iter().map(|hitter| hitter.key).collect::<Vec<_>>(), [2, 1]);
    for _ in 0..10 {
        sketch.halve();
    }
    assert!(sketch.is_empty() && sketch.total() == 0);
    sketch.check();
}

#[test]
fn without_counters_nothing_is_known_but_the_total() {
    let mut sketch = SpaceSaving::<Inline<0>>::default();
    assert_eq!(sketch.record(1), None);
    sketch.merge(&SpaceSaving::<Inline<4>>::new());
    sketch.halve();
    assert_eq!((sketch.total(), sketch.max_error(), sketch.iter().count()), (0, 0, 0));
    let mut one = SpaceSaving::<Inline<4>>::new();
    one.record(5);
    sketch.merge(&one);
    assert_eq!((sketch.total(), sketch.estimate(5)), (1, None));
}

#[test]
fn counts_end_at_the_largest_number() {
    let mut sketch = SpaceSaving::<Inline<2>>::new();
    for key in [1, 2, 1, 3, 1, 3] {
        sketch.record_n(key, u64::MAX - 1);
        sketch.check();
    }
    assert!(sketch.iter().all(|hitter| hitter.count == u64::MAX && hitter.error <= hitter.count));
}

#[cfg(feature = "alloc")]
#[test]
fn both_storages_count_alike() {
    let mut inline = SpaceSaving::<Inline<8>>::new();
    let mut heap = SpaceSaving::<crate::storage::Heap>::with_capacity(8);
    for i in 0u64..2_000 {
        let key = (i * i) % 37;
        assert_eq!(inline.record(key), heap.record(key));
    }
    assert!(inline.iter().eq(heap.iter()));
    heap.clear();
    heap.check();
    assert!(heap.is_empty());
}

//! The wheel beside a sorted map, under every clock there is.

use super::*;
#[cfg(feature = "alloc")]
use crate::storage::Heap;
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::format;
use std::vec::Vec;

const CAPACITY: u32 = 40;

#[derive(Clone, Debug)]
enum Step {
    /// After so many nanoseconds, or before where that is negative.
    Insert(i64),
    InsertAt(u64),
    /// One of the ids given so far, stale ones too.
    Cancel(usize),
    /// All that is due after so many nanoseconds.
    Expire(u64),
    /// One that is due after so many nanoseconds; then all others, by a clock that went back so far.
    ExpireOne(u64, u64),
    /// In pieces of so many steps, with an insertion after each.
    Advance(u64, u32),
    Back(u64),
}

/// Distances of every order of magnitude.
fn distance() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0u32..64).prop_map(|(number, shift)| number >> shift)
}

fn near() -> impl Strategy<Value = u64> {
    (any::<u64>(), 44u32..64).prop_map(|(number, shift)| number >> shift)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => near().prop_map(|nanos| Step::Insert(nanos as i64)),
        1 => near().prop_map(|nanos| Step::Insert(-(nanos as i64))),
        2 => distance().prop_map(Step::InsertAt),
        1 => (0u64..3).prop_map(|less| Step::InsertAt(u64::MAX - less)),
        4 => (0usize..1_000).prop_map(Step::Cancel),
        4 => near().prop_map(Step::Expire),
        1 => distance().prop_map(Step::Expire),
        1 => (near(), near()).prop_map(|(nanos, back)| Step::ExpireOne(nanos, back)),
        2 => (near(), 1u32..5).prop_map(|(nanos, steps)| Step::Advance(nanos, steps)),
        1 => distance().prop_map(Step::Back),
    ]
}

/// What the wheel should do.
struct Model {
    /// By the instant at which it fires; each number was inserted once.
    timers: BTreeMap<(u128, u32), TimerId>,
    keys: HashMap<TimerId, (u128, u32)>,
    ids: Vec<(TimerId, u32)>,
    resolution: u128,
    inserted: u32,
    latest: u64,
    /// The latest instant at which the wheel is known to have stood.
    stood: u128,
}

impl Model {
    fn fires(&self, deadline: u64) -> u128 {
        u128::from(deadline).div_ceil(self.resolution) * self.resolution
    }

    fn due(&self) -> bool {
        let latest = u128::from(self.latest);
        let first = self.timers.first_key_value();
        first.is_some_and(|((fires, _), _)| *fires <= latest || self.latest == u64::MAX)
    }

    /// Inserts into both.
    fn insert<S: Shape>(
        &mut self,
        wheel: &mut TimerWheel<u32, S>,
        deadline: u64,
    ) -> Result<(), TestCaseError> {
        let item = self.inserted;
        self.inserted += 1;
        let full = self.timers.len() as u32 == CAPACITY;
        if self.timers.is_empty() {
            self.stood = self.stood.max(u128::from(self.latest) / self.resolution * self.resolution);
        }
        prop_assert_eq!(wheel.is_full(), full);
        match wheel.insert(Instant::from_nanos(deadline), item) {
            Ok(id) => {
                prop_assert!(!full);
                // A deadline in the past joins the tick at which the wheel stands.
                let key = (self.fires(deadline).max(self.stood), item);
                prop_assert!(self.keys.insert(id, key).is_none(), "an id was given twice");
                self.timers.insert(key, id);
                self.ids.push((id, item));
            }
            Err(Full(back)) => prop_assert!(full && back == item),
        }
        Ok(())
    }

    fn expired(&mut self, item: u32) -> Result<(), TestCaseError> {
        prop_assert!(self.due(), "{item} fired early");
        // The earliest tick there is, and of its timers any.
        let Some(((fires, _), _)) = self.timers.first_key_value() else { unreachable!("one is due") };
        let fires = *fires;
        let Some(id) = self.timers.remove(&(fires, item)) else {
            return Err(TestCaseError::fail(format!("{item} fired out of order")));
        };
        self.keys.remove(&id);
        self.stood = self.stood.max(fires);
        Ok(())
    }

    /// The wheel stands where it last fired, or later if it had nothing to fire up to there.
    fn stands<S: Shape>(&mut self, wheel: &TimerWheel<u32, S>) {
        self.stood = self.stood.max(u128::from(wheel.cursor) * self.resolution);
    }

    fn check<S: Shape>(&self, wheel: &TimerWheel<u32, S>) -> Result<(), TestCaseError> {
        prop_assert_eq!(wheel.len() as usize, self.timers.len());
        let next =
            self.timers.first_key_value().map(|((fires, _), _)| u64::try_from(*fires).unwrap_or(u64::MAX));
        prop_assert_eq!(wheel.next_deadline(), next.map(Instant::from_nanos));
        Ok(())
    }
}

fn agrees_with_a_sorted_map<S: Shape>(
    mut wheel: TimerWheel<u32, S>,
    steps: Vec<Step>,
) -> Result<(), TestCaseError> {
    let mut model = Model {
        timers: BTreeMap::new(),
        keys: HashMap::new(),
        ids: Vec::new(),
        resolution: wheel.resolution().as_nanos(),
        inserted: 0,
        latest: 0,
        stood: 0,
    };
    let mut passed = 0u32;
    for step in steps {
        match step {
            Step::Insert(nanos) => model.insert(&mut wheel, model.latest.saturating_add_signed(nanos))?,
            Step::InsertAt(deadline) => model.insert(&mut wheel, deadline)?,
            Step::Cancel(index) => {
                if model.ids.is_empty() {
                    continue;
                }
                let (id, item) = model.ids[index % model.ids.len()];
                let key = model.keys.remove(&id);
                prop_assert_eq!(wheel.cancel(id), key.map(|_| item));
                key.map(|key| model.timers.remove(&key));
            }
            Step::Expire(nanos) => {
                model.latest = model.latest.saturating_add(nanos);
                while let Some(item) = wheel.expire(Instant::from_nanos(model.latest)) {
                    model.expired(item)?;
                }
                prop_assert!(!model.due(), "one is late");
            }
            Step::ExpireOne(nanos, back) => {
                model.latest = model.latest.saturating_add(nanos);
                let mut now = model.latest;
                while let Some(item) = wheel.expire(Instant::from_nanos(now)) {
                    model.expired(item)?;
                    now = model.latest.saturating_sub(back);
                }
                prop_assert!(!model.due(), "one is late");
            }
            Step::Advance(nanos, steps) => {
                model.latest = model.latest.saturating_add(nanos);
                let mut more = 0;
                loop {
                    match wheel.advance(Instant::from_nanos(model.latest), steps) {
                        Advance::Expired(item) => model.expired(item)?,
                        Advance::Done => break,
                        Advance::More => {
                            passed += steps;
                            model.stands(&wheel);
                            more += 1;
                            if more < 6 {
                                // Beside one of those that are being moved.
                                let keys = model.timers.keys().map(|(fires, _)| *fires);
                                let beside = keys.take(more).next_back().unwrap_or(0);
                                model.insert(&mut wheel, u64::try_from(beside).unwrap_or(u64::MAX))?;
                            }
                            model.check(&wheel)?;
                        }
                    }
                }
                prop_assert!(!model.due(), "one is late");
            }
            Step::Back(nanos) => {
                // Whatever is due at the latest instant is gone by now, and an earlier one changes nothing.
                let early = Instant::from_nanos(model.latest.saturating_sub(nanos));
                while let Some(item) = wheel.expire(early) {
                    model.expired(item)?;
                }
                prop_assert!(!model.due(), "one is late");
            }
        }
        model.stands(&wheel);
        prop_assert!(model.stood <= u128::from(model.latest) || model.latest == u64::MAX);
        model.check(&wheel)?;
        // All lanes of all slots are many: not after each step.
        if model.inserted % 32 == 7 {
            wheel.lists.check(wheel.cursor);
        }
    }
    wheel.lists.check(wheel.cursor);
    // Each timer goes down less often than there are levels; a gap is passed at most once for each.
    let levels = 64 >> S::LEVEL_BITS_LOG;
    prop_assert!(passed <= 2 * model.inserted * levels + 64 * levels, "{passed} steps");
    // Nothing is lost, however far away.
    while let Some(item) = wheel.expire(Instant::MAX) {
        model.latest = u64::MAX;
        model.expired(item)?;
    }
    prop_assert!(model.timers.is_empty());
    for (id, _) in model.ids {
        prop_assert_eq!(wheel.cancel(id), None);
    }
    Ok(())
}

fn resolution() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::from_nanos(1)),
        (2u64..1_000).prop_map(Duration::from_nanos),
        Just(Duration::from_millis(1)),
        Just(Duration::MAX),
    ]
}

proptest! {
    #[test]
    fn an_inline_wheel_agrees_with_a_sorted_map(
        resolution in resolution(),
        steps in prop::collection::vec(step(), 0..250),
    ) {
        agrees_with_a_sorted_map(TimerWheel::<_, Inline<{ CAPACITY as usize }>>::new(resolution), steps)?;
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn a_wheel_of_lanes_agrees_with_a_sorted_map(
        resolution in resolution(),
        several: bool,
        steps in prop::collection::vec(step(), 0..250),
    ) {
        agrees_with_a_sorted_map(TimerWheel::<_, Heap>::with_lanes(resolution, CAPACITY, several), steps)?;
    }

    #[test]
    fn ticks_are_quotients(nanos: u64, shift in 0u32..64, instant: u64) {
        let ticks = Ticks::new(Duration::from_nanos(nanos >> shift));
        let length = (nanos >> shift).max(1);
        for instant in [instant, instant >> shift, u64::MAX, 0] {
            let at = Instant::from_nanos(instant);
            prop_assert_eq!(ticks.of(at), instant / length);
            prop_assert_eq!(ticks.first_from(at), instant.div_ceil(length));
            prop_assert_eq!(ticks.start(ticks.first_from(at)) >= at, true);
        }
    }
}

/// Many timers to a slot, in all lanes, most of them cancelled, over and over.
#[cfg(feature = "alloc")]
#[test]
fn nothing_is_lost_in_crowded_slots() {
    const TIMERS: u32 = 20_000;
    let mut rng = crate::rng::Xoshiro256PlusPlus::seed(3);
    use crate::rng::Rng;
    for several in [false, true] {
        let mut wheel = TimerWheel::<u32, Heap>::with_lanes(Duration::from_nanos(1), TIMERS, several);
        let mut ids = Vec::new();
        for round in 0..8u32 {
            while !wheel.is_full() {
                let far = if round % 2 == 0 { 1 << 30 } else { u64::from(rng.below(1 << 20)) };
                let deadline = wheel.latest.as_nanos() + far + u64::from(rng.below(70_000));
                ids.push(wheel.insert(Instant::from_nanos(deadline), 0).unwrap());
            }
            // The older a timer, the likelier that it stays: one in 16.
            let mut index = 0;
            ids.retain(|id| {
                index += 1;
                index % 16 == 0 || wheel.cancel(*id).is_none()
            });
            wheel.lists.check(wheel.cursor);
            let now = wheel.latest.saturating_add(Duration::from_nanos(1_000));
            while wheel.expire(now).is_some() {}
            wheel.lists.check(wheel.cursor);
        }
        let waiting = ids.iter().filter_map(|id| wheel.cancel(*id)).count();
        assert!(waiting > 0 && wheel.is_empty() && wheel.next_deadline().is_none());
        wheel.lists.check(wheel.cursor);
    }
}

#[test]
fn timers_of_one_tick_fire_together_from_whichever_level() {
    let mut wheel = TimerWheel::<u32, Inline<300>>::new(Duration::from_micros(1));
    // All within one tick, set from further and further away down to the tick itself.
    let tick = 0x1234_5678u64;
    for item in 0..300 {
        let near = tick - (tick >> (item / 9).min(28));
        assert_eq!(wheel.expire(Instant::from_micros(near)), None);
        wheel.insert(Instant::from_nanos(tick * 1_000 - u64::from(item)), item).unwrap();
    }
    assert_eq!(wheel.next_deadline(), Some(Instant::from_micros(tick)));
    let mut fired: Vec<u32> = core::iter::from_fn(|| wheel.expire(Instant::from_micros(tick))).collect();
    fired.sort_unstable();
    assert_eq!(fired, (0..300).collect::<Vec<_>>());
}

/// Fresh places come in the order of memory, freed ones first, and none is given twice.
#[test]
fn places_are_used_again_the_last_freed_first() {
    let mut wheel = TimerWheel::<u8, Inline<4>>::new(Duration::from_nanos(1));
    let mut set = || wheel.insert(Instant::from_nanos(9), 0).map(|id| id.slot);
    assert_eq!([set(), set(), set()], [Ok(0), Ok(1), Ok(2)]);
    for slot in [1, 0] {
        assert!(wheel.cancel(TimerId { slot, generation: 1 }).is_some());
    }
    let mut set = || wheel.insert(Instant::from_nanos(9), 0).map(|id| (id.slot, id.generation));
    assert_eq!([set(), set(), set(), set()], [Ok((0, 2)), Ok((1, 2)), Ok((3, 1)), Err(Full(0))]);
}

#[test]
fn a_jump_over_centuries_takes_no_more_steps_than_levels() {
    let mut wheel = TimerWheel::<u8, Inline<1>>::new(Duration::from_nanos(1));
    for deadline in [1, 1 << 20, 1 << 40, (1 << 63) | 0x1234_5678_9abc_def0, u64::MAX] {
        wheel.insert(Instant::from_nanos(deadline), 7).unwrap();
        assert_eq!(wheel.expire(Instant::from_nanos(deadline - 1)), None);
        let mut steps = 0;
        let fired = loop {
            match wheel.advance(Instant::from_nanos(deadline), 1) {
                Advance::Expired(item) => break item,
                Advance::More => steps += 1,
                Advance::Done => panic!("it is due"),
            }
        };
        assert_eq!(fired, 7);
        assert!(steps < 16, "{steps} steps");
    }
}

#[test]
fn a_wheel_without_places_refuses_everything() {
    let mut wheel = TimerWheel::<u8, Inline<0>>::new(Duration::from_secs(1));
    assert_eq!(wheel.insert(Instant::ZERO, 1), Err(Full(1)));
    assert_eq!((wheel.expire(Instant::MAX), wheel.next_deadline()), (None, None));
    assert_eq!(wheel.cancel(TimerId { slot: 0, generation: 0 }), None);
    #[cfg(feature = "alloc")]
    {
        let mut wheel = TimerWheel::<u8, Heap>::with_capacity(Duration::from_secs(1), 0);
        assert_eq!(wheel.insert(Instant::ZERO, 1), Err(Full(1)));
        assert_eq!(wheel.cancel(TimerId { slot: 0, generation: 0 }), None);
    }
}

#[test]
fn it_is_as_small_as_it_says_and_fits_a_static() {
    static WHEEL: TimerWheel<u32, Inline<24>> = TimerWheel::new(Duration::from_millis(1));
    assert!(WHEEL.is_empty());
    assert!(size_of_val(&WHEEL) <= 1_408 + 24 * 32);
    assert_eq!((size_of::<Node<()>>(), size_of::<Node<u32>>(), size_of::<Node<u64>>()), (24, 32, 40));
    #[cfg(feature = "alloc")]
    assert!(size_of::<TimerWheel<u64, Heap>>() <= 384);
}

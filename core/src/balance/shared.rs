//! Choosing by any number of threads at once.

use super::policy::{Refusal, Why};
use super::request::Request;
use crate::Rng;
use crate::rng::SplitMix64;
use crate::storage::{Inline, InlineSlots, Storage};
use crate::sync::{AtomicU32, Ordering, array_of, const_fn};
use core::fmt;

/// How a [`SharedBalancer`] chooses.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SharedPolicy {
    /// Each in its turn: [`RoundRobin`](super::RoundRobin).
    RoundRobin,
    /// The less loaded of two: [`P2c`](super::P2c).
    P2c,
    /// The least loaded of all: [`LeastLoaded`](super::LeastLoaded).
    LeastLoaded,
    /// By key: [`HashKey`](super::HashKey), whose placement of keys this has while all members are ready.
    Hash,
}

/// Counts calls to members and chooses among them, for any number of threads, cores and interrupt handlers that share it
/// by reference.
///
/// What it gives for a call is a [`Held`] that ends the call when it is dropped, and no lease: leases that run out need
/// a list in the order of their deadlines, which threads would have to lock or wait for, where a count needs one atomic
/// addition. So a guard that is forgotten (`core::mem::forget`, a thread that is killed) counts for ever, until
/// [`reset`](Self::reset). There are no latencies, weights or ejections here either: watch results with a
/// [`Fleet`](super::Fleet) of your own and call [`set_ready`](Self::set_ready).
///
/// *When not to use it:* where each thread can have a [`Balancer`](super::Balancer) of its own: with local credit and
/// reports that is as good, and shares no cache line.
///
/// # Examples
///
/// ```
/// use divvy::balance::{Refusal, Request, SharedBalancer, SharedPolicy};
/// use divvy::rng::SplitMix64;
/// use divvy::storage::Inline;
///
/// static BALANCER: SharedBalancer<Inline<4>> = SharedBalancer::new(SharedPolicy::LeastLoaded);
///
/// let mut rng = SplitMix64::seed(1);
/// // Nobody is ready at first:
/// assert_eq!(BALANCER.pick(&Request::new(), &mut rng).unwrap_err(), Refusal::NoneReady);
/// BALANCER.set_ready(0, true);
/// BALANCER.set_ready(3, true);
/// let first = BALANCER.pick(&Request::new(), &mut rng)?;
/// let second = BALANCER.pick(&Request::new(), &mut rng)?;
/// assert_ne!(first.slot(), second.slot());
/// assert_eq!((BALANCER.load(0), BALANCER.load(3)), (1, 1));
/// drop(first);
/// assert_eq!(BALANCER.load(0) + BALANCER.load(3), 1);
/// # Ok::<(), Refusal>(())
/// ```
///
/// # Complexity
///
/// Round robin, two choices and hash: *O*(1) while all are ready, else *O*(slots) at worst; least loaded *O*(slots). One
/// atomic addition for the call and one for its end, round robin one more. 8 bytes a slot and 12.
///
/// # Concurrency
///
/// Wait-free: no call waits for, or repeats itself because of, another. Calls see loads as they were a moment ago: two
/// threads may choose the same least loaded member at the same time, so a load may exceed the lowest one by as many as
/// there are threads choosing. A member that was set not ready is not chosen by calls that begin after that in the order
/// of the same thread or of one that was told by it. Counts are exact: each call counts from its choice to its end.
pub struct SharedBalancer<S: Storage> {
    policy: SharedPolicy,
    /// The next turn.
    turn: AtomicU32,
    cells: S::Slots<Cell>,
}

/// One member.
struct Cell {
    /// Calls that are out. Written and read by everyone.
    load: AtomicU32,
    /// 1 if it may be chosen. Written by whoever knows its health, read by everyone.
    ready: AtomicU32,
}

impl Cell {
    const_fn! {
        const fn new() -> Self {
            Self { load: AtomicU32::new(0), ready: AtomicU32::new(0) }
        }
    }
}

impl<const N: usize> SharedBalancer<Inline<N>> {
    const_fn! {
        /// For `N` members, none of them ready.
        #[must_use]
        pub const fn new(policy: SharedPolicy) -> Self {
            const { assert!(N < u32::MAX as usize, "slots are numbered in 32 bits") };
            Self { policy, turn: AtomicU32::new(0), cells: InlineSlots(array_of!(Cell::new())) }
        }
    }
}

#[cfg(feature = "alloc")]
impl SharedBalancer<crate::storage::Heap> {
    /// For `members`, none of them ready, allocated now.
    #[must_use]
    pub fn with_capacity(policy: SharedPolicy, members: u32) -> Self {
        let cells = (0..members).map(|_| Cell::new()).collect();
        Self { policy, turn: AtomicU32::new(0), cells }
    }
}

impl<S: Storage> SharedBalancer<S> {
    /// Chooses a member and counts a call to it, which ends when the answer is dropped.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; nothing changed but whose turn it is.
    #[inline]
    pub fn pick(&self, request: &Request<'_>, rng: &mut impl Rng) -> Result<Held<'_, S>, Refusal> {
        let (slot, why) = match self.policy {
            SharedPolicy::RoundRobin => self.next(request),
            SharedPolicy::P2c => self.lower_of_two(request, rng),
            SharedPolicy::LeastLoaded => self.least(request),
            SharedPolicy::Hash => self.place(request, rng),
        }
        .ok_or_else(|| self.refusal())?;
        // Ordering: a count that hands nothing over.
        self.cells[slot as usize].load.fetch_add(1, Ordering::Relaxed);
        Ok(Held { balancer: self, slot, why })
    }

    /// Says whether the member in `slot` may be chosen. A slot that is not there is ignored.
    pub fn set_ready(&self, slot: u32, ready: bool) {
        if let Some(cell) = self.cells.get(slot as usize) {
            // Ordering: whoever made the member ready did so before.
            cell.ready.store(ready.into(), Ordering::Release);
        }
    }

    /// The calls that the member in `slot` has.
    #[must_use]
    pub fn load(&self, slot: u32) -> u32 {
        // Ordering: as old as it may be.
        self.cells.get(slot as usize).map_or(0, |cell| cell.load.load(Ordering::Relaxed))
    }

    /// Takes from the count of `slot` what those left who forgot their guards: `load` as it was while no call was out.
    /// Returns what is counted now.
    pub fn reset(&self, slot: u32, load: u32) -> u32 {
        match self.cells.get(slot as usize) {
            // Ordering: as above.
            Some(cell) => cell.load.fetch_sub(load, Ordering::Relaxed).wrapping_sub(load),
            None => 0,
        }
    }

    /// How many members there may be.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.cells.len() as u32
    }

    #[inline]
    fn allows(&self, slot: u32, request: &Request<'_>) -> bool {
        // Ordering: pairs with the store of `set_ready`.
        self.cells[slot as usize].ready.load(Ordering::Acquire) != 0 && !request.avoids(slot)
    }

    /// Whose turn it is. A turn of who is not allowed passes to the next one, whose own it takes with it, so that nobody
    /// has two in a row.
    fn next(&self, request: &Request<'_>) -> Option<(u32, Why)> {
        let slots = self.capacity();
        for _ in 0..slots {
            // Ordering: turns are taken once each, in whatever order; nothing else hangs on them.
            let slot = self.turn.fetch_add(1, Ordering::Relaxed) % slots;
            if self.allows(slot, request) {
                return Some((slot, Why::Turn));
            }
        }
        // Others took turns in between: any that is there.
        self.from(0, request).map(|slot| (slot, Why::Turn))
    }

    fn lower_of_two(&self, request: &Request<'_>, rng: &mut impl Rng) -> Option<(u32, Why)> {
        let slots = self.capacity();
        if slots > 1 {
            for _ in 0..DRAWS {
                let (a, b) = super::p2c::pair(slots, rng);
                if self.allows(a, request) && self.allows(b, request) {
                    let (slot, other) = if self.load(b) < self.load(a) { (b, a) } else { (a, b) };
                    return Some((slot, Why::LowerOfTwo { other }));
                }
            }
        }
        // Few are left: two of them, not drawn evenly, or the only one.
        let start = rng.below(slots);
        let a = self.from(start, request)?;
        match self.from((a + 1) % slots, request) {
            Some(b) if b != a && self.load(b) < self.load(a) => Some((b, Why::LowerOfTwo { other: a })),
            Some(b) if b != a => Some((a, Why::LowerOfTwo { other: b })),
            _ => Some((a, Why::Only)),
        }
    }

    fn least(&self, request: &Request<'_>) -> Option<(u32, Why)> {
        let slots = self.capacity();
        // Each thread begins elsewhere, so that equals are chosen by turns and not by all at once.
        // Ordering: a place to begin.
        let start = self.turn.fetch_add(1, Ordering::Relaxed).checked_rem(slots)?;
        let round = (start..slots).chain(0..start).filter(|slot| self.allows(*slot, request));
        round.min_by_key(|slot| self.load(*slot)).map(|slot| (slot, Why::LeastLoaded))
    }

    fn place(&self, request: &Request<'_>, rng: &mut impl Rng) -> Option<(u32, Why)> {
        let slots = u64::from(self.capacity());
        let Some(hash) = request.hash() else {
            return self.from(rng.below(slots as u32), request).map(|slot| (slot, Why::Chance));
        };
        let (mut draw, mut draws) = (hash, SplitMix64::seed(hash));
        for nth in 0..DRAWS {
            let slot = (((draw >> 32) * slots) >> 32) as u32;
            if slots > 0 && self.allows(slot, request) {
                return Some((slot, if nth == 0 { Why::Key } else { Why::Successor }));
            }
            draw = draws.next_u64();
        }
        self.from((((draw >> 32) * slots) >> 32) as u32, request).map(|slot| (slot, Why::Successor))
    }

    /// The first allowed slot from `start` on.
    fn from(&self, start: u32, request: &Request<'_>) -> Option<u32> {
        (start..self.capacity()).chain(0..start).find(|slot| self.allows(*slot, request))
    }

    #[cold]
    fn refusal(&self) -> Refusal {
        match self.from(0, &Request::new()) {
            _ if self.capacity() == 0 => Refusal::Empty,
            Some(_) => Refusal::Avoided,
            None => Refusal::NoneReady,
        }
    }
}

/// How many draws may meet members that are not allowed before the rest is searched in order.
const DRAWS: u32 = 8;

impl<S: Storage> fmt::Debug for SharedBalancer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedBalancer").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// A call that is out. It ends when this is dropped.
#[must_use = "the call ends when this is dropped"]
pub struct Held<'a, S: Storage> {
    balancer: &'a SharedBalancer<S>,
    slot: u32,
    why: Why,
}

impl<S: Storage> Held<'_, S> {
    /// The slot of the member that has the call.
    #[must_use]
    pub const fn slot(&self) -> u32 {
        self.slot
    }

    /// What decided.
    #[must_use]
    pub const fn why(&self) -> Why {
        self.why
    }
}

impl<S: Storage> Drop for Held<'_, S> {
    #[inline]
    fn drop(&mut self) {
        // Ordering: a count that hands nothing over.
        self.balancer.cells[self.slot as usize].load.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<S: Storage> fmt::Debug for Held<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("slot", &self.slot).field("why", &self.why).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(divvy_loom)))]
mod tests {
    use super::*;
    use crate::rng::Xoshiro256PlusPlus;
    use std::thread;
    use std::vec::Vec;

    const ALL: [SharedPolicy; 4] =
        [SharedPolicy::RoundRobin, SharedPolicy::P2c, SharedPolicy::LeastLoaded, SharedPolicy::Hash];

    fn ready<const N: usize>(policy: SharedPolicy) -> SharedBalancer<Inline<N>> {
        let balancer = SharedBalancer::<Inline<N>>::new(policy);
        (0..N as u32).for_each(|slot| balancer.set_ready(slot, true));
        balancer
    }

    #[test]
    fn counts_return_to_zero_whoever_picks() {
        for policy in ALL {
            let balancer = ready::<5>(policy);
            thread::scope(|scope| {
                for seed in 0..3 {
                    let balancer = &balancer;
                    scope.spawn(move || {
                        let mut rng = Xoshiro256PlusPlus::seed(seed);
                        for key in 0..2_000u32 {
                            let request = Request::new().key(&key.to_le_bytes());
                            let held: Vec<_> = (0..3)
                                .map(|_| balancer.pick(&request, &mut rng).expect("all are ready"))
                                .collect();
                            assert!(held.iter().all(|held| balancer.load(held.slot()) > 0));
                        }
                    });
                }
            });
            assert!((0..5).all(|slot| balancer.load(slot) == 0), "{policy:?}");
        }
    }

    #[test]
    fn nobody_is_chosen_who_is_avoided_or_not_ready() {
        for policy in ALL {
            let balancer = ready::<6>(policy);
            let mut rng = Xoshiro256PlusPlus::seed(1);
            [0, 3, 4].iter().for_each(|slot| balancer.set_ready(*slot, false));
            let mut seen = [false; 6];
            for key in 0..200u32 {
                let key = key.to_le_bytes();
                let held =
                    balancer.pick(&Request::new().key(&key).avoid(&[1]), &mut rng).expect("two are left");
                seen[held.slot() as usize] = true;
            }
            assert_eq!(seen, [false, false, true, false, false, true], "{policy:?}");
            let none = balancer.pick(&Request::new().avoid(&[1, 2, 5]), &mut rng);
            assert_eq!(none.unwrap_err(), Refusal::Avoided);
            [1, 2, 5].iter().for_each(|slot| balancer.set_ready(*slot, false));
            assert_eq!(balancer.pick(&Request::new(), &mut rng).unwrap_err(), Refusal::NoneReady);
            let empty = SharedBalancer::<Inline<0>>::new(policy);
            assert_eq!(empty.pick(&Request::new().key(b"k"), &mut rng).unwrap_err(), Refusal::Empty);
            assert_eq!(empty.pick(&Request::new(), &mut rng).unwrap_err(), Refusal::Empty);
        }
    }

    #[test]
    fn each_policy_keeps_its_word() {
        let mut rng = Xoshiro256PlusPlus::seed(1);
        let turns = ready::<4>(SharedPolicy::RoundRobin);
        let order: Vec<u32> =
            (0..8).map(|_| turns.pick(&Request::new(), &mut rng).expect("ready").slot()).collect();
        assert_eq!(order, [0, 1, 2, 3, 0, 1, 2, 3]);
        let least = ready::<4>(SharedPolicy::LeastLoaded);
        let held: Vec<_> = (0..12).map(|_| least.pick(&Request::new(), &mut rng).expect("ready")).collect();
        assert!((0..4).all(|slot| least.load(slot) == 3), "{held:?}");
        let two = ready::<2>(SharedPolicy::P2c);
        let held: Vec<_> = (0..12).map(|_| two.pick(&Request::new(), &mut rng).expect("ready")).collect();
        assert!((0..2).all(|slot| two.load(slot) == 6), "{held:?}");
        let hash = ready::<4>(SharedPolicy::Hash);
        let mut place = |hash: &SharedBalancer<Inline<4>>| {
            hash.pick(&Request::new().key(b"user:17"), &mut rng).expect("ready").slot()
        };
        let owner = place(&hash);
        hash.set_ready(owner, false);
        assert_ne!(place(&hash), owner);
        hash.set_ready(owner, true);
        assert_eq!(place(&hash), owner);
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn a_forgotten_guard_can_be_taken_back() {
        let balancer = SharedBalancer::<crate::storage::Heap>::with_capacity(SharedPolicy::RoundRobin, 1);
        balancer.set_ready(0, true);
        balancer.set_ready(1, true);
        let held = balancer.pick(&Request::new(), &mut Xoshiro256PlusPlus::seed(1)).expect("ready");
        core::mem::forget(held);
        assert_eq!((balancer.capacity(), balancer.load(0)), (1, 1));
        assert_eq!((balancer.reset(0, 1), balancer.reset(9, 1)), (0, 0));
    }
}

#[cfg(all(test, divvy_loom))]
mod loom_tests {
    use super::*;
    use crate::rng::Xoshiro256PlusPlus;
    use crate::sync::model;
    use loom::sync::Arc;
    use loom::thread;

    fn ready(policy: SharedPolicy) -> Arc<SharedBalancer<Inline<2>>> {
        let balancer = SharedBalancer::<Inline<2>>::new(policy);
        balancer.set_ready(0, true);
        balancer.set_ready(1, true);
        Arc::new(balancer)
    }

    /// Two threads pick and end; the counts are those of the guards that live, and none in the end.
    fn counts_are_exact(name: &'static str, policy: SharedPolicy) {
        model(name, 6, 2, move || {
            let balancer = ready(policy);
            let other = {
                let balancer = Arc::clone(&balancer);
                thread::spawn(move || {
                    let held =
                        balancer.pick(&Request::new().key_hash(1), &mut Xoshiro256PlusPlus::seed(1)).unwrap();
                    assert!(balancer.load(held.slot()) >= 1);
                })
            };
            let held = balancer.pick(&Request::new().key_hash(1), &mut Xoshiro256PlusPlus::seed(2)).unwrap();
            assert!((1..=2).contains(&balancer.load(held.slot())));
            other.join().unwrap();
            assert_eq!(balancer.load(held.slot()), 1);
            drop(held);
            assert_eq!((balancer.load(0), balancer.load(1)), (0, 0));
        });
    }

    #[test]
    fn loom_counts_of_two_choices_are_exact() {
        counts_are_exact("shared balancer, two choices", SharedPolicy::P2c);
    }

    #[test]
    fn loom_counts_of_least_loaded_are_exact() {
        counts_are_exact("shared balancer, least loaded", SharedPolicy::LeastLoaded);
    }

    #[test]
    fn loom_counts_of_hash_are_exact() {
        counts_are_exact("shared balancer, hash", SharedPolicy::Hash);
    }

    #[test]
    fn loom_turns_are_taken_once_each() {
        model("shared balancer, round robin", 6, 2, || {
            let balancer = ready(SharedPolicy::RoundRobin);
            let turn = |balancer: &SharedBalancer<Inline<2>>| {
                balancer.pick(&Request::new(), &mut Xoshiro256PlusPlus::seed(1)).unwrap().slot()
            };
            let other = {
                let balancer = Arc::clone(&balancer);
                thread::spawn(move || turn(&balancer))
            };
            let mine = turn(&balancer);
            assert_eq!(mine + other.join().unwrap(), 1, "both members had their turn");
        });
    }

    #[test]
    fn loom_who_is_known_not_to_be_ready_is_not_chosen() {
        model("shared balancer, a member goes", 6, 2, || {
            let balancer = ready(SharedPolicy::RoundRobin);
            let told = Arc::new(AtomicU32::new(0));
            let other = {
                let (balancer, told) = (Arc::clone(&balancer), Arc::clone(&told));
                thread::spawn(move || {
                    balancer.set_ready(0, false);
                    told.store(1, Ordering::Release);
                })
            };
            let knows = told.load(Ordering::Acquire) == 1;
            let slot = balancer.pick(&Request::new(), &mut Xoshiro256PlusPlus::seed(1)).unwrap().slot();
            assert!(!knows || slot == 1);
            other.join().unwrap();
        });
    }
}

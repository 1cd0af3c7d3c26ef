//! Asking tasks to stop: one word per scope, and scopes within scopes.

use core::fmt;

use crate::storage::{Inline, InlineSlots, Storage};
use crate::sync::{AtomicU32, Ordering, array_of, const_fn, fence};

/// The two lowest bits of [`Slot::word`] say what the slot is; the others count how often it was used.
const STATE: u32 = 3;
const FREE: u32 = 0;
const MAKING: u32 = 1;
const LIVE: u32 = 2;
/// What one more use adds.
const USE: u32 = 4;

/// No parent.
const NONE: u32 = u32::MAX;

/// The most slots that a tree may have.
const MAX: usize = 1 << 20;

/// A task came too late to be run; here it is back, so that whoever waits for it can be told.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Cancelled<T>(pub T);

impl<T> fmt::Display for Cancelled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task was cancelled before it was run; tell whoever waits for it")
    }
}

impl<T: fmt::Debug> core::error::Error for Cancelled<T> {}

/// What a task carries to learn whether it is still wanted: 8 bytes.
///
/// A plain value. One that is kept for too long does no harm: once its scope has ended it counts as cancelled, also when
/// the slot belongs to another scope by then (until that slot has been used 2³⁰ times more).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "a scope of which nobody has the token cannot be ended"]
pub struct CancelToken {
    slot: u32,
    /// What the slot's word is while the scope lives.
    word: u32,
}

/// Why there is no new scope. Nothing changed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CancelError {
    /// The parent was cancelled or has ended: whatever this scope was for is not wanted any more. Remedy: stop.
    ParentEnded,
    /// Every slot is taken by a scope that has not ended. Remedy: end scopes that are done, or a larger tree.
    Full,
}

impl fmt::Display for CancelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ParentEnded => "the scope around it was cancelled; stop",
            Self::Full => "every slot holds a scope; end those that are done or choose a larger tree",
        })
    }
}

impl core::error::Error for CancelError {}

/// Scopes that can be cancelled, each with all that are inside it.
///
/// A scope is a slot of a fixed table. Tasks carry its [`CancelToken`] and ask [`is_cancelled`](Self::is_cancelled)
/// before they start, and now and then while they run: nothing is interrupted. To cancel a scope and to end one that is
/// done is the same operation; its slot is then free. [`scope`](Self::scope) gives a guard that ends it in any case.
///
/// *When not to use it:* for time limits (compare [`Instant`](crate::Instant)s), or to stop one task that has a flag of
/// its own.
///
/// # Examples
///
/// ```
/// use divvy::sched::{CancelError, CancelTree};
/// use divvy::storage::Inline;
///
/// static SCOPES: CancelTree<Inline<8>> = CancelTree::new();
///
/// let job = SCOPES.insert(None)?;
/// let part = SCOPES.insert(Some(job))?;
/// assert!(!SCOPES.is_cancelled(part));
///
/// SCOPES.cancel(job);
/// assert!(SCOPES.is_cancelled(job) && SCOPES.is_cancelled(part));
/// assert_eq!(SCOPES.insert(Some(part)), Err(CancelError::ParentEnded));
/// # Ok::<(), CancelError>(())
/// ```
///
/// A worker drops what was cancelled while it waited, and whoever waits for it is told:
///
/// ```
/// # use divvy::{rng::SplitMix64, sched::*, storage::Inline};
/// # static SCOPES: CancelTree<Inline<8>> = CancelTree::new();
/// # let sched = Scheduler::<(u32, CancelToken), Inline<1>, Inline<4>, Inline<4>>::new();
/// # let (mut worker, mut rng) = (sched.worker(0).unwrap(), SplitMix64::seed(1));
/// let job = SCOPES.insert(None)?;
/// assert!(sched.submit((7, job)).is_ok());
/// SCOPES.cancel(job);
/// if let Next::Task { task, .. } = worker.next(&mut rng) {
///     match worker.unless_cancelled(task, |(_, token)| SCOPES.is_cancelled(*token)) {
///         Ok(_task) => unreachable!("it was cancelled"),
///         Err(Cancelled((number, _))) => assert_eq!(number, 7),
///     }
/// }
/// assert_eq!(worker.stats().cancelled, 1);
/// # Ok::<(), CancelError>(())
/// ```
///
/// # Complexity
///
/// [`is_cancelled`](Self::is_cancelled): one load. [`insert`](Self::insert): *O*(slots) at worst, where most are taken.
/// [`cancel`](Self::cancel): *O*(slots × depth). Three words a slot.
///
/// # Concurrency
///
/// When [`cancel`](Self::cancel) has returned, every scope inside counts as cancelled for whoever learns of that, also one
/// that is being inserted at that moment. Nothing waits for another thread; one that is stopped in the middle of an
/// `insert` withholds the slot until it goes on.
///
/// # References
///
/// Scopes within scopes as in structured concurrency: Sústrik, *Structured concurrency*, 2016.
pub struct CancelTree<S: Storage> {
    slots: S::Slots<Slot>,
}

struct Slot {
    /// The state and how often the slot was used. From [`FREE`] to [`MAKING`] and [`LIVE`] by who inserts, from there to
    /// the next free by who cancels; read by all.
    word: AtomicU32,
    /// The parent's slot, or [`NONE`]. Written while the slot is [`MAKING`]; read by who cancels.
    parent: AtomicU32,
    /// The parent's word while it lives. Likewise.
    parent_word: AtomicU32,
}

impl Slot {
    const_fn! {
        const fn new() -> Self {
            Self { word: AtomicU32::new(FREE), parent: AtomicU32::new(NONE), parent_word: AtomicU32::new(0) }
        }
    }

    /// Ends the scope that lives here while the word is `word`; whether this call did it.
    fn end(&self, word: u32) -> bool {
        let next = (word & !STATE).wrapping_add(USE) | FREE;
        // Ordering: Release: whoever takes the slot next (Acquire) does so after this. A refusal carries nothing.
        self.word.compare_exchange(word, next, Ordering::Release, Ordering::Relaxed).is_ok()
    }
}

impl<const N: usize> CancelTree<Inline<N>> {
    const_fn! {
        /// For `N` scopes at a time, kept in the value itself.
        pub const fn new() -> Self {
            const { assert!(N >= 1 && N <= MAX, "a tree holds from 1 to 2^20 scopes") };
            Self { slots: InlineSlots(array_of!(Slot::new())) }
        }
    }
}

impl<const N: usize> Default for CancelTree<Inline<N>> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "alloc")]
impl CancelTree<crate::storage::Heap> {
    /// For `scopes` scopes at a time, allocated now.
    ///
    /// # Errors
    ///
    /// [`CapacityError`](crate::queue::CapacityError) unless `scopes` is from 1 to 2²⁰.
    pub fn with_capacity(scopes: usize) -> Result<Self, crate::queue::CapacityError> {
        use crate::queue::CapacityError;
        match scopes {
            0 => Err(CapacityError::Zero),
            n if n > MAX => Err(CapacityError::TooLarge { max: MAX as u32 }),
            n => Ok(Self { slots: (0..n).map(|_| Slot::new()).collect() }),
        }
    }
}

impl<S: Storage> CancelTree<S> {
    /// A new scope, inside `parent` if there is one. It lives until it or a scope around it is
    /// [cancelled](Self::cancel).
    ///
    /// # Errors
    ///
    /// [`CancelError`]; nothing changed.
    pub fn insert(&self, parent: Option<CancelToken>) -> Result<CancelToken, CancelError> {
        if parent.is_some_and(|parent| self.is_cancelled(parent)) {
            return Err(CancelError::ParentEnded);
        }
        let token = self.claim(parent).ok_or(CancelError::Full)?;
        // Ordering: SeqCst, with the fence in `cancel`: of one who cancels the parent and looks for children, and one who
        // becomes a child and looks at the parent, at least one sees the other.
        fence(Ordering::SeqCst);
        if parent.is_some_and(|parent| self.is_cancelled(parent)) {
            self.cancel(token);
            return Err(CancelError::ParentEnded);
        }
        Ok(token)
    }

    /// As [`insert`](Self::insert), with a guard that ends the scope when it is dropped.
    ///
    /// # Errors
    ///
    /// [`CancelError`]; nothing changed.
    pub fn scope(&self, parent: Option<CancelToken>) -> Result<CancelScope<'_, S>, CancelError> {
        Ok(CancelScope { tree: self, token: self.insert(parent)? })
    }

    /// Ends a scope and all that are inside it. `false` if it had ended before.
    pub fn cancel(&self, token: CancelToken) -> bool {
        let Some(slot) = self.slots.get(token.slot as usize) else { return false };
        if !slot.end(token.word) {
            return false;
        }
        // Ordering: SeqCst, with the fence in `insert`.
        fence(Ordering::SeqCst);
        // Children of children may stand before their parents in the table.
        while self.sweep() {}
        true
    }

    /// Whether the scope has ended: what carries its token is not wanted any more.
    pub fn is_cancelled(&self, token: CancelToken) -> bool {
        // Ordering: Acquire pairs with the Release of `end`: what was done before the cancelling is seen.
        self.slots.get(token.slot as usize).is_none_or(|slot| slot.word.load(Ordering::Acquire) != token.word)
    }

    /// How many scopes live, or are being made.
    pub fn len(&self) -> u32 {
        // Ordering: Relaxed, a figure.
        let taken = |slot: &&Slot| slot.word.load(Ordering::Relaxed) & STATE != FREE;
        self.slots.iter().filter(taken).count() as u32
    }

    /// Whether no scope lives.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many scopes there can be at a time.
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// Takes a free slot and makes it a child of `parent`.
    fn claim(&self, parent: Option<CancelToken>) -> Option<CancelToken> {
        for (index, slot) in (0..).zip(self.slots.iter()) {
            // Ordering: Relaxed, the claim orders it.
            let free = slot.word.load(Ordering::Relaxed);
            if free & STATE != FREE {
                continue;
            }
            // Ordering: Acquire pairs with the Release of `end`.
            let claim = slot.word.compare_exchange(free, free | MAKING, Ordering::Acquire, Ordering::Relaxed);
            if claim.is_err() {
                continue;
            }
            // Ordering: Release: whoever reads one of these (Acquire in `sweep`) sees that the slot is of another use.
            let (parent, word) = parent.map_or((NONE, 0), |parent| (parent.slot, parent.word));
            slot.parent.store(parent, Ordering::Release);
            slot.parent_word.store(word, Ordering::Release);
            let word = free | LIVE;
            // Ordering: Release publishes the parent to whoever cancels.
            slot.word.store(word, Ordering::Release);
            return Some(CancelToken { slot: index, word });
        }
        None
    }

    /// Ends every scope whose parent has ended; whether there were any.
    fn sweep(&self) -> bool {
        let mut any = false;
        for slot in self.slots.iter() {
            // Ordering: Acquire pairs with the Release in `claim`: the parent is that of this use or of a later one, and
            // then the word is not the same any more.
            let word = slot.word.load(Ordering::Acquire);
            if word & STATE != LIVE {
                continue;
            }
            // Ordering: Acquire pairs with the Release in `claim`: if these are of a later use, `end` refuses.
            let parent = slot.parent.load(Ordering::Acquire);
            let parent_word = slot.parent_word.load(Ordering::Acquire);
            let Some(parent) = self.slots.get(parent as usize) else { continue };
            // Ordering: Acquire as in `is_cancelled`.
            if parent.word.load(Ordering::Acquire) != parent_word {
                any |= slot.end(word);
            }
        }
        any
    }
}

impl<S: Storage> fmt::Debug for CancelTree<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelTree").field("len", &self.len()).field("capacity", &self.capacity()).finish()
    }
}

/// A scope that ends when this is dropped, however its holder leaves.
pub struct CancelScope<'a, S: Storage> {
    tree: &'a CancelTree<S>,
    token: CancelToken,
}

impl<'a, S: Storage> CancelScope<'a, S> {
    /// What its tasks carry.
    pub fn token(&self) -> CancelToken {
        self.token
    }

    /// A scope inside this one. It ends with this one at the latest.
    ///
    /// # Errors
    ///
    /// [`CancelError`]; nothing changed.
    pub fn child(&self) -> Result<CancelScope<'a, S>, CancelError> {
        self.tree.scope(Some(self.token))
    }

    /// Ends it now. `false` if it had ended before.
    pub fn cancel(&self) -> bool {
        self.tree.cancel(self.token)
    }

    /// Whether it has ended.
    pub fn is_cancelled(&self) -> bool {
        self.tree.is_cancelled(self.token)
    }
}

impl<S: Storage> Drop for CancelScope<'_, S> {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl<S: Storage> fmt::Debug for CancelScope<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelScope").field("token", &self.token).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(divvy_loom)))]
#[allow(clippy::disallowed_types, reason = "the model and the threads of the tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    #[derive(Clone, Debug)]
    enum Step {
        Insert { parent: Option<usize> },
        Cancel { scope: usize },
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let insert = prop::option::of(any::<usize>()).prop_map(|parent| Step::Insert { parent });
        let cancel = any::<usize>().prop_map(|scope| Step::Cancel { scope });
        prop::collection::vec(prop_oneof![3 => insert, 1 => cancel], 0..120)
    }

    proptest! {
        /// Against a list of scopes that is never cleaned up.
        #[test]
        fn a_scope_has_ended_when_it_or_one_around_it_was_cancelled(steps in steps()) {
            let tree = CancelTree::<Inline<6>>::new();
            let mut scopes: Vec<(CancelToken, Option<usize>, bool)> = Vec::new();
            for step in steps {
                match step {
                    Step::Insert { parent } => {
                        let parent = parent.filter(|_| !scopes.is_empty()).map(|parent| parent % scopes.len());
                        let live = scopes.iter().filter(|scope| scope.2).count();
                        let expected = match parent {
                            Some(parent) if !scopes[parent].2 => Err(CancelError::ParentEnded),
                            _ if live == 6 => Err(CancelError::Full),
                            _ => Ok(()),
                        };
                        let answer = tree.insert(parent.map(|parent| scopes[parent].0));
                        prop_assert_eq!(answer.map(|_| ()), expected);
                        if let Ok(token) = answer {
                            scopes.push((token, parent, true));
                        }
                    }
                    Step::Cancel { scope } if !scopes.is_empty() => {
                        let scope = scope % scopes.len();
                        prop_assert_eq!(tree.cancel(scopes[scope].0), scopes[scope].2);
                        scopes[scope].2 = false;
                        // Parents come before their children in the list.
                        for i in 0..scopes.len() {
                            scopes[i].2 &= scopes[i].1.is_none_or(|parent| scopes[parent].2);
                        }
                    }
                    Step::Cancel { .. } => {}
                }
                for (token, _, live) in &scopes {
                    prop_assert_eq!(tree.is_cancelled(*token), !live);
                }
                prop_assert_eq!(tree.len() as usize, scopes.iter().filter(|scope| scope.2).count());
            }
        }
    }

    #[test]
    fn a_guard_ends_its_scope_also_on_the_way_of_an_error() {
        let tree = CancelTree::<Inline<3>>::default();
        let outer = tree.scope(None).unwrap();
        let token = outer.child().unwrap().token();
        assert!(tree.is_cancelled(token) && !outer.is_cancelled());
        let inner = outer.child().unwrap();
        let innermost = inner.child().unwrap();
        assert_eq!(innermost.child().unwrap_err(), CancelError::Full);
        drop(outer);
        assert!(inner.is_cancelled() && innermost.is_cancelled() && tree.is_empty());
        assert!(!inner.cancel());
        assert_eq!(inner.child().unwrap_err(), CancelError::ParentEnded);
    }

    #[test]
    fn a_token_of_another_tree_is_cancelled_and_cancels_nothing() {
        let (small, large) = (CancelTree::<Inline<1>>::new(), CancelTree::<Inline<9>>::new());
        let tokens: Vec<_> = (0..9).map(|_| large.insert(None).unwrap()).collect();
        assert!(small.is_cancelled(tokens[8]) && !small.cancel(tokens[8]));
        assert_eq!(small.insert(Some(tokens[8])), Err(CancelError::ParentEnded));
    }

    #[test]
    fn a_slot_that_is_used_for_ever_comes_around() {
        let tree = CancelTree::<Inline<1>>::new();
        tree.slots[0].word.store(!STATE, Ordering::Relaxed);
        let last = tree.insert(None).unwrap();
        assert!(tree.cancel(last));
        let first = tree.insert(None).unwrap();
        assert!(tree.is_cancelled(last) && !tree.is_cancelled(first));
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn a_heap_tree_has_as_many_slots_as_were_asked_for() {
        use crate::queue::CapacityError;
        use crate::storage::Heap;
        let tree = CancelTree::<Heap>::with_capacity(40).unwrap();
        assert_eq!((0..41).filter(|_| tree.insert(None).is_ok()).count(), 40);
        assert_eq!(CancelTree::<Heap>::with_capacity(0).unwrap_err(), CapacityError::Zero);
        assert!(CancelTree::<Heap>::with_capacity(MAX + 1).is_err());
    }

    #[test]
    fn sizes_are_as_documented() {
        assert_eq!((size_of::<CancelTree<Inline<5>>>(), size_of::<CancelToken>()), (5 * 12, 8));
    }
}

#[cfg(all(test, divvy_loom))]
mod loom_tests {
    use super::*;
    use crate::sync::model;
    use loom::sync::Arc;
    use loom::thread;

    /// A child is made while its parent is cancelled: it is refused, or it has ended when the cancelling is over.
    #[test]
    fn loom_no_child_outlives_its_parent() {
        model("cancel tree, insert against cancel", 4, 3, || {
            let tree = Arc::new(CancelTree::<Inline<2>>::new());
            let parent = tree.insert(None).unwrap();
            let inserter = {
                let tree = Arc::clone(&tree);
                thread::spawn(move || tree.insert(Some(parent)))
            };
            assert!(tree.cancel(parent));
            if let Ok(child) = inserter.join().unwrap() {
                assert!(tree.is_cancelled(child));
            }
            assert_eq!(tree.len(), 0);
        });
    }

    /// A slot changes hands, from a child of one scope to a child of another, while the first scope is cancelled.
    #[test]
    fn loom_a_slot_that_changes_hands_is_not_cancelled_for_its_past() {
        model("cancel tree, reuse against cancel", 3, 2, || {
            let tree = Arc::new(CancelTree::<Inline<3>>::new());
            let (first, second) = (tree.insert(None).unwrap(), tree.insert(None).unwrap());
            let child = tree.insert(Some(first)).unwrap();
            let user = {
                let tree = Arc::clone(&tree);
                thread::spawn(move || {
                    tree.cancel(child);
                    tree.insert(Some(second))
                })
            };
            assert!(tree.cancel(first));
            let heir = user.join().unwrap().expect("a slot was free, and the second scope lives");
            assert!(!tree.is_cancelled(heir) && tree.is_cancelled(child) && !tree.is_cancelled(second));
        });
    }
}

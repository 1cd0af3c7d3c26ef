//! The owner's end.

use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;

use super::front::{Front, POSITION};
use super::{ASKED, Deque, NOBODY, OWNED, Stealer};
use crate::storage::{Full, Storage};
use crate::sync::Ordering;

mod sealed {
    pub trait Sealed {}
}

/// Which of its own items an owner takes next: [`Lifo`] or [`Fifo`]. Sealed: the two are all there are.
pub trait Order: sealed::Sealed + fmt::Debug + 'static {
    #[doc(hidden)]
    const OLDEST_FIRST: bool;
}

/// Last in, first out: what was just made is still warm in the cache. [`Deque::worker`] makes such an owner.
#[derive(Debug)]
pub enum Lifo {}

/// First in, first out: what came first starts first. [`Deque::fifo_worker`] makes such an owner.
#[derive(Debug)]
pub enum Fifo {}

impl sealed::Sealed for Lifo {}
impl sealed::Sealed for Fifo {}

impl Order for Lifo {
    const OLDEST_FIRST: bool = false;
}

impl Order for Fifo {
    const OLDEST_FIRST: bool = true;
}

/// When an owner lets thieves see what it pushes: see the [concurrency of a deque](Deque#concurrency).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Sharing {
    /// With each push. Thieves see every item there is, at any time, and each pop pays a compare-and-swap for that.
    #[default]
    AtOnce,
    /// When a thief has come in vain, or when the owner calls [`Worker::share`]. A push or pop costs next to nothing, and
    /// an owner that stays away from its deque without having shared keeps others from its items.
    OnDemand,
}

/// The owner of a [`Deque`]: pushes, pops, and decides what thieves can see. Not shared between threads, but may move
/// to another one.
///
/// Dropping it shares what it kept to itself and lets another worker take over. A worker that is forgotten
/// (`mem::forget`) owns the deque for good, and what it kept to itself is lost with it.
///
/// ```
/// # use divvy::{queue::Deque, storage::Inline};
/// let deque = Deque::<u8, Inline<2>>::new();
/// drop(deque.worker());
/// assert!(deque.worker().is_some());
/// ```
///
/// Two threads cannot share one:
///
/// ```compile_fail,E0277
/// # use divvy::{queue::Deque, storage::Inline};
/// let deque = Deque::<u8, Inline<2>>::new();
/// let worker = deque.worker().unwrap();
/// std::thread::scope(|scope| {
///     scope.spawn(|| worker.push(1));
/// });
/// ```
pub struct Worker<'a, T, S: Storage, O: Order = Lifo> {
    pub(super) deque: &'a Deque<T, S>,
    /// The items from here to the tail are this worker's alone. If any are shared, this is where those end.
    start: Cell<u32>,
    tail: Cell<u32>,
    /// The tail may go up to here, or further if a thief made room meanwhile.
    limit: Cell<u32>,
    sharing: Cell<Sharing>,
    /// What this worker last saw in or wrote to `Deque::front`. Where it shares at once, it tries that first, rather than
    /// wait for a load: without a thief it is right.
    front: Cell<Front>,
    /// Whether there may be shared items.
    has_shared: Cell<bool>,
    order: PhantomData<O>,
}

impl<'a, T, S: Storage, O: Order> Worker<'a, T, S, O> {
    /// The caller has just become the owner of `deque`.
    #[inline]
    pub(super) fn new(deque: &'a Deque<T, S>) -> Self {
        // Ordering: Relaxed, becoming the owner was an Acquire of what the owner before did, and `shared` and what
        // was taken back are the owner's.
        let front = Front(deque.front.load(Ordering::Relaxed));
        let split = front.split(deque.shared.load(Ordering::Relaxed));
        Self {
            deque,
            start: Cell::new(split),
            tail: Cell::new(split),
            // The first push looks how far it may go.
            limit: Cell::new(split),
            sharing: Cell::new(Sharing::AtOnce),
            front: Cell::new(front),
            has_shared: Cell::new(true),
            order: PhantomData,
        }
    }

    /// Adds `item` as the newest. Thieves see it at once, unless [`Sharing::OnDemand`] was chosen.
    ///
    /// # Errors
    ///
    /// [`Full`] gives the item back: every slot holds an item or is still being emptied by a thief. Nothing changed.
    #[inline]
    pub fn push(&self, item: T) -> Result<(), Full<T>> {
        let tail = self.tail.get();
        if tail == self.limit.get() && tail == self.renew_limit() {
            return Err(Full(item));
        }
        // SAFETY: the slot is past the tail, where thieves do not come before it is shared, and before the limit, so it
        // is free.
        unsafe { self.deque.put(tail, item) };
        self.tail.set(tail.wrapping_add(1));
        match self.sharing.get() {
            Sharing::AtOnce => self.share_one(),
            Sharing::OnDemand => self.answer(),
        }
        Ok(())
    }

    /// Takes the newest item, or the oldest if this worker is [`Fifo`].
    #[inline]
    pub fn pop(&self) -> Option<T> {
        let position = if O::OLDEST_FIRST { self.oldest()? } else { self.newest()? };
        // SAFETY: the item was pushed, and is this worker's alone.
        let item = unsafe { self.deque.take(position) };
        self.answer();
        Some(item)
    }

    /// Takes the position of the newest item.
    #[inline]
    fn newest(&self) -> Option<u32> {
        let (start, tail) = (self.start.get(), self.tail.get());
        if start == tail {
            let taken_back = match self.sharing.get() {
                Sharing::AtOnce => {
                    let (shared, front) =
                        self.deque.take_shared(self.front.get(), |front, _| front.taken_back(1));
                    self.front.set(front);
                    u32::from(shared > 0)
                }
                Sharing::OnDemand => self.deque.take_back_half(),
            };
            if taken_back == 0 {
                return None;
            }
            self.start.set(start.wrapping_sub(taken_back));
        }
        self.tail.set(tail.wrapping_sub(1));
        Some(tail.wrapping_sub(1))
    }

    /// Takes the position of the oldest item.
    #[inline]
    fn oldest(&self) -> Option<u32> {
        if self.has_shared.get() {
            match self.sharing.get() {
                Sharing::AtOnce => {
                    let (shared, front) = self.deque.take_oldest(self.front.get());
                    self.front.set(front);
                    if shared > 0 {
                        return Some(self.start.get().wrapping_sub(shared));
                    }
                }
                Sharing::OnDemand => {
                    self.start.set(self.start.get().wrapping_sub(self.deque.take_back_all()))
                }
            }
            self.has_shared.set(false);
        }
        let start = self.start.get();
        if start == self.tail.get() {
            return None;
        }
        // Nothing is shared, so the shared part may be anywhere: `share` brings it along.
        self.start.set(start.wrapping_add(1));
        Some(start)
    }

    /// When thieves see what is pushed. At first: [`Sharing::AtOnce`]. Whoever returns to that shares all there is.
    #[inline]
    pub fn set_sharing(&self, sharing: Sharing) {
        self.sharing.set(sharing);
        if sharing == Sharing::AtOnce {
            self.share();
            if O::OLDEST_FIRST && !self.has_shared.get() {
                self.deque.move_front(self.start.get());
            }
        }
    }

    /// Lets thieves see all items there are. One store, and nothing if all are shared already; after a
    /// [`Fifo`] worker has popped, a compare-and-swap on top.
    ///
    /// With [`Sharing::OnDemand`], call it before doing anything that takes long.
    #[inline]
    pub fn share(&self) {
        let (start, tail) = (self.start.get(), self.tail.get());
        if start != tail {
            let moved = O::OLDEST_FIRST && !self.has_shared.get();
            self.deque.share(start, tail, moved, self.sharing.get());
            self.start.set(tail);
            self.has_shared.set(true);
        }
    }

    /// Whether there is nothing to pop. `true` stays true until this worker pushes; after `false`, a thief may be
    /// faster.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The largest number of items that this worker could still pop: thieves may leave it fewer.
    pub fn len(&self) -> usize {
        let (shared, _) = self.deque.shared_now(Ordering::Relaxed);
        (shared + self.tail.get().wrapping_sub(self.start.get())) as usize
    }

    /// The smallest number of pushes that will succeed from here: thieves may make room for more.
    pub fn spare_capacity(&self) -> usize {
        self.room() as usize
    }

    /// How many items fit.
    pub fn capacity(&self) -> usize {
        self.deque.capacity()
    }

    /// The thieves' end of the same deque.
    pub fn stealer(&self) -> Stealer<'a, T, S> {
        self.deque.stealer()
    }

    /// Shares the one item that is not shared: `share` where nothing else can be the case.
    #[inline]
    fn share_one(&self) {
        let shared = &self.deque.shared;
        // Ordering: as in `share`.
        shared.store(shared.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
        self.start.set(self.tail.get());
        self.has_shared.set(true);
    }

    /// Shares if a thief has asked.
    #[inline]
    fn answer(&self) {
        // Ordering: Relaxed, the request carries nothing.
        if self.sharing.get() == Sharing::OnDemand && self.deque.owner.load(Ordering::Relaxed) == ASKED {
            self.comply();
        }
    }

    /// Shares, as a thief has asked. A part of its own only to say that it is rare.
    #[cold]
    #[inline(always)]
    fn comply(&self) {
        self.share();
    }

    /// How many items may be pushed from here, at least.
    pub(super) fn room(&self) -> u32 {
        self.renew_limit().wrapping_sub(self.tail.get())
    }

    /// Looks how far thieves have come.
    #[inline]
    fn renew_limit(&self) -> u32 {
        let limit = self.deque.limit(self.start.get(), self.tail.get());
        self.limit.set(limit);
        limit
    }

    /// Pushes what `items` makes of the numbers from 0 up to `count`.
    ///
    /// # Safety
    ///
    /// There is room for `count` items: [`room`](Self::room) said so, and nothing was pushed since.
    pub(super) unsafe fn extend(&self, count: u32, mut items: impl FnMut(u32) -> T) {
        let tail = self.tail.get();
        for i in 0..count {
            // SAFETY: past the tail, and there is room, as the caller says.
            unsafe { self.deque.put(tail.wrapping_add(i), items(i)) };
        }
        self.tail.set(tail.wrapping_add(count));
        match self.sharing.get() {
            Sharing::AtOnce => self.share(),
            Sharing::OnDemand => self.answer(),
        }
    }
}

/// What an owner does rarely. It is handed the numbers that it needs instead of a reference to the worker, so that a
/// function with a worker of its own can keep them in registers.
impl<T, S: Storage> Deque<T, S> {
    /// Lets thieves see the items from `start` to `tail`, and answers a request. Where nothing else is shared, the shared
    /// part may be `moved` to them.
    #[cold]
    #[inline(never)]
    fn share(&self, start: u32, tail: u32, moved: bool, sharing: Sharing) {
        // Ordering: Relaxed, the worker's own.
        let shared = self.shared.load(Ordering::Relaxed);
        if moved {
            self.move_front(start);
        }
        // Ordering: Release publishes the items to the Acquire of the thief that looks.
        self.shared.store(shared.wrapping_add(tail.wrapping_sub(start)), Ordering::Release);
        // Ordering: Relaxed, the request carries nothing. One that came since is answered by what was just shared. Who
        // shares all at once lets it stand, so that nobody asks again.
        if sharing == Sharing::OnDemand && self.owner.load(Ordering::Relaxed) == ASKED {
            self.owner.store(OWNED, Ordering::Relaxed);
        }
    }

    /// How far the tail may go, given what is the worker's alone.
    #[cold]
    #[inline(never)]
    fn limit(&self, start: u32, tail: u32) -> u32 {
        // Ordering: Acquire pairs with the Release of the thief that moved items out: its reads of the slots are over.
        let (shared, front) = self.shared_now(Ordering::Acquire);
        let held = if front.is_moving() {
            // Ordering: Acquire pairs with the Release of the thief that wrote it: the one that `front` shows, or a
            // later one, and then the reads of those before it are over.
            tail.wrapping_sub(self.from.load(Ordering::Acquire)) & POSITION
        } else {
            // What is before the head, and before the start if nothing is shared, is nobody's.
            tail.wrapping_sub(start) + shared
        };
        tail.wrapping_add(self.slots.len() as u32 - held)
    }

    /// Takes back the newer half of the shared items, so that they lie before the tail, and answers how many.
    #[inline(never)]
    fn take_back_half(&self) -> u32 {
        let half = |shared: u32| shared.div_ceil(2);
        // Ordering: Relaxed, `take_shared` sees to it.
        let front = Front(self.front.load(Ordering::Relaxed));
        half(self.take_shared(front, |front, shared| front.taken_back(half(shared))).0)
    }

    /// Takes back all shared items, and answers how many.
    #[inline(never)]
    fn take_back_all(&self) -> u32 {
        // Ordering: Relaxed, `take_shared` sees to it.
        let front = Front(self.front.load(Ordering::Relaxed));
        self.take_shared(front, |front, shared| front.taken_back(shared)).0
    }

    /// Takes the oldest of the shared items. Answers how many there were, and the front.
    #[inline(never)]
    fn take_oldest(&self, front: Front) -> (u32, Front) {
        self.take_shared(front, |front, _| front.popped())
    }

    /// Replaces the front by what `taking` makes of it and of the number of shared items, unless there are none.
    /// Answers that number, and what the front then is. `front` is a guess at what it was.
    #[inline]
    fn take_shared(&self, mut front: Front, taking: impl Fn(Front, u32) -> Front) -> (u32, Front) {
        // Ordering: Relaxed, the worker's own.
        let ever = self.shared.load(Ordering::Relaxed);
        loop {
            let shared = front.len(ever);
            if shared == 0 {
                // Not to be left to a guess: the head may have come around since.
                // Ordering: Relaxed, nothing is taken.
                let now = Front(self.front.load(Ordering::Relaxed));
                if now.0 == front.0 {
                    return (0, front);
                }
                front = now;
                continue;
            }
            let after = taking(front, shared);
            // Ordering: Release: a thief that sees this (Acquire) sees what was shared before it, so the end that it
            // computes is never before the head. Nothing is learned from a thief's write but the head.
            match self.front.compare_exchange_weak(front.0, after.0, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return (shared, after),
                Err(now) => front = Front(now),
            }
        }
    }

    /// Lets the shared part, in which there is nothing, begin at `position`.
    #[cold]
    #[inline(never)]
    fn move_front(&self, position: u32) {
        // Ordering: Relaxed, the worker's own.
        let shared = self.shared.load(Ordering::Relaxed);
        // Ordering: as in `take_shared`. There is nothing that a thief could book, so none moves the head.
        let mut now = Front(self.front.load(Ordering::Relaxed));
        while now.head() != position & POSITION {
            let moved = now.moved_to(position, shared);
            match self.front.compare_exchange_weak(now.0, moved.0, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => break,
                Err(changed) => now = Front(changed),
            }
        }
    }
}

impl<T, S: Storage, O: Order> Drop for Worker<'_, T, S, O> {
    #[inline]
    fn drop(&mut self) {
        self.share();
        // Ordering: Release hands the owner's slots and counters to the Acquire of the next owner. A store of `NOBODY`
        // would do, as a thief's request comes right after `OWNED` or not at all, but loom does not know that.
        self.deque.owner.fetch_and(NOBODY, Ordering::Release);
    }
}

impl<T, S: Storage, O: Order> fmt::Debug for Worker<'_, T, S, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("capacity", &self.capacity()).field("len", &self.len()).finish()
    }
}

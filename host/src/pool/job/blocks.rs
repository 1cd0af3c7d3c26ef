//! Where the tasks of scopes are kept: blocks of one cache line that are used again.
//!
//! Whoever executes a task has its block, so where one worker spawns and another one steals, blocks wander. They go back
//! through the depot, many at once: neither worker calls the allocator for that.
#![allow(unsafe_code, reason = "raw memory: who owns a block is said at each function")]

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

/// One block: a cache line.
#[repr(align(64))]
pub(in crate::pool) struct Block(#[expect(dead_code, reason = "raw memory")] MaybeUninit<[u8; 64]>);

/// How many blocks are allocated at once, and go through the depot at once.
const BATCH: usize = 128;

/// Free blocks that no seat has, and all that there are. As many are allocated as were in use at once, and freed with the
/// pool.
#[derive(Default)]
pub(in crate::pool) struct Depot(Mutex<Stock>);

#[derive(Default)]
struct Stock {
    free: Vec<NonNull<Block>>,
    all: Vec<Box<[MaybeUninit<Block>]>>,
}

// SAFETY: a free block belongs to nobody but the list that it is in.
unsafe impl Send for Stock {}

/// The free blocks of one seat, for its occupant.
pub(in crate::pool) struct Blocks {
    free: UnsafeCell<Vec<NonNull<Block>>>,
    depot: Arc<Depot>,
}

// SAFETY: as above.
unsafe impl Send for Blocks {}

/// Whether values of type `T` fit into a block.
const fn fits<T>() -> bool {
    size_of::<T>() <= size_of::<Block>() && align_of::<T>() <= align_of::<Block>()
}

impl Depot {
    /// Moves `count` free blocks, `BATCH` at most, to the end of `list`.
    #[cold]
    #[inline(never)]
    fn take(&self, list: &mut Vec<NonNull<Block>>, count: usize) {
        let mut stock = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if stock.free.len() < count {
            let mut blocks = Box::new_uninit_slice(BATCH);
            // From the end: they are taken in the order in which they lie in memory.
            stock.free.extend(blocks.iter_mut().rev().map(|block| NonNull::from(block).cast()));
            stock.all.push(blocks);
        }
        let rest = stock.free.len() - count;
        list.extend(stock.free.drain(rest..));
    }

    /// Takes free blocks from `first` on out of `list`.
    #[cold]
    #[inline(never)]
    fn give(&self, list: &mut Vec<NonNull<Block>>, first: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).free.extend(list.drain(first..));
    }

    /// Moves a value to the heap, on a thread without a seat.
    pub(in crate::pool) fn put<T>(&self, value: T) -> NonNull<T> {
        let mut one = Vec::new();
        put(value, || {
            self.take(&mut one, 1);
            one.pop().expect("one was taken")
        })
    }
}

impl Blocks {
    pub(in crate::pool) fn new(depot: Arc<Depot>) -> Self {
        Self { free: UnsafeCell::new(Vec::with_capacity(2 * BATCH)), depot }
    }

    /// Moves a value to the heap.
    #[inline]
    pub(in crate::pool) fn put<T>(&self, value: T) -> NonNull<T> {
        put(value, || {
            // SAFETY: one thread at a time uses the list, and nothing in here calls back.
            let free = unsafe { &mut *self.free.get() };
            free.pop().unwrap_or_else(|| {
                self.depot.take(free, BATCH);
                free.pop().expect("some were taken")
            })
        })
    }

    /// Moves a value back from the heap.
    ///
    /// # Safety
    ///
    /// `place` came from `put`, here or at another seat or the depot of the same pool, and is not used after this.
    #[inline]
    pub(in crate::pool) unsafe fn take<T>(&self, place: NonNull<T>) -> T {
        if !fits::<T>() {
            // SAFETY: `put` made a box of it.
            return *unsafe { Box::from_raw(place.as_ptr()) };
        }
        // SAFETY: the value is there, and not used again.
        let value = unsafe { place.read() };
        // SAFETY: as in `put`.
        let free = unsafe { &mut *self.free.get() };
        if free.len() == 2 * BATCH {
            self.depot.give(free, BATCH);
        }
        free.push(place.cast());
        value
    }
}

#[inline]
fn put<T>(value: T, block: impl FnOnce() -> NonNull<Block>) -> NonNull<T> {
    if !fits::<T>() {
        // SAFETY: a box is not null.
        return unsafe { NonNull::new_unchecked(Box::into_raw(Box::new(value))) };
    }
    let place = block().cast::<T>();
    // SAFETY: the block is large and aligned enough, and nobody else's.
    unsafe { place.write(value) };
    place
}

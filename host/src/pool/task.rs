//! Where the tasks of scopes are kept: blocks of one cache line that are used again.
#![allow(unsafe_code, reason = "raw memory: who owns a block is said at each function")]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::UnsafeCell;
use std::ptr::NonNull;

/// One block: a cache line.
const BLOCK: Layout = match Layout::from_size_align(64, 64) {
    Ok(layout) => layout,
    Err(_) => unreachable!(),
};

/// How many free blocks a seat keeps.
const KEPT: usize = 1024;

/// The free blocks of one seat, for its occupant.
#[derive(Default)]
pub(super) struct Blocks(UnsafeCell<Vec<NonNull<u8>>>);

// SAFETY: a free block belongs to nobody but the list.
unsafe impl Send for Blocks {}

/// Whether values of type `T` fit into a block.
const fn fits<T>() -> bool {
    size_of::<T>() <= BLOCK.size() && align_of::<T>() <= BLOCK.align()
}

impl Blocks {
    /// Moves a value to the heap.
    #[inline]
    pub(super) fn put<T>(blocks: Option<&Self>, value: T) -> NonNull<T> {
        if !fits::<T>() {
            // SAFETY: a box is not null.
            return unsafe { NonNull::new_unchecked(Box::into_raw(Box::new(value))) };
        }
        // SAFETY: one thread at a time uses the list, and nothing in here calls back.
        let kept = blocks.and_then(|blocks| unsafe { (*blocks.0.get()).pop() });
        let place = kept.unwrap_or_else(new_block).cast::<T>();
        // SAFETY: the block is large and aligned enough, and nobody else's.
        unsafe { place.write(value) };
        place
    }

    /// Moves a value back from the heap.
    ///
    /// # Safety
    ///
    /// `place` came from `put`, of whichever list, and is not used after this.
    #[inline]
    pub(super) unsafe fn take<T>(blocks: Option<&Self>, place: NonNull<T>) -> T {
        if !fits::<T>() {
            // SAFETY: `put` made a box of it.
            return *unsafe { Box::from_raw(place.as_ptr()) };
        }
        // SAFETY: the value is there, and not used again.
        let value = unsafe { place.read() };
        match blocks {
            // SAFETY: as in `put`.
            Some(blocks) => unsafe {
                let kept = &mut *blocks.0.get();
                if kept.len() < KEPT { kept.push(place.cast()) } else { free(place.cast()) }
            },
            // SAFETY: the block is nobody's any more.
            None => unsafe { free(place.cast()) },
        }
        value
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        for block in self.0.get_mut().drain(..) {
            // SAFETY: a free block belongs to the list.
            unsafe { free(block) };
        }
    }
}

fn new_block() -> NonNull<u8> {
    // SAFETY: the layout has a size.
    NonNull::new(unsafe { alloc(BLOCK) }).unwrap_or_else(|| handle_alloc_error(BLOCK))
}

/// # Safety
///
/// `block` came from `new_block`, and is not used after this.
unsafe fn free(block: NonNull<u8>) {
    // SAFETY: the caller's.
    unsafe { dealloc(block.as_ptr(), BLOCK) };
}

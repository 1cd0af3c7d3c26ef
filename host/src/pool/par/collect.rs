//! Filling a vector from several threads.
#![allow(
    unsafe_code,
    reason = "threads write into parts of one allocation; each block says why they are apart"
)]

use super::chunking::Chunking;
use super::drive::{Body, drive};
use super::items::Items;
use crate::pool::threads::Pool;
use std::marker::PhantomData;
use std::mem::{self, MaybeUninit};
use std::ops::Range;
use std::ptr;

/// What `f` makes of each item, in their order.
pub(super) fn map<I: Items, R: Send>(
    pool: &Pool,
    items: I,
    chunking: Chunking,
    f: impl Fn(I::Item) -> R + Sync,
) -> Vec<R> {
    let len = items.count();
    let mut list: Vec<R> = Vec::with_capacity(len);
    // As long as this body lives nobody else touches the room of the list.
    let room = &mut list.spare_capacity_mut()[..len];
    let body = Map::<I, R, _> { items: items.share(), room: room.share(), f };
    let filled = drive(pool, len, chunking, &body).map_or(0, Filled::leave);
    assert_eq!(filled, len, "every item was mapped");
    // SAFETY: the first `len` places are filled, as their only owner has just said, who is gone and drops none.
    unsafe { list.set_len(len) };
    list
}

struct Map<'a, I: Items, R: Send, F> {
    items: I::Shared,
    room: <&'a mut [MaybeUninit<R>] as Items>::Shared,
    f: F,
}

impl<'a, I: Items, R: Send, F: Fn(I::Item) -> R + Sync> Body for Map<'a, I, R, F> {
    type Out = Filled<'a, R>;

    fn run(&self, before: Option<Filled<'a, R>>, range: Range<usize>) -> Filled<'a, R> {
        // SAFETY: the driver hands out no index twice and none beyond the length, which both have.
        let (items, places) = unsafe {
            (I::block(&self.items, range.clone()), <&mut [MaybeUninit<R>]>::block(&self.room, range))
        };
        let places = places.into_slice();
        let mut filled = Filled { start: places.as_mut_ptr().cast(), len: 0, owned: PhantomData };
        if mem::needs_drop::<R>() {
            for (item, place) in items.zip(places) {
                place.write((self.f)(item));
                filled.len += 1;
            }
        } else {
            // Nothing would be dropped if `f` panicked, so nothing is counted on the way.
            let len = places.len();
            for (item, place) in items.zip(places) {
                place.write((self.f)(item));
            }
            filled.len = len;
        }
        match before {
            Some(before) => self.combine(before, filled),
            None => filled,
        }
    }

    fn combine(&self, mut left: Filled<'a, R>, right: Filled<'a, R>) -> Filled<'a, R> {
        // Where a block between them is missing because it panicked, each drops its own.
        if left.start.wrapping_add(left.len) == right.start {
            left.len += right.len;
            mem::forget(right);
        }
        left
    }
}

/// Places that are filled, one after the other. It owns what is in them.
struct Filled<'a, R> {
    start: *mut R,
    len: usize,
    owned: PhantomData<&'a mut [R]>,
}

impl<R> Filled<'_, R> {
    /// Leaves what is in the places there, and says how many are filled.
    fn leave(self) -> usize {
        let len = self.len;
        mem::forget(self);
        len
    }
}

// SAFETY: it is the only way to what it holds, which may change threads as `R` may.
unsafe impl<R: Send> Send for Filled<'_, R> {}

impl<R> Drop for Filled<'_, R> {
    fn drop(&mut self) {
        // SAFETY: `len` places from `start` on are filled and nobody else drops them.
        unsafe { ptr::drop_in_place(ptr::slice_from_raw_parts_mut(self.start, self.len)) };
    }
}

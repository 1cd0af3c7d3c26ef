//! The stable sort: leaves sorted in place, then merged in parallel, to and fro between the list and a buffer.
#![allow(unsafe_code, reason = "items are moved bit by bit; each block says where the one valid copy is")]

use super::SERIAL;
use super::run::is_sorted_already;
use crate::pool::threads::Pool;
use crate::pool::work::context::Context;
use std::cmp::Ordering;
use std::mem;
use std::ptr;

/// A merge of more than this many items is shared.
const PIECE: usize = 1 << 14;

pub(super) fn sort<T: Send>(pool: &Pool, list: &mut [T], compare: &(impl Fn(&T, &T) -> Ordering + Sync)) {
    let threads = pool.threads();
    if list.len() <= SERIAL || threads == 1 {
        return list.sort_by(compare);
    }
    // Powers of four: an even number of merges ends in the list, not in the buffer.
    let mut leaves = 4;
    while leaves < 2 * threads && list.len() / leaves > SERIAL {
        leaves *= 4;
    }
    pool.run(|cx| {
        if is_sorted_already(cx, list, compare) {
            return;
        }
        sort_leaves(cx, list, leaves, compare);
        let border = |index: usize| leaf_start(list.len(), leaves, index);
        let in_order = |index: usize| {
            let border = border(index);
            compare(&list[border - 1], &list[border]).is_le()
        };
        if (1..leaves).all(in_order) || size_of::<T>() == 0 {
            return;
        }
        let mut buffer: Vec<T> = Vec::with_capacity(list.len());
        let merge = Merge { compare, leaves, len: list.len() };
        let (list, buffer) = (Place(list.as_mut_ptr()), Place(buffer.as_mut_ptr()));
        // SAFETY: both have room for the items, which are in the list, and nobody else uses either until this is over.
        // The buffer's length stays 0, so it drops nothing.
        unsafe { merge.tree(cx, list, buffer, 0, leaves, false) };
    });
}

/// Where leaf `index` of `leaves` begins.
fn leaf_start(len: usize, leaves: usize, index: usize) -> usize {
    index * (len / leaves) + index.min(len % leaves)
}

fn sort_leaves<T: Send>(
    cx: &mut Context,
    list: &mut [T],
    leaves: usize,
    compare: &(impl Fn(&T, &T) -> Ordering + Sync),
) {
    if leaves == 1 {
        return list.sort_by(compare);
    }
    // The same borders as `leaf_start` has, halved again and again: the longer leaves come first.
    let middle = leaf_start(list.len(), leaves, leaves / 2);
    let (left, right) = list.split_at_mut(middle);
    cx.join(
        |cx| sort_leaves(cx, left, leaves / 2, compare),
        |cx| sort_leaves(cx, right, leaves / 2, compare),
    );
}

/// Where items are or go.
struct Place<T>(*mut T);

impl<T> Clone for Place<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Place<T> {}

// SAFETY: whoever has a place touches a range of items there that is its own, and may move items between threads.
unsafe impl<T: Send> Send for Place<T> {}
// SAFETY: as above; by reference it only gives copies of itself.
unsafe impl<T: Send> Sync for Place<T> {}

impl<T> Place<T> {
    /// # Safety
    ///
    /// As [`pointer::add`].
    unsafe fn at(self, index: usize) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { self.0.add(index) })
    }
}

/// Sorted items in a row.
struct Run<T> {
    start: Place<T>,
    len: usize,
}

impl<T> Clone for Run<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Run<T> {}

impl<T> Run<T> {
    /// # Safety
    ///
    /// The items are there and nobody moves them while the slice lives.
    unsafe fn items<'a>(self) -> &'a [T] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts(self.start.0, self.len) }
    }

    /// # Safety
    ///
    /// `index <= len`.
    unsafe fn split(self, index: usize) -> (Self, Self) {
        // SAFETY: the caller's promise.
        let right = unsafe { self.start.at(index) };
        (Self { start: self.start, len: index }, Self { start: right, len: self.len - index })
    }
}

/// Copies the items back into the list if a comparison panics.
struct BackOnUnwind<T> {
    from: Place<T>,
    to: Place<T>,
    len: usize,
}

impl<T> Drop for BackOnUnwind<T> {
    fn drop(&mut self) {
        // SAFETY: made where all items are in `from`, which the merge only reads.
        unsafe { ptr::copy_nonoverlapping(self.from.0, self.to.0, self.len) };
    }
}

struct Merge<'a, C> {
    compare: &'a C,
    leaves: usize,
    len: usize,
}

impl<C> Merge<'_, C> {
    /// Merges the leaves `first..last`, which are in the list, into the buffer or into the list.
    ///
    /// Whether it panics or not, and wherever the result goes: the list then holds all items of these leaves. A merge
    /// into the buffer leaves it as it is, and one into the list is undone from the buffer.
    ///
    /// # Safety
    ///
    /// The list holds the items of these leaves, there is room for as many in the buffer, and nobody else touches
    /// either place.
    unsafe fn tree<T: Send>(
        &self,
        cx: &mut Context,
        list: Place<T>,
        buffer: Place<T>,
        first: usize,
        last: usize,
        into_buffer: bool,
    ) where
        C: Fn(&T, &T) -> Ordering + Sync,
    {
        let [start, middle, end] =
            [first, first.midpoint(last), last].map(|leaf| leaf_start(self.len, self.leaves, leaf));
        let leaf = last - first == 1;
        if !leaf {
            let half = first.midpoint(last);
            // SAFETY: the two halves share no leaf; the caller's promise covers both.
            cx.join(
                |cx| unsafe { self.tree(cx, list, buffer, first, half, !into_buffer) },
                |cx| unsafe { self.tree(cx, list, buffer, half, last, !into_buffer) },
            );
        }
        // SAFETY: the leaves lie within both places.
        let (in_list, in_buffer) = unsafe { (list.at(start), buffer.at(start)) };
        if leaf {
            if into_buffer {
                // SAFETY: the buffer has the room, and is apart from the list.
                unsafe { ptr::copy_nonoverlapping(in_list.0, in_buffer.0, end - start) };
            }
            return;
        }
        let (from, to) = if into_buffer { (in_list, in_buffer) } else { (in_buffer, in_list) };
        let back = (!into_buffer).then_some(BackOnUnwind { from, to, len: end - start });
        // SAFETY: both halves are in `from`, and `to` has room for both.
        unsafe {
            let (left, right) = Run { start: from, len: end - start }.split(middle - start);
            self.merge(cx, left, right, to);
        }
        mem::forget(back);
    }

    /// Merges two runs by copying, with as many threads as are idle.
    ///
    /// # Safety
    ///
    /// Both hold their items, nobody else touches these, and there is room for them at `to`, which is apart.
    unsafe fn merge<T: Send>(&self, cx: &mut Context, left: Run<T>, right: Run<T>, to: Place<T>)
    where
        C: Fn(&T, &T) -> Ordering + Sync,
    {
        let len = left.len + right.len;
        if len <= PIECE {
            // SAFETY: the caller's promise.
            return unsafe { self.merge_alone(left, right, to) };
        }
        let half = len / 2;
        // SAFETY: the caller's promise; both slices are gone before anybody moves an item.
        let from_left = self.split(unsafe { left.items() }, unsafe { right.items() }, half);
        // SAFETY: `split` answers a number of items of the left run that leaves `half - from_left` within the right.
        let ((left, left_rest), (right, right_rest), to_rest) =
            unsafe { (left.split(from_left), right.split(half - from_left), to.at(half)) };
        // SAFETY: the two share no item, neither where they come from nor where they go.
        cx.join(
            |cx| unsafe { self.merge(cx, left, right, to) },
            |cx| unsafe { self.merge(cx, left_rest, right_rest, to_rest) },
        );
    }

    /// How many of the first `count` items of the merged runs come from `left`.
    fn split<T>(&self, left: &[T], right: &[T], count: usize) -> usize
    where
        C: Fn(&T, &T) -> Ordering,
    {
        let (mut low, mut high) = (count.saturating_sub(right.len()), count.min(left.len()));
        while low < high {
            let middle = low.midpoint(high);
            // Of equal items those on the left come first.
            if (self.compare)(&left[middle], &right[count - middle - 1]).is_le() {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// # Safety
    ///
    /// As [`merge`](Self::merge).
    unsafe fn merge_alone<T>(&self, left: Run<T>, right: Run<T>, to: Place<T>)
    where
        C: Fn(&T, &T) -> Ordering,
    {
        // SAFETY: `a` and `b` stay within their runs, of which each step copies one item, and so `to` within its room.
        unsafe {
            let (mut a, mut b, mut to) = (left.start.0.cast_const(), right.start.0.cast_const(), to.0);
            let (a_end, b_end) = (a.add(left.len), b.add(right.len));
            while a < a_end && b < b_end {
                // Without a branch that depends on the items.
                let from_right = (self.compare)(&*b, &*a).is_lt();
                ptr::copy_nonoverlapping(if from_right { b } else { a }, to, 1);
                a = a.add(usize::from(!from_right));
                b = b.add(usize::from(from_right));
                to = to.add(1);
            }
            let rest = a_end.offset_from_unsigned(a);
            ptr::copy_nonoverlapping(a, to, rest);
            ptr::copy_nonoverlapping(b, to.add(rest), b_end.offset_from_unsigned(b));
        }
    }
}

//! What a parallel loop runs over.
#![allow(
    unsafe_code,
    reason = "blocks of one mutable slice go to several threads; each block says why they are apart"
)]

use super::chunking::Chunking;
use super::drive::{Body, drive};
use crate::pool::threads::Pool;
use std::iter::Zip;
use std::marker::PhantomData;
use std::ops::Range;
use std::slice;

/// What a parallel loop runs over: slices, mutable slices, vectors and arrays by reference, ranges of integers, and pairs
/// of these, which run in step and end with the shorter one.
///
/// `(0..n, &mut list)` numbers the items of a list; `(&input, &mut output)` goes through two.
///
/// Not for implementing: the loops rely on its answers for memory safety.
pub trait Items: Sized + sealed::Sealed {
    /// What the body of the loop gets.
    type Item;

    #[doc(hidden)]
    type Block: Iterator<Item = Self::Item>;

    #[doc(hidden)]
    type Shared: Sync;

    #[doc(hidden)]
    fn count(&self) -> usize;

    #[doc(hidden)]
    fn share(self) -> Self::Shared;

    /// The items of `range`, exactly as many as it is long.
    ///
    /// # Safety
    ///
    /// `range` lies within `0..count`, and no index is handed out twice.
    #[doc(hidden)]
    unsafe fn block(shared: &Self::Shared, range: Range<usize>) -> Self::Block;
}

/// What a loop does with a block of items; otherwise as [`Body`].
pub(super) trait Blocks<I: Items>: Sync {
    type Out: Send;
    const UNIT: bool = false;
    fn run(&self, before: Option<Self::Out>, block: I::Block) -> Self::Out;
    fn combine(&self, left: Self::Out, right: Self::Out) -> Self::Out;
}

/// Runs `body` over all of `items`.
pub(super) fn drive_over<I: Items, B: Blocks<I>>(
    pool: &Pool,
    items: I,
    chunking: Chunking,
    body: &B,
) -> Option<B::Out> {
    let len = items.count();
    drive(pool, len, chunking, &Over::<I, B> { items: items.share(), body })
}

struct Over<'a, I: Items, B> {
    items: I::Shared,
    body: &'a B,
}

impl<I: Items, B: Blocks<I>> Body for Over<'_, I, B> {
    type Out = B::Out;
    const UNIT: bool = B::UNIT;

    fn run(&self, before: Option<B::Out>, range: Range<usize>) -> B::Out {
        // SAFETY: these items go to one drive, which hands out each index below their count once.
        self.body.run(before, unsafe { I::block(&self.items, range) })
    }

    fn combine(&self, left: B::Out, right: B::Out) -> B::Out {
        self.body.combine(left, right)
    }
}

mod sealed {
    pub trait Sealed {}
}

impl<T> sealed::Sealed for &[T] {}

impl<'a, T: Sync> Items for &'a [T] {
    type Item = &'a T;
    type Block = slice::Iter<'a, T>;
    type Shared = &'a [T];

    fn count(&self) -> usize {
        self.len()
    }

    fn share(self) -> &'a [T] {
        self
    }

    unsafe fn block(shared: &&'a [T], range: Range<usize>) -> slice::Iter<'a, T> {
        shared[range].iter()
    }
}

/// A mutable slice, of which each thread sees its own blocks.
#[derive(Debug)]
pub struct Cells<'a, T> {
    start: *mut T,
    len: usize,
    borrowed: PhantomData<&'a mut [T]>,
}

// SAFETY: by reference this gives out nothing but disjoint parts of the slice (the contract of `Items::block`), so each
// item is reached by one thread, which `T: Send` allows.
unsafe impl<T: Send> Sync for Cells<'_, T> {}

impl<T> sealed::Sealed for &mut [T] {}

impl<'a, T: Send> Items for &'a mut [T] {
    type Item = &'a mut T;
    type Block = slice::IterMut<'a, T>;
    type Shared = Cells<'a, T>;

    fn count(&self) -> usize {
        self.len()
    }

    fn share(self) -> Cells<'a, T> {
        Cells { len: self.len(), start: self.as_mut_ptr(), borrowed: PhantomData }
    }

    unsafe fn block(shared: &Cells<'a, T>, range: Range<usize>) -> slice::IterMut<'a, T> {
        assert!(range.start <= range.end && range.end <= shared.len, "a block lies within its slice");
        // SAFETY: the range is within the slice, which is borrowed mutably for 'a; nobody else was or will be given an
        // index of the range, as the caller promises, so this reference is the only one to these items.
        unsafe { slice::from_raw_parts_mut(shared.start.add(range.start), range.len()) }.iter_mut()
    }
}

/// Borrowed lists are the slices that they hold.
macro_rules! lists {
    ($([$($generics:tt)*] $list:ty => $slice:ty, $bound:path, $as_slice:ident);+ $(;)?) => {$(
        impl<'a, $($generics)*> sealed::Sealed for $list {}

        impl<'a, $($generics)*> Items for $list
        where
            T: $bound,
        {
            type Item = <$slice as Items>::Item;
            type Block = <$slice as Items>::Block;
            type Shared = <$slice as Items>::Shared;

            fn count(&self) -> usize {
                self.len()
            }

            fn share(self) -> Self::Shared {
                self.$as_slice().share()
            }

            unsafe fn block(shared: &Self::Shared, range: Range<usize>) -> Self::Block {
                // SAFETY: the caller keeps the same promise.
                unsafe { <$slice as Items>::block(shared, range) }
            }
        }
    )+};
}

lists! {
    [T] &'a Vec<T> => &'a [T], Sync, as_slice;
    [T] &'a mut Vec<T> => &'a mut [T], Send, as_mut_slice;
    [T, const N: usize] &'a [T; N] => &'a [T], Sync, as_slice;
    [T, const N: usize] &'a mut [T; N] => &'a mut [T], Send, as_mut_slice;
}

macro_rules! ranges {
    ($($integer:ty)+) => {$(
        impl sealed::Sealed for Range<$integer> {}

        impl Items for Range<$integer> {
            type Item = $integer;
            type Block = Range<$integer>;
            type Shared = Range<$integer>;

            fn count(&self) -> usize {
                // As two's complement, the difference of the ends is the length even where it overflows the type.
                let length = self.end.wrapping_sub(self.start) as u64 & (u64::MAX >> (64 - <$integer>::BITS));
                if self.is_empty() { 0 } else { usize::try_from(length).expect("a loop of usize::MAX items at most") }
            }

            fn share(self) -> Self {
                self
            }

            unsafe fn block(shared: &Self, range: Range<usize>) -> Self {
                // No index is beyond the length, so the sums are exact modulo the range of the type.
                shared.start.wrapping_add(range.start as $integer)..shared.start.wrapping_add(range.end as $integer)
            }
        }
    )+};
}

ranges!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

impl<A: sealed::Sealed, B: sealed::Sealed> sealed::Sealed for (A, B) {}

impl<A: Items, B: Items> Items for (A, B) {
    type Item = (A::Item, B::Item);
    type Block = Zip<A::Block, B::Block>;
    type Shared = (A::Shared, B::Shared);

    fn count(&self) -> usize {
        self.0.count().min(self.1.count())
    }

    fn share(self) -> Self::Shared {
        (self.0.share(), self.1.share())
    }

    unsafe fn block(shared: &Self::Shared, range: Range<usize>) -> Self::Block {
        // SAFETY: the caller keeps the same promise; the count is the shorter one's, so the range lies within both.
        unsafe { A::block(&shared.0, range.clone()).zip(B::block(&shared.1, range)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_their_length_whatever_their_type() {
        assert_eq!(Items::count(&(i8::MIN..i8::MAX)), 255);
        assert_eq!(Items::count(&(-100i64..100)), 200);
        assert_eq!(Items::count(&(u64::MAX - 5..u64::MAX)), 5);
        #[expect(clippy::reversed_empty_ranges, reason = "an empty range is what is meant")]
        let reversed = 5u32..3;
        assert_eq!(Items::count(&reversed), 0);
        assert_eq!(Items::count(&(i64::MIN..i64::MAX)), usize::MAX);
    }

    #[test]
    fn a_block_of_a_range_is_the_part_of_it() {
        // SAFETY: each index is handed out once.
        let block = unsafe { <Range<i8> as Items>::block(&(-128..127), 250..255) };
        assert_eq!(block.collect::<Vec<_>>(), [122, 123, 124, 125, 126]);
    }
}

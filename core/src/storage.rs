//! Where a structure keeps its items: in itself, or in one allocation made at construction.
//!
//! Every structure of the core has storage as its last type parameter. [`Inline<N>`](Inline) is an array inside the
//! value: no allocator, `const fn new`, fits a `static`. [`Heap`] (feature `alloc`) is one allocation of a capacity
//! chosen at run time. One implementation serves both, and neither ever grows.
//!
//! ```
//! use divvy::queue::PriorityQueue;
//! use divvy::storage::{Full, Inline};
//! use core::time::Duration;
//! use divvy::Instant;
//!
//! let mut queue = PriorityQueue::<&str, Inline<1>>::new(Duration::from_secs(1));
//! queue.push(Instant::ZERO, 0, "first")?;
//! // Full is an answer, and the item comes back:
//! assert_eq!(queue.push(Instant::ZERO, 0, "second"), Err(Full("second")));
//! # Ok::<(), Full<&str>>(())
//! ```

use core::fmt;
use core::ops::{Deref, DerefMut};

/// The structure is full; here is the item back. Nothing changed. Remedy: take something out, wait, or choose a
/// larger capacity.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Full<T>(pub T);

impl<T> Full<T> {
    /// The item that did not fit.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> fmt::Display for Full<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the structure is full; take something out or choose a larger capacity")
    }
}

impl<T: fmt::Debug> core::error::Error for Full<T> {}

mod sealed {
    pub trait Sealed {}
}

/// A place to keep items: [`Inline<N>`](Inline) or [`Heap`]. Sealed: the two are all there are.
pub trait Storage: sealed::Sealed + fmt::Debug + 'static {
    /// A list that holds up to a fixed number of items.
    type List<T>: List<T>;
    /// A fixed number of items, all present from the start: the cells of a ring.
    type Slots<T>: Deref<Target = [T]> + DerefMut;
}

/// A list with a fixed capacity. Dereferences to the slice of its items.
pub trait List<T>: Deref<Target = [T]> + DerefMut {
    /// How many items fit.
    fn capacity(&self) -> usize;
    /// Appends `item`, or gives it back.
    fn push(&mut self, item: T) -> Result<(), Full<T>>;
    /// Takes the last item.
    fn pop(&mut self) -> Option<T>;
    /// Takes the item at `index`, which the last item replaces; `None` past the end.
    fn swap_remove(&mut self, index: usize) -> Option<T>;
    /// Drops every item.
    fn clear(&mut self);
}

/// Items live in an array of `N` inside the structure itself.
#[derive(Debug)]
pub enum Inline<const N: usize> {}

impl<const N: usize> sealed::Sealed for Inline<N> {}

impl<const N: usize> Storage for Inline<N> {
    type List<T> = heapless::Vec<T, N>;
    type Slots<T> = InlineSlots<T, N>;
}

/// The cells of [`Inline`].
#[derive(Debug)]
pub struct InlineSlots<T, const N: usize>(pub(crate) [T; N]);

impl<T, const N: usize> Deref for InlineSlots<T, N> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T, const N: usize> DerefMut for InlineSlots<T, N> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

impl<T, const N: usize> List<T> for heapless::Vec<T, N> {
    fn capacity(&self) -> usize {
        N
    }

    fn push(&mut self, item: T) -> Result<(), Full<T>> {
        self.push(item).map_err(Full)
    }

    fn pop(&mut self) -> Option<T> {
        self.pop()
    }

    fn swap_remove(&mut self, index: usize) -> Option<T> {
        (index < self.len()).then(|| self.swap_remove(index))
    }

    fn clear(&mut self) {
        self.clear();
    }
}

/// Items live in one allocation, made at construction and never grown.
#[cfg(feature = "alloc")]
#[derive(Debug)]
pub enum Heap {}

#[cfg(feature = "alloc")]
mod heap {
    use super::{Full, Heap, List, Storage, sealed};
    use alloc::boxed::Box;
    use alloc::vec::Vec;
    use core::ops::{Deref, DerefMut};

    impl sealed::Sealed for Heap {}

    impl Storage for Heap {
        type List<T> = HeapList<T>;
        type Slots<T> = Box<[T]>;
    }

    /// The list of [`Heap`].
    #[derive(Clone, Debug)]
    pub struct HeapList<T> {
        items: Vec<T>,
        capacity: usize,
    }

    impl<T> HeapList<T> {
        /// An empty list for up to `capacity` items, allocated now.
        pub(crate) fn with_capacity(capacity: usize) -> Self {
            Self { items: Vec::with_capacity(capacity), capacity }
        }
    }

    impl<T> Deref for HeapList<T> {
        type Target = [T];
        fn deref(&self) -> &[T] {
            &self.items
        }
    }

    impl<T> DerefMut for HeapList<T> {
        fn deref_mut(&mut self) -> &mut [T] {
            &mut self.items
        }
    }

    impl<T> List<T> for HeapList<T> {
        fn capacity(&self) -> usize {
            self.capacity
        }

        fn push(&mut self, item: T) -> Result<(), Full<T>> {
            if self.items.len() == self.capacity {
                return Err(Full(item));
            }
            self.items.push(item);
            Ok(())
        }

        fn pop(&mut self) -> Option<T> {
            self.items.pop()
        }

        fn swap_remove(&mut self, index: usize) -> Option<T> {
            (index < self.items.len()).then(|| self.items.swap_remove(index))
        }

        fn clear(&mut self) {
            self.items.clear();
        }
    }
}
#[cfg(feature = "alloc")]
pub use heap::HeapList;

#[cfg(test)]
mod tests {
    use super::*;

    fn fills_and_gives_back(mut list: impl List<u8>) {
        assert_eq!(list.capacity(), 2);
        assert_eq!((list.push(1), list.push(2), list.push(3)), (Ok(()), Ok(()), Err(Full(3))));
        assert_eq!(&list[..], [1, 2]);
        assert_eq!((list.swap_remove(5), list.swap_remove(0)), (None, Some(1)));
        assert_eq!((list.pop(), list.pop()), (Some(2), None));
        assert_eq!(list.push(9), Ok(()));
        list.clear();
        assert!(list.is_empty());
    }

    #[test]
    fn an_inline_list_gives_back_what_does_not_fit() {
        fills_and_gives_back(heapless::Vec::<u8, 2>::new());
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn a_heap_list_gives_back_what_does_not_fit() {
        fills_and_gives_back(HeapList::with_capacity(2));
    }
}

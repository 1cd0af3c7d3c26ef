//! Several locks at once, in the one order.

use super::held::{self, Id};
use super::{HeldLock, LockError, OrderedGuard, OrderedMutex};
use std::panic::Location;

/// Takes all locks of a set, whatever order they are written in: by rank, those of one rank by address.
///
/// A set is a tuple of references to up to six [`OrderedMutex`]es, an array of such references, or a slice of them.
///
/// *When not to use it:* where the second lock is known only after a look at what the first protects; give them ranks.
///
/// # Examples
///
/// ```
/// use divvy_host::lock::{LockError, OrderedMutex, lock_all};
///
/// let from = OrderedMutex::new("account", 1, 100);
/// let to = OrderedMutex::new("account", 1, 0);
/// {
///     // Another thread may ask for `(&to, &from)` in the same moment.
///     let (mut from, mut to) = lock_all((&from, &to))?;
///     *from -= 30;
///     *to += 30;
/// }
/// assert!(matches!(lock_all((&from, &from)), Err(LockError::Twice { .. })));
/// # Ok::<(), LockError>(())
/// ```
///
/// # Errors
///
/// [`LockError::Twice`] if a lock is in the set twice, [`LockError::Order`] if this thread holds a lock that does not
/// rank below all of them, both before waiting; [`LockError::Poisoned`] for the first one that is. Those of the set that
/// were taken by then are given back.
#[track_caller]
pub fn lock_all<S: LockSet>(set: S) -> Result<S::Guards, LockError> {
    set.lock_set(Location::caller())
}

/// What [`lock_all`] takes. Not for implementing.
pub trait LockSet: sealed::Sealed {
    /// The guards, in the order in which the set is written.
    type Guards;

    #[doc(hidden)]
    fn lock_set(self, place: &'static Location<'static>) -> Result<Self::Guards, LockError>;
}

mod sealed {
    pub trait Sealed {}
}

/// Puts `order` into the order in which to take the locks, and checks it against itself and against what is held.
fn arrange(order: &mut [(Id, HeldLock, usize)]) -> Result<(), LockError> {
    order.sort_unstable_by_key(|(id, _, index)| (*id, *index));
    for pair in order.windows(2) {
        if pair[0].0 == pair[1].0 {
            return Err(LockError::Twice { held: pair[0].1, wanted: pair[1].1 });
        }
    }
    order.iter().try_for_each(|(id, wanted, _)| held::check(*id, *wanted))
}

macro_rules! tuples {
    ($($type:ident $index:tt),+) => {
        impl<$($type: ?Sized),+> sealed::Sealed for ($(&OrderedMutex<$type>,)+) {}

        impl<'a, $($type: ?Sized),+> LockSet for ($(&'a OrderedMutex<$type>,)+) {
            type Guards = ($(OrderedGuard<'a, $type>,)+);

            fn lock_set(self, place: &'static Location<'static>) -> Result<Self::Guards, LockError> {
                let mut order = [$((self.$index.id(), self.$index.asked(place), $index)),+];
                arrange(&mut order)?;
                let mut guards = ($(None::<OrderedGuard<'a, $type>>,)+);
                for (_, wanted, index) in order {
                    match index {
                        $($index => guards.$index = Some(self.$index.take(wanted)?),)+
                        _ => unreachable!("an index of the tuple"),
                    }
                }
                Ok(($(guards.$index.expect("each was taken"),)+))
            }
        }
    };
}

tuples!(A 0);
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);
tuples!(A 0, B 1, C 2, D 3, E 4);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5);

impl<T: ?Sized> sealed::Sealed for &[&OrderedMutex<T>] {}

impl<'a, T: ?Sized> LockSet for &[&'a OrderedMutex<T>] {
    type Guards = Vec<OrderedGuard<'a, T>>;

    fn lock_set(self, place: &'static Location<'static>) -> Result<Self::Guards, LockError> {
        let mut order: Vec<_> =
            self.iter().enumerate().map(|(index, lock)| (lock.id(), lock.asked(place), index)).collect();
        arrange(&mut order)?;
        let mut guards: Vec<_> = self.iter().map(|_| None).collect();
        for (_, wanted, index) in order {
            guards[index] = Some(self[index].take(wanted)?);
        }
        Ok(guards.into_iter().flatten().collect())
    }
}

impl<T: ?Sized, const N: usize> sealed::Sealed for [&OrderedMutex<T>; N] {}

impl<'a, T: ?Sized, const N: usize> LockSet for [&'a OrderedMutex<T>; N] {
    type Guards = [OrderedGuard<'a, T>; N];

    fn lock_set(self, place: &'static Location<'static>) -> Result<Self::Guards, LockError> {
        let mut index = 0;
        let mut order = self.map(|lock| {
            index += 1;
            (lock.id(), lock.asked(place), index - 1)
        });
        arrange(&mut order)?;
        let mut guards = [const { None }; N];
        for (_, wanted, index) in order {
            guards[index] = Some(self[index].take(wanted)?);
        }
        Ok(guards.map(|guard| guard.expect("each was taken")))
    }
}

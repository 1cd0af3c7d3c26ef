//! A mutex with a place in the order.

use super::held::{self, Id};
use super::{HeldLock, LockError};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

/// A mutex with a name and a rank, refused to a thread that holds one of the same or a higher rank.
///
/// *When not to use it:* where one thread never holds two locks ([`std::sync::Mutex`] is enough), or where the order is
/// known when the program is written ([`LevelMutex`](super::LevelMutex) moves the check to the compiler).
///
/// # Examples
///
/// ```
/// use divvy_host::lock::{LockError, OrderedMutex};
///
/// static ACCOUNTS: OrderedMutex<[u64; 2]> = OrderedMutex::new("accounts", 1, [100, 0]);
/// static LOG: OrderedMutex<Vec<&str>> = OrderedMutex::new("log", 2, Vec::new());
///
/// {
///     let mut accounts = ACCOUNTS.lock()?;
///     accounts[0] -= 30;
///     accounts[1] += 30;
///     LOG.lock()?.push("30 from 0 to 1"); // above: fine
/// }
/// let log = LOG.lock()?;
/// match ACCOUNTS.lock() {
///     // Two threads, each with one of the two, would have waited for each other for good.
///     Err(LockError::Order { held, wanted }) => assert_eq!((held.name, wanted.name), ("log", "accounts")),
///     other => panic!("{other:?}"),
/// }
/// # drop(log);
/// # Ok::<(), LockError>(())
/// ```
///
/// # Complexity
///
/// What [`Mutex`] takes, plus a look at the locks that the thread holds: some nanoseconds for each call.
/// 24 bytes more than `Mutex`.
///
/// # Concurrency
///
/// No circle of threads waits on locks of this kind, however they are taken: each waits only for a lock above all it
/// holds.
///
/// # Errors
///
/// [`LockError`] from [`lock`](Self::lock). A panic while the lock is held poisons it: everyone is then refused with
/// [`LockError::Poisoned`] until somebody calls [`repair`](Self::repair).
///
/// # References
///
/// Havender: *Avoiding deadlock in multitasking systems*, IBM Systems Journal 7(2), 1968.
pub struct OrderedMutex<T: ?Sized> {
    name: &'static str,
    rank: u32,
    inner: Mutex<T>,
}

impl<T> OrderedMutex<T> {
    /// A lock called `name` around `value`. Those of a lower rank are taken first.
    #[must_use]
    pub const fn new(name: &'static str, rank: u32, value: T) -> Self {
        Self { name, rank, inner: Mutex::new(value) }
    }

    /// The value, which nobody else can see any more.
    ///
    /// # Errors
    ///
    /// [`LockError::Poisoned`] drops the value; [`repair`](Self::repair) it first to keep it.
    #[track_caller]
    pub fn into_inner(self) -> Result<T, LockError> {
        let wanted = self.asked(Location::caller());
        self.inner.into_inner().map_err(|_| LockError::Poisoned { wanted })
    }
}

impl<T: ?Sized> OrderedMutex<T> {
    /// Waits until the lock is free and takes it.
    ///
    /// # Errors
    ///
    /// [`LockError::Order`] and [`LockError::Twice`] before waiting, [`LockError::Poisoned`] after it.
    #[track_caller]
    pub fn lock(&self) -> Result<OrderedGuard<'_, T>, LockError> {
        let wanted = self.asked(Location::caller());
        held::check(self.id(), wanted)?;
        self.take(wanted)
    }

    /// Takes the lock if it is free. This never waits, so any order is fine.
    ///
    /// # Errors
    ///
    /// [`LockError::Twice`], and [`LockError::Poisoned`].
    #[track_caller]
    pub fn try_lock(&self) -> Result<Option<OrderedGuard<'_, T>>, LockError> {
        let wanted = self.asked(Location::caller());
        match held::check(self.id(), wanted) {
            Ok(()) | Err(LockError::Order { .. }) => {}
            Err(error) => return Err(error),
        }
        match self.inner.try_lock() {
            Ok(guard) => Ok(Some(self.guard(guard, wanted))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Poisoned(_)) => Err(LockError::Poisoned { wanted }),
        }
    }

    /// Waits for the lock, poisoned or not, lets `mend` make the value sound, and opens the lock for everyone again.
    ///
    /// If `mend` panics the lock is poisoned.
    ///
    /// # Errors
    ///
    /// [`LockError::Order`] and [`LockError::Twice`], before `mend` was called.
    #[track_caller]
    pub fn repair<R>(&self, mend: impl FnOnce(&mut T) -> R) -> Result<R, LockError> {
        let wanted = self.asked(Location::caller());
        held::check(self.id(), wanted)?;
        let guard = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut guard = self.guard(guard, wanted);
        let result = mend(&mut guard);
        self.inner.clear_poison();
        Ok(result)
    }

    /// Whether somebody panicked while holding it and nobody has repaired it since.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.inner.is_poisoned()
    }

    /// What it was made with.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it was made with.
    #[must_use]
    pub const fn rank(&self) -> u32 {
        self.rank
    }

    pub(super) fn id(&self) -> Id {
        Id { rank: self.rank, address: ptr::from_ref(self).addr() }
    }

    pub(super) fn asked(&self, place: &'static Location<'static>) -> HeldLock {
        HeldLock { name: self.name, rank: self.rank, place }
    }

    /// Waits for the lock, for a caller who has checked the order.
    pub(super) fn take(&self, wanted: HeldLock) -> Result<OrderedGuard<'_, T>, LockError> {
        match self.inner.lock() {
            Ok(guard) => Ok(self.guard(guard, wanted)),
            Err(_) => Err(LockError::Poisoned { wanted }),
        }
    }

    fn guard<'a>(&'a self, inner: MutexGuard<'a, T>, lock: HeldLock) -> OrderedGuard<'a, T> {
        held::push(self.id(), lock);
        OrderedGuard { inner, id: self.id() }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OrderedMutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrderedMutex")
            .field("name", &self.name)
            .field("rank", &self.rank)
            .field("value", &&self.inner)
            .finish()
    }
}

/// The lock is held as long as this lives.
#[must_use = "the lock is given back as soon as this is dropped"]
pub struct OrderedGuard<'a, T: ?Sized> {
    inner: MutexGuard<'a, T>,
    id: Id,
}

impl<T: ?Sized> Deref for OrderedGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> DerefMut for OrderedGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: ?Sized> Drop for OrderedGuard<'_, T> {
    fn drop(&mut self) {
        held::remove(self.id);
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OrderedGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

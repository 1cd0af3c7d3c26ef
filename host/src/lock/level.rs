//! A mutex whose place in the order is part of its type.

use super::{LockError, OrderedGuard, OrderedMutex};
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

thread_local! {
    static TAKEN: Cell<bool> = const { Cell::new(false) };
}

/// A mutex of level `LEVEL`: a thread that holds one of this level or above does not compile if it asks for it.
///
/// To lock one, a thread shows a key of a lower level, and gets a key of this level, which opens the levels above. The
/// key that it showed is borrowed as long as the guard lives.
///
/// *When not to use it:* for several locks of one level at a time ([`lock_all`](super::lock_all)), or where the order
/// follows from data ([`OrderedMutex`]).
///
/// # Examples
///
/// ```
/// use divvy_host::lock::{LevelMutex, ThreadKey};
///
/// static ACCOUNTS: LevelMutex<[u64; 2], 1> = LevelMutex::new("accounts", [100, 0]);
/// static LOG: LevelMutex<Vec<&str>, 2> = LevelMutex::new("log", Vec::new());
///
/// let mut key = ThreadKey::take().expect("this thread has not taken its key");
/// let mut bottom = key.bottom();
/// let (mut accounts, mut above) = ACCOUNTS.lock(&mut bottom)?;
/// accounts[0] -= 30;
/// accounts[1] += 30;
/// let (mut log, _) = LOG.lock(&mut above)?;
/// log.push("30 from 0 to 1");
/// # Ok::<(), divvy_host::lock::LockError>(())
/// ```
///
/// The other way round does not compile:
///
/// ```compile_fail,E0080
/// use divvy_host::lock::{LevelMutex, ThreadKey};
///
/// static ACCOUNTS: LevelMutex<[u64; 2], 1> = LevelMutex::new("accounts", [100, 0]);
/// static LOG: LevelMutex<Vec<&str>, 2> = LevelMutex::new("log", Vec::new());
///
/// let mut key = ThreadKey::take().expect("this thread has not taken its key");
/// let mut bottom = key.bottom();
/// let (log, mut above) = LOG.lock(&mut bottom).unwrap();
/// let (accounts, _) = ACCOUNTS.lock(&mut above).unwrap(); // level 1 is not above level 2
/// ```
///
/// Nor does the lower key help while the guard lives:
///
/// ```compile_fail,E0499
/// use divvy_host::lock::{LevelMutex, ThreadKey};
///
/// static ACCOUNTS: LevelMutex<[u64; 2], 1> = LevelMutex::new("accounts", [100, 0]);
/// static LOG: LevelMutex<Vec<&str>, 2> = LevelMutex::new("log", Vec::new());
///
/// let mut key = ThreadKey::take().expect("this thread has not taken its key");
/// let mut bottom = key.bottom();
/// let (log, _) = LOG.lock(&mut bottom).unwrap();
/// let (accounts, _) = ACCOUNTS.lock(&mut bottom).unwrap();
/// println!("{log:?}");
/// ```
///
/// # Concurrency
///
/// As [`OrderedMutex`], of which this is one with the rank `LEVEL`.
///
/// # Errors
///
/// [`LockError::Poisoned`] as there; [`LockError::Order`] only if the thread holds an `OrderedMutex` that it took without
/// a key.
pub struct LevelMutex<T: ?Sized, const LEVEL: u32> {
    inner: OrderedMutex<T>,
}

impl<T, const LEVEL: u32> LevelMutex<T, LEVEL> {
    /// A lock called `name` around `value`. Level 0 does not compile: it is that of a thread that holds nothing.
    #[must_use]
    pub const fn new(name: &'static str, value: T) -> Self {
        const { assert!(LEVEL > 0, "levels begin at 1") };
        Self { inner: OrderedMutex::new(name, LEVEL, value) }
    }
}

impl<T: ?Sized, const LEVEL: u32> LevelMutex<T, LEVEL> {
    /// Waits until the lock is free and takes it: the guard, and the key to the levels above.
    ///
    /// # Errors
    ///
    /// See [`LevelMutex`].
    #[track_caller]
    pub fn lock<'k, const BELOW: u32>(
        &'k self,
        _key: &'k mut LevelKey<'_, BELOW>,
    ) -> Result<(LevelGuard<'k, T>, LevelKey<'k, LEVEL>), LockError> {
        const { assert!(LEVEL > BELOW, "a lock is taken only after those of lower levels") };
        Ok((LevelGuard { inner: self.inner.lock()? }, LevelKey::new()))
    }

    /// The lock without its level, for [`repair`](OrderedMutex::repair) and [`lock_all`](super::lock_all). The order is
    /// then checked when it is taken.
    #[must_use]
    pub const fn ordered(&self) -> &OrderedMutex<T> {
        &self.inner
    }
}

impl<T: ?Sized + fmt::Debug, const LEVEL: u32> fmt::Debug for LevelMutex<T, LEVEL> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LevelMutex").field(&&self.inner).finish()
    }
}

/// A [`LevelMutex`] is held as long as this lives, and the key that opened it borrowed.
#[must_use = "the lock is given back as soon as this is dropped"]
pub struct LevelGuard<'k, T: ?Sized> {
    inner: OrderedGuard<'k, T>,
}

impl<T: ?Sized> Deref for LevelGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> DerefMut for LevelGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for LevelGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

/// Leave to lock what is above `LEVEL`.
pub struct LevelKey<'k, const LEVEL: u32> {
    borrowed: PhantomData<&'k mut ()>,
    /// It speaks for what one thread holds.
    thread: PhantomData<*const ()>,
}

impl<const LEVEL: u32> LevelKey<'_, LEVEL> {
    fn new() -> Self {
        Self { borrowed: PhantomData, thread: PhantomData }
    }
}

impl<const LEVEL: u32> fmt::Debug for LevelKey<'_, LEVEL> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LevelKey<{LEVEL}>")
    }
}

/// That there is one of it for each thread is what makes levels a proof.
#[derive(Debug)]
pub struct ThreadKey {
    thread: PhantomData<*const ()>,
}

impl ThreadKey {
    /// The key of this thread, unless it is taken; it comes back when dropped.
    #[must_use]
    pub fn take() -> Option<Self> {
        (!TAKEN.replace(true)).then(|| Self { thread: PhantomData })
    }

    /// Leave to lock any level. This is for a thread that holds none: the key is borrowed until then.
    pub fn bottom(&mut self) -> LevelKey<'_, 0> {
        LevelKey::new()
    }
}

impl Drop for ThreadKey {
    fn drop(&mut self) {
        TAKEN.set(false);
    }
}

//! The forks that a worker has open.
#![allow(unsafe_code, reason = "a list through the stack frames of its owner")]

use crate::pool::job::JobRef;
use crate::pool::job::fork::Fork;
use crate::pool::sync::{AtomicBool, Cell, Ordering, const_fn};
use std::fmt;
use std::ptr::{self, NonNull};

/// The most forks that are published at once.
const BATCH: usize = 16;
/// One more fork is published for so many that nobody knows of.
const STEPS: usize = 64;

/// A list of forks, from the newest to the oldest. The oldest few are public: they are, or were, in the deque.
///
/// What a fork costs is what [`Forks::open`] and [`Forks::close`] cost: three stores and three loads, none of which
/// waits for one that was just made.
pub(in crate::pool) struct Forks {
    /// Somebody wants the worker to publish a fork. Written by anyone.
    asked: AtomicBool,
    /// The worker's.
    newest: Cell<*const Fork>,
}

/// The lowest bit of a link says that the fork which holds it is public.
const PUBLIC: usize = 1;

impl Forks {
    const_fn! {
        pub(in crate::pool) const fn new() -> Self {
            Self { asked: AtomicBool::new(true), newest: Cell::new(ptr::null()) }
        }
    }

    /// Opens a fork that nobody else knows of. `attend` is called after that where somebody asked for it.
    ///
    /// # Safety
    ///
    /// The fork is alive, and closed before it is gone and after all that are opened later.
    #[inline(always)]
    pub(in crate::pool) unsafe fn open(&self, fork: *const Fork, attend: impl FnOnce()) {
        // SAFETY: it is alive.
        unsafe { (*fork).link() }.set(self.newest.get());
        self.newest.set(fork);
        // Ordering: Relaxed: that somebody asked is all that is said.
        if self.asked.load(Ordering::Relaxed) {
            attend();
        }
    }

    /// Closes the newest fork. `true` if nobody else ever knew of it.
    ///
    /// # Safety
    ///
    /// The fork is alive, and the newest that is open.
    #[inline(always)]
    pub(in crate::pool) unsafe fn close(&self, fork: *const Fork) -> bool {
        debug_assert!(ptr::eq(self.newest.get(), fork), "forks are closed newest first");
        // SAFETY: it is alive.
        let link = unsafe { (*fork).link() }.get();
        if link.addr() & PUBLIC == 0 {
            self.newest.set(link);
            true
        } else {
            self.newest.set(link.map_addr(|address| address & !PUBLIC));
            false
        }
    }

    /// Whether somebody wants the worker to publish a fork.
    #[inline]
    pub(in crate::pool) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Wants the worker's attention at its next fork. Anyone.
    #[inline]
    pub(in crate::pool) fn ask(&self) {
        // A load first: where it is set already, the line stays where it is.
        if !self.is_asked() {
            self.asked.store(true, Ordering::Relaxed);
        }
    }

    /// The worker attends. Whoever asks after this is heard at the next fork.
    #[inline]
    pub(in crate::pool) fn answer(&self) {
        self.asked.store(false, Ordering::Relaxed);
    }

    /// Makes the newest fork public, where all others are. `false` if `give` refuses.
    #[inline]
    pub(in crate::pool) fn publish_newest(&self, give: impl FnOnce(JobRef) -> bool) -> bool {
        match NonNull::new(self.newest.get().cast_mut()) {
            // SAFETY: the list holds forks that are open.
            Some(fork) => unsafe { publish(fork, give) },
            None => false,
        }
    }

    /// Makes the oldest fork that nobody knows of public, or a few of the oldest if there are many, so that going along
    /// the list costs no more than a fixed number of steps for each. `false` if there is none, or `give` refuses.
    pub(in crate::pool) fn publish_oldest(&self, mut give: impl FnMut(JobRef) -> bool) -> bool {
        let private = || {
            let mut at = self.newest.get();
            std::iter::from_fn(move || {
                let fork = NonNull::new(at.cast_mut())?;
                // SAFETY: the list holds forks that are open.
                let link = unsafe { fork.as_ref() }.link().get();
                if link.addr() & PUBLIC != 0 {
                    return None;
                }
                at = link;
                Some(fork)
            })
        };
        let mut count = 0;
        let mut oldest = None;
        for fork in private() {
            count += 1;
            oldest = Some(fork);
        }
        let Some(oldest) = oldest else { return false };
        if count < STEPS {
            // SAFETY: it is open.
            return unsafe { publish(oldest, give) };
        }
        let batch = (1 + count / STEPS).min(BATCH);
        let mut few = [oldest; BATCH];
        for (place, fork) in few.iter_mut().zip(private().skip(count - batch)) {
            *place = fork;
        }
        // SAFETY: they are open.
        few[..batch].iter().rev().take_while(|fork| unsafe { publish(**fork, &mut give) }).count() > 0
    }
}

/// # Safety
///
/// The fork is open, and was not published.
unsafe fn publish(fork: NonNull<Fork>, give: impl FnOnce(JobRef) -> bool) -> bool {
    // SAFETY: the caller's.
    let (job, link) = unsafe { (Fork::arm(fork), fork.as_ref().link()) };
    let given = give(job);
    if given {
        link.set(link.get().map_addr(|address| address | PUBLIC));
    }
    given
}

impl fmt::Debug for Forks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forks").field("is_asked", &self.is_asked()).finish_non_exhaustive()
    }
}

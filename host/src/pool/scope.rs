//! Any number of tasks that borrow from the frame that waits for them.
#![allow(unsafe_code, reason = "tasks point at the scope, which does not end before they did")]

use super::Pool;
use super::context::Context;
use super::current;
use super::injector::Priority;
use super::job::{Header, JobRef, Kind};
use super::seat::Seat;
use super::shared::Shared;
use super::sleep::Goal;
use super::sync::{AtomicIsize, Cell, Frame, Ordering};
use super::task::Blocks;
use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, PoisonError};

/// Where tasks are spawned that may borrow whatever outlives `'scope`; made by [`Pool::scope`].
pub struct Scope<'scope> {
    shared: Arc<Shared>,
    /// Where the scope was opened. Its occupant is the owner.
    seat: *const Seat,
    index: u32,
    /// Tasks that the owner spawned, less those that it finished. The owner's.
    own: Cell<isize>,
    /// The same of all others, and what the owner carried over before it slept. The sum of both is what is open.
    others: AtomicIsize,
    /// What tasks use of the scope.
    frame: Frame,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    _scope: PhantomData<fn(&'scope ()) -> &'scope ()>,
}

// SAFETY: `own` is touched by the owner alone: the occupant of `seat`, which `is_owner` tells apart.
unsafe impl Sync for Scope<'_> {}
// SAFETY: as above; a scope is reached through references only.
unsafe impl Send for Scope<'_> {}

impl Pool {
    /// Calls `body` as a worker, as [`Pool::run`] does, and waits for all tasks that it spawns.
    ///
    /// # Examples
    ///
    /// ```
    /// use divvy_host::pool::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// let mut squares = [1, 2, 3, 4];
    /// pool.scope(|scope| {
    ///     for number in &mut squares {
    ///         scope.spawn(move |_| *number *= *number);
    ///     }
    /// });
    /// assert_eq!(squares, [1, 4, 9, 16]);
    /// # Ok::<(), divvy_host::pool::PoolError>(())
    /// ```
    ///
    /// # Panics
    ///
    /// As `body` does, or as the first task that did, after all of them have ended.
    pub fn scope<'scope, F, R>(&self, body: F) -> R
    where
        F: FnOnce(&Scope<'scope>) -> R + Send,
        R: Send,
    {
        self.run(|cx| cx.scope(body))
    }
}

impl Context<'_> {
    /// [`Pool::scope`], on this worker.
    ///
    /// # Panics
    ///
    /// As [`Pool::scope`].
    pub fn scope<'scope, F, R>(&mut self, body: F) -> R
    where
        F: FnOnce(&Scope<'scope>) -> R,
    {
        let scope = Scope {
            shared: Arc::clone(self.shared),
            seat: self.seat,
            index: self.seat.index,
            own: Cell::new(0),
            others: AtomicIsize::new(0),
            frame: Frame::new(),
            panic: Mutex::new(None),
            _scope: PhantomData,
        };
        let result = catch_unwind(AssertUnwindSafe(|| body(&scope)));
        self.shared.work_until(self, &scope);
        let panic = scope.panic.into_inner().unwrap_or_else(PoisonError::into_inner);
        match (result, panic) {
            (Ok(result), None) => result,
            (Err(panic), _) | (Ok(_), Some(panic)) => resume_unwind(panic),
        }
    }
}

impl<'scope> Scope<'scope> {
    /// Spawns a task. It may begin at once, and may spawn more.
    ///
    /// On a worker of the pool it goes to that worker's deque, and if that is full, it is *called before this returns*, as
    /// OpenMP does beyond a number of tasks. So do not hold a lock here that the task takes. On
    /// another thread it is queued, and the thread waits for room if there is none.
    ///
    /// # Complexity
    ///
    /// *O*(1). What a task captures is kept in a block that is used again if it has at most 48 bytes, and is allocated
    /// otherwise.
    pub fn spawn<F>(&self, call: F)
    where
        F: FnOnce(&Scope<'scope>) + Send + 'scope,
    {
        current::seat_in(&self.shared, |seat| match seat {
            Some(seat) => {
                if ptr::eq(seat, self.seat) {
                    self.own.set(self.own.get() + 1);
                } else {
                    // Ordering: Relaxed: the task that spawns this one is open, so the sum does not touch zero.
                    self.others.fetch_add(1, Ordering::Relaxed);
                }
                let task = Task::put(self, Some(&seat.blocks), call);
                if !seat.bulk.load(Ordering::Relaxed) {
                    seat.bulk.store(true, Ordering::Relaxed);
                }
                match seat.worker().push(task) {
                    Ok(()) => self.shared.notify_unfenced(),
                    // SAFETY: the task is in no queue.
                    Err(full) => unsafe { full.0.execute(&mut Context::new(&self.shared, seat)) },
                }
            }
            None => {
                self.others.fetch_add(1, Ordering::Relaxed);
                self.shared.push_or_wait(Priority::Normal, Task::put(self, None, call));
            }
        });
    }

    /// One task ended, on the worker of `cx`. If it was the last one, the scope may be gone after this.
    ///
    /// # Safety
    ///
    /// `this` is alive: the task is counted.
    unsafe fn finish(this: *const Self, cx: &Context<'_>) {
        // SAFETY: the scope is alive until the count below is taken back.
        let scope = unsafe { &*this };
        scope.frame.touch();
        if ptr::eq(cx.seat, scope.seat) {
            scope.own.set(scope.own.get() - 1);
            return;
        }
        let index = scope.index;
        // Ordering: Release: what the task did is seen by the owner, which reads the count with Acquire. SeqCst, with
        // `announce`: this thread sees that the owner wants to sleep, or the owner sees the count.
        if scope.others.fetch_sub(1, Ordering::SeqCst) == 1 {
            cx.shared.wake(index);
        }
    }
}

impl Goal for Scope<'_> {
    fn is_reached(&self, _: &Shared, _: bool) -> bool {
        self.own.get() + self.others.load(Ordering::Acquire) == 0
    }

    fn announce(&self, _: &Arc<Shared>, _: &Seat) {
        // What is open is in one word from now on, so that whoever finishes the last task knows.
        self.others.fetch_add(self.own.take(), Ordering::SeqCst);
    }
}

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}

/// A task of a scope, in a block.
#[repr(C)]
struct Task<'scope, F> {
    header: Header,
    scope: *const Scope<'scope>,
    call: F,
}

impl<'scope, F> Task<'scope, F>
where
    F: FnOnce(&Scope<'scope>) + Send + 'scope,
{
    const KIND: Kind = Kind { execute: Self::execute, discard: None };

    fn put(scope: &Scope<'scope>, blocks: Option<&Blocks>, call: F) -> JobRef {
        let task = Blocks::put(blocks, Self { header: Header(&Self::KIND), scope, call });
        // SAFETY: the header is the first field, and the task stays where it is until it is executed.
        unsafe { JobRef::new(task.cast()) }
    }

    /// # Safety
    ///
    /// As [`JobRef::execute`]; `header` is the first field of a `Self` that `put` made.
    unsafe fn execute(header: NonNull<Header>, cx: &mut Context<'_>) {
        // SAFETY: the task was put there, and is executed once.
        let Self { scope, call, .. } = unsafe { Blocks::take(Some(&cx.seat.blocks), header.cast::<Self>()) };
        {
            // SAFETY: the scope waits for this task.
            let scope = unsafe { &*scope };
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| call(scope))) {
                scope.panic.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(panic);
            }
        }
        // SAFETY: the task is counted until now.
        unsafe { Scope::finish(scope, cx) };
    }
}

//! Any number of tasks that borrow from the frame that waits for them.
#![allow(unsafe_code, reason = "tasks point at the scope, which does not end before they did")]

use crate::pool::job::{Caller, Header, JobRef, Kind};
use crate::pool::shared::Shared;
use crate::pool::shared::injector::Priority;
use crate::pool::shared::open::Open;
use crate::pool::shared::seat::Seat;
use crate::pool::threads::Pool;
use crate::pool::work::context::Context;
use crate::pool::work::current;
use crate::pool::work::until::Goal;
use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

/// Where tasks are spawned that may borrow whatever outlives `'scope`; made by [`Pool::scope`].
pub struct Scope<'scope> {
    shared: Arc<Shared>,
    open: Open,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    _scope: PhantomData<fn(&'scope ()) -> &'scope ()>,
}

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
            open: Open::new(self.seat.index),
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
                self.open.add(Some(seat.index));
                let task = Task::reference(seat.blocks.put(Task::new(self, call)));
                match seat.push_task(task) {
                    Ok(()) => self.shared.notify_unfenced(),
                    Err(full) => {
                        let mut cx = Context::new(&self.shared, seat);
                        cx.call(full.0);
                        cx.report();
                    }
                }
            }
            None => {
                self.open.add(None);
                let task = Task::reference(self.shared.depot.put(Task::new(self, call)));
                self.shared.push_or_wait(Priority::Normal, task);
            }
        });
    }
}

impl Goal for Scope<'_> {
    fn is_reached(&self, _: &Shared, _: bool) -> bool {
        self.open.is_none()
    }

    fn announce(&self, _: &Arc<Shared>, _: &Seat) {
        self.open.carry_over();
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

    fn new(scope: &Scope<'scope>, call: F) -> Self {
        Self { header: Header(&Self::KIND), scope, call }
    }

    fn reference(this: NonNull<Self>) -> JobRef {
        // SAFETY: the header is the first field, and the task stays where it is until it is executed.
        unsafe { JobRef::new(this.cast()) }
    }

    /// # Safety
    ///
    /// As [`JobRef::execute`]; `header` is the first field of a `Self` that was put into a block.
    unsafe fn execute(header: NonNull<Header>, caller: NonNull<Caller>) {
        // SAFETY: it is a context, and this job's for now.
        let cx = unsafe { Context::of(caller) };
        // SAFETY: the task was put there, and is executed once.
        let Self { scope, call, .. } = unsafe { cx.seat.blocks.take(header.cast::<Self>()) };
        // SAFETY: the scope waits for this task.
        let open = unsafe { &raw const (*scope).open };
        cx.seat.finished.begin(open, |seat| cx.shared.wake(seat));
        {
            // SAFETY: the scope waits for this task.
            let scope = unsafe { &*scope };
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| call(scope))) {
                scope.panic.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(panic);
            }
        }
        // SAFETY: the task is counted until now.
        unsafe { cx.seat.finished.add(open, cx.seat.index, |seat| cx.shared.wake(seat)) };
    }
}

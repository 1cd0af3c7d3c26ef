//! A task of its own, and the handle to it.
#![allow(unsafe_code, reason = "who owns a handle")]

use crate::pool::call::promise::{Promised, promise, promise_if};
use crate::pool::error::JoinError;
use crate::pool::shared::Shared;
use crate::pool::shared::injector::Priority;
use crate::pool::shared::seat::Seat;
use crate::pool::shared::waker;
use crate::pool::sync;
use crate::pool::threads::Pool;
use crate::pool::work::context::Context;
use crate::pool::work::current;
use crate::pool::work::until::Goal;
use divvy::storage::Full;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

/// A task that was spawned. To drop it is to let the task run on by itself.
///
/// It is a future, so async code awaits it: the pool wakes the runtime's task when the result is there.
#[must_use = "a task's panic is lost with its handle"]
pub struct Handle<R> {
    pub(in crate::pool) task: Promised<R>,
}

impl Pool {
    /// Spawns a task at normal priority.
    ///
    /// On a worker of this pool it goes to that worker's deque, elsewhere it is queued. While there is no room, the
    /// thread waits (a worker of this pool calls the task in place instead).
    ///
    /// # Examples
    ///
    /// ```
    /// use divvy_host::pool::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// let sum = pool.spawn(|| (1..=10).sum::<u32>());
    /// assert_eq!(sum.join().unwrap(), 55);
    ///
    /// let bad = pool.spawn(|| panic!("no such thing"));
    /// assert_eq!(bad.join().unwrap_err().to_string(), "the task panicked: no such thing");
    /// # Ok::<(), divvy_host::pool::PoolError>(())
    /// ```
    pub fn spawn<F, R>(&self, call: F) -> Handle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let (task, job) = promise(call);
        current::seat_in(&self.shared, |seat| match seat {
            Some(seat) => match seat.push_task(job) {
                Ok(()) => self.shared.notify_unfenced(),
                Err(full) => Context::new(&self.shared, seat).call(full.0),
            },
            None => self.shared.push_or_wait(Priority::Normal, job),
        });
        Handle { task }
    }

    /// Spawns a task from outside at a priority. While there is no room, the thread waits.
    ///
    /// On a worker of this pool it is queued all the same, and if there is no room, called in place.
    pub fn spawn_at<F, R>(&self, priority: Priority, call: F) -> Handle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let (task, job) = promise(call);
        current::seat_in(&self.shared, |seat| match seat {
            Some(seat) => match self.shared.injector.push(priority, job) {
                Ok(()) => self.shared.notify(),
                Err(full) => Context::new(&self.shared, seat).call(full.0),
            },
            None => self.shared.push_or_wait(priority, job),
        });
        Handle { task }
    }

    /// Spawns a task at a priority if there is room.
    ///
    /// # Errors
    ///
    /// [`Full`] gives the call back.
    pub fn try_spawn<F, R>(&self, priority: Priority, call: F) -> Result<Handle<R>, Full<F>>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let task = promise_if(call, |job| self.shared.injector.push(priority, job).is_ok()).map_err(Full)?;
        self.shared.notify();
        Ok(Handle { task })
    }
}

impl Pool {
    /// Spawns a task at a priority from async code, and waits for its result; while there is no room, the runtime's
    /// thread is free for other tasks.
    ///
    /// What blocks or computes for long belongs here, as in tokio's `spawn_blocking`, which has one priority and a thread per
    /// call. To drop the future before the task is queued is to drop the call; after that, the task runs on by itself.
    ///
    /// # Errors
    ///
    /// [`JoinError`] if the task panicked, or the pool was shut down.
    pub async fn spawn_async<F, R>(&self, priority: Priority, call: F) -> Result<R, JoinError>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let mut call = Some(call);
        let handle = std::future::poll_fn(|cx| {
            let mut registered = false;
            loop {
                match self.try_spawn(priority, call.take().expect("it is given back where there is no room"))
                {
                    Ok(handle) => return Poll::Ready(handle),
                    Err(Full(back)) => call = Some(back),
                }
                if registered {
                    return Poll::Pending;
                }
                self.shared.injector.wait_for_room(cx.waker());
                registered = true;
            }
        });
        handle.await.await
    }
}

impl<R> Handle<R> {
    /// Waits for the result. A worker of a pool does other work meanwhile.
    ///
    /// # Errors
    ///
    /// [`JoinError`] if the task panicked or was cancelled.
    pub fn join(self) -> Result<R, JoinError> {
        current::newest(|newest| match newest {
            Some((shared, seat)) => shared.work_until(&mut Context::new(shared, seat), &self),
            None if self.task.is_done() => {}
            None => {
                // SAFETY: this owns the handle.
                unsafe { self.task.wake_when_done(waker::this_thread()) };
                while !self.task.is_done() {
                    sync::park();
                }
            }
        });
        // SAFETY: this owns the handle.
        unsafe { self.task.take() }.expect("it is done, and the handle takes the result once")
    }

    /// Whether there is a result, or never will be.
    pub fn is_finished(&self) -> bool {
        self.task.is_done()
    }

    /// Drops the task if it did not begin. `true` if so: nobody calls it any more.
    pub fn cancel(&self) -> bool {
        self.task.cancel()
    }
}

impl<R> Goal for Handle<R> {
    fn is_reached(&self, _: &Shared, _: bool) -> bool {
        self.task.is_done()
    }

    fn announce(&self, shared: &Arc<Shared>, seat: &Seat) {
        // SAFETY: a handle is a goal in `join` only, which owns it.
        unsafe { self.task.wake_when_done(waker::occupant(shared, seat.index)) };
    }
}

impl<R> Future for Handle<R> {
    type Output = Result<R, JoinError>;

    /// # Panics
    ///
    /// If it is polled again after it was ready.
    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        // SAFETY: who polls has the handle for itself.
        if !self.task.is_done() && !unsafe { self.task.wake_when_done(cx.waker().clone()) } {
            return Poll::Pending;
        }
        // SAFETY: as above.
        Poll::Ready(unsafe { self.task.take() }.expect("polled after it was ready"))
    }
}

impl<R> fmt::Debug for Handle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("is_finished", &self.is_finished()).finish_non_exhaustive()
    }
}

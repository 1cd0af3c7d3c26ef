//! A task of its own, and the handle to it.
#![allow(unsafe_code, reason = "a reference count that lies in a queue as a pointer")]

use super::Pool;
use super::context::Context;
use super::current;
use super::injector::Priority;
use super::job::{Header, JobRef, Kind};
use super::seat::{Seat, Target};
use super::shared::Shared;
use super::sleep::Goal;
use super::sync;
use divvy::storage::Full;
use std::any::Any;
use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// Why a task has no result.
pub enum JoinError {
    /// It panicked, with this.
    Panicked(Box<dyn Any + Send>),
    /// It was cancelled before it began, or the pool was shut down.
    Cancelled,
}

impl JoinError {
    /// Passes a panic on; `Cancelled` comes back.
    pub fn resume_panic(self) -> Self {
        match self {
            Self::Panicked(panic) => resume_unwind(panic),
            Self::Cancelled => self,
        }
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(panic) => {
                let message = panic.downcast_ref::<&str>().copied();
                let message = message.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
                write!(f, "the task panicked: {}", message.unwrap_or("(no message)"))
            }
            Self::Cancelled => f.write_str("the task was cancelled before it began"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for JoinError {}

/// A task that was spawned. To drop it is to let the task run on by itself.
///
/// It is a future, so async code awaits it: the pool wakes the runtime's task when the result is there.
#[must_use = "a task's panic is lost with its handle"]
pub struct Handle<R> {
    task: Arc<dyn Outcome<R>>,
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
        let (handle, job) = new(call);
        current::seat_in(&self.shared, |seat| match seat {
            Some(seat) => match seat.worker().push(job) {
                Ok(()) => self.shared.notify_unfenced(),
                // SAFETY: the job is in no queue.
                Err(full) => unsafe { full.0.execute(&mut Context::new(&self.shared, seat)) },
            },
            None => self.shared.push_or_wait(Priority::Normal, job),
        });
        handle
    }

    /// Spawns a task from outside at a priority. While there is no room, the thread waits.
    ///
    /// On a worker of this pool it is queued all the same, and if there is no room, called in place.
    pub fn spawn_at<F, R>(&self, priority: Priority, call: F) -> Handle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let (handle, job) = new(call);
        current::seat_in(&self.shared, |seat| match seat {
            Some(seat) => match self.shared.injector.push(priority, job) {
                Ok(()) => self.shared.notify(),
                // SAFETY: the job is in no queue.
                Err(full) => unsafe { full.0.execute(&mut Context::new(&self.shared, seat)) },
            },
            None => self.shared.push_or_wait(priority, job),
        });
        handle
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
        let task = Arc::new(Task::new(call));
        // SAFETY: the count that goes into the queue is dropped by whoever executes or discards the job.
        let job = unsafe { job(Arc::clone(&task)) };
        match self.shared.injector.push(priority, job) {
            Ok(()) => {
                self.shared.notify();
                Ok(Handle { task })
            }
            Err(_) => {
                let call = task.take_call().expect("nobody began it");
                // SAFETY: the job is in no queue.
                unsafe { job.discard() };
                Err(Full(call))
            }
        }
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
            None => {
                self.task.wake_when_done(Waiter::Target(Target::Thread(sync::current())));
                while !self.task.is_done() {
                    sync::park();
                }
            }
        });
        self.task.take().expect("it is done, and the handle takes the result once")
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
        self.task.wake_when_done(Waiter::Target(Target::Seat(Arc::clone(shared), seat.index)));
    }
}

impl<R> Future for Handle<R> {
    type Output = Result<R, JoinError>;

    /// # Panics
    ///
    /// If it is polled again after it was ready.
    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        if !self.task.wake_when_done(Waiter::Waker(cx.waker().clone())) {
            return Poll::Pending;
        }
        Poll::Ready(self.task.take().expect("polled after it was ready"))
    }
}

impl<R> fmt::Debug for Handle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("is_finished", &self.is_finished()).finish_non_exhaustive()
    }
}

/// A task and its handle.
fn new<F, R>(call: F) -> (Handle<R>, JobRef)
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let task = Arc::new(Task::new(call));
    // SAFETY: the count that goes into the queue is dropped by whoever executes or discards the job.
    let job = unsafe { job(Arc::clone(&task)) };
    (Handle { task }, job)
}

/// # Safety
///
/// The job is executed or discarded, or the count leaks.
unsafe fn job<F, R>(task: Arc<Task<F, R>>) -> JobRef
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let task = NonNull::new(Arc::into_raw(task).cast_mut()).expect("an Arc is not null");
    // SAFETY: the header is the first field, and the count keeps the task where it is.
    unsafe { JobRef::new(task.cast()) }
}

/// What a handle sees of its task.
trait Outcome<R>: Send + Sync {
    fn is_done(&self) -> bool;
    fn cancel(&self) -> bool;
    /// `true` if it is done already, and nobody is woken.
    fn wake_when_done(&self, waiter: Waiter) -> bool;
    fn take(&self) -> Option<Result<R, JoinError>>;
}

enum Waiter {
    Waker(Waker),
    Target(Target),
}

impl Waiter {
    fn wake(self) {
        match self {
            Self::Waker(waker) => waker.wake(),
            Self::Target(target) => target.wake(),
        }
    }
}

/// Shared by the queue and the handle.
#[repr(C)]
struct Task<F, R> {
    header: Header,
    state: Mutex<State<F, R>>,
}

struct State<F, R> {
    stage: Stage<F, R>,
    waiter: Option<Waiter>,
}

enum Stage<F, R> {
    Queued(F),
    Running,
    Done(Result<R, JoinError>),
    Taken,
}

impl<F, R> Task<F, R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    const KIND: Kind = Kind { execute: Self::execute, discard: Some(Self::discard) };

    const fn new(call: F) -> Self {
        Self {
            header: Header(&Self::KIND),
            state: Mutex::new(State { stage: Stage::Queued(call), waiter: None }),
        }
    }

    fn take_call(&self) -> Option<F> {
        let mut state = lock(&self.state);
        match mem::replace(&mut state.stage, Stage::Running) {
            Stage::Queued(call) => Some(call),
            other => {
                state.stage = other;
                None
            }
        }
    }

    fn finish(&self, result: Result<R, JoinError>) {
        let mut state = lock(&self.state);
        state.stage = Stage::Done(result);
        let waiter = state.waiter.take();
        drop(state);
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }

    /// # Safety
    ///
    /// As [`JobRef::execute`]; `header` is the first field of a `Self` in an `Arc`.
    unsafe fn execute(header: NonNull<Header>, _: &mut Context<'_>) {
        // SAFETY: the queue's count, which is used up here.
        let task = unsafe { Arc::from_raw(header.cast::<Self>().as_ptr()) };
        if let Some(call) = task.take_call() {
            task.finish(catch_unwind(AssertUnwindSafe(call)).map_err(JoinError::Panicked));
        }
    }

    /// # Safety
    ///
    /// As `execute`.
    unsafe fn discard(header: NonNull<Header>) {
        // SAFETY: as in `execute`.
        let task = unsafe { Arc::from_raw(header.cast::<Self>().as_ptr()) };
        task.cancel();
    }
}

impl<F, R> Outcome<R> for Task<F, R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    fn is_done(&self) -> bool {
        matches!(lock(&self.state).stage, Stage::Done(_) | Stage::Taken)
    }

    fn cancel(&self) -> bool {
        match self.take_call() {
            Some(call) => {
                // What it captured may do anything when dropped: not under the lock, and not by unwinding past `finish`.
                let _ = catch_unwind(AssertUnwindSafe(|| drop(call)));
                self.finish(Err(JoinError::Cancelled));
                true
            }
            None => false,
        }
    }

    fn wake_when_done(&self, waiter: Waiter) -> bool {
        let mut state = lock(&self.state);
        if matches!(state.stage, Stage::Done(_) | Stage::Taken) {
            return true;
        }
        state.waiter = Some(waiter);
        false
    }

    fn take(&self) -> Option<Result<R, JoinError>> {
        match mem::replace(&mut lock(&self.state).stage, Stage::Taken) {
            Stage::Done(result) => Some(result),
            _ => None,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! How a worker sleeps, which differs from platform to platform.

/// A platform's way to let a worker sleep and to wake it: futex, `wfe` and `sev`, an interrupt, `Atomics.wait`.
pub trait Park {
    /// Lets the calling worker, number `worker`, sleep until someone unparks it. Returns at once if that happened
    /// since its last `park`, and may return early for no reason.
    fn park(&self, worker: u32);

    /// Ends the `park` of worker `worker`, or its next one.
    fn unpark(&self, worker: u32);
}

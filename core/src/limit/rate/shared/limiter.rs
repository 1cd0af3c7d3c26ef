//! What the limiters of both widths do.

/// The methods of a limiter with fields `state`, `ticks` and `quota`, in a word of so many bits and ticks of at least so
/// many nanoseconds.
macro_rules! limiter {
    ($name:ident, $atomic:ty, $bits:literal, $finest:literal) => {
        impl $name {
            crate::sync::const_fn! {
                /// A limiter that has admitted nothing yet: the bucket is full.
                #[must_use]
                pub const fn new(quota: Quota) -> Self {
                    Self { state: State::<$atomic>::full(), ticks: Ticks::new(&quota, quota.burst_size(), $bits, $finest), quota }
                }
            }

            /// Admits one cell now, or says when it may go.
            #[inline]
            pub fn admit(&self, now: Instant) -> Admit {
                self.take(now, self.ticks.one)
            }

            /// Admits `n` cells now, all or none, or says when they may go.
            ///
            /// # Errors
            ///
            /// [`OverBurst`] if `n` is more than the burst. Nothing changed.
            #[inline]
            pub fn admit_n(&self, now: Instant, n: NonZeroU32) -> Result<Admit, OverBurst> {
                Ok(self.take(now, self.price(n)?))
            }

            /// The earliest instant, not before `now`, at which a cell would be admitted if no other goes first. Nothing
            /// changes.
            #[must_use]
            pub fn next_free(&self, now: Instant) -> Instant {
                self.state.next_free(&self.ticks, now, self.ticks.one)
            }

            /// The earliest instant, not before `now`, at which `n` cells would be admitted together if no other goes
            /// first. Nothing changes.
            ///
            /// # Errors
            ///
            /// [`OverBurst`] if `n` is more than the burst.
            pub fn next_free_n(&self, now: Instant, n: NonZeroU32) -> Result<Instant, OverBurst> {
                Ok(self.state.next_free(&self.ticks, now, self.price(n)?))
            }

            /// The quota in force.
            #[must_use]
            pub const fn quota(&self) -> Quota {
                self.quota
            }

            /// Puts another quota in force from now on. The tokens stay, as they do in
            /// [`Gcra::set_quota`](crate::limit::Gcra::set_quota): as many cells may go at once after it as before it, but
            /// no more than the new burst; parts of a tick are rounded down.
            ///
            /// Nobody else may use the limiter meanwhile, hence `&mut self`: quota, ticks and time would have to change
            /// in one step. Where threads use it, keep it behind a lock for reading, and lock it for writing to change it.
            pub fn set_quota(&mut self, now: Instant, quota: Quota) {
                let ticks = Ticks::new(&quota, quota.burst_size(), $bits, $finest);
                self.state = State::<$atomic>::new(self.state.carry(&self.ticks, now, &ticks));
                (self.ticks, self.quota) = (ticks, quota);
            }

            /// When the present epoch began.
            #[cfg(all(test, not(divvy_loom)))]
            pub(super) fn epoch_began(&self) -> u64 {
                self.state.epoch() << self.ticks.epoch_shift
            }

            /// How long an epoch is.
            #[cfg(all(test, divvy_loom))]
            pub(super) const fn epoch_nanos(&self) -> u64 {
                1 << self.ticks.epoch_shift
            }

            #[inline]
            fn take(&self, now: Instant, price: Price) -> Admit {
                match self.state.take(&self.ticks, now, price, price) {
                    Ok(_) => Admit::Yes,
                    Err(retry_at) => Admit::No { retry_at },
                }
            }

            #[inline]
            fn price(&self, n: NonZeroU32) -> Result<Price, OverBurst> {
                let burst = self.quota.burst_size();
                if n.get() > burst { Err(OverBurst { burst }) } else { Ok(self.ticks.price(n.get())) }
            }
        }
    };
}

pub(super) use limiter;

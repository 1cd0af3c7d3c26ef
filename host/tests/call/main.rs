//! `divvy_host::call` against functions that fail, stall, panic and are dropped. No test waits for the real clock: closures
//! have one that is moved by hand, futures tokio's while it is paused.

mod bed;
mod blocking;
mod budget;
mod dropped;
mod futures;
mod hedged;
mod panics;

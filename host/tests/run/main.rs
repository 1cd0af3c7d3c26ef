//! `divvy run` from outside: what users meet.

mod bad_input;
mod basic;
mod bed;
#[path = "../command/mod.rs"]
mod command;
mod json;
mod kill_loop;
mod limits;
mod plan;
mod resume;
mod retries;
mod signals;
mod store;

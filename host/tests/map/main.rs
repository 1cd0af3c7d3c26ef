//! `divvy map` from outside: what users meet.

mod bad_input;
mod bed;
#[path = "../command/mod.rs"]
mod command;
mod ends;
mod gnu;
mod items;
mod joblog;
mod json;
mod kill_loop;
mod output;
mod pressure;
mod signals;
mod stream;
mod terminal;

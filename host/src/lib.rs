//! What the core refuses to have: processes, disk, a terminal, and the `divvy` command.
//!
//! `cli` reads the command line, one file per command. `run` runs a pipeline of commands. `store` keeps what a run
//! learned. Data flows one way: `cli` → `run` → `store` → `divvy` (the core); `config`, how people write
//! files, and `diagnostic` and `exit`, the messages
//! and codes that any of them may end with, stand below all of them.

#[cfg(not(unix))]
compile_error!("divvy-host runs commands in process groups, which this system does not have");

mod cli;
mod config;
mod diagnostic;
mod exit;
mod plan;
mod run;
mod sim;
mod store;
mod table;

pub use cli::main;

//! What the core refuses to have: processes, disk, a terminal, and the `divvy` command.
//!
//! [`call`] protects calls to other services, and is what a program links. The rest is the command:
//!
//! `cli` reads the command line, one file per command. `run` runs a pipeline of commands, and `store` keeps what a run
//! learned. `map` runs one command for each item. `plan` says what a change would do, `sim` what a policy would. Data
//! flows one way: `cli` → `run` → `store` → `divvy` (the core), and `cli` → `map`, `plan`, `sim` → `divvy`. Below all of
//! them stand `process` (starting commands, ending them, waiting for them), `config` (how people write files), `table`
//! (how results are laid out), and `diagnostic` and `exit` (the messages and codes that any of them may end with).

#[cfg(not(unix))]
compile_error!("divvy-host runs commands in process groups, which this system does not have");

pub mod call;
mod cli;
mod config;
mod diagnostic;
mod exit;
pub mod lock;
mod map;
mod measure;
mod plan;
pub mod pool;
mod process;
mod run;
mod sim;
mod store;
mod table;
pub mod worker;

pub use cli::main;

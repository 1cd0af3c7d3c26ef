//! What the core refuses to have: processes, disk, a terminal, and the `divvy` command.
//!
//! Programs link four modules: [`pool`] runs work on threads, [`worker`] has workers of other kinds (processes, async tasks,
//! workers that are watched or tune themselves), [`lock`] takes locks in one order, and [`call`] protects calls to other
//! services. The rest is the command:
//!
//! `cli` reads the command line, one file per command. `run` runs a pipeline of commands, and `store` keeps what a run
//! learned. `map` runs one command for each item. `measure` says whether distributing is worth it, `plan` what a change
//! would do, `sim` what a policy would. Data flows one way: `cli` → `run` → `store` → `divvy` (the core), and `cli` → `map`,
//! `measure`, `plan`, `sim` → `divvy`. Below all of them stand `process` (starting commands, ending them, waiting for
//! them), `config` (how people write files), `table` and `json` (how results are laid out, for people and for programs),
//! and `diagnostic` and `exit` (the messages and codes that any of them may end with).

#[cfg(not(unix))]
compile_error!("divvy-host runs commands in process groups, which this system does not have");

pub mod call;
mod cli;
mod config;
mod diagnostic;
mod exit;
mod json;
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

//! The command line: one file per command.

mod map;
mod measure;
mod plan;
mod run;
mod sim;

use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use clap::{Parser, Subcommand};
use std::io::Write;
use std::process::ExitCode;

/// Work distribution: the command.
#[derive(Debug, Parser)]
#[command(
    name = "divvy",
    version,
    about = "Distributes work: commands for many items, pipelines, and what a policy would do"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Args),
    Map(Box<map::Args>),
    Measure(measure::Args),
    Sim(sim::Args),
    Plan(plan::Args),
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    // Answers what clap answers itself: help, version, and usage errors with code 2.
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Run(args) => run::run(args),
        Command::Map(args) => map::run(*args),
        Command::Measure(args) => measure::run(args),
        Command::Sim(args) => sim::run(args),
        Command::Plan(args) => plan::run(args),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(problem) => {
            complain(&problem);
            problem.exit().into()
        }
    }
}

/// Prints a message on standard error.
fn complain(problem: &Diagnostic) {
    // There is nowhere else to say it.
    _ = anstream::stderr().write_all(problem.render().as_bytes());
}

/// Prints on standard output; whoever reads may have gone.
fn print(text: &[u8]) {
    let mut out = std::io::stdout();
    _ = out.write_all(text);
    _ = out.flush();
}

//! `cargo xtask`: the only place that knows about toolchains and other programs.

mod digests;
mod env;
mod layout;
mod name;
mod needs;
mod report;
mod run;
mod setup;
mod steps;
mod test;
mod toolchain;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use layout::Layout;
use run::Run;
use setup::Unready;
use toolchain::Toolchain;

/// Sets this machine up, runs divvy's tests, prints its figures.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    max_term_width = 100,
    after_help = "Exit codes: 0 good; 1 something failed or is missing; 2 wrong usage; 3 something is left to you (root, \
                  or your toolchain): what to type was printed."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install what the tests and the bench need and this machine lacks.
    Setup {
        /// Only list what is needed and what is missing (exit code 1 if anything is).
        #[arg(long)]
        check: bool,
    },
    /// Install what is missing, then run every test.
    Test {
        /// Only list what is missing for these steps (exit code 1 if anything is).
        #[arg(long)]
        check: bool,
        /// The host alone: no other targets, browser or boards.
        #[arg(long, conflicts_with = "only")]
        quick: bool,
        /// Only this step, with those it uses; may be given more than once.
        #[arg(long, value_name = "STEP")]
        only: Vec<String>,
        /// Stop at the first step that fails.
        #[arg(long)]
        fail_fast: bool,
        /// List the steps.
        #[arg(long)]
        list: bool,
    },
    /// Print the quality figures beside their bounds.
    Score,
    /// Write what the commands print now into the documents that show it.
    Docs,
    /// Measure against other programs (installs them first).
    Bench {
        /// Which measurement, and arguments for the bench; all without.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        name: Vec<String>,
    },
    /// Run the microcontroller firmware in QEMU.
    Firmware {
        /// The machine; both without.
        #[arg(long, value_parser = board_names())]
        board: Option<String>,
        /// Count instructions for the clock: every run interleaves the cores in the same way.
        #[arg(long)]
        icount: bool,
    },
    /// Build the playground into wasm/www/dist.
    Playground {
        /// Serve it on 127.0.0.1 until Ctrl-C.
        #[arg(long)]
        serve: bool,
    },
}

fn board_names() -> clap::builder::PossibleValuesParser {
    steps::BOARDS.iter().map(|board| board.name).collect::<Vec<_>>().into()
}

/// Why the command did not end well.
enum Failure {
    /// It said all there is to say.
    Said,
    Unready(Unready),
    Message(String),
    Usage(String),
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::Message(message)
    }
}

impl From<Unready> for Failure {
    fn from(why: Unready) -> Self {
        Self::Unready(why)
    }
}

fn main() -> ExitCode {
    match dispatch(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Said) => ExitCode::from(1),
        Err(Failure::Usage(message)) => {
            eprintln!("xtask: {message}");
            ExitCode::from(2)
        }
        Err(Failure::Unready(Unready::ByHand)) => ExitCode::from(3),
        Err(Failure::Unready(Unready::Failed(message)) | Failure::Message(message)) => {
            eprintln!("xtask: {message}");
            ExitCode::from(1)
        }
    }
}

fn dispatch(command: Command) -> Result<(), Failure> {
    let layout = Layout::find()?;
    run::also_look_in(needs::TOOLS.iter().map(|tool| tool.folder(&layout).join("bin")).collect());
    let good = |good: bool| if good { Ok(()) } else { Err(Failure::Said) };
    match command {
        Command::Setup { check: true } => {
            good(setup::check(&layout, &Toolchain::find(&layout), &every_user()))
        }
        Command::Setup { check: false } => {
            ready(&layout, &every_user())?;
            println!("Everything is there.");
            Ok(())
        }
        Command::Test { list: true, .. } => {
            test::list();
            Ok(())
        }
        Command::Test { check, quick, only, fail_fast, list: false } => {
            let steps = steps::select(&only, quick).map_err(Failure::Usage)?;
            if check {
                let names: Vec<&str> = steps.iter().map(|step| step.name).collect();
                return good(setup::check(&layout, &Toolchain::find(&layout), &names));
            }
            good(test::run(&layout, &steps, fail_fast)?)
        }
        Command::Score => Ok(cargo(&["run", "--release", "-p", "divvy-tests", "--example", "score"])
            .dir(&layout.root)
            .show()?),
        Command::Docs => Ok(steps::rewrite_docs(&layout)?),
        Command::Bench { name } => {
            ready(&layout, &[needs::BENCH_RUN])?;
            let run = cargo(&["run", "--release", "--"]).args(name).dir(layout.bench());
            Ok(run.env("CARGO_TARGET_DIR", &layout.target).show()?)
        }
        Command::Firmware { board, icount } => firmware(&layout, board.as_deref(), icount),
        Command::Playground { serve } => playground(&layout, serve),
    }
}

fn firmware(layout: &Layout, board: Option<&str>, icount: bool) -> Result<(), Failure> {
    let boards = || steps::BOARDS.iter().filter(|known| board.is_none_or(|name| name == known.name));
    let names: Vec<&str> = boards().map(|board| board.name).collect();
    let toolchain = ready(layout, &names)?;
    for board in boards() {
        let run = steps::run_board(layout, &toolchain, board)?;
        let run = if icount { run.env("DIVVY_ICOUNT", "1") } else { run };
        run.show()?;
    }
    Ok(())
}

fn playground(layout: &Layout, serve: bool) -> Result<(), Failure> {
    let toolchain = ready(layout, &[name::PLAYGROUND])?;
    steps::build_playground(layout, &toolchain, &Run::show)?;
    if serve {
        let preview = ["run", "preview", "--", "--host", "127.0.0.1"];
        Run::new("npm").args(preview).dir(layout.www()).interactive()?;
    } else {
        println!("built: {}", layout.www().join("dist").display());
    }
    Ok(())
}

fn ready(layout: &Layout, users: &[&str]) -> Result<Toolchain, Failure> {
    Ok(setup::install(layout, &Toolchain::find(layout), users)?)
}

fn every_user() -> Vec<&'static str> {
    steps::STEPS.iter().map(|step| step.name).chain([needs::BENCH_RUN]).collect()
}

fn cargo(arguments: &[&str]) -> Run {
    Run::new("cargo").args(arguments)
}

//! `divvy plan`: one file per question.

mod ring;

use crate::diagnostic::Result;
use crate::exit::Exit;
use clap::Subcommand;

/// What would happen, before it does.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    question: Question,
}

#[derive(Debug, Subcommand)]
enum Question {
    Ring(ring::Args),
}

pub(super) fn run(args: Args) -> Result<Exit> {
    match args.question {
        Question::Ring(args) => ring::run(args),
    }
}

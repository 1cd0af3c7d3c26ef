//! What a board's binary is when it is built for this machine: a launcher for the board, so that `cargo run --release`
//! starts QEMU whichever way this machine compiles for the board. `cargo xtask` is the one who knows that way.

extern crate std;

use std::env;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::{eprintln, format};

/// Builds the firmware for `board`, runs it in QEMU and exits with its code.
pub fn launch(board: &str) -> ExitCode {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    // cargo says where it is to those that it runs.
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let run = Command::new(cargo)
        .args(["xtask", "firmware", "--board", board])
        .args(env::args_os().skip(1))
        .current_dir(&workspace)
        .status();
    match run {
        // A run that a signal ended has no code.
        Ok(status) => ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
        Err(error) => {
            let message = format!("cannot run `cargo xtask firmware --board {board}`: {error}");
            eprintln!("{message}\n  remedy: run it in {}", workspace.display());
            ExitCode::from(2)
        }
    }
}

//! Prints the host's digest lines: `cargo run -p divvy-tests --example digests`. With `-- --bless` it rewrites the
//! golden file instead; the difference of that file is what a review then has to explain.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => print(),
        ["--bless"] => bless(),
        _ => {
            eprintln!("digests: unknown arguments {arguments:?}; use none to print, or --bless to rewrite");
            ExitCode::from(2)
        }
    }
}

fn print() -> ExitCode {
    let good = divvy_tests::verify("host", 0, &mut |verdict| {
        if verdict.is_good() { println!("{verdict}") } else { eprintln!("{verdict}") }
    });
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn bless() -> ExitCode {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/digests.txt");
    let mut file = String::from(
        "# What every scenario comes to on every target. Written by `cargo run -p divvy-tests --example digests -- --bless`.\n",
    );
    for scenario in divvy_tests::ALL {
        writeln!(file, "{} {:016x}", scenario.name, (scenario.run)()).expect("a string takes everything");
    }
    if let Err(error) = std::fs::write(&path, file) {
        eprintln!("digests: cannot write {}: {error}; is the checkout writable?", path.display());
        return ExitCode::FAILURE;
    }
    println!("{} scenarios written to {}", divvy_tests::ALL.len(), path.display());
    ExitCode::SUCCESS
}

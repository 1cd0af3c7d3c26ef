//! Measures divvy beside the best of what does the same: `cargo run --release -- [NAME…] [--rounds N]`, or
//! `cargo xtask bench [NAME…]` from the root.
//!
//! All contenders of a table run in one process run, interleaved (A B C A B C …), so that a slow minute of the machine
//! slows all of them; figures are medians over the rounds, and what counts is the ratio. A baseline that does nothing
//! is in each table: what it takes is the measurement itself.

mod balance;
mod breaker;
mod data_parallel;
mod deque;
mod fork_join;
mod hash;
mod limit;
mod machine;
mod mpmc;
mod partition;
mod ring;
mod rounds;
mod run;
mod sketch;
mod spsc;
mod table;
mod timer;

use std::process::ExitCode;

/// One kind of thing measured.
struct Bench {
    name: &'static str,
    about: &'static str,
    rounds: u32,
    run: fn(u32) -> Result<String, String>,
}

const BENCHES: &[Bench] = &[
    Bench { name: "run", about: "2,000 commands that do nothing", rounds: 5, run: run::table },
    Bench { name: "deque", about: "work-stealing deques", rounds: 21, run: deque::table },
    Bench {
        name: "mpmc",
        about: "bounded queues with many senders and receivers",
        rounds: 21,
        run: mpmc::table,
    },
    Bench { name: "spsc", about: "bounded queues from one thread to another", rounds: 21, run: spsc::table },
    Bench {
        name: "parallel",
        about: "loops and sorts over slices on two threads",
        rounds: 11,
        run: data_parallel::table,
    },
    Bench {
        name: "fork-join",
        about: "fork and join, tiny tasks, and pools at rest",
        rounds: 21,
        run: fork_join::table,
    },
    Bench { name: "ring", about: "consistent hashing", rounds: 21, run: ring::table },
    Bench { name: "table", about: "consistent hashing without a circle", rounds: 21, run: table::table },
    Bench {
        name: "balance",
        about: "choosing a member and accounting for the call",
        rounds: 21,
        run: balance::table,
    },
    Bench {
        name: "breaker",
        about: "asking a circuit breaker and telling it",
        rounds: 21,
        run: breaker::table,
    },
    Bench { name: "limit", about: "rate limiters", rounds: 21, run: limit::table },
    Bench { name: "partition", about: "cutting work", rounds: 21, run: partition::table },
    Bench { name: "timer", about: "setting, cancelling and firing timers", rounds: 21, run: timer::table },
    Bench { name: "sketch", about: "counting heavy keys and values", rounds: 21, run: sketch::table },
    Bench { name: "hash", about: "XXH3-64", rounds: 21, run: hash::table },
];

fn main() -> ExitCode {
    let (names, rounds) = match arguments() {
        Ok(parsed) => parsed,
        Err(message) => {
            eprintln!("bench: {message}\n\nusage: cargo run --release -- [NAME…] [--rounds N]\n");
            for bench in BENCHES {
                eprintln!("  {:<8}{}", bench.name, bench.about);
            }
            return ExitCode::from(2);
        }
    };
    if cfg!(debug_assertions) {
        eprintln!("bench: built without --release, the figures mean nothing");
    }
    println!("{}", machine::describe());
    let mut failed = false;
    for bench in
        BENCHES.iter().filter(|bench| names.is_empty() || names.iter().any(|name| name == bench.name))
    {
        match (bench.run)(rounds.unwrap_or(bench.rounds)) {
            Ok(table) => println!("\n## {}: {}\n\n{table}", bench.name, bench.about),
            Err(message) => {
                eprintln!("bench: {}: {message}", bench.name);
                failed = true;
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The names asked for, and how many rounds if that was said.
fn arguments() -> Result<(Vec<String>, Option<u32>), String> {
    let (mut names, mut rounds) = (Vec::new(), None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--rounds" {
            let number = arguments.next().and_then(|number| number.parse().ok()).filter(|number| *number > 0);
            rounds = Some(number.ok_or("--rounds takes a number from 1 up")?);
        } else if BENCHES.iter().any(|bench| bench.name == argument) {
            names.push(argument);
        } else {
            return Err(format!("there is no bench {argument:?}"));
        }
    }
    Ok((names, rounds))
}

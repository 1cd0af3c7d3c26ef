//! The scoreboard: figures of quality that no noise touches, each beside the bound that is published for it.
//!
//! `cargo run --release -p divvy-tests --example score` prints a Markdown table, with `-- --json` one JSON object. Where
//! a bound breaks, the exit code is 1. All seeds are fixed, so every run gives the same figures.

mod balance;
mod breaker;
mod dag;
mod figure;
mod learning;
mod lease;
mod limit;
mod limit_shared;
mod memory;
mod overload;
mod partition;
mod policies;
mod priority;
mod protection;
mod queueing;
mod realtime;
mod retry;
mod ring;
mod sched;
mod scheduling;
mod sketch;
mod theory;
mod timer;
mod weighted;
mod zipf;

use figure::Figure;
use std::process::ExitCode;

fn main() -> ExitCode {
    let json = match std::env::args().skip(1).collect::<Vec<_>>() {
        none if none.is_empty() => false,
        one if one == ["--json"] => true,
        other => {
            eprintln!("score: unknown arguments {other:?}; use none for a table, or --json");
            return ExitCode::from(2);
        }
    };
    let figures: Vec<Figure> = [
        dag::figures(),
        priority::figures(),
        timer::figures(),
        sched::figures(),
        scheduling::figures(),
        theory::figures(),
        realtime::figures(),
        breaker::figures(),
        limit::figures(),
        overload::figures(),
        limit_shared::figures(),
        retry::figures(),
        partition::figures(),
        ring::figures(),
        sketch::figures(),
        balance::figures(),
        learning::figures(),
        policies::figures(),
        weighted::figures(),
        lease::figures(),
        queueing::figures(),
        protection::figures(),
        memory::figures(),
    ]
    .concat();
    if json {
        println!("{}", figure::json(&figures));
    } else {
        print!("{}", figure::table(&figures));
    }
    let broken = figures.iter().filter(|figure| !figure.holds()).count();
    if broken == 0 {
        return ExitCode::SUCCESS;
    }
    eprintln!("score: {broken} of {} figures break their bound", figures.len());
    ExitCode::FAILURE
}

//! `cargo xtask test`: sets up, runs the steps, says what they came to.

use std::io::{IsTerminal as _, Write as _};
use std::{fs, io};

use crate::layout::Layout;
use crate::report::{Meter, SETUP, Tally, seconds};
use crate::setup::{self, Unready};
use crate::steps::{STEPS, Step, Work};
use crate::toolchain::Toolchain;

/// `--list`.
pub(crate) fn list() {
    for step in &STEPS {
        let quick = match step {
            Step { named: true, .. } => "named",
            Step { quick: true, .. } => "quick",
            _ => "",
        };
        let uses =
            if step.after.is_empty() { String::new() } else { format!("; uses {}", step.after.join(", ")) };
        println!("{:12} {quick:5}  {}{uses}", step.name, step.about);
    }
}

/// Installs what these steps need, then runs them; whether all of them are good.
pub(crate) fn run(layout: &Layout, steps: &[&'static Step], fail_fast: bool) -> Result<bool, Unready> {
    let meter = Meter::start();
    let names: Vec<&str> = steps.iter().map(|step| step.name).collect();
    let toolchain = setup::install(layout, &Toolchain::find(layout), &names)?;
    let digests = layout.state().join("digests");
    fs::create_dir_all(&digests)
        .map_err(|error| Unready::Failed(format!("cannot make {}: {error}", digests.display())))?;

    let mut tally = Tally { skipped: STEPS.len() - steps.len(), ..Tally::default() };
    tally.costs.push((SETUP, meter.stop()));
    for (at, step) in steps.iter().enumerate() {
        let meter = Meter::start();
        announce(step);
        let outcome = attempt(layout, &toolchain, step, &tally.failed);
        let cost = meter.stop();
        tally.costs.push((step.name, cost));
        match outcome {
            Ok(note) => println!("{:12} ok     {:>9}  {note}", step.name, seconds(cost.wall)),
            Err(why) => {
                println!("{:12} FAILED {:>9}", step.name, seconds(cost.wall));
                explain(layout, step, &why);
                tally.failed.push(step.name);
                if fail_fast {
                    tally.skipped += steps.len() - at - 1;
                    break;
                }
            }
        }
    }
    print!("{}", tally.summary());
    Ok(tally.failed.is_empty())
}

fn attempt(layout: &Layout, toolchain: &Toolchain, step: &Step, failed: &[&str]) -> Result<String, String> {
    // What an earlier run left would look like this one's.
    let _ = fs::remove_file(layout.log(step.name));
    let _ = fs::remove_file(layout.digests(step.name));
    // The comparison names what is missing itself; everything else cannot even start.
    let broken = step.after.iter().find(|used| failed.contains(used));
    match broken {
        Some(used) if step.name != crate::name::CONFORMANCE => {
            Err(format!("it uses the step `{used}`, which failed"))
        }
        _ => (step.run)(&Work { layout, toolchain, step: step.name }),
    }
}

/// On a terminal, the name of what is running; the result will be written over it.
fn announce(step: &Step) {
    if io::stdout().is_terminal() {
        print!("{:12} …\r", step.name);
        let _ = io::stdout().flush();
    }
}

fn explain(layout: &Layout, step: &Step, why: &str) {
    let log = fs::read(layout.log(step.name)).unwrap_or_default();
    for line in String::from_utf8_lossy(&log).lines() {
        println!("    {line}");
    }
    println!("  {}: {}", step.name, why.replace('\n', "\n  "));
    println!("  again: cargo xtask test --only {}", step.name);
}

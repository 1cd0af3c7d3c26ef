//! What needs no run of divvy itself: form, lints, documentation, dependencies.

use super::{Outcome, Work};
use crate::run::Run;

pub(super) fn fmt(work: &Work<'_>) -> Outcome {
    let remedy = "`cargo fmt` in that workspace mends it";
    work.run(work.cargo_run(&["fmt", "--all", "--check"]).remedy(remedy))?;
    for dir in own_workspaces(work) {
        work.run(work.cargo_run(&["fmt", "--all", "--check"]).dir(dir).remedy(remedy))?;
    }
    Ok(String::new())
}

pub(super) fn clippy(work: &Work<'_>) -> Outcome {
    let sets: [&[&str]; 5] = [
        &["--workspace"],
        &["-p", "divvy"],
        &["-p", "divvy", "--features", "alloc"],
        &["-p", "divvy", "--all-features"],
        &["-p", "xtask", "--features", "glue"],
    ];
    for set in sets {
        let mut arguments = vec!["clippy", "--all-targets"];
        arguments.extend_from_slice(set);
        arguments.extend_from_slice(&["--", "-D", "warnings"]);
        work.cargo(&arguments)?;
    }
    for dir in own_workspaces(work) {
        work.cargo_in(dir, &["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    }
    Ok(String::new())
}

/// The public documentation, as its readers see it. Private items stay out: then a link from a public item to a private
/// one is an error, as it should be.
pub(super) fn rustdoc(work: &Work<'_>) -> Outcome {
    let doc = ["doc", "--no-deps", "--lib"];
    let libraries = ["-p", "divvy-host", "-p", "divvy-wasm", "-p", "divvy-tests"];
    for set in [&libraries[..], &["-p", "divvy", "--all-features"]] {
        let run = work.cargo_run(&doc).args(set);
        work.run(run.env("RUSTDOCFLAGS", "-D warnings"))?;
    }
    Ok(String::new())
}

/// Not run, only compiled: its figures are for people, its peers' dependencies for nobody else.
pub(super) fn bench(work: &Work<'_>) -> Outcome {
    work.cargo_in(work.layout.bench(), &["check", "--locked", "--workspace", "--all-targets"])?;
    Ok(String::new())
}

/// What of cargo-deny's checks needs no network. Advisories change without a change of ours: they have no place here.
pub(super) fn deny(work: &Work<'_>) -> Outcome {
    let checks = ["check", "--hide-inclusion-graph", "bans", "licenses", "sources"];
    let manifests = [work.layout.root.clone(), work.layout.firmware()];
    for dir in manifests {
        let run = Run::new("cargo-deny").arg("--manifest-path").arg(dir.join("Cargo.toml"));
        let run = run.args(["--all-features", "--config"]).arg(work.layout.root.join("deny.toml"));
        work.run(run.args(checks).remedy("deny.toml says what is allowed and why"))?;
    }
    Ok(String::new())
}

fn own_workspaces(work: &Work<'_>) -> [std::path::PathBuf; 2] {
    [work.layout.firmware(), work.layout.bench()]
}

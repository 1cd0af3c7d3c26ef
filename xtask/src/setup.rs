//! `cargo xtask setup`: says what is missing and where it will come from, then installs it.

use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::time::Instant;

use crate::layout::Layout;
use crate::needs::{BENCH_RUN, NEEDS, Need, Source, Tool, node_modules_stamp};
use crate::report::seconds;
use crate::run::{Run, find_program};
use crate::toolchain::Toolchain;

/// Why a setup ended without everything being there.
#[derive(Debug)]
pub(crate) enum Unready {
    /// It takes rights or decisions that are the user's: what to type was printed.
    ByHand,
    /// A package manager failed.
    Failed(String),
}

/// The needs of these steps that are not met.
pub(crate) fn missing(layout: &Layout, toolchain: &Toolchain, steps: &[&str]) -> Vec<&'static Need> {
    needs_of(steps).filter(|need| !need.is_met(layout, toolchain)).collect()
}

fn needs_of(steps: &[&str]) -> impl Iterator<Item = &'static Need> {
    NEEDS.iter().filter(|need| need.steps.iter().any(|step| steps.contains(step)))
}

/// `--check`: one line for each need of these steps; whether all are met.
pub(crate) fn check(layout: &Layout, toolchain: &Toolchain, steps: &[&str]) -> bool {
    let mut complete = true;
    for need in needs_of(steps) {
        let met = need.is_met(layout, toolchain);
        complete &= met;
        let state = if met { "found" } else { "MISSING" };
        println!("{state:8} {:36} {:60} {}", need.name, through(need), users(need));
    }
    let others = toolchain.not_in_active();
    if !others.is_empty() {
        let by =
            if toolchain.debian_problem().is_none() { "Debian's compiler builds" } else { "nothing builds" };
        println!("{by} for {}: the active toolchain has no standard library for them", others.join(", "));
    }
    complete
}

/// Installs what these steps need and the machine lacks. Says what and through which package manager before it does.
pub(crate) fn install(layout: &Layout, toolchain: &Toolchain, steps: &[&str]) -> Result<Toolchain, Unready> {
    let missing = missing(layout, toolchain, steps);
    if missing.is_empty() {
        return Ok(toolchain.clone());
    }
    println!("Missing here:");
    for need in &missing {
        println!("  {:36} {:60} {}", need.name, through(need), users(need));
    }
    let plan = Plan::of(&missing);
    if !plan.rustup.is_empty() {
        println!(
            "The toolchain is yours, so this is left to you:\n  rustup component add {}",
            plan.rustup.join(" ")
        );
        return Err(Unready::ByHand);
    }
    if !plan.debian.is_empty() {
        let apt = find_program("apt-get").is_some();
        if !apt || !is_root() {
            println!("{}", by_hand(&plan.debian, apt));
            return Err(Unready::ByHand);
        }
    }
    std::fs::create_dir_all(layout.state())
        .map_err(|error| Unready::Failed(format!("cannot make {}: {error}", layout.state().display())))?;
    let _ = std::fs::remove_file(layout.log("setup"));
    plan.carry_out(layout).map_err(|why| {
        let log = std::fs::read(layout.log("setup")).unwrap_or_default();
        Unready::Failed(format!("{}{why}", String::from_utf8_lossy(&log)))
    })?;

    let toolchain = Toolchain::find(layout);
    let still = self::missing(layout, &toolchain, steps);
    if still.is_empty() {
        return Ok(toolchain);
    }
    let mut message = String::from("installed without an error, and yet not usable:");
    for need in still {
        let _ = write!(message, "\n  {} ({})", need.name, through(need));
    }
    if let (false, Some(why)) = (toolchain.not_in_active().is_empty(), toolchain.debian_problem()) {
        let _ = write!(message, "\n  Debian's compiler: {why}; `rustup target add` is the other way");
    }
    Err(Unready::Failed(message))
}

/// What each package manager is asked for.
#[derive(Debug, Default)]
struct Plan {
    debian: Vec<&'static str>,
    cargo: Vec<&'static Tool>,
    npm: bool,
    rustup: Vec<&'static str>,
}

impl Plan {
    fn of(missing: &[&Need]) -> Self {
        let mut plan = Self::default();
        for need in missing {
            match &need.source {
                Source::Debian(packages) => plan.debian.extend_from_slice(packages),
                Source::Cargo(tool) => plan.cargo.push(tool),
                Source::Npm => plan.npm = true,
                Source::Rustup(component) => plan.rustup.push(component),
            }
        }
        plan
    }

    fn carry_out(&self, layout: &Layout) -> Result<(), String> {
        let log = layout.log("setup");
        if !self.debian.is_empty() {
            timed("apt-get update", || apt(&["update"]).log(&log))?;
            let policy = Run::new("apt-cache").arg("policy").args(&self.debian).env("LC_ALL", "C").read()?;
            let mut without = self.debian.clone();
            without.retain(|package| candidate(&policy, package).is_none());
            if !without.is_empty() {
                return Err(no_candidate(&without));
            }
            let label = format!("apt-get install {}", self.debian.join(" "));
            timed(&label, || apt(&INSTALL).args(&self.debian).log(&log))?;
        }
        for tool in &self.cargo {
            let label = format!("cargo install {} {}", tool.krate, tool.version);
            timed(&label, || cargo_install(layout, tool).log(&log))?;
        }
        if self.npm {
            timed("npm ci in wasm/www", || {
                let run = Run::new("npm").args(["ci", "--no-audit", "--no-fund"]).dir(layout.www());
                run.remedy("is the npm registry reachable, and does package-lock.json fit package.json?")
                    .log(&log)
            })?;
            std::fs::copy(layout.www().join("package-lock.json"), node_modules_stamp(layout))
                .map_err(|error| format!("cannot write {}: {error}", node_modules_stamp(layout).display()))?;
        }
        Ok(())
    }
}

const INSTALL: [&str; 3] = ["install", "--yes", "--no-install-recommends"];

fn apt(arguments: &[&str]) -> Run {
    Run::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .remedy("is the package mirror reachable, and is another apt-get running?")
}

fn cargo_install(layout: &Layout, tool: &Tool) -> Run {
    Run::new("cargo")
        .args(["install", "--locked", "--version", tool.version])
        .args(tool.flags)
        .arg("--root")
        .arg(tool.folder(layout))
        .arg(tool.krate)
        // One folder for all of them: they share many dependencies.
        .env("CARGO_TARGET_DIR", layout.target.join("tools"))
        // Without what only a debugger reads, a debug build is quick to make and small.
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env_remove("RUSTFLAGS")
        .dir(&layout.root)
        .remedy("is the crate registry reachable?")
}

fn timed<T>(label: &str, work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let begin = Instant::now();
    let result = work();
    let state = if result.is_ok() { "done" } else { "FAILED" };
    println!("  {state:6} {:>8}  {label}", seconds(begin.elapsed()));
    result
}

/// The version of `package` that apt would install, in the output of `apt-cache policy`: a paragraph for each package that
/// it knows.
fn candidate<'a>(policy: &'a str, package: &str) -> Option<&'a str> {
    let mut lines = policy.lines().skip_while(|line| line.strip_suffix(':') != Some(package)).skip(1);
    let version = lines.find_map(|line| line.trim().strip_prefix("Candidate:"))?.trim();
    (version != "(none)").then_some(version)
}

fn no_candidate(packages: &[&str]) -> String {
    let mut message = format!("this system's package lists do not have {}", packages.join(", "));
    if packages.iter().any(|package| package.contains("-web") || package.starts_with("lld")) {
        message += "\n  Debian's compiler comes with Debian 12's security updates. Elsewhere the active toolchain must have the \
                    targets: `rustup target add` with those of rust-toolchain.toml";
    }
    if packages.contains(&"chromium") {
        message += "\n  Any Chromium or Chrome will do: put its path into the environment variable CHROMIUM";
    }
    message
}

fn by_hand(packages: &[&str], apt: bool) -> String {
    let packages = packages.join(" ");
    if apt {
        format!(
            "Installing Debian packages takes root. Run these, then this command again; it installs the rest itself:\n  \
             sudo apt-get update\n  sudo apt-get {} {packages}",
            INSTALL.join(" ")
        )
    } else {
        format!(
            "There is no apt-get here. Install what these Debian packages hold, then run this command again:\n  {packages}"
        )
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

fn through(need: &Need) -> String {
    match &need.source {
        Source::Debian(packages) => format!("apt-get: {}", packages.join(" ")),
        Source::Cargo(tool) => format!("cargo: {} {}", tool.krate, tool.version),
        Source::Npm => "npm: wasm/www/package-lock.json".into(),
        Source::Rustup(component) => format!("rustup component add {component} (by hand)"),
    }
}

fn users(need: &Need) -> String {
    if need.steps == [BENCH_RUN] {
        format!("for {BENCH_RUN}")
    } else {
        format!("for {}", need.steps.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_asks_each_package_manager_once() {
        let all: Vec<&Need> = NEEDS.iter().collect();
        let plan = Plan::of(&all);
        assert!(plan.npm);
        assert_eq!(plan.rustup, ["rustfmt", "clippy"]);
        assert_eq!(plan.cargo.len(), crate::needs::TOOLS.len());
        let mut packages = plan.debian.clone();
        packages.sort_unstable();
        packages.dedup();
        assert_eq!(packages.len(), plan.debian.len(), "a package is listed twice");
        assert!(packages.contains(&"qemu-system-arm") && packages.contains(&"lld-22"));
    }

    #[test]
    fn a_package_without_a_candidate_is_known_before_it_is_asked_for() {
        let policy = "rustc-web:\n  Installed: (none)\n  Candidate: (none)\n  Version table:\n\
                      chromium:\n  Installed: (none)\n  Candidate: 156.0-1\n  Version table:\n     156.0-1 500\n";
        assert_eq!(candidate(policy, "chromium"), Some("156.0-1"));
        assert_eq!(candidate(policy, "rustc-web"), None);
        assert_eq!(candidate(policy, "chrom"), None);
        assert_eq!(candidate("", "chromium"), None);
        let message = no_candidate(&["rustc-web", "chromium"]);
        assert!(message.contains("rustup target add") && message.contains("CHROMIUM"), "{message}");
        assert!(!no_candidate(&["make"]).contains("rustup"));
    }

    #[test]
    fn without_root_the_commands_are_complete() {
        let text = by_hand(&["chromium", "npm"], true);
        assert!(text.contains("sudo apt-get update\n"), "{text}");
        assert!(text.contains("sudo apt-get install --yes --no-install-recommends chromium npm"), "{text}");
    }
}

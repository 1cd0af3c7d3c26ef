//! The steps of `cargo xtask test`, in the order that they run in: what fails soonest and cheapest comes first.

mod browser;
mod checks;
mod conformance;
mod cross;
mod docs;
mod firmware;
mod host;
mod tsan;

use crate::layout::Layout;
use crate::name;
use crate::run::Run;
use crate::toolchain::Toolchain;

pub(crate) use browser::build_playground;
pub(crate) use docs::rewrite as rewrite_docs;
pub(crate) use firmware::{BOARDS, run_board};

/// What a step works with.
#[derive(Debug)]
pub(crate) struct Work<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) toolchain: &'a Toolchain,
    /// The step's name, which is its log's too.
    pub(crate) step: &'static str,
}

impl Work<'_> {
    /// Runs a program in the checkout, its output going to the step's log.
    fn run(&self, run: Run) -> Result<String, String> {
        run.log(&self.layout.log(self.step))
    }

    /// `cargo …` by the active toolchain in the checkout.
    fn cargo(&self, arguments: &[&str]) -> Result<String, String> {
        self.run(self.cargo_run(arguments))
    }

    fn cargo_run(&self, arguments: &[&str]) -> Run {
        Run::new("cargo").args(arguments).dir(&self.layout.root)
    }

    /// The same for a workspace of its own: what it shares with the others is compiled once, in one target folder.
    fn cargo_in(&self, dir: std::path::PathBuf, arguments: &[&str]) -> Result<String, String> {
        self.run(Run::new("cargo").args(arguments).dir(dir).env("CARGO_TARGET_DIR", &self.layout.target))
    }
}

/// Clippy does not come with every compiler for other targets; the compiler's own warnings fail there instead.
fn no_warnings(output: &str) -> Result<(), String> {
    let warnings = output.lines().filter(|line| line.starts_with("warning: ")).count();
    if warnings == 0 {
        Ok(())
    } else {
        Err(format!("the compiler gave {warnings} warnings; here they are errors"))
    }
}

/// One step: what it says of itself when it is good, or why it failed.
pub(crate) type Outcome = Result<String, String>;

/// One step of the tests.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Part of `--quick`: takes nothing but the host's toolchain.
    pub(crate) quick: bool,
    /// Only run when `--only` names it: it takes longer than every run can spare.
    pub(crate) named: bool,
    /// Steps whose results it uses; `--only` takes them along.
    pub(crate) after: &'static [&'static str],
    pub(crate) run: fn(&Work<'_>) -> Outcome,
}

const fn quick(name: &'static str, about: &'static str, run: fn(&Work<'_>) -> Outcome) -> Step {
    Step { name, about, quick: true, named: false, after: &[], run }
}

const fn full(name: &'static str, about: &'static str, run: fn(&Work<'_>) -> Outcome) -> Step {
    Step { name, about, quick: false, named: false, after: &[], run }
}

/// All of them.
pub(crate) static STEPS: [Step; 23] = [
    quick(name::FMT, "every workspace is formatted", checks::fmt),
    full(name::DENY, "licences, sources and bans of all dependencies", checks::deny),
    quick(name::CLIPPY, "clippy, warnings as errors, with each feature set of the core", checks::clippy),
    quick(name::TEST, "unit, property and end-to-end tests on the host", host::test),
    quick(name::DOCTEST, "the examples in the documentation", host::doctest),
    quick(name::RUSTDOC, "the documentation, warnings as errors", checks::rustdoc),
    full(name::BENCH, "the bench compiles", checks::bench),
    full(name::LOOM, "the lock-free parts under every interleaving", host::loom),
    Step { named: true, ..full(name::TSAN, "what threads share, under ThreadSanitizer", tsan::tsan) },
    quick(name::DIGESTS, "the scenarios' digests on the host", host::digests),
    full(name::EXAMPLE, "the README's first command", host::example),
    full(name::DOCS, "the documents show what the commands print", docs::docs),
    full(name::SCORE, "the quality figures stay within their bounds", host::score),
    full(name::THUMBV6M, "the core without alloc for Cortex-M0", cross::thumbv6m),
    full(name::THUMBV7EM, "the core without alloc for Cortex-M4 and M7", cross::thumbv7em),
    full(name::THUMBV8M, "the core without alloc for Cortex-M33", cross::thumbv8m),
    full(name::RISCV32IMAC, "the core without alloc for RV32", cross::riscv32imac),
    full(name::WASM32, "the core without alloc for wasm32", cross::wasm32),
    full(name::MPS2_AN521, "both Cortex-M33 cores in QEMU", firmware::mps2_an521),
    full(name::VIRT, "four RV32 harts in QEMU", firmware::virt),
    full(name::PLAYGROUND, "the playground: wasm, its glue, types, bundle", browser::playground),
    Step {
        after: &[name::PLAYGROUND],
        ..full(name::BROWSER, "the playground in Chromium", browser::browser)
    },
    Step {
        after: &[name::DIGESTS, name::MPS2_AN521, name::VIRT, name::BROWSER],
        ..full(name::CONFORMANCE, "one answer on every target", conformance::conformance)
    },
];

/// The steps that were asked for, in their order.
pub(crate) fn select(only: &[String], quick: bool) -> Result<Vec<&'static Step>, String> {
    let mut wanted: Vec<&str> = Vec::new();
    for name in only {
        let step = STEPS.iter().find(|step| step.name == name).ok_or_else(|| unknown(name))?;
        wanted.push(step.name);
    }
    // A step can stand only behind those it uses, so one walk from the end finds them all.
    for step in STEPS.iter().rev() {
        if wanted.contains(&step.name) {
            wanted.extend(step.after);
        }
    }
    let all = only.is_empty();
    let chosen = |step: &&Step| (all && !step.named && (step.quick || !quick)) || wanted.contains(&step.name);
    Ok(STEPS.iter().filter(chosen).collect())
}

fn unknown(name: &str) -> String {
    let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
    format!("there is no step `{name}`; the steps are {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(only: &[&str], quick: bool) -> Vec<&'static str> {
        let only: Vec<String> = only.iter().map(|&name| name.to_owned()).collect();
        select(&only, quick).unwrap().iter().map(|step| step.name).collect()
    }

    #[test]
    fn everything_but_what_is_only_run_by_name_is_the_default() {
        let named = STEPS.iter().filter(|step| step.named).map(|step| step.name);
        assert_eq!(named.collect::<Vec<_>>(), [name::TSAN]);
        assert_eq!(names(&[], false).len(), STEPS.len() - 1);
        assert_eq!(names(&[name::TSAN], false), [name::TSAN]);
    }

    #[test]
    fn names_are_distinct_and_uses_come_first() {
        for (at, step) in STEPS.iter().enumerate() {
            assert!(STEPS[..at].iter().all(|earlier| earlier.name != step.name), "{} twice", step.name);
            for used in step.after {
                assert!(
                    STEPS[..at].iter().any(|earlier| earlier.name == *used),
                    "{} before {used}",
                    step.name
                );
            }
        }
    }

    #[test]
    fn quick_takes_nothing_but_the_host() {
        let quick = names(&[], true);
        assert!(quick.contains(&name::TEST) && !quick.contains(&name::BROWSER), "{quick:?}");
        assert!(quick.len() < STEPS.len());
    }

    #[test]
    fn only_takes_along_what_a_step_uses() {
        assert_eq!(names(&["fmt"], false), ["fmt"]);
        assert_eq!(names(&["browser", "fmt"], false), ["fmt", "playground", "browser"]);
        let all = names(&["conformance"], false);
        assert_eq!(all, ["digests", "mps2-an521", "virt", "playground", "browser", "conformance"]);
    }

    #[test]
    fn warnings_are_errors_where_clippy_is_not() {
        assert!(no_warnings("   Compiling divvy\nwarning from the firmware: low stack\n").is_ok());
        let error = no_warnings("warning: unused import\n --> a.rs\nwarning: `divvy` generated 1 warning\n");
        assert!(error.unwrap_err().contains("2 warnings"));
    }

    #[test]
    fn an_unknown_step_is_answered_with_the_known_ones() {
        let error = select(&["tets".into()], false).unwrap_err();
        assert!(
            error.contains("`tets`") && error.contains("test") && error.contains("conformance"),
            "{error}"
        );
    }
}

//! What divvy's steps need from the machine, and through which package manager each thing comes.

use std::path::PathBuf;

use crate::layout::Layout;
use crate::name;
use crate::run::{Run, find_program, is_executable};
use crate::toolchain::Toolchain;

/// One thing that must be there.
#[derive(Debug)]
pub(crate) struct Need {
    pub(crate) name: &'static str,
    pub(crate) proof: Proof,
    pub(crate) source: Source,
    /// The steps of `cargo xtask test` that need it; or [`BENCH_RUN`].
    pub(crate) steps: &'static [&'static str],
}

/// What shows that it is there.
#[derive(Debug)]
pub(crate) enum Proof {
    /// All of these programs are on the path.
    Programs(&'static [&'static str]),
    /// A browser; its user may name another one in the environment.
    Browser,
    /// Node.js, no older than this major version.
    Node(u32),
    /// A component of the active toolchain: the subcommand answers.
    Component(&'static str),
    /// A cargo tool of a version that will do.
    Tool(&'static Tool),
    /// A compiler for every target.
    Targets,
    /// The playground's packages, of the versions in its lock file.
    NodeModules,
}

/// Where it comes from.
#[derive(Debug)]
pub(crate) enum Source {
    Debian(&'static [&'static str]),
    Cargo(&'static Tool),
    Npm,
    /// Never installed from here: the user's toolchain is the user's.
    Rustup(&'static str),
}

/// A program that cargo builds and installs.
#[derive(Debug)]
pub(crate) struct Tool {
    pub(crate) krate: &'static str,
    pub(crate) version: &'static str,
    /// A version on the path will do from this one on, if it begins with the same two numbers.
    pub(crate) least: [u32; 3],
    pub(crate) flags: &'static [&'static str],
}

/// Stands in [`Need::steps`] for `cargo xtask bench`, which is no step of the tests.
pub(crate) const BENCH_RUN: &str = "cargo xtask bench";

static NEXTEST: Tool = Tool {
    krate: "cargo-nextest",
    version: "0.9.143",
    least: [0, 9, 100],
    flags: &["--debug", "--no-default-features", "--features", "default-no-update"],
};

// Only what needs no network of it: no advisories, so no default features. A debug build takes half the time to build,
// and the checks are over in a second.
static DENY: Tool = Tool {
    krate: "cargo-deny",
    version: "0.20.2",
    least: [0, 20, 0],
    flags: &["--debug", "--no-default-features"],
};

static DEFMT_PRINT: Tool =
    Tool { krate: "defmt-print", version: "1.2.0", least: [1, 0, 0], flags: &["--debug"] };

pub(crate) static TOOLS: [&Tool; 3] = [&NEXTEST, &DENY, &DEFMT_PRINT];

const COMPILED: &[&str] = &[
    name::THUMBV6M,
    name::THUMBV7EM,
    name::THUMBV8M,
    name::RISCV32IMAC,
    name::WASM32,
    name::PLAYGROUND,
    name::MPS2_AN521,
    name::VIRT,
];

/// The table.
pub(crate) static NEEDS: [Need; 14] = [
    Need {
        name: "rustfmt",
        proof: Proof::Component("fmt"),
        source: Source::Rustup("rustfmt"),
        steps: &[name::FMT],
    },
    Need {
        name: "clippy",
        proof: Proof::Component("clippy"),
        source: Source::Rustup("clippy"),
        steps: &[name::CLIPPY],
    },
    Need {
        name: "a compiler for every target",
        proof: Proof::Targets,
        source: Source::Debian(&[
            "rustc-web",
            "cargo-web",
            "rust-web-src",
            "libstd-rust-web-dev",
            "rust-web-llvm",
            "lld-22",
        ]),
        steps: COMPILED,
    },
    Need {
        name: "Chromium",
        proof: Proof::Browser,
        source: Source::Debian(&["chromium"]),
        steps: &[name::BROWSER],
    },
    Need {
        name: "Node.js 18 or newer",
        proof: Proof::Node(18),
        source: Source::Debian(&["nodejs"]),
        steps: &[name::PLAYGROUND, name::BROWSER],
    },
    Need {
        name: "npm",
        proof: Proof::Programs(&["npm"]),
        source: Source::Debian(&["npm"]),
        steps: &[name::PLAYGROUND, name::BROWSER],
    },
    Need {
        name: "QEMU for Arm",
        proof: Proof::Programs(&["qemu-system-arm"]),
        source: Source::Debian(&["qemu-system-arm"]),
        steps: &[name::MPS2_AN521],
    },
    Need {
        name: "QEMU for RISC-V",
        proof: Proof::Programs(&["qemu-system-riscv32"]),
        source: Source::Debian(&["qemu-system-misc"]),
        steps: &[name::VIRT],
    },
    Need {
        name: "what `divvy run` is measured against",
        proof: Proof::Programs(&["parallel", "ninja", "make"]),
        source: Source::Debian(&["parallel", "ninja-build", "make"]),
        steps: &[BENCH_RUN],
    },
    Need {
        name: "CMake, for the peers of the bench",
        proof: Proof::Programs(&["cmake"]),
        source: Source::Debian(&["cmake"]),
        steps: &[name::CLIPPY, name::BENCH, BENCH_RUN],
    },
    Need {
        name: "cargo-nextest",
        proof: Proof::Tool(&NEXTEST),
        source: Source::Cargo(&NEXTEST),
        steps: &[name::TEST],
    },
    Need {
        name: "cargo-deny",
        proof: Proof::Tool(&DENY),
        source: Source::Cargo(&DENY),
        steps: &[name::DENY],
    },
    Need {
        name: "defmt-print",
        proof: Proof::Tool(&DEFMT_PRINT),
        source: Source::Cargo(&DEFMT_PRINT),
        steps: &[name::MPS2_AN521, name::VIRT],
    },
    Need {
        name: "the playground's packages",
        proof: Proof::NodeModules,
        source: Source::Npm,
        steps: &[name::PLAYGROUND, name::BROWSER],
    },
];

impl Tool {
    /// Where `cargo install` puts it: one folder for each version, so that checkouts of different age do not fight.
    pub(crate) fn folder(&self, layout: &Layout) -> PathBuf {
        layout.tools().join(format!("{}-{}", self.krate, self.version))
    }

    fn is_there(&self, layout: &Layout) -> bool {
        is_executable(&self.folder(layout).join("bin").join(self.krate))
            || find_program(self.krate).is_some_and(|program| {
                let text = Run::new(program).arg("--version").read();
                text.is_ok_and(|text| will_do(&text, self.version, self.least))
            })
    }
}

impl Need {
    pub(crate) fn is_met(&self, layout: &Layout, toolchain: &Toolchain) -> bool {
        match &self.proof {
            Proof::Programs(names) => names.iter().all(|name| find_program(name).is_some()),
            Proof::Browser => browser().is_some(),
            Proof::Node(least) => {
                Run::new("node").arg("--version").read().is_ok_and(|text| numbers(&text)[0] >= *least)
            }
            Proof::Component(name) => {
                Run::new("cargo").args([*name, "--version"]).dir(&layout.root).read().is_ok()
            }
            Proof::Tool(tool) => tool.is_there(layout),
            Proof::Targets => toolchain.not_in_active().is_empty() || toolchain.debian_problem().is_none(),
            Proof::NodeModules => node_modules_are_current(layout),
        }
    }
}

/// The browser that the tests drive: the one that `CHROMIUM` names, or the first known one on the path.
pub(crate) fn browser() -> Option<PathBuf> {
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let known = ["chromium", "chromium-browser", "google-chrome"];
    named.filter(|file| is_executable(file)).or_else(|| known.into_iter().find_map(find_program))
}

/// A copy of the lock file that the packages were installed from lies among them.
fn node_modules_are_current(layout: &Layout) -> bool {
    let wanted = std::fs::read(layout.www().join("package-lock.json"));
    let there = std::fs::read(node_modules_stamp(layout));
    matches!((wanted, there), (Ok(wanted), Ok(there)) if wanted == there)
}

pub(crate) fn node_modules_stamp(layout: &Layout) -> PathBuf {
    layout.www().join("node_modules/.divvy-installed-from.json")
}

/// The first three numbers in `text`, after the first digit that follows a space, a `v` or the beginning.
fn numbers(text: &str) -> [u32; 3] {
    let mut found = [0; 3];
    let word = text.split_whitespace().map(|word| word.trim_start_matches('v'));
    let Some(word) = word.into_iter().find(|word| word.starts_with(|c: char| c.is_ascii_digit())) else {
        return found;
    };
    let parts = word.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
    for (slot, part) in found.iter_mut().zip(parts) {
        *slot = part.parse().unwrap_or(0);
    }
    found
}

fn will_do(printed: &str, pinned: &str, least: [u32; 3]) -> bool {
    let (found, pinned) = (numbers(printed), numbers(pinned));
    found >= least && (found[0] > 0 || found[1] == pinned[1]) && found[0] == pinned[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::STEPS;

    #[test]
    fn every_need_names_steps_that_exist() {
        for need in &NEEDS {
            assert!(!need.steps.is_empty(), "{} is needed by nothing", need.name);
            for step in need.steps {
                let exists = *step == BENCH_RUN || STEPS.iter().any(|known| known.name == *step);
                assert!(exists, "{} is needed by `{step}`, which is no step", need.name);
            }
        }
    }

    #[test]
    fn every_tool_is_pinned_and_in_the_table() {
        for tool in TOOLS {
            assert!(will_do(tool.version, tool.version, tool.least), "{}", tool.krate);
            let listed =
                NEEDS.iter().any(|need| matches!(need.source, Source::Cargo(t) if t.krate == tool.krate));
            assert!(listed, "{}", tool.krate);
        }
    }

    #[test]
    fn version_numbers_are_found_where_programs_print_them() {
        assert_eq!(numbers("cargo-nextest 0.9.143 (60fa45f63 2026-08-04)\nrelease: 1.2.3"), [0, 9, 143]);
        assert_eq!(numbers("v20.20.2\n"), [20, 20, 2]);
        assert_eq!(numbers("defmt-print 1.2\nsupported defmt versions: 3"), [1, 2, 0]);
        assert_eq!(numbers("no number"), [0, 0, 0]);
    }

    #[test]
    fn another_line_of_versions_will_not_do() {
        assert!(will_do("cargo-deny 0.20.5", "0.20.2", [0, 20, 0]));
        assert!(!will_do("cargo-deny 0.19.9", "0.20.2", [0, 20, 0]));
        assert!(!will_do("cargo-deny 0.21.0", "0.20.2", [0, 20, 0]));
        assert!(will_do("defmt-print 1.5.0", "1.2.0", [1, 0, 0]));
        assert!(!will_do("defmt-print 2.0.0", "1.2.0", [1, 0, 0]));
        assert!(!will_do("defmt-print 0.3.13", "1.2.0", [1, 0, 0]));
    }
}

//! Which compiler builds for a target that is not this machine: the one place that decides.
//!
//! The active toolchain does where it has the target's standard library (rustup brings it, `rust-toolchain.toml` asks
//! for it). Where rustup may not install, Debian's own compiler builds `core`, or all of `std`, from its source package.
//! Nothing here ever installs a target.

use std::path::{Path, PathBuf};

use crate::env;
use crate::layout::Layout;
use crate::run::Run;

/// The oldest Debian compiler that will do: the `rust-version` of the workspace.
const OLDEST: (u32, u32) = (1, 90);

const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_RUSTDOC: &str = "/usr/bin/rustdoc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/core/src/lib.rs";
const DEBIAN_LINKER: &str = "/usr/bin/rust-lld";

pub(crate) const THUMBV6M: &str = "thumbv6m-none-eabi";
pub(crate) const THUMBV7EM: &str = "thumbv7em-none-eabi";
pub(crate) const THUMBV8M: &str = "thumbv8m.main-none-eabi";
pub(crate) const RISCV32: &str = "riscv32imac-unknown-none-elf";
pub(crate) const WASM32: &str = "wasm32-unknown-unknown";

/// The one machine that ThreadSanitizer runs on here; cargo's `-Zbuild-std` wants it named.
const HOST: &str = "x86_64-unknown-linux-gnu";

/// Every target that is not this machine; `rust-toolchain.toml` names the same ones.
pub(crate) const TARGETS: [&str; 5] = [RISCV32, THUMBV6M, THUMBV7EM, THUMBV8M, WASM32];

/// Who compiles for a target.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Compiler {
    /// The toolchain that runs us: it has the target's standard library.
    Active,
    /// Debian's `rustc-web`, which builds the standard library it needs.
    Debian,
}

/// How much of the standard library a build may use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Library {
    /// `core` alone. When built from source, `alloc` is not even there to be used.
    Core,
    /// All of `std`, for wasm32.
    Std,
    /// All of `std` for wasm32 with workers that share one memory. Nobody ships it: it is built from source by whichever
    /// compiler there is.
    SharedStd,
}

/// What this machine compiles with.
#[derive(Clone, Debug)]
pub(crate) struct Toolchain {
    sysroot: Option<PathBuf>,
    debian: Result<(), String>,
}

impl Toolchain {
    pub(crate) fn find(layout: &Layout) -> Self {
        let sysroot = Run::new("rustc").args(["--print", "sysroot"]).dir(&layout.root).read();
        Self { sysroot: sysroot.ok().map(|line| line.trim().into()), debian: debian() }
    }

    /// Who compiles for `target`, or why nobody can.
    pub(crate) fn compiler(&self, target: &str) -> Result<Compiler, String> {
        let active = self.sysroot.as_deref().is_some_and(|sysroot| has_target(sysroot, target));
        match (active, &self.debian) {
            (true, _) => Ok(Compiler::Active),
            (false, Ok(())) => Ok(Compiler::Debian),
            (false, Err(why)) => Err(format!(
                "nothing here compiles for {target}: the active toolchain has no standard library for it, and Debian's \
                 compiler is not usable ({why})\n  `rustup target add {target}` adds the first where rustup may install; \
                 `cargo xtask setup` installs the second"
            )),
        }
    }

    /// The targets that only Debian's compiler can build for.
    pub(crate) fn not_in_active(&self) -> Vec<&'static str> {
        let has = |target: &str| self.sysroot.as_deref().is_some_and(|sysroot| has_target(sysroot, target));
        TARGETS.into_iter().filter(|target| !has(target)).collect()
    }

    /// Why Debian's compiler is not usable, if it is not.
    pub(crate) fn debian_problem(&self) -> Option<&str> {
        self.debian.as_ref().err().map(String::as_str)
    }

    /// `cargo SUBCOMMAND --target TARGET`, ready for more arguments.
    pub(crate) fn cargo(
        &self,
        layout: &Layout,
        subcommand: &str,
        target: &str,
        library: Library,
    ) -> Result<Run, String> {
        let run = match (self.compiler(target)?, library) {
            (Compiler::Active, Library::Core | Library::Std) => {
                without_outer_flags(Run::new("cargo")).args([subcommand, "--target", target])
            }
            (Compiler::Active, Library::SharedStd) => {
                if !self.sysroot.as_deref().is_some_and(has_source) {
                    return Err("the active toolchain has no source of the standard library, which the workers that share \
                                one memory take\n  `rustup component add rust-src` adds it"
                        .into());
                }
                without_outer_flags(Run::new("cargo"))
                    .args([subcommand, "--target", target, build_std(library)])
                    .env("RUSTC_BOOTSTRAP", "1")
            }
            (Compiler::Debian, _) => debian_cargo()
                .args([subcommand, "--target", target, build_std(library)])
                .env("RUSTC_BOOTSTRAP", "1"),
        };
        Ok(run.env("CARGO_TARGET_DIR", self.base_dir(layout, target, library)?))
    }

    /// `cargo SUBCOMMAND` for this machine, with ThreadSanitizer in all code, the standard library's too. What reports is
    /// the library that rustup's toolchain brings; it does for another compiler of the same LLVM as well.
    pub(crate) fn instrumented(&self, layout: &Layout, subcommand: &str) -> Result<Run, String> {
        let sysroot = self.sysroot.as_deref().ok_or("there is no rustc")?;
        let runtime = tsan_runtime(sysroot).ok_or_else(|| {
            format!(
                "the active toolchain has no ThreadSanitizer for {HOST}: there is no librustc-*_rt.tsan.a in {}\n  \
                 rustup's toolchains for that machine bring it",
                target_lib(sysroot, HOST).display()
            )
        })?;
        let run = match (has_source(sysroot), &self.debian) {
            (true, _) => without_outer_flags(Run::new("cargo")),
            (false, Ok(())) => debian_cargo(),
            (false, Err(why)) => {
                return Err(format!(
                    "nothing here builds the standard library: the active toolchain has no source of it, and Debian's \
                     compiler is not usable ({why})\n  `rustup component add rust-src` adds the first, `cargo xtask setup` \
                     the second"
                ));
            }
        };
        // It must come before the libraries that it stands in front of, and whole.
        let runtime = format!("-Wl,--whole-archive,{},--no-whole-archive", runtime.display());
        let flags = format!("-Zsanitizer=thread -Zexternal-clangrt -Zpre-link-arg={runtime}");
        Ok(run
            .args([subcommand, "--target", HOST, "-Zbuild-std=std,panic_unwind,test"])
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", flags)
            .env("CARGO_TARGET_DIR", layout.target.join("tsan")))
    }

    /// The folder below which `cargo` puts what it builds for `target`.
    pub(crate) fn target_dir(
        &self,
        layout: &Layout,
        target: &str,
        library: Library,
    ) -> Result<PathBuf, String> {
        Ok(self.base_dir(layout, target, library)?.join(target))
    }

    /// Its own folder for each compiler and kind of library: two in one would rebuild each other's work.
    fn base_dir(&self, layout: &Layout, target: &str, library: Library) -> Result<PathBuf, String> {
        Ok(match (self.compiler(target)?, library) {
            (_, Library::SharedStd) => layout.target.join("shared"),
            (Compiler::Active, _) => layout.target.clone(),
            (Compiler::Debian, _) => layout.target.join("debian"),
        })
    }
}

fn build_std(library: Library) -> &'static str {
    match library {
        Library::Core => "-Zbuild-std=core",
        Library::Std | Library::SharedStd => "-Zbuild-std=std,panic_abort",
    }
}

fn debian_cargo() -> Run {
    without_outer_flags(Run::new(DEBIAN_CARGO))
        .env_remove("RUSTUP_TOOLCHAIN")
        .env("RUSTC", DEBIAN_RUSTC)
        .env("RUSTDOC", DEBIAN_RUSTDOC)
}

fn without_outer_flags(run: Run) -> Run {
    // The toolchain that the user chose by `cargo +… xtask` is the active one.
    env::about_compiling().filter(|&name| name != "RUSTUP_TOOLCHAIN").fold(run, Run::env_remove)
}

fn has_target(sysroot: &Path, target: &str) -> bool {
    let Ok(files) = std::fs::read_dir(target_lib(sysroot, target)) else {
        return false;
    };
    files.flatten().any(|file| file.file_name().to_string_lossy().starts_with("libcore-"))
}

fn target_lib(sysroot: &Path, target: &str) -> PathBuf {
    sysroot.join("lib/rustlib").join(target).join("lib")
}

/// Its name has the toolchain's channel in it.
fn tsan_runtime(sysroot: &Path) -> Option<PathBuf> {
    let files = std::fs::read_dir(target_lib(sysroot, HOST)).ok()?;
    let is_it = |name: &str| name.starts_with("librustc-") && name.ends_with("_rt.tsan.a");
    files.flatten().find(|file| file.file_name().to_str().is_some_and(is_it)).map(|file| file.path())
}

fn has_source(sysroot: &Path) -> bool {
    sysroot.join("lib/rustlib/src/rust/library/std/Cargo.toml").is_file()
}

fn debian() -> Result<(), String> {
    for file in [DEBIAN_RUSTC, DEBIAN_CARGO, DEBIAN_SOURCE, DEBIAN_LINKER] {
        if !Path::new(file).exists() {
            return Err(format!("no {file}"));
        }
    }
    for program in [DEBIAN_RUSTC, DEBIAN_CARGO] {
        let text = Run::new(program).arg("--version").env_remove("RUSTUP_TOOLCHAIN").read()?;
        match version(&text) {
            Some(found) if found >= OLDEST => {}
            _ => return Err(format!("{program} is `{}`, older than {}.{}", text.trim(), OLDEST.0, OLDEST.1)),
        }
    }
    Ok(())
}

/// Major and minor of `rustc 1.96.0 (…)`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split_whitespace().nth(1)?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        Layout { root: "/r".into(), target: "/r/target".into() }
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(
            version("rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)"),
            Some((1, 96))
        );
        assert_eq!(version("cargo 1.63.0"), Some((1, 63)));
        assert_eq!(version("rustc"), None);
    }

    #[test]
    fn without_either_compiler_the_remedies_are_named() {
        let none = Toolchain { sysroot: None, debian: Err("no /usr/bin/rustc".into()) };
        let error = none.compiler(THUMBV6M).unwrap_err();
        for part in [THUMBV6M, "rustup target add", "cargo xtask setup", "no /usr/bin/rustc"] {
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(none.not_in_active(), TARGETS);
    }

    #[test]
    fn the_active_toolchain_is_asked_first() {
        let sysroot = std::env::temp_dir().join(format!("xtask-sysroot-{}", std::process::id()));
        let lib = sysroot.join("lib/rustlib").join(WASM32).join("lib");
        std::fs::create_dir_all(&lib).unwrap();
        let both = Toolchain { sysroot: Some(sysroot.clone()), debian: Ok(()) };
        assert_eq!(both.compiler(WASM32), Ok(Compiler::Debian), "a folder without a library is no library");
        std::fs::write(lib.join("libcore-0123.rlib"), "").unwrap();
        assert_eq!(both.compiler(WASM32), Ok(Compiler::Active));
        assert_eq!(both.compiler(RISCV32), Ok(Compiler::Debian));
        assert!(!both.not_in_active().contains(&WASM32));
        std::fs::remove_dir_all(sysroot).unwrap();
    }

    #[test]
    fn debians_cargo_is_told_everything() {
        let debian = Toolchain { sysroot: None, debian: Ok(()) };
        let line = debian.cargo(&layout(), "build", WASM32, Library::Std).unwrap().line();
        for part in [
            "/usr/bin/cargo build",
            "--target wasm32",
            "-Zbuild-std=std,panic_abort",
            "RUSTC_BOOTSTRAP=1",
            "target/debian",
        ] {
            assert!(line.contains(part), "{line}");
        }
        let line = debian.cargo(&layout(), "build", THUMBV6M, Library::Core).unwrap().line();
        assert!(line.ends_with("-Zbuild-std=core"), "{line}");
    }

    #[test]
    fn the_library_of_workers_that_share_a_memory_is_built_in_a_folder_of_its_own() {
        let debian = Toolchain { sysroot: None, debian: Ok(()) };
        let line = debian.cargo(&layout(), "build", WASM32, Library::SharedStd).unwrap().line();
        assert!(line.contains("-Zbuild-std=std,panic_abort") && line.contains("target/shared"), "{line}");
        let sysroot = std::env::temp_dir().join(format!("xtask-source-{}", std::process::id()));
        let lib = sysroot.join("lib/rustlib").join(WASM32).join("lib");
        std::fs::create_dir_all(&lib).unwrap();
        std::fs::write(lib.join("libcore-0123.rlib"), "").unwrap();
        let active = Toolchain { sysroot: Some(sysroot.clone()), debian: Err("none".into()) };
        let error = active.cargo(&layout(), "build", WASM32, Library::SharedStd).unwrap_err();
        assert!(error.contains("rustup component add rust-src"), "{error}");
        let source = sysroot.join("lib/rustlib/src/rust/library/std");
        std::fs::create_dir_all(&source).unwrap();
        std::fs::write(source.join("Cargo.toml"), "").unwrap();
        let line = active.cargo(&layout(), "build", WASM32, Library::SharedStd).unwrap().line();
        assert!(line.contains("-Zbuild-std") && line.contains("RUSTC_BOOTSTRAP=1"), "{line}");
        std::fs::remove_dir_all(sysroot).unwrap();
    }

    #[test]
    fn whoever_has_the_sanitizer_and_the_librarys_source_builds_with_both() {
        let sysroot = std::env::temp_dir().join(format!("xtask-tsan-{}", std::process::id()));
        let mut here = Toolchain { sysroot: Some(sysroot.clone()), debian: Err("no /usr/bin/rustc".into()) };
        let error = |here: &Toolchain| here.instrumented(&layout(), "test").unwrap_err();
        assert!(error(&here).contains("no ThreadSanitizer"), "{}", error(&here));
        std::fs::create_dir_all(target_lib(&sysroot, HOST)).unwrap();
        std::fs::write(target_lib(&sysroot, HOST).join("librustc-stable_rt.tsan.a"), "").unwrap();
        for part in ["rustup component add rust-src", "cargo xtask setup", "no /usr/bin/rustc"] {
            assert!(error(&here).contains(part), "{}", error(&here));
        }
        here.debian = Ok(());
        let line = here.instrumented(&layout(), "test").unwrap().line();
        for part in ["/usr/bin/cargo test", "-Zsanitizer=thread", "rt.tsan.a", "-Zbuild-std", "target/tsan"] {
            assert!(line.contains(part), "{line}");
        }
        std::fs::remove_dir_all(sysroot).unwrap();
    }

    #[test]
    fn the_toolchain_file_asks_for_the_same_targets() {
        let file = include_str!("../../rust-toolchain.toml");
        let mut asked: Vec<&str> =
            file.lines().filter_map(|line| line.trim().strip_prefix('"')?.strip_suffix("\",")).collect();
        asked.sort_unstable();
        assert_eq!(asked, TARGETS);
    }
}

//! What of the outer environment a started program must not see.
//!
//! `cargo xtask` is itself run by cargo, which sets variables about *this* package and this toolchain for whatever it
//! runs. A cargo started from here would take some of them for its own.

use std::ffi::OsStr;
use std::process::Command;

/// Set by `cargo run` for the program it runs.
const FROM_CARGO_RUN: [&str; 9] = [
    "CARGO",
    "CARGO_BIN_NAME",
    "CARGO_CRATE_NAME",
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_LINKS",
    "CARGO_MANIFEST_PATH",
    "CARGO_PRIMARY_PACKAGE",
    "OUT_DIR",
    "RUST_RECURSION_COUNT",
];

/// What would change how a target is compiled.
const ABOUT_COMPILING: [&str; 14] = [
    "CARGO_BUILD_RUSTC",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTDOCFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "RUSTC",
    "RUSTC_BOOTSTRAP",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTDOC",
    "RUSTDOCFLAGS",
    "RUSTFLAGS",
    "RUSTUP_TOOLCHAIN",
];

/// Whether `cargo run` set it for us alone.
fn is_from_cargo_run(name: &str) -> bool {
    FROM_CARGO_RUN.contains(&name) || name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_BIN_EXE_")
}

/// Takes from `command` what the outer cargo set. The toolchain that its user chose (`cargo +… xtask`) stays.
pub(crate) fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_from_cargo_run) {
            command.env_remove(&name);
        }
    }
    if let Some(path) = std::env::var_os("LD_LIBRARY_PATH") {
        match without_cargo(&path, &target_like) {
            Some(rest) => command.env("LD_LIBRARY_PATH", rest),
            None => command.env_remove("LD_LIBRARY_PATH"),
        };
    }
}

/// The variables to take away before another toolchain than the outer one compiles.
pub(crate) fn about_compiling() -> impl Iterator<Item = &'static str> {
    ABOUT_COMPILING.into_iter()
}

/// Folders that cargo puts in front of the library path: the build's own and the toolchain's.
fn target_like(dir: &std::path::Path) -> bool {
    let ours = std::env::current_exe().ok().and_then(|exe| exe.parent().map(std::path::Path::to_owned));
    ours.is_some_and(|ours| dir.starts_with(&ours))
        || dir.components().any(|part| part.as_os_str() == "rustlib")
        || dir.components().any(|part| part.as_os_str() == ".rustup")
}

fn without_cargo(path: &OsStr, cargos: &dyn Fn(&std::path::Path) -> bool) -> Option<std::ffi::OsString> {
    let rest: Vec<_> =
        std::env::split_paths(path).filter(|dir| !dir.as_os_str().is_empty() && !cargos(dir)).collect();
    if rest.is_empty() { None } else { std::env::join_paths(rest).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_run_set_is_told_from_what_the_user_set() {
        for cargos in ["CARGO", "CARGO_PKG_VERSION", "CARGO_MANIFEST_DIR", "RUST_RECURSION_COUNT"] {
            assert!(is_from_cargo_run(cargos), "{cargos}");
        }
        let users =
            ["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_TERM_COLOR", "CARGO_HTTP_PROXY", "RUSTFLAGS", "PATH"];
        for user in users {
            assert!(!is_from_cargo_run(user), "{user}");
        }
    }

    #[test]
    fn the_users_library_path_stays() {
        let cargos = |dir: &std::path::Path| dir.starts_with("/t");
        let path = |text: &str| without_cargo(OsStr::new(text), &cargos);
        assert_eq!(path("/t/debug/deps:/opt/lib:/t/debug:"), Some("/opt/lib".into()));
        assert_eq!(path("/t/debug/deps:/t/debug"), None);
    }

    #[test]
    fn a_command_sees_none_of_it() {
        // `cargo test` sets CARGO_MANIFEST_DIR for this very test, as `cargo run` does for the program.
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        let mut command = Command::new("env");
        clean(&mut command);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(!text.contains("CARGO_MANIFEST_DIR=") && text.contains("PATH="), "{text}");
    }
}

//! The playground: built, and driven in Chromium.

use std::fs;
use std::time::Duration;

use super::host::keep_digests;
use super::{Outcome, Work, no_warnings};
use crate::layout::Layout;
use crate::needs;
use crate::run::Run;
use crate::toolchain::{Compiler, Library, Toolchain, WASM32};

/// The modules that the page loads: the crate's feature, and what the module is called.
const MODULES: [(&str, &str); 3] =
    [("scenes", "divvy"), ("protection", "protection"), ("conformance", "conformance")];

/// Builds the modules, their glue and the page; each program goes through `execute`.
pub(crate) fn build_playground(
    layout: &Layout,
    toolchain: &Toolchain,
    execute: &dyn Fn(Run) -> Result<(), String>,
) -> Result<(), String> {
    for (feature, name) in MODULES {
        let mut module = toolchain.cargo(layout, "build", WASM32, Library::Std)?;
        module =
            module.args(["--release", "-p", "divvy-wasm", "--no-default-features", "--features", feature]);
        if toolchain.compiler(WASM32)? == Compiler::Debian {
            // A panic that stops at once, without text, makes the module little more than half as large. It takes a
            // standard library built for it.
            module = module.env("RUSTFLAGS", "-Zunstable-options -Cpanic=immediate-abort");
        }
        execute(module.dir(&layout.root))?;

        let wasm = toolchain.target_dir(layout, WASM32)?.join("release/divvy_wasm.wasm");
        let glue =
            ["run", "--quiet", "-p", "xtask", "--features", "glue", "--bin", "wasm-bindgen-glue", "--"];
        let out = layout.www().join("src/pkg");
        execute(Run::new("cargo").args(glue).arg(wasm).arg(out).arg(name).dir(&layout.root))?;
    }

    execute(npm(layout, &["run", "build"]))
}

pub(super) fn playground(work: &Work<'_>) -> Outcome {
    build_playground(work.layout, work.toolchain, &|run| no_warnings(&work.run(run)?))?;
    let remedy = "`npm run format` in wasm/www mends the form";
    work.run(npm(work.layout, &["run", "check"]).remedy(remedy))?;
    let modules = fs::read_dir(work.layout.www().join("dist/assets")).into_iter().flatten().flatten();
    let is_wasm =
        |entry: &fs::DirEntry| entry.path().extension().is_some_and(|extension| extension == "wasm");
    let bytes: u64 = modules.filter(is_wasm).filter_map(|entry| Some(entry.metadata().ok()?.len())).sum();
    Ok(format!("{bytes} bytes of wasm"))
}

pub(super) fn browser(work: &Work<'_>) -> Outcome {
    let lines = work.layout.digests("browser-lines");
    let _ = fs::remove_file(&lines);
    let browser = needs::browser().ok_or("no Chromium; `cargo xtask setup` installs it")?;
    let run = npm(work.layout, &["test"]).env("CHROMIUM", browser).env("DIVVY_DIGESTS", &lines);
    work.run(run.limit(Duration::from_secs(300)))?;
    let text = fs::read_to_string(&lines)
        .map_err(|error| format!("the tests left no digests in {}: {error}", lines.display()))?;
    let _ = fs::remove_file(&lines);
    keep_digests(work, &text)
}

pub(crate) fn npm(layout: &Layout, arguments: &[&str]) -> Run {
    Run::new("npm").args(arguments).dir(layout.www())
}

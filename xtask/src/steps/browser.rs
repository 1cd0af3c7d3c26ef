//! The playground: built, and driven in Chromium.

use std::fs;
use std::time::Duration;

use super::host::keep_digests;
use super::{Outcome, Work, no_warnings};
use crate::layout::Layout;
use crate::needs;
use crate::run::Run;
use crate::toolchain::{Compiler, Library, Toolchain, WASM32};

/// The modules that the page loads: the crate's feature, what the module is called, and its library.
const MODULES: [(&str, &str, Library); 5] = [
    ("scenes", "divvy", Library::Std),
    ("protection", "protection", Library::Std),
    ("threads", "threads", Library::SharedStd),
    ("deadlines", "deadlines", Library::Std),
    ("conformance", "conformance", Library::Std),
];
/// A panic that stops at once, without text, makes a module little more than half as large. It takes a standard library
/// built for it.
const IMMEDIATE_ABORT: &str = "-Zunstable-options -Cpanic=immediate-abort";
/// Instances of the module share one memory that comes from outside; each has a stack and thread-local data of its own.
/// The compiler warns at each crate that `atomics` is not stable; what it says of our code, it says in other steps as well.
const SHARED_MEMORY: &str = "-Awarnings -Ctarget-feature=+atomics,+bulk-memory,+mutable-globals -Clink-arg=--shared-memory \
     -Clink-arg=--import-memory -Clink-arg=--max-memory=67108864 -Clink-arg=--export=__wasm_init_tls \
     -Clink-arg=--export=__tls_size -Clink-arg=--export=__tls_align -Clink-arg=--export=__tls_base";

/// Builds the modules, their glue and the page; each program goes through `execute`.
pub(crate) fn build_playground(
    layout: &Layout,
    toolchain: &Toolchain,
    execute: &dyn Fn(Run) -> Result<(), String>,
) -> Result<(), String> {
    for (feature, name, library) in MODULES {
        let mut module = toolchain.cargo(layout, "build", WASM32, library)?;
        module =
            module.args(["--release", "-p", "divvy-wasm", "--no-default-features", "--features", feature]);
        let is_built = library == Library::SharedStd || toolchain.compiler(WASM32)? == Compiler::Debian;
        let flags = [(is_built, IMMEDIATE_ABORT), (library == Library::SharedStd, SHARED_MEMORY)];
        let flags: Vec<&str> = flags.into_iter().filter_map(|(used, flag)| used.then_some(flag)).collect();
        if !flags.is_empty() {
            module = module.env("RUSTFLAGS", flags.join(" "));
        }
        execute(module.dir(&layout.root))?;

        let wasm = toolchain.target_dir(layout, WASM32, library)?.join("release/divvy_wasm.wasm");
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

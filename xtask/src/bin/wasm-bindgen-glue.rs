//! Writes the JavaScript and TypeScript that load a wasm module: `wasm-bindgen-glue IN.wasm OUT_DIR NAME`.
//!
//! The generator is the library behind `wasm-bindgen`'s own command, so its version is pinned in one place, beside
//! the `wasm-bindgen` that the module is built with, and nobody has to install a command of the same version.

use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, out_dir, name] = arguments.as_slice() else {
        eprintln!("usage: wasm-bindgen-glue IN.wasm OUT_DIR NAME");
        return ExitCode::from(2);
    };
    match glue(input, out_dir, name) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("wasm-bindgen-glue: {input}: {why}");
            ExitCode::FAILURE
        }
    }
}

fn glue(input: &str, out_dir: &str, name: &str) -> Result<(), String> {
    let mut bindgen = Bindgen::new();
    bindgen.input_path(input).out_name(name).typescript(true).keep_debug(false);
    bindgen.web(true).map_err(|e| format!("{e:#}"))?;
    // The library leaves the module's path out unless told otherwise; a page calls `init()` without one.
    bindgen.omit_default_module_path(false).remove_name_section(true).remove_producers_section(true);
    bindgen.generate(out_dir).map_err(|e| format!("{e:#}"))
}

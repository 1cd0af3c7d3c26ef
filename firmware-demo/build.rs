//! Gives the linker the memory map of the board that is built.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=boards");
    let target = env::var("TARGET").expect("cargo sets TARGET");
    let (map, scripts): (_, &[_]) = match target.as_str() {
        "thumbv8m.main-none-eabi" => ("mps2-an521.x", &["link.x", "defmt.x"]),
        "riscv32imac-unknown-none-elf" => ("virt.x", &["memory.x", "link.x", "defmt.x"]),
        _ => return,
    };
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    let map = manifest.join("boards").join(map);
    fs::copy(&map, folder.join("memory.x"))
        .unwrap_or_else(|error| panic!("cannot copy {}: {error}", map.display()));
    println!("cargo:rustc-link-search={}", folder.display());
    for script in scripts {
        println!("cargo:rustc-link-arg-bins=-T{script}");
    }
}

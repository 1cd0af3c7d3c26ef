//! The machine that the figures are of.

use std::fs;
use std::process::{Command, Stdio};

/// Some lines of Markdown: processor, memory, kernel, compiler, and how busy the machine was.
pub(crate) fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or_else(|_| "?".into(), |n| n.to_string());
    let load = read("/proc/loadavg");
    format!(
        "Measured on {cores} cores of {}, {}, Linux {}, {}; load before the run {}.",
        field("/proc/cpuinfo", "model name").unwrap_or_else(|| "an unknown processor".into()),
        memory().unwrap_or_else(|| "unknown memory".into()),
        read("/proc/sys/kernel/osrelease").split('-').next().unwrap_or_default().trim(),
        version("rustc", "-V").unwrap_or_else(|| "unknown rustc".into()),
        load.split(' ').next().filter(|load| !load.is_empty()).unwrap_or("unknown"),
    )
}

/// The first line that `program argument` prints, or `None` if it is not installed.
pub(crate) fn version(program: &str, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).stdin(Stdio::null()).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next()?.trim().to_owned())
}

fn memory() -> Option<String> {
    let kib: u64 = field("/proc/meminfo", "MemTotal")?.split(' ').next()?.parse().ok()?;
    Some(format!("{} GiB", (kib + (1 << 19)) >> 20))
}

fn field(path: &str, name: &str) -> Option<String> {
    let file = read(path);
    let line = file.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

//! Scenarios that come with the command, and which kind of scenario a file is.

use super::scenario::Scenario;
use super::{chain, herd, partition};
use crate::config;
use crate::diagnostic::{Diagnostic, Result, Source, suggest};
use crate::exit::Exit;
use std::path::Path;
use toml::de::DeTable;

/// Each is a file of `host/examples/sim`, to copy and to change.
const BUILTIN: [(&str, &str); 4] = [
    ("cascade", include_str!("../../examples/sim/cascade.toml")),
    ("retry-storm", include_str!("../../examples/sim/retry-storm.toml")),
    ("thundering-herd", include_str!("../../examples/sim/thundering-herd.toml")),
    ("hot-partition", include_str!("../../examples/sim/hot-partition.toml")),
];

/// What a scenario is about.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Policies over servers.
    Servers(Box<Scenario>),
    /// Protections between services.
    Chain(chain::scenario::Scenario),
    /// Who is woken for a task.
    Herd(herd::Scenario),
    /// Where requests go whose keys are hot.
    Partition(partition::Scenario),
}

/// The scenario at `path`, or the one that comes with the command under this name.
pub(crate) fn load(path: &Path) -> Result<Kind> {
    let builtin = BUILTIN.iter().find(|(name, _)| Path::new(name) == path);
    let source = match builtin {
        Some((name, text)) => Source::new(Path::new(&format!("{name}.toml")), (*text).to_owned()),
        None => config::read(path, "scenario").map_err(|error| {
            unknown(path).unwrap_or_else(|| {
                error.or_help("`divvy sim` takes the path of a scenario file; without one it runs an example")
            })
        })?,
    };
    let name = source.path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let sections: Vec<String> = DeTable::parse(&source.text)
        .map(|table| table.get_ref().keys().map(|key| key.get_ref().to_string()).collect())
        .unwrap_or_default();
    let has = |names: &[&str]| sections.iter().any(|section| names.contains(&section.as_str()));
    if has(&["service", "protection"]) {
        chain::scenario::parse(&source, name).map(Kind::Chain)
    } else if has(&["herd"]) {
        herd::parse(&source, name).map(Kind::Herd)
    } else if has(&["partition"]) {
        partition::parse(&source, name).map(Kind::Partition)
    } else {
        Scenario::parse(&source, name).map(|scenario| Kind::Servers(Box::new(scenario)))
    }
}

/// What to say of a word that is no file: it was meant to be a name.
fn unknown(path: &Path) -> Option<Box<Diagnostic>> {
    let word = path.to_str()?;
    if word.contains(['/', '\\', '.']) || path.exists() {
        return None;
    }
    let names = BUILTIN.iter().map(|(name, _)| *name);
    let help = format!("{}\na scenario of your own is given by the path of its file", suggest(word, names));
    Some(Diagnostic::new(Exit::File, format!("there is no scenario `{word}`, and no such file")).help(help))
}

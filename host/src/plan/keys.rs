//! The keys to place: one per line of a file, or sampled.

use crate::diagnostic::{Diagnostic, Result};
use crate::exit::Exit;
use divvy::ring::audit::sample;
use std::io::Read;
use std::path::Path;

/// Keys, and where they are from.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    pub(crate) keys: Vec<Vec<u8>>,
    /// The seed, if they are sampled.
    pub(crate) seed: Option<u64>,
}

impl Keys {
    /// `count` keys that nobody has.
    pub(crate) fn sampled(count: u32, seed: u64) -> Self {
        Self { keys: sample(seed, count).map(|key| key.to_le_bytes().to_vec()).collect(), seed: Some(seed) }
    }

    /// The lines of the file at `path`, or of standard input for `-`. Empty ones do not count.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let standard = path.as_os_str() == "-";
        let bytes = if standard {
            let mut bytes = vec![];
            std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
        } else {
            std::fs::read(path)
        };
        let name = if standard { "standard input".to_owned() } else { format!("`{}`", path.display()) };
        let bytes = bytes.map_err(|error| {
            Diagnostic::new(Exit::File, format!("the keys cannot be read from {name}: {error}"))
                .help("`--keys` takes the path of a file with one key per line, or - for standard input")
        })?;
        let lines = bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let keys: Vec<Vec<u8>> = lines.filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect();
        if keys.is_empty() {
            return Err(Diagnostic::new(Exit::File, format!("there is no key in {name}"))
                .help("put one key on each line, or leave `--keys` out to sample some"));
        }
        Ok(Self { keys, seed: None })
    }
}

//! Where things are.

use std::path::{Path, PathBuf};

/// The folders that xtask works in.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// The checkout.
    pub(crate) root: PathBuf,
    /// The target folder that the outer cargo uses.
    pub(crate) target: PathBuf,
}

impl Layout {
    pub(crate) fn find() -> Result<Self, String> {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
        let root = manifest.parent().unwrap_or(&manifest).to_owned();
        if !root.join("Cargo.toml").is_file() {
            return Err(format!("{} is not divvy's checkout; run `cargo xtask` inside it", root.display()));
        }
        let exe = std::env::current_exe().map_err(|error| format!("this program's own path: {error}"))?;
        // …/target/debug/xtask
        let target = exe.ancestors().nth(2).map_or_else(|| root.join("target"), Path::to_owned);
        Ok(Self { root, target })
    }

    pub(crate) fn firmware(&self) -> PathBuf {
        self.root.join("firmware-demo")
    }

    pub(crate) fn bench(&self) -> PathBuf {
        self.root.join("tests/bench")
    }

    pub(crate) fn www(&self) -> PathBuf {
        self.root.join("wasm/www")
    }

    /// Logs of the steps, and what one step leaves for another.
    pub(crate) fn state(&self) -> PathBuf {
        self.target.join("xtask")
    }

    pub(crate) fn log(&self, step: &str) -> PathBuf {
        self.state().join(format!("{step}.log"))
    }

    pub(crate) fn digests(&self, step: &str) -> PathBuf {
        self.state().join("digests").join(step)
    }

    /// Programs that cargo installs for us. Not `~/.cargo/bin`, where they would take the place of the user's own
    /// versions; not the target folder, because they should outlive `cargo clean` and serve every checkout.
    pub(crate) fn tools(&self) -> PathBuf {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|dir| dir.is_absolute());
        let cache = cache.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
        cache.unwrap_or_else(|| self.state()).join("divvy-xtask")
    }
}

//! What is in the files that tasks read and write, without reading a file twice that has not changed.

use divvy::hash::Xxh3;
use std::collections::{HashMap, HashSet};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// What the system says about a file without reading it. If none of this changed, neither did the content.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Stamp {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) size: u64,
    pub(crate) modified_ns: u64,
    /// The time of the last change of the inode, which no program can set back.
    pub(crate) changed_ns: u64,
}

impl Stamp {
    fn of(meta: &Metadata) -> Self {
        let nanos = |seconds: i64, nanos: i64| {
            seconds.max(0).unsigned_abs().wrapping_mul(1_000_000_000).wrapping_add(nanos.unsigned_abs())
        };
        Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            modified_ns: nanos(meta.mtime(), meta.mtime_nsec()),
            changed_ns: nanos(meta.ctime(), meta.ctime_nsec()),
        }
    }

    /// Whether the file has been still for long enough that a later write must change the stamp. File systems stamp
    /// in steps: of some milliseconds, or of two seconds where no stamp has a fraction.
    fn settled(&self, now_ns: u64) -> bool {
        let step = if self.changed_ns.is_multiple_of(1_000_000_000) { 2_100_000_000 } else { 50_000_000 };
        self.changed_ns.max(self.modified_ns).saturating_add(step) < now_ns
    }
}

/// Files of this size and more are not read by the thread that runs commands.
const LARGE: u64 = 16 << 20;

/// What was read of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Content {
    stamp: Stamp,
    hash: u64,
    /// It did not change while it was read, and cannot have changed since without a trace.
    settled: bool,
}

/// Reads a file, until `stop` is set.
pub(crate) fn read(path: &Path, stop: &AtomicBool) -> io::Result<Content> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos() as u64);
    let mut file = File::open(path)?;
    let stamp = Stamp::of(&file.metadata()?);
    let mut hash = Xxh3::new();
    let mut buffer = [0; 65_536];
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(io::Error::other("divvy is to end"));
        }
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => hash.update(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let settled = stamp.settled(now) && Stamp::of(&file.metadata()?) == stamp;
    Ok(Content { stamp, hash: hash.digest(), settled })
}

/// Content hashes of files, remembered by [`Stamp`].
#[derive(Debug, Default)]
pub(crate) struct Files {
    known: HashMap<PathBuf, (Stamp, u64)>,
    /// Paths whose entry in `known` is not in the store yet.
    fresh: Vec<PathBuf>,
    /// Whether large files are listed in `deferred` instead of being read.
    defer: bool,
    deferred: Vec<PathBuf>,
    /// Large files that were read too soon after their last change to be `known`.
    once: HashMap<PathBuf, (Stamp, u64)>,
    /// Large files that could not be read.
    failed: HashSet<PathBuf>,
    /// Reading ends early, with an error, once this is set.
    stop: Arc<AtomicBool>,
}

impl Files {
    /// With what an earlier run knew.
    pub(crate) fn new(known: HashMap<PathBuf, (Stamp, u64)>) -> Self {
        Self { known, ..Self::default() }
    }

    /// Makes long reading end once `stop` is set.
    pub(crate) fn stop_on(&mut self, stop: Arc<AtomicBool>) {
        self.stop = stop;
    }

    /// What was learned since the last call, for the store.
    pub(crate) fn take_fresh(&mut self) -> Vec<(PathBuf, Stamp, u64)> {
        let fresh = std::mem::take(&mut self.fresh);
        let known = &self.known;
        fresh
            .into_iter()
            .filter_map(|path| known.get(&path).map(|&(stamp, hash)| (path, stamp, hash)))
            .collect()
    }

    /// The hash of a file's content, or of a folder's names and contents. `Ok(None)` if there is none.
    pub(crate) fn hash(&mut self, path: &Path) -> io::Result<Option<u64>> {
        let meta = match std::fs::metadata(path) {
            Ok(meta) => meta,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        if meta.is_dir() {
            self.hash_folder(path).map(Some)
        } else if meta.is_file() {
            self.hash_file(path, Stamp::of(&meta)).map(Some)
        } else {
            // A device or a pipe has no content to compare.
            Ok(Some(0))
        }
    }

    fn hash_file(&mut self, path: &Path, stamp: Stamp) -> io::Result<u64> {
        if let Some((known, hash)) = self.known.get(path)
            && *known == stamp
        {
            return Ok(*hash);
        }
        if let Some((known, hash)) = self.once.get(path)
            && *known == stamp
        {
            return Ok(*hash);
        }
        if self.defer && stamp.size >= LARGE && !self.failed.remove(path) {
            self.deferred.push(path.to_owned());
            return Ok(0);
        }
        let content = read(path, &self.stop)?;
        let hash = content.hash;
        self.learn(path.to_owned(), Ok(content));
        Ok(hash)
    }

    /// From here on large files are not read but listed: see [`Files::take_deferred`].
    pub(crate) fn defer_large(&mut self) {
        self.defer = true;
    }

    /// Whether anything was listed instead of read since the last [`Files::take_deferred`]. Hashes are then worthless.
    pub(crate) fn has_deferred(&self) -> bool {
        !self.deferred.is_empty()
    }

    /// The large files that somebody must [`read`] and [`Files::learn`] before hashes mean anything.
    pub(crate) fn take_deferred(&mut self) -> Vec<PathBuf> {
        std::mem::take(&mut self.deferred)
    }

    /// Takes note of what was read.
    pub(crate) fn learn(&mut self, path: PathBuf, content: io::Result<Content>) {
        match content {
            Ok(Content { stamp, hash, settled: true }) => {
                self.known.insert(path.clone(), (stamp, hash));
                self.fresh.push(path);
            }
            // Good for a file that was listed, which is asked for right after; never for the store.
            Ok(Content { stamp, hash, settled: false }) if self.defer && stamp.size >= LARGE => {
                self.once.insert(path, (stamp, hash));
            }
            Ok(_) => {}
            // Read where it is needed, it fails there, with its reason.
            Err(_) => _ = self.failed.insert(path),
        }
    }

    /// Links inside a folder count by where they point, so a loop of links ends.
    fn hash_folder(&mut self, path: &Path) -> io::Result<u64> {
        let mut entries: Vec<_> = std::fs::read_dir(path)?.collect::<io::Result<_>>()?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        let mut hash = Xxh3::new();
        for entry in entries {
            let name = entry.file_name();
            let kind = entry.file_type()?;
            let content = if kind.is_dir() {
                self.hash_folder(&entry.path())?
            } else if kind.is_symlink() {
                let target = std::fs::read_link(entry.path())?;
                divvy::hash::xxh3_64(target.as_os_str().as_encoded_bytes())
            } else {
                self.hash(&entry.path())?.unwrap_or(0)
            };
            let name = name.as_encoded_bytes();
            hash.update(&(name.len() as u64).to_le_bytes());
            hash.update(name);
            hash.update(&[u8::from(kind.is_dir()) | u8::from(kind.is_symlink()) << 1]);
            hash.update(&content.to_le_bytes());
        }
        Ok(hash.digest())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn equal_content_has_an_equal_hash_and_other_content_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut files = Files::default();
        assert_eq!(files.hash(&path).unwrap(), None);
        fs::write(&path, "one").unwrap();
        let one = files.hash(&path).unwrap();
        fs::write(&path, "two").unwrap();
        assert_ne!(files.hash(&path).unwrap(), one);
        fs::write(&path, "one").unwrap();
        assert_eq!(files.hash(&path).unwrap(), one);
        // Just written: a change within one step of the clock would not show, so nothing is remembered.
        assert!(files.take_fresh().is_empty());
    }

    #[test]
    fn reading_ends_when_it_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut files = Files::default();
        let stop = Arc::new(AtomicBool::new(false));
        files.stop_on(stop.clone());
        assert!(files.hash(file.path()).is_ok());
        stop.store(true, Ordering::Relaxed);
        assert!(files.hash(file.path()).is_err());
    }

    #[test]
    fn a_settled_file_is_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "one").unwrap();
        let stamp = Stamp::of(&fs::metadata(&path).unwrap());
        let mut files = Files::new(HashMap::from([(path.clone(), (stamp, 77))]));
        assert_eq!(files.hash(&path).unwrap(), Some(77));
        fs::write(&path, "two").unwrap();
        assert_eq!(files.hash(&path).unwrap(), Some(divvy::hash::xxh3_64(b"two")));
        assert!(
            stamp.settled(stamp.changed_ns + 3_000_000_000) && !stamp.settled(stamp.changed_ns + 1_000_000)
        );
    }

    #[test]
    fn a_folder_changes_with_any_name_or_content_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Files::default();
        let mut seen = Vec::new();
        let mut look = || seen.push(files.hash(folder.path()).unwrap());
        let at = |name: &str| folder.path().join(name);
        look();
        fs::write(at("a"), "1").unwrap();
        look();
        fs::rename(at("a"), at("b")).unwrap();
        look();
        fs::create_dir(at("d")).unwrap();
        look();
        fs::write(at("d/x"), "").unwrap();
        look();
        std::os::unix::fs::symlink("..", at("d/loop")).unwrap();
        look();
        let count = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), count);
    }
}

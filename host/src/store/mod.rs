//! What runs leave for later runs: one redb file.
//!
//! Tables: `meta` (format, identity, whether the last run closed), `tasks` (one [`Record`] per task that ended, as
//! JSON), `outputs` (the end of what a task printed), `files` (content hashes by file stamp). The file is locked while
//! it is open, so two runs cannot share it.

mod record;
mod writer;

pub(crate) use record::{Outcome, Parts, Record};
pub(crate) use writer::{Batch, Writer};

use crate::diagnostic::{Diagnostic, Result};
use crate::exit::Exit;
use crate::run::files::Stamp;
use redb::backends::FileBackend;
use redb::{
    Database, DatabaseError, ReadOnlyDatabase, ReadableDatabase, ReadableTable, StorageError,
    TableDefinition, TableError,
};
use std::collections::HashMap;
use std::fmt::Display;
use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The version of the tables below. A store of a later one is refused.
const FORMAT: u64 = 1;

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const TASKS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("tasks");
const OUTPUTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("outputs");
const FILES: TableDefinition<'_, &[u8], [u8; 48]> = TableDefinition::new("files");

/// An open store.
#[derive(Debug)]
pub(crate) struct Store {
    path: PathBuf,
    database: Arc<Database>,
}

/// Everything an earlier run left that the next one decides by.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) records: HashMap<String, Record>,
    pub(crate) files: HashMap<PathBuf, (Stamp, u64)>,
    /// A run began and did not close: it was killed, and its commands may still be running.
    pub(crate) unclean: bool,
}

impl Store {
    /// Where the store of the pipeline file at `pipeline` is by default.
    pub(crate) fn default_path(pipeline: &Path) -> PathBuf {
        let stem = pipeline.file_stem().unwrap_or(pipeline.as_os_str());
        let mut name = stem.to_owned();
        name.push(".redb");
        pipeline.parent().unwrap_or(Path::new("")).join(".divvy").join(name)
    }

    /// Opens the store at `path`, which need not exist.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let no_folder = |error: std::io::Error| {
            Diagnostic::new(
                Exit::Store,
                format!("cannot make the folder of the store {}: {error}", path.display()),
            )
            .help("name a place that can be written with --store FILE")
        };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
            && !folder.exists()
        {
            fs::create_dir_all(folder).map_err(no_folder)?;
            if folder.ends_with(".divvy") {
                // State of one machine: version control should leave it alone.
                fs::write(folder.join(".gitignore"), "*\n").map_err(no_folder)?;
            }
        }
        if !path.exists() {
            create_file(path)?;
        }
        // Whoever only looks at a store has it for a moment.
        for _ in 0..5 {
            match Self::open(path) {
                Err(problem) if problem.exit() == Exit::Busy => std::thread::sleep(Duration::from_millis(50)),
                Ok(Some(store)) => return Ok(store),
                Ok(None) => break,
                Err(problem) => return Err(problem),
            }
        }
        Self::open(path)?.ok_or_else(|| damaged(path, "it vanished"))
    }

    /// Opens the store at `path` if there is one.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        guarded(path, || Self::open_existing(path)).map(Some)
    }

    fn open_existing(path: &Path) -> Result<Self> {
        // Opening for writing marks the file as in use, so what must not be changed is found before. A store that was
        // not closed cannot be opened like this.
        let looked = ReadOnlyDatabase::open(path).ok();
        if let Some(database) = &looked {
            check_format(database, path)?;
        }
        let closed = looked.is_some();
        drop(looked);
        let database = Database::open(path).map_err(|error| cannot_open(path, error))?;
        if !closed {
            check_format(&database, path)?;
        }
        Ok(Self { path: path.to_owned(), database: Arc::new(database) })
    }

    /// Reads everything that a run needs to know.
    pub(crate) fn load(&self) -> Result<Loaded> {
        guarded(&self.path, || self.try_load().map_err(|error| damaged(&self.path, error)))
    }

    fn try_load(&self) -> std::result::Result<Loaded, Box<dyn std::error::Error>> {
        let mut loaded = Loaded::default();
        let read = self.database.begin_read()?;
        loaded.unclean = read.open_table(META)?.get("open")?.is_some_and(|open| open.value() != 0);
        for entry in read.open_table(TASKS)?.iter()? {
            let (id, record) = entry?;
            loaded.records.insert(id.value().to_owned(), serde_json::from_slice(record.value())?);
        }
        for entry in read.open_table(FILES)?.iter()? {
            let (path, value) = entry?;
            let path = PathBuf::from(std::ffi::OsStr::from_bytes(path.value()));
            loaded.files.insert(path, record::unpack(&value.value()));
        }
        Ok(loaded)
    }

    /// Marks the store as used by a run, durably. Returns the run's number and the mark of its commands.
    pub(crate) fn begin_run(&self) -> Result<(u64, String)> {
        let (run, id) = self.try_begin_run().map_err(|error| cannot_write(&self.path, error))?;
        Ok((run, self.mark(id)?))
    }

    fn try_begin_run(&self) -> std::result::Result<(u64, u64), redb::Error> {
        let write = self.database.begin_write()?;
        let run;
        let id;
        {
            let mut meta = write.open_table(META)?;
            run = meta.get("run")?.map_or(0, |run| run.value()) + 1;
            id = meta.get("id")?.map_or(0, |id| id.value());
            meta.insert("run", run)?;
            meta.insert("open", 1)?;
        }
        write.commit()?;
        Ok((run, id))
    }

    /// The mark that the commands of the last run carry in their environment, if there was a run.
    pub(crate) fn last_mark(&self) -> Result<Option<String>> {
        let read = self.database.begin_read().map_err(|error| damaged(&self.path, error))?;
        let meta = read.open_table(META).map_err(|error| damaged(&self.path, error))?;
        let id = meta.get("id").map_err(|error| damaged(&self.path, error))?;
        id.map(|id| self.mark(id.value())).transpose()
    }

    /// Identity and place: a copied store is another one.
    fn mark(&self, id: u64) -> Result<String> {
        let meta = fs::metadata(&self.path).map_err(|error| {
            Diagnostic::system(format!("cannot look at the store {}", self.path.display()), error)
        })?;
        Ok(format!("{id:016x}-{:x}-{:x}", meta.dev(), meta.ino()))
    }

    /// The end of what the task called `id` printed.
    pub(crate) fn output(&self, id: &str) -> Result<Option<Vec<u8>>> {
        let read = self.database.begin_read().map_err(|error| damaged(&self.path, error))?;
        let outputs = read.open_table(OUTPUTS).map_err(|error| damaged(&self.path, error))?;
        let output = outputs.get(id).map_err(|error| damaged(&self.path, error))?;
        Ok(output.map(|output| output.value().to_vec()))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Starts the thread that writes.
    pub(crate) fn writer(&self) -> Result<Writer> {
        Writer::start(self.database.clone(), self.path.clone())
    }
}

/// Makes an empty store appear at `path` whole or not at all, so that a kill at any moment leaves no half of one.
fn create_file(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |error: &dyn Display| {
        Diagnostic::new(Exit::Store, format!("cannot create the store {}: {error}", path.display()))
            .help("check the permissions and the disk, or name another place with --store FILE")
    };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".new-{}", std::process::id()));
    let (file, draft) = unnamed_file(folder, &folder.join(name)).map_err(|error| failed(&error))?;
    let handle = file.try_clone().map_err(|error| failed(&error))?;
    let backend = FileBackend::new(file).map_err(|error| failed(&error))?;
    let database = Database::builder().create_with_backend(backend).map_err(|error| failed(&error))?;
    let written = initialise(&database);
    drop(database);
    written.map_err(|error| failed(&error))?;
    let linked = match &draft {
        Some(draft) => {
            let linked = fs::hard_link(draft, path).or_else(|error| match error.kind() {
                std::io::ErrorKind::AlreadyExists => Err(error),
                // A file system without links.
                _ => fs::rename(draft, path),
            });
            _ = fs::remove_file(draft);
            linked
        }
        None => link(&handle, path),
    };
    match linked {
        // Another run made one meanwhile.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed(&error)),
        // Without this a power cut could take the name away, and with it everything recorded.
        Ok(()) => fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| failed(&error)),
    }
}

/// A file in `folder` without a name where the system can do that; else one called `draft`.
fn unnamed_file(folder: &Path, draft: &Path) -> std::io::Result<(fs::File, Option<PathBuf>)> {
    use rustix::fs::{Mode, OFlags};
    #[cfg(target_os = "linux")]
    {
        let mode = Mode::from_bits_retain(0o644);
        if let Ok(file) = rustix::fs::open(folder, OFlags::RDWR | OFlags::CLOEXEC | OFlags::TMPFILE, mode) {
            return Ok((file.into(), None));
        }
    }
    _ = folder;
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::CREATE | OFlags::TRUNC;
    let file = rustix::fs::open(draft, flags, Mode::from_bits_retain(0o644))?;
    Ok((file.into(), Some(draft.to_owned())))
}

/// Gives an unnamed file its name.
fn link(file: &fs::File, path: &Path) -> std::io::Result<()> {
    use std::os::fd::AsRawFd;
    let open = format!("/proc/self/fd/{}", file.as_raw_fd());
    rustix::fs::linkat(rustix::fs::CWD, open, rustix::fs::CWD, path, rustix::fs::AtFlags::SYMLINK_FOLLOW)?;
    Ok(())
}

/// The tables of a store in which nothing has run.
fn initialise(database: &Database) -> std::result::Result<(), redb::Error> {
    let write = database.begin_write()?;
    {
        let mut meta = write.open_table(META)?;
        for (key, value) in [("format", FORMAT), ("id", entropy()), ("run", 0), ("open", 0)] {
            meta.insert(key, value)?;
        }
        write.open_table(TASKS)?;
        write.open_table(OUTPUTS)?;
        write.open_table(FILES)?;
    }
    write.commit()?;
    Ok(())
}

fn cannot_open(path: &Path, error: DatabaseError) -> Box<Diagnostic> {
    let shown = path.display();
    match error {
        DatabaseError::DatabaseAlreadyOpen => {
            let holder = holder(path).map_or_else(String::new, |pid| format!(" (process {pid})"));
            Diagnostic::new(Exit::Busy, format!("another run has the store {shown}{holder}"))
                .help("wait for it or end it, or give this run a store of its own with --store FILE")
        }
        DatabaseError::UpgradeRequired(version) => Diagnostic::new(
            Exit::Store,
            format!("the store {shown} has file format {version}, which is too old"),
        )
        .help("move it away; the next run starts afresh"),
        DatabaseError::Storage(StorageError::Io(error))
            if !matches!(
                error.kind(),
                std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof
            ) =>
        {
            Diagnostic::new(Exit::Store, format!("cannot open the store {shown}: {error}"))
                .help("check the permissions and the disk, or choose another file with --store FILE")
        }
        error => damaged(path, error),
    }
}

/// Refuses what is no store, or one of a later format.
fn check_format(database: &impl ReadableDatabase, path: &Path) -> Result<()> {
    let format = format_of(database).map_err(|error| damaged(path, error))?;
    match format {
        None => Err(Diagnostic::new(Exit::Store, format!("{} is not a store of divvy", path.display()))
            .help("choose another file with --store FILE; this one was not changed")),
        Some(format) if format > FORMAT => Err(Diagnostic::new(
            Exit::Store,
            format!(
                "the store {} was written by a newer divvy (format {format}, this one knows {FORMAT})",
                path.display()
            ),
        )
        .help("run that divvy, or keep this one apart with --store FILE; the store was not changed")),
        Some(_) => Ok(()),
    }
}

fn format_of(database: &impl ReadableDatabase) -> std::result::Result<Option<u64>, redb::Error> {
    let read = database.begin_read()?;
    let meta = match read.open_table(META) {
        Ok(meta) => meta,
        Err(TableError::TableDoesNotExist(_) | TableError::TableTypeMismatch { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Ok(meta.get("format")?.map(|format| format.value()))
}

/// Reads a file of which any byte may be wrong. redb answers some of that with a panic.
fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T>) -> Result<T> {
    use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    // What was being read is dropped with the panic; nothing of it is used again.
    let result = catch_unwind(AssertUnwindSafe(read));
    set_hook(hook);
    result.unwrap_or_else(|_| Err(damaged(path, "its pages contradict each other")))
}

fn damaged(path: &Path, error: impl Display) -> Box<Diagnostic> {
    Diagnostic::new(Exit::Store, format!("the store {} cannot be read: {error}", path.display())).help(
        "it is damaged or no store of divvy. Move it away to start afresh, or choose another with --store FILE",
    )
}

fn cannot_write(path: &Path, error: impl Display) -> Box<Diagnostic> {
    Diagnostic::system(format!("cannot write the store {}", path.display()), error)
        .help("check the space and the permissions; what was recorded before is kept, and a rerun goes on from there")
}

/// 64 bits that no other run has: the standard library seeds its hash tables from the system.
pub(crate) fn entropy() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// The process that holds the lock of the file, where the system tells.
fn holder(path: &Path) -> Option<u32> {
    let inode = fs::metadata(path).ok()?.ino().to_string();
    let locks = fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let flock =
            fields.get(1) == Some(&"FLOCK") && fields.get(5)?.rsplit(':').next() == Some(inode.as_str());
        if flock { fields.get(4)?.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub/s.redb");
        let store = Store::create(&path).unwrap();
        assert!(!store.load().unwrap().unclean);
        let (run, mark) = store.begin_run().unwrap();
        assert_eq!((run, store.last_mark().unwrap()), (1, Some(mark)));
        let writer = store.writer().unwrap();
        let record = record::tests::record();
        let mut batch = Batch::default();
        batch.end("a:b", &record, Some(b"said"));
        batch.end("c", &record, None);
        let stamp = Stamp { device: 1, inode: 2, size: 3, modified_ns: 4, changed_ns: 5 };
        batch.files.push((PathBuf::from("/x"), stamp, 9));
        writer.submit(batch);
        writer.finish(false).unwrap();
        drop(store);

        let store = Store::open(&path).unwrap().unwrap();
        let loaded = store.load().unwrap();
        assert!(loaded.unclean, "the run did not close");
        assert_eq!(loaded.records["a:b"], record);
        assert_eq!(loaded.files[Path::new("/x")], (stamp, 9));
        assert_eq!(
            (store.output("a:b").unwrap().unwrap().as_slice(), store.output("c").unwrap()),
            (&b"said"[..], None)
        );
        store.begin_run().unwrap();
        store.writer().unwrap().finish(true).unwrap();
        assert!(!store.load().unwrap().unclean);
    }

    #[test]
    fn a_store_in_use_a_newer_one_and_rubbish_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.redb");
        assert!(Store::open(&path).unwrap().is_none());
        let store = Store::create(&path).unwrap();
        let busy = Store::create(&path).unwrap_err();
        assert_eq!(busy.exit(), Exit::Busy);
        if cfg!(target_os = "linux") {
            assert!(busy.message().contains(&format!("process {}", std::process::id())), "{busy}");
        }
        let write = store.database.begin_write().unwrap();
        write.open_table(META).unwrap().insert("format", FORMAT + 1).unwrap();
        write.commit().unwrap();
        drop(store);
        let newer = Store::create(&path).unwrap_err();
        assert!(newer.exit() == Exit::Store && newer.message().contains("newer divvy"), "{newer}");

        for rubbish in [&b"not a store"[..], &[0; 5000]] {
            fs::write(&path, rubbish).unwrap();
            let damaged = Store::create(&path).unwrap_err();
            assert_eq!(damaged.exit(), Exit::Store, "{damaged}");
            assert_eq!(fs::read(&path).unwrap(), rubbish, "the file was changed");
        }
    }
}

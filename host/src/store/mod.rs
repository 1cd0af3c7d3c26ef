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
use redb::{
    Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError, TableDefinition, TableError,
};
use std::collections::HashMap;
use std::fmt::Display;
use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    /// The number of the last run.
    pub(crate) run: u64,
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
        let store = Self::opened(path, Database::create(path))?;
        store.check_format()?;
        Ok(store)
    }

    /// Opens the store at `path` if there is one.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let store = Self::opened(path, Database::open(path))?;
        store.check_format()?;
        Ok(Some(store))
    }

    fn opened(path: &Path, database: std::result::Result<Database, DatabaseError>) -> Result<Self> {
        let shown = path.display();
        match database {
            Ok(database) => Ok(Self { path: path.to_owned(), database: Arc::new(database) }),
            Err(DatabaseError::DatabaseAlreadyOpen) => {
                let holder = holder(path).map_or_else(String::new, |pid| format!(" (process {pid})"));
                Err(Diagnostic::new(Exit::Busy, format!("another run has the store {shown}{holder}"))
                    .help("wait for it or end it, or give this run a store of its own with --store FILE"))
            }
            Err(DatabaseError::UpgradeRequired(version)) => Err(Diagnostic::new(
                Exit::Store,
                format!("the store {shown} has file format {version}, which is too old"),
            )
            .help("move it away; the next run starts afresh")),
            Err(DatabaseError::Storage(StorageError::Io(error)))
                if !matches!(
                    error.kind(),
                    std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof
                ) =>
            {
                Err(Diagnostic::new(Exit::Store, format!("cannot open the store {shown}: {error}"))
                    .help("check the permissions and the disk, or choose another file with --store FILE"))
            }
            Err(error) => Err(damaged(path, error)),
        }
    }

    fn check_format(&self) -> Result<()> {
        let read = self.database.begin_read().map_err(|error| damaged(&self.path, error))?;
        let meta = match read.open_table(META) {
            Ok(meta) => meta,
            Err(TableError::TableDoesNotExist(_)) => {
                // New, or a database of something else.
                let others = read.list_tables().map_err(|error| damaged(&self.path, error))?.count();
                if others > 0 {
                    return Err(Diagnostic::new(
                        Exit::Store,
                        format!("{} is not a store of divvy", self.path.display()),
                    )
                    .help("choose another file with --store FILE; this one was not changed"));
                }
                return Ok(());
            }
            Err(error) => return Err(damaged(&self.path, error)),
        };
        let format = meta
            .get("format")
            .map_err(|error| damaged(&self.path, error))?
            .map_or(0, |format| format.value());
        if format > FORMAT {
            return Err(Diagnostic::new(
                Exit::Store,
                format!(
                    "the store {} was written by a newer divvy (format {format}, this one knows {FORMAT})",
                    self.path.display()
                ),
            )
            .help("run that divvy, or keep this one apart with --store FILE; the store was not changed"));
        }
        Ok(())
    }

    /// Reads everything that a run needs to know.
    pub(crate) fn load(&self) -> Result<Loaded> {
        self.try_load().map_err(|error| damaged(&self.path, error))
    }

    fn try_load(&self) -> std::result::Result<Loaded, Box<dyn std::error::Error>> {
        let mut loaded = Loaded::default();
        let read = self.database.begin_read()?;
        match read.open_table(META) {
            Ok(meta) => {
                loaded.run = meta.get("run")?.map_or(0, |run| run.value());
                loaded.unclean = meta.get("open")?.is_some_and(|open| open.value() != 0);
            }
            Err(TableError::TableDoesNotExist(_)) => return Ok(loaded),
            Err(error) => return Err(error.into()),
        }
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
            id = match meta.get("id")? {
                Some(id) => id.value(),
                None => entropy(),
            };
            for (key, value) in [("format", FORMAT), ("id", id), ("run", run), ("open", 1)] {
                meta.insert(key, value)?;
            }
            write.open_table(TASKS)?;
            write.open_table(OUTPUTS)?;
            write.open_table(FILES)?;
        }
        write.commit()?;
        Ok((run, id))
    }

    /// The mark that the commands of the last run carry in their environment, if there was a run.
    pub(crate) fn last_mark(&self) -> Result<Option<String>> {
        let read = self.database.begin_read().map_err(|error| damaged(&self.path, error))?;
        let Ok(meta) = read.open_table(META) else { return Ok(None) };
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
        let Ok(outputs) = read.open_table(OUTPUTS) else { return Ok(None) };
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

fn damaged(path: &Path, error: impl Display) -> Box<Diagnostic> {
    Diagnostic::new(Exit::Store, format!("the store {} cannot be read: {error}", path.display())).help(
        "it is damaged or no store of divvy; it was not changed. Move it away to start afresh, or choose another with --store FILE",
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

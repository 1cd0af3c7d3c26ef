//! The thread that writes: whatever is waiting goes into one transaction with one fsync.

use super::{FILES, META, OUTPUTS, Record, TASKS, cannot_write, record};
use crate::diagnostic::{Diagnostic, Result};
use crate::run::files::Stamp;
use redb::Database;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// Records on their way to the disk. Batches are written in the order they were submitted, so a record is never on
/// disk without those of the tasks it came after.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    ends: Vec<(String, Vec<u8>, Option<Vec<u8>>)>,
    pub(crate) files: Vec<(PathBuf, Stamp, u64)>,
    close: bool,
}

impl Batch {
    /// Adds the end of the task `id` and what it printed: `None` if it printed nothing now and before.
    pub(crate) fn end(&mut self, id: &str, record: &Record, output: Option<&[u8]>) {
        // A record has no map with keys other than text and no number that JSON lacks, so this cannot fail.
        let bytes = serde_json::to_vec(record).unwrap_or_default();
        self.ends.push((id.to_owned(), bytes, output.map(<[u8]>::to_vec)));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty() && self.files.is_empty()
    }

    fn append(&mut self, mut other: Batch) {
        self.ends.append(&mut other.ends);
        self.files.append(&mut other.files);
        self.close |= other.close;
    }
}

/// The handle of the writing thread.
#[derive(Debug)]
pub(crate) struct Writer {
    sender: Sender<Batch>,
    thread: JoinHandle<std::result::Result<(), redb::Error>>,
    failed: Arc<AtomicBool>,
    path: PathBuf,
}

impl Writer {
    pub(super) fn start(database: Arc<Database>, path: PathBuf) -> Result<Self> {
        let (sender, receiver) = channel();
        let failed = Arc::new(AtomicBool::new(false));
        let flag = failed.clone();
        let thread = std::thread::Builder::new().name("divvy-store".into()).spawn(move || {
            let result = write_all(&database, &receiver);
            if result.is_err() {
                flag.store(true, Ordering::Release);
            }
            result
        });
        let thread = thread
            .map_err(|error| Diagnostic::system("cannot start the thread that writes the store", error))?;
        Ok(Self { sender, thread, failed, path })
    }

    /// Hands over records; does not wait.
    pub(crate) fn submit(&self, batch: Batch) {
        // The receiver is gone only after a failure, which `failed` tells and `finish` reports.
        _ = self.sender.send(batch);
    }

    /// Whether writing failed: nothing later is recorded, so the run should stop.
    pub(crate) fn failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Waits until everything is on disk. `clean`: no command of this run is alive any more.
    pub(crate) fn finish(self, clean: bool) -> Result<()> {
        if clean {
            self.submit(Batch { close: true, ..Batch::default() });
        }
        drop(self.sender);
        match self.thread.join() {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(cannot_write(&self.path, error)),
            Err(_) => Err(cannot_write(&self.path, "the writing thread panicked")),
        }
    }
}

fn write_all(database: &Database, receiver: &Receiver<Batch>) -> std::result::Result<(), redb::Error> {
    while let Ok(mut batch) = receiver.recv() {
        while let Ok(more) = receiver.try_recv() {
            batch.append(more);
        }
        let write = database.begin_write()?;
        {
            let mut tasks = write.open_table(TASKS)?;
            let mut outputs = write.open_table(OUTPUTS)?;
            for (id, record, output) in &batch.ends {
                tasks.insert(id.as_str(), record.as_slice())?;
                match output.as_deref() {
                    None => {}
                    Some([]) => _ = outputs.remove(id.as_str())?,
                    Some(output) => _ = outputs.insert(id.as_str(), output)?,
                }
            }
            if !batch.files.is_empty() {
                let mut files = write.open_table(FILES)?;
                for (path, stamp, hash) in &batch.files {
                    files.insert(path.as_os_str().as_bytes(), record::pack(stamp, *hash))?;
                }
            }
            if batch.close {
                write.open_table(META)?.insert("open", 0)?;
            }
        }
        write.commit()?;
    }
    Ok(())
}

//! Where running commands print to: one unlinked file per running command, read when it ends.

use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// How much of the end of a command's output is kept.
pub(crate) const KEPT: u64 = 64 * 1024;

/// A running command's output beyond this is given back to the disk while it runs, except for its end.
const PUNCH_ABOVE: u64 = 16 << 20;

/// Files for outputs, reused as long as nobody else can still write to them.
#[derive(Debug)]
pub(crate) struct Outputs {
    folder: PathBuf,
    free: Vec<File>,
    made: u64,
}

impl Outputs {
    /// Files are made in `folder` and have no name there.
    pub(crate) fn new(folder: &Path) -> Self {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        Self { folder: folder.to_owned(), free: Vec::new(), made: 0 }
    }

    /// An empty file to print to.
    pub(crate) fn take(&mut self) -> io::Result<File> {
        if let Some(file) = self.free.pop() {
            return Ok(file);
        }
        let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        #[cfg(target_os = "linux")]
        if let Ok(fd) = rustix::fs::open(&self.folder, flags | OFlags::TMPFILE, mode) {
            return Ok(fd.into());
        }
        self.made += 1;
        let path = self.folder.join(format!(".divvy-output-{}-{}", std::process::id(), self.made));
        let fd = rustix::fs::open(&path, flags | OFlags::CREATE | OFlags::EXCL, mode)?;
        std::fs::remove_file(&path)?;
        Ok(fd.into())
    }

    /// The end of what was printed to `file`, and how much was printed in all. `shared`: somebody may still print to
    /// it, so it is not used again.
    pub(crate) fn read(&mut self, file: File, shared: bool) -> io::Result<(Vec<u8>, u64)> {
        let len = file.metadata()?.len();
        let mut end = Vec::new();
        if len > 0 {
            end = tail(&file, KEPT)?;
        }
        self.give_back(file, len, shared);
        Ok((end, len))
    }

    /// Takes a file back that holds `len` bytes. `shared`: as for [`Outputs::read`].
    pub(crate) fn give_back(&mut self, file: File, len: u64, shared: bool) {
        if !shared && (len == 0 || file.set_len(0).is_ok()) {
            self.free.push(file);
        }
    }
}

/// The last `keep` bytes of `file`; whole lines if it was cut.
pub(crate) fn tail(file: &File, keep: u64) -> io::Result<Vec<u8>> {
    let len = file.metadata()?.len();
    let start = len.saturating_sub(keep);
    let mut end = vec![0; (len - start) as usize];
    let mut filled = 0;
    while filled < end.len() {
        match file.read_at(&mut end[filled..], start + filled as u64) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    end.truncate(filled);
    if start > 0
        && let Some(line) = end.iter().position(|&byte| byte == b'\n').filter(|at| at + 1 < end.len())
    {
        end.drain(..=line);
    }
    Ok(end)
}

/// Gives the space of everything but the end of a long output back, where the file system can. Returns where the
/// next call need not look before.
pub(crate) fn release(file: &File, released: u64) -> u64 {
    let Ok(len) = file.metadata().map(|meta| meta.len()) else { return released };
    if len.saturating_sub(released) < PUNCH_ABOVE {
        return released;
    }
    let until = len - KEPT;
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{FallocateFlags, fallocate};
        _ = fallocate(
            file,
            FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE,
            released,
            until - released,
        );
    }
    until
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn the_end_is_kept_and_the_file_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut outputs = Outputs::new(folder.path());
        let mut file = outputs.take().unwrap();
        file.write_all(b"hello\n").unwrap();
        assert_eq!(outputs.read(file, false).unwrap(), (b"hello\n".to_vec(), 6));
        let mut file = outputs.take().unwrap();
        assert_eq!(file.metadata().unwrap().len(), 0);
        for line in 0..20_000 {
            writeln!(file, "line {line}").unwrap();
        }
        let (end, len) = outputs.read(file, true).unwrap();
        assert!(
            len > KEPT
                && end.len() as u64 <= KEPT
                && end.starts_with(b"line ")
                && end.ends_with(b"line 19999\n")
        );
        assert!(outputs.free.is_empty(), "a shared file must not be used again");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_long_output_gives_its_space_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut outputs = Outputs::new(folder.path());
        let mut file = outputs.take().unwrap();
        assert_eq!(release(&file, 0), 0);
        let chunk = vec![b'x'; 1 << 20];
        for _ in 0..17 {
            file.write_all(&chunk).unwrap();
        }
        let released = release(&file, 0);
        assert_eq!(released, (17 << 20) - KEPT);
        assert_eq!(release(&file, released), released);
        assert_eq!(outputs.read(file, false).unwrap().0, vec![b'x'; KEPT as usize]);
    }
}

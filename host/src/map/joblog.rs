//! What ended, one line for each: GNU parallel's columns, and a key to know the job again by.
//!
//! GNU parallel knows a job again by its number, so it runs the wrong ones when its input was reordered or changed. The
//! key is the hash of the command and the items. The same items may come twice, so jobs of one key are counted: a
//! record says that one of them ended, and a record whose key has an `r` says that one that had failed ran again.

use crate::diagnostic::{Diagnostic, Result};
use crate::exit::Exit;
use rustix::fs::{FlockOperation, flock};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const HEADER: &str = "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\tKey\n";

/// A record holds a command, which the system bounds to less.
const LONGEST: u64 = 8 << 20;

/// Which jobs of an earlier run are left out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Resume {
    /// None: the joblog begins anew.
    No,
    /// All that ended.
    Ended,
    /// All that ended well.
    Good,
}

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) seq: u64,
    pub(crate) started: SystemTime,
    pub(crate) duration: Duration,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) code: i32,
    pub(crate) signal: i32,
    pub(crate) command: Vec<u8>,
    pub(crate) key: u64,
    /// A failed one of the same key ran again.
    pub(crate) again: bool,
}

/// What is to be done with a job.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Known {
    /// It ended before.
    Done,
    /// It failed before, and runs again.
    Again,
    New,
}

/// How many jobs of one key ended.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Count {
    good: u32,
    failed: u32,
}

/// The file, open and locked.
#[derive(Debug)]
pub(crate) struct Joblog {
    file: File,
    path: PathBuf,
    resume: Resume,
    /// What earlier runs recorded and no job of this one has claimed.
    ended: HashMap<u64, Count>,
    line: Vec<u8>,
}

impl Joblog {
    pub(crate) fn open(path: &Path, resume: Resume) -> Result<Self> {
        let fail = |error: std::io::Error| {
            Diagnostic::new(Exit::Store, format!("cannot use the joblog {}: {error}", path.display()))
                .help("name a file that can be written, in a folder that exists")
        };
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(fail)?;
        if !lock(&file) {
            return Err(Diagnostic::new(
                Exit::Busy,
                format!("another divvy map has the joblog {}", path.display()),
            )
            .help("wait for it to end, or name another file"));
        }
        let mut ended = HashMap::new();
        if resume == Resume::No {
            let mut begin = [0; 4];
            let read = file.read(&mut begin).map_err(fail)?;
            if !b"Seq\t".starts_with(&begin[..read]) {
                return Err(Diagnostic::new(
                    Exit::Store,
                    format!("{} is there and is not a joblog, so it is not overwritten", path.display()),
                )
                .help("name another file, or remove this one"));
            }
            file.set_len(0).map_err(fail)?;
        } else {
            let whole = read(&file, path, &mut ended)?;
            // A line that was cut by a crash is none; the next one must not be its end.
            file.set_len(whole).map_err(fail)?;
        }
        if file.seek(SeekFrom::End(0)).map_err(fail)? == 0 {
            file.write_all(HEADER.as_bytes()).map_err(fail)?;
        }
        Ok(Self { file, path: path.to_owned(), resume, ended, line: Vec::new() })
    }

    /// What to put into the environment of every command, so that the next run finds what this one left running.
    pub(crate) fn mark(&self) -> Option<String> {
        let meta = self.file.metadata().ok()?;
        Some(format!("map-{}-{}", meta.dev(), meta.ino()))
    }

    /// Whether a job with this key ended before. Each record answers once.
    pub(crate) fn claim(&mut self, key: u64) -> Known {
        if self.ended.is_empty() {
            return Known::New;
        }
        let Some(count) = self.ended.get_mut(&key) else { return Known::New };
        let known = if count.good > 0 {
            count.good -= 1;
            Known::Done
        } else if count.failed > 0 {
            count.failed -= 1;
            if self.resume == Resume::Ended { Known::Done } else { Known::Again }
        } else {
            Known::New
        };
        if *count == Count::default() {
            self.ended.remove(&key);
        }
        known
    }

    /// Adds a line: one write, so it is there or it is not, however divvy ends.
    pub(crate) fn record(&mut self, record: &Record) -> Result<()> {
        self.line.clear();
        write_line(record, &mut self.line);
        self.file.write_all(&self.line).map_err(|error| {
            Diagnostic::new(Exit::Store, format!("cannot write the joblog {}: {error}", self.path.display()))
                .help("make room, then go on with --resume")
        })
    }
}

/// A map that was killed while it started a job has the lock until that job's program begins, so one try is not enough.
fn lock(file: &File) -> bool {
    for _ in 0..200 {
        if flock(file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

fn write_line(record: &Record, line: &mut Vec<u8>) {
    let Record { seq, started, duration, sent, received, code, signal, command, key, again } = record;
    let started = started.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let duration = duration.as_secs_f64();
    // Writing into memory does not fail.
    _ = write!(line, "{seq}\t:\t{started:.3}\t{duration:10.3}\t{sent}\t{received}\t{code}\t{signal}\t");
    for &byte in command {
        match byte {
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\t' => line.extend_from_slice(b"\\t"),
            _ => line.push(byte),
        }
    }
    _ = writeln!(line, "\t{key:016x}{}", if *again { "r" } else { "" });
}

/// Reads what earlier runs recorded. Returns how much of the file is whole lines.
fn read(file: &File, path: &Path, ended: &mut HashMap<u64, Count>) -> Result<u64> {
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let (mut line, mut whole, mut number) = (Vec::new(), 0, 0);
    loop {
        line.clear();
        let read = reader.by_ref().take(LONGEST).read_until(b'\n', &mut line).map_err(|error| {
            Diagnostic::new(Exit::Store, format!("cannot read the joblog {}: {error}", path.display()))
        })?;
        number += 1;
        let bad = |message: &str| {
            Diagnostic::new(Exit::Store, format!("{}:{number}: {message}", path.display())).help(
                "only a joblog that divvy map wrote can be resumed; remove the file, or leave out --resume, to begin anew",
            )
        };
        if read as u64 == LONGEST {
            return Err(bad("this line is no record of a job"));
        }
        if line.last() != Some(&b'\n') {
            return if number == 1 && !HEADER.as_bytes().starts_with(&line) {
                Err(bad("this is not a joblog"))
            } else {
                Ok(whole)
            };
        }
        whole += read as u64;
        if number == 1 {
            if line != HEADER.as_bytes() {
                let parallel = line.starts_with(b"Seq\tHost\tStarttime");
                return Err(bad(if parallel {
                    "this joblog has no keys, so it is GNU parallel's"
                } else {
                    "this is not a joblog"
                }));
            }
            continue;
        }
        let (good, key, again) = parse(&line).ok_or_else(|| bad("this line is no record of a job"))?;
        let count = ended.entry(key).or_default();
        if again {
            count.failed = count.failed.saturating_sub(1);
        }
        if good {
            count.good += 1;
        } else {
            count.failed += 1;
        }
    }
}

/// Whether the job of a line ended well, its key, and whether it had failed before.
fn parse(line: &[u8]) -> Option<(bool, u64, bool)> {
    let mut columns = line.strip_suffix(b"\n")?.split(|&byte| byte == b'\t');
    let number = |column: Option<&[u8]>| std::str::from_utf8(column?).ok()?.trim().parse::<f64>().ok();
    number(columns.next())?;
    columns.next()?;
    for _ in 0..4 {
        number(columns.next())?;
    }
    let (code, signal) = (number(columns.next())?, number(columns.next())?);
    columns.next()?;
    let key = std::str::from_utf8(columns.next()?).ok()?;
    if columns.next().is_some() {
        return None;
    }
    let (key, again) = key.strip_suffix('r').map_or((key, false), |key| (key, true));
    let key = if key.len() == 16 { u64::from_str_radix(key, 16).ok()? } else { return None };
    Some((code == 0.0 && signal == 0.0, key, again))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(key: u64, code: i32, again: bool) -> Record {
        let command = b"echo a\tb\nc\xff".to_vec();
        let (started, duration) = (SystemTime::now(), Duration::from_millis(1_234));
        Record { seq: 3, started, duration, sent: 0, received: 7, code, signal: 0, command, key, again }
    }

    fn log(records: &[(u64, i32, bool)]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut joblog = Joblog::open(file.path(), Resume::No).unwrap();
        records.iter().for_each(|&(key, code, again)| joblog.record(&record(key, code, again)).unwrap());
        file
    }

    fn resumed(file: &tempfile::NamedTempFile, resume: Resume, keys: &[u64]) -> Vec<Known> {
        let mut joblog = Joblog::open(file.path(), resume).unwrap();
        keys.iter().map(|&key| joblog.claim(key)).collect()
    }

    #[test]
    fn a_line_has_the_columns_of_gnu_parallel_and_a_key() {
        let file = log(&[(0xabc, 3, true)]);
        let text = std::fs::read(file.path()).unwrap();
        let line = text.split(|&byte| byte == b'\n').nth(1).unwrap();
        let columns: Vec<_> = line.split(|&byte| byte == b'\t').map(String::from_utf8_lossy).collect();
        assert_eq!(columns.len(), 10);
        assert_eq!((&*columns[0], &*columns[3], &*columns[5], &*columns[6]), ("3", "     1.234", "7", "3"));
        assert_eq!((&*columns[8], &*columns[9]), ("echo a\\tb\\nc\u{fffd}", "0000000000000abcr"));
    }

    #[test]
    fn each_record_answers_for_one_job() {
        let file = log(&[(1, 0, false), (1, 0, false), (2, 1, false)]);
        use Known::{Again, Done, New};
        assert_eq!(resumed(&file, Resume::Ended, &[1, 1, 1, 2, 2, 3]), [Done, Done, New, Done, New, New]);
        assert_eq!(resumed(&file, Resume::Good, &[2, 1, 2, 1, 1]), [Again, Done, New, Done, New]);
    }

    #[test]
    fn a_failed_job_that_ran_again_counts_once() {
        // Two jobs of one key: the first failed and was run again, the second never ended.
        let file = log(&[(1, 1, false), (1, 0, true)]);
        assert_eq!(resumed(&file, Resume::Ended, &[1, 1]), [Known::Done, Known::New]);
    }

    #[test]
    fn a_cut_line_is_no_record_and_does_not_spoil_the_next() {
        let file = log(&[(1, 0, false), (2, 0, false)]);
        let text = std::fs::read(file.path()).unwrap();
        for cut in 0..text.len() {
            std::fs::write(file.path(), &text[..cut]).unwrap();
            let mut joblog = Joblog::open(file.path(), Resume::Ended).unwrap();
            joblog.record(&record(9, 0, false)).unwrap();
            drop(joblog);
            assert_eq!(resumed(&file, Resume::Ended, &[9, 9]), [Known::Done, Known::New], "{cut}");
        }
    }

    #[test]
    fn what_is_no_joblog_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (text, says) in [
            ("hello\n", "1: this is not a joblog"),
            ("hello", "1: this is not a joblog"),
            ("Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n", "GNU parallel's"),
        ] {
            std::fs::write(file.path(), text).unwrap();
            let problem = Joblog::open(file.path(), Resume::Ended).unwrap_err();
            assert!(problem.to_string().contains(says) && problem.exit() == Exit::Store, "{problem}");
        }
        std::fs::write(file.path(), format!("{HEADER}nonsense\n")).unwrap();
        assert!(Joblog::open(file.path(), Resume::Good).unwrap_err().to_string().contains(":2: "));
    }

    #[test]
    fn two_runs_cannot_have_one_joblog() {
        let file = log(&[]);
        let _first = Joblog::open(file.path(), Resume::Ended).unwrap();
        assert_eq!(Joblog::open(file.path(), Resume::Ended).unwrap_err().exit(), Exit::Busy);
    }

    proptest! {
        #[test]
        fn any_command_is_one_line_that_is_read_back(command in prop::collection::vec(any::<u8>(), 0..40), key: u64, code in -1i32..300, again: bool) {
            let mut line = Vec::new();
            write_line(&Record { command, ..record(key, code, again) }, &mut line);
            prop_assert_eq!(line.iter().filter(|&&byte| byte == b'\n').count(), 1);
            prop_assert_eq!(parse(&line), Some((code == 0, key, again)));
        }

        #[test]
        fn no_line_makes_the_reader_panic(line in prop::collection::vec(any::<u8>(), 0..80)) {
            _ = parse(&line);
        }
    }
}

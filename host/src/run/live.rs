//! Asking a run that is going on: `--explain` while the store is in use.
//!
//! The run listens on a Unix socket beside its store. A question is one line, the name of a task; the answer is one
//! line of JSON. Without the socket (a file system that has none) only the answer is missing, so nothing here fails
//! a run.

use super::explain::Explanation;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is sent back: the explanation, or the message and the remedy why there is none.
pub(crate) type Answer = Result<Explanation, (String, String)>;

/// How long a client may take to ask or to listen, for the run does nothing else meanwhile.
const PATIENCE: Duration = Duration::from_millis(50);

/// The longest question.
const MAX_QUESTION: u64 = 64 * 1024;

/// A socket that the run listens on. Its file goes when it is dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    listener: UnixListener,
    path: PathBuf,
}

impl Listener {
    /// Listens beside the store; the caller has the store's lock, so an old socket file is nobody's.
    pub(crate) fn open(store: &Path) -> Option<Self> {
        let path = socket_path(store);
        _ = std::fs::remove_file(&path);
        let listener = through_folder(&path, |short| UnixListener::bind(short)).ok()?;
        listener.set_nonblocking(true).ok()?;
        Some(Self { listener, path })
    }

    pub(crate) fn socket(&self) -> &UnixListener {
        &self.listener
    }

    /// Answers everybody who is waiting.
    pub(crate) fn serve(&self, answer: impl Fn(&str) -> Answer) {
        while let Ok((stream, _)) = self.listener.accept() {
            // A client that does not listen misses its answer.
            _ = serve_one(stream, &answer);
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        _ = std::fs::remove_file(&self.path);
    }
}

fn serve_one(mut stream: UnixStream, answer: impl Fn(&str) -> Answer) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut question = String::new();
    BufReader::new((&stream).take(MAX_QUESTION)).read_line(&mut question)?;
    let answer = serde_json::to_vec(&answer(question.trim_end_matches('\n')))?;
    stream.write_all(&answer)
}

/// Asks the run that has the store about the task called `name`. `None` if it does not answer.
pub(crate) fn ask(store: &Path, name: &str) -> Option<Answer> {
    let mut stream = through_folder(&socket_path(store), |short| UnixStream::connect(short)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    stream.write_all(format!("{name}\n").as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    serde_json::from_slice(&answer).ok()
}

fn socket_path(store: &Path) -> PathBuf {
    store.with_extension("sock")
}

/// Socket addresses hold about a hundred bytes; a descriptor of the folder makes every path short.
#[cfg(target_os = "linux")]
fn through_folder<T>(path: &Path, act: impl FnOnce(&Path) -> std::io::Result<T>) -> std::io::Result<T> {
    use std::os::fd::AsRawFd;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = std::fs::File::open(folder)?;
    let name = path.file_name().unwrap_or_default();
    act(&Path::new(&format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name))
}

#[cfg(not(target_os = "linux"))]
fn through_folder<T>(path: &Path, act: impl FnOnce(&Path) -> std::io::Result<T>) -> std::io::Result<T> {
    act(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_answered_however_long_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("x".repeat(120));
        std::fs::create_dir(&deep).unwrap();
        let store = deep.join("s.redb");
        assert_eq!(ask(&store, "a"), None);
        let listener = Listener::open(&store).unwrap();
        let client = std::thread::spawn({
            let store = store.clone();
            move || ask(&store, "a:b c")
        });
        while !client.is_finished() {
            listener.serve(|name| Err((name.to_owned(), String::new())));
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(client.join().unwrap(), Some(Err(("a:b c".to_owned(), String::new()))));
        drop(listener);
        assert_eq!(std::fs::read_dir(&deep).unwrap().count(), 0);
    }
}

//! Reading large files beside the loop, which goes on meanwhile.

use super::Engine;
use crate::run::files::{self, Content};
use crate::run::work::State;
use std::collections::HashMap;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

/// A thread that reads files, and who waits for which. It ends with the channel, or when it is told to.
#[derive(Debug)]
pub(super) struct Reader {
    requests: Sender<PathBuf>,
    results: Receiver<(PathBuf, io::Result<Content>)>,
    /// The tasks that wait for a file; a file that is being read and nobody waits for has none.
    waiting: HashMap<PathBuf, Vec<usize>>,
}

impl Reader {
    /// `wake` is written to after each file.
    pub(super) fn start(stop: Arc<AtomicBool>, mut wake: UnixStream) -> io::Result<Self> {
        let (requests, paths) = channel::<PathBuf>();
        let (contents, results) = channel();
        std::thread::Builder::new().name("divvy-reader".into()).spawn(move || {
            for path in paths {
                let content = files::read(&path, &stop);
                if contents.send((path, content)).is_err() || wake.write_all(&[0]).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { requests, results, waiting: HashMap::new() })
    }

    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Reads `paths`; `task` is looked at again after the first of them.
    fn read(&mut self, task: usize, paths: Vec<PathBuf>) {
        for (index, path) in paths.into_iter().enumerate() {
            let requests = &self.requests;
            let tasks = self.waiting.entry(path).or_insert_with_key(|path| {
                // The thread lives as long as this value.
                _ = requests.send(path.clone());
                Vec::new()
            });
            if index == 0 {
                tasks.push(task);
            }
        }
    }
}

impl Engine<'_> {
    /// Decides what is to be done with a task whose needs are finished, once its inputs are read.
    pub(super) fn decide(&mut self, task: usize) {
        let decision = self.work.decide(task, self.options.retry_dead);
        let unread = self.work.files.take_deferred();
        // Reading may have ended early; then the decision is worth nothing.
        if self.end.load(Ordering::Relaxed) {
            return;
        }
        if unread.is_empty() {
            self.act(task, decision);
            return;
        }
        self.work.tasks[task].decision = None;
        self.work.tasks[task].state = State::Reading;
        self.reader.read(task, unread);
    }

    /// Looks again at tasks whose inputs have been read.
    pub(super) fn take_read(&mut self) {
        while let Ok((path, content)) = self.reader.results.try_recv() {
            let tasks = self.reader.waiting.remove(&path).unwrap_or_default();
            self.work.files.learn(path, content);
            for task in tasks {
                if self.stopping.is_none() {
                    self.work.tasks[task].state = State::Waiting;
                    self.decide(task);
                }
            }
        }
    }
}

//! Starting the commands of a pipeline.

use super::pipeline::{Command, EnvValue, Pipeline, Template};
use super::text::Text;
use crate::process;
use rustix::process::Pid;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// Starts the commands of one run.
#[derive(Debug)]
pub(crate) struct Launcher<'p> {
    pipeline: &'p Pipeline,
    null: File,
    mark: OsString,
    /// Where programs were found, by name, search path and folder.
    programs: HashMap<(String, Option<String>, PathBuf), Option<PathBuf>>,
}

impl<'p> Launcher<'p> {
    /// `mark` goes into the environment of every command.
    pub(crate) fn new(pipeline: &'p Pipeline, mark: &str) -> io::Result<Self> {
        let null = File::open("/dev/null")?;
        Ok(Self { pipeline, null, mark: process::set_mark(mark), programs: HashMap::new() })
    }

    /// Starts the command of `task` in a new process group. What it prints goes to `output`.
    pub(crate) fn start(&mut self, task: &Template, item: Option<&str>, output: &File) -> io::Result<Pid> {
        let dir = task.dir(&self.pipeline.root, item);
        let mut command = match &task.command {
            Command::Shell(script) => {
                let mut command = std::process::Command::new("/bin/sh");
                command.arg0("sh").arg("-e").arg("-c").arg(&*script.fill_shell(item));
                command
            }
            Command::Simple(_, words) | Command::Argv(words) => self.direct(task, words, item, &dir)?,
        };
        for (name, value) in &task.env {
            if let EnvValue::Set(text) = value {
                command.env(name, &*text.fill(item));
            }
        }
        if !task.env.is_empty() {
            // Whatever the task says, the mark stays.
            command.env(process::MARK, &self.mark);
        }
        command
            .current_dir(&dir)
            .stdin(Stdio::from(self.null.try_clone()?))
            .stdout(Stdio::from(output.try_clone()?))
            .stderr(Stdio::from(output.try_clone()?))
            .process_group(0);
        let child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound if !dir.is_dir() => io::Error::new(
                io::ErrorKind::NotFound,
                format!("the folder {} does not exist", dir.display()),
            ),
            _ => error,
        })?;
        process::id_of(&child)
    }

    fn direct(
        &mut self,
        task: &Template,
        words: &[Text],
        item: Option<&str>,
        dir: &Path,
    ) -> io::Result<std::process::Command> {
        let Some((program, arguments)) = words.split_first() else {
            return Err(io::Error::new(io::ErrorKind::NotFound, "there is no program"));
        };
        let name = program.fill(item);
        let path = task.env.iter().find(|(name, _)| name == "PATH").and_then(|(_, value)| match value {
            EnvValue::Set(text) => Some(text.fill(item).into_owned()),
            EnvValue::Inherit => None,
        });
        let place = if name.contains('/') { dir.to_owned() } else { PathBuf::new() };
        let key = (name.into_owned(), path, place);
        if let Some(None) = self.programs.get(&key) {
            // An earlier command may have brought it since.
            self.programs.remove(&key);
        }
        let (name, path, _) = &key;
        let found = match self.programs.get(&key) {
            Some(found) => found.clone(),
            None => {
                let found = process::find_program(name, path.as_deref(), dir);
                self.programs.insert(key.clone(), found.clone());
                found
            }
        };
        let Some(found) = found else {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("`{name}` is not an executable program here"),
            ));
        };
        let mut command = std::process::Command::new(found);
        command.arg0(name).args(arguments.iter().map(|word| OsString::from(word.fill(item).into_owned())));
        Ok(command)
    }
}

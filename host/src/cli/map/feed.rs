//! Where items come from, as the command line says.

use super::{Args, note, usage};
use crate::diagnostic::{Diagnostic, Result};
use crate::map::engine::Feed;
use crate::map::items::{Batch, Inputs, Source};
use crate::map::pipe::Blocks;
use crate::map::template::Template;
use divvy::rng::Xoshiro256PlusPlus;
use std::ffi::OsString;
use std::fs::File;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// So much of a command line is items at most: what the shell takes as one argument, less some room.
const LINE: usize = 128 * 1024 - 4096;

/// A source on the command line: where its items are, and whether it is linked to the one before.
#[derive(Debug)]
pub(super) struct Given {
    mark: String,
    words: Vec<Vec<u8>>,
    files: bool,
    linked: bool,
}

/// The command, and the sources after it.
pub(super) fn words(all: &[OsString]) -> (Vec<Vec<u8>>, Vec<Given>) {
    let mut command = Vec::new();
    let mut sources: Vec<Given> = Vec::new();
    for word in all {
        let (files, linked) = match word.as_bytes() {
            b":::" => (false, false),
            b":::+" => (false, true),
            b"::::" => (true, false),
            b"::::+" => (true, true),
            bytes => {
                sources.last_mut().map_or(&mut command, |source| &mut source.words).push(bytes.to_vec());
                continue;
            }
        };
        let mark = word.to_string_lossy().into_owned();
        sources.push(Given { mark, words: Vec::new(), files, linked });
    }
    (command, sources)
}

pub(super) fn feed(args: &Args, given: &[Given], template: &Template, seed: u64) -> Result<Feed> {
    let delimiter = if args.null { 0 } else { args.delimiter.unwrap_or(b'\n') };
    if args.pipe {
        let size = usize::try_from(args.block).unwrap_or(usize::MAX);
        return Ok(Feed::Blocks(Blocks::new(standard_input()?, delimiter, size)));
    }
    let mut stdin_taken = false;
    let mut open = |path: PathBuf| {
        if path.as_os_str() == "-" {
            if std::mem::replace(&mut stdin_taken, true) {
                return Err(
                    usage("standard input is named twice as a source").help("it can be read only once")
                );
            }
            return Ok(Source::stream(standard_input()?, "standard input".into(), delimiter));
        }
        Source::open(&path, delimiter)
    };
    let mut groups: Vec<Vec<Source>> = Vec::new();
    for path in &args.arg_file {
        groups.push(vec![open(path.clone())?]);
    }
    for Given { mark, words, files, linked } in given {
        if words.is_empty() && !args.no_run_if_empty {
            let what = if *files { "file" } else { "item" };
            return Err(usage(format!("there is no {what} after {mark}"))
                .help("put some there; with -r (--no-run-if-empty) none is no error"));
        }
        if *linked && groups.is_empty() {
            return Err(usage(format!("{mark} links a source to the one before it, and there is none"))
                .help("begin with ::: or ::::"));
        }
        let sources = if *files {
            words
                .iter()
                .map(|word| open(OsString::from_vec(word.clone()).into()))
                .collect::<Result<Vec<_>>>()?
        } else {
            vec![Source::list(words.clone())]
        };
        match groups.last_mut() {
            Some(group) if *linked => group.extend(sources),
            _ => groups.extend(sources.into_iter().map(|source| vec![source])),
        }
    }
    if groups.is_empty() {
        if std::io::stdin().is_terminal() {
            note("items are read from the terminal, one a line; Ctrl-D ends them");
        }
        groups.push(vec![open("-".into())?]);
    }
    let columns = groups.iter().map(Vec::len).sum::<usize>();
    let per_job = args.max_args.unwrap_or(if args.xargs { u32::MAX } else { 1 });
    let most = (columns as u64).saturating_mul(per_job.into());
    if args.colsep.is_none() && u64::from(template.last_position()) > most {
        let position = template.last_position();
        return Err(usage(format!("the command asks for item {{{position}}}, and a job has only {most}"))
            .help(
                "-n N gives N items to a job, --colsep cuts an item into several, another ::: adds a source",
            ));
    }
    let (fixed, times) = template.weight();
    let bytes = LINE.saturating_sub(fixed).max(1);
    let batch = Batch { items: per_job as usize, bytes, times: times.max(1) };
    let mut rng = Xoshiro256PlusPlus::seed(seed);
    Inputs::new(
        groups,
        args.colsep.as_ref().map(|separator| separator.0.clone()),
        batch,
        args.shuf.then_some(&mut rng),
    )
    .map(Feed::Items)
}

fn standard_input() -> Result<File> {
    let owned = std::io::stdin().as_fd().try_clone_to_owned();
    owned.map(File::from).map_err(|error| Diagnostic::system("cannot use standard input", error))
}

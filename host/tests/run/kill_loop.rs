//! SIGKILL at random moments: nothing that was recorded runs again, and nothing is lost.

use crate::bed::{Bed, records};
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A pipeline to kill.
struct Victim<'a> {
    /// The folder that it works in.
    folder: &'a Path,
    pipeline: PathBuf,
    /// What it must end with, however often it is killed.
    results: Vec<PathBuf>,
    /// A file to which every command appends the name of its task when it starts.
    log: Option<PathBuf>,
    environment: Vec<(String, String)>,
    /// Runs take about so long; kills come at any moment of that.
    lasts: Duration,
    kills: usize,
}

impl Victim<'_> {
    fn command(&self, events: Option<File>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_divvy"));
        command.arg("run").arg(&self.pipeline).args(["-j2", "--json", "--store"]).arg(self.store());
        command.current_dir(self.folder).envs(self.environment.iter().cloned()).stdin(Stdio::null());
        command.stdout(events.map_or_else(Stdio::null, Stdio::from)).stderr(Stdio::null());
        command
    }

    fn store(&self) -> PathBuf {
        self.folder.join("kill-loop.redb")
    }

    fn results(&self) -> Vec<Vec<u8>> {
        let read =
            |path: &PathBuf| fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self.results.iter().map(read).collect()
    }

    fn log(&self) -> Vec<String> {
        let text =
            self.log.as_ref().map(|log| fs::read_to_string(log).unwrap_or_default()).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn done(&self) -> BTreeSet<String> {
        let done = records(&self.store()).into_iter().filter(|(_, record)| record["outcome"] == "done");
        done.map(|(id, _)| id).collect()
    }

    /// Starts afresh: `reset` brings the folder back to what it was.
    fn torment(&self, reset: impl Fn()) {
        let clean = || {
            reset();
            _ = fs::remove_file(self.store());
        };
        clean();
        let events = self.folder.join("kill-loop.json");
        let status = self.command(Some(File::create(&events).unwrap())).status().unwrap();
        assert_eq!(status.code(), Some(0), "the undisturbed run failed");
        let (expected, all) = (self.results(), told(&events, "done").into_iter().collect::<BTreeSet<_>>());
        assert_eq!(self.done(), all, "a task that is done is not recorded");
        clean();

        let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        println!("seed {seed}");
        let mut rng = Xoshiro256PlusPlus::seed(seed);
        let mut kills = 0;
        let mut finished = 0;
        while kills < self.kills {
            // What is recorded now must not run again; `log` holds what ran so far.
            let done = self.done();
            let ran = self.log().len();
            let mut child = self.command(Some(File::create(&events).unwrap())).spawn().unwrap();
            let micros = rng.below_u64(self.lasts.as_micros() as u64);
            std::thread::sleep(Duration::from_micros(micros));
            _ = child.kill();
            let status = child.wait().unwrap();
            let started = told(&events, "started");
            for task in started.iter().chain(&self.log()[ran..]) {
                assert!(!done.contains(task), "{task} was done and ran again (seed {seed}, kill {kills})");
            }
            match status.code() {
                None => kills += 1,
                Some(0) => {
                    assert_eq!(self.results(), expected, "seed {seed}");
                    assert_eq!(self.done(), all, "seed {seed}");
                    finished += 1;
                    clean();
                }
                Some(code) => panic!("exit code {code} (seed {seed}, kill {kills})"),
            }
        }
        let status = self.command(None).status().unwrap();
        assert_eq!(status.code(), Some(0), "the last run failed (seed {seed})");
        assert_eq!(self.results(), expected, "seed {seed}");
        assert_eq!(self.done(), all, "something was lost (seed {seed})");
        println!("{kills} kills, {finished} runs to the end in between");
    }
}

/// The tasks of the events called `name` in a file of events. The last line may be cut off.
fn told(events: &Path, name: &str) -> Vec<String> {
    let text = fs::read_to_string(events).unwrap();
    let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events
        .filter(|event| event["event"] == name)
        .map(|event| event["task"].as_str().unwrap().to_owned())
        .collect()
}

const SMALL: &str = r#"
[task.list]
run = "echo list >> log; seq 60 | sed 's/^/item /' > lines"
outputs = ["lines"]
[task.work]
needs = ["list"]
for_each = { lines = "lines" }
run = "echo work:{item} >> log; sleep 0.0$((RANDOM_SEED % 3)); echo {item} | cksum > 'out/{item}'"
env = { RANDOM_SEED = "2" }
outputs = ["out/{item}"]
[task.flaky]
needs = ["list"]
for_each = { list = ["a", "b", "c"] }
run = "echo flaky:{item} >> log; if [ ! -e tried-{item} ]; then touch tried-{item}; exit 1; fi"
retries = 1
backoff = { base = "5ms", cap = "10ms" }
[task.pairs]
needs = ["work"]
for_each = { glob = "out/*5" }
run = "echo pairs:{item} >> log; cat {item} {item} > {item}.pair"
outputs = ["{item}.pair"]
[task.merge]
needs = ["pairs", "flaky"]
run = "echo merge >> log; cat out/* > merged"
outputs = ["merged"]
[task.sum]
needs = ["merge"]
run = "echo sum >> log; cksum < merged > sum"
inputs = ["merged"]
outputs = ["sum"]
"#;

#[test]
fn fifty_kills_lose_nothing_and_repeat_nothing() {
    let bed = Bed::new(SMALL);
    let victim = Victim {
        folder: &bed.path(""),
        pipeline: bed.pipeline.clone(),
        results: vec![bed.path("sum"), bed.path("merged")],
        log: Some(bed.path("log")),
        environment: vec![],
        lasts: Duration::from_millis(400),
        kills: 50,
    };
    victim.torment(|| {
        for name in ["log", "lines", "merged", "sum", "tried-a", "tried-b", "tried-c"] {
            _ = fs::remove_file(bed.path(name));
        }
        _ = fs::remove_dir_all(bed.path("out"));
        fs::create_dir(bed.path("out")).unwrap();
    });
}

/// The example over a registry of a few small crates.
#[test]
fn fifty_kills_of_the_example_end_with_the_same_checksum() {
    let folder = tempfile::tempdir().unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/registry-words/pipeline.toml");
    let pipeline = folder.path().join("pipeline.toml");
    fs::copy(example, &pipeline).unwrap();
    let mut rng = Xoshiro256PlusPlus::seed(1);
    for number in 0..24 {
        let source = folder.path().join(format!("cargo/registry/src/index/crate-{number}-0.1.0/src"));
        fs::create_dir_all(&source).unwrap();
        let words: Vec<String> =
            (0..400).map(|_| format!("word{}", (b'a' + rng.below(26) as u8) as char)).collect();
        fs::write(source.join("lib.rs"), words.join(" ")).unwrap();
    }
    let victim = Victim {
        folder: folder.path(),
        pipeline,
        results: vec![folder.path().join("out/ranked.txt"), folder.path().join("out/ranked.cksum")],
        log: None,
        environment: vec![("CARGO_HOME".to_owned(), folder.path().join("cargo").display().to_string())],
        lasts: Duration::from_millis(400),
        kills: 50,
    };
    victim.torment(|| _ = fs::remove_dir_all(folder.path().join("out")));
}

//! The store: busy, newer, damaged, full.

use crate::bed::{Bed, wait_for};
use redb::{Database, TableDefinition};
use rustix::process::Signal;

#[test]
fn two_runs_on_one_store() {
    let bed = Bed::new(
        "[task.a]\nrun='touch begun; while [ ! -e go ]; do sleep 0.01; done'\n[task.b]\nneeds=['a']\nrun='true'\n",
    );
    let going = bed.start(&[]);
    wait_for("the command", || bed.path("begun").exists());
    let pid = format!("(process {})", going.child.id());
    bed.run(&[]).code(5).says(&[
        "error: another run has the store .divvy/p.redb",
        &pid,
        "= help: ",
        "--store FILE",
    ]);
    bed.run(&["--dry-run"]).code(5);
    bed.run(&["--output", "a"]).code(5);
    // With a store of its own it may.
    bed.write("go", "");
    let (code, events) = going.end();
    assert_eq!((code, events.last().unwrap()["done"].as_u64()), (Some(0), Some(2)));
    bed.run(&["--store", "other.redb"]).code(0);
}

#[test]
fn a_run_that_is_going_on_explains_its_tasks() {
    let bed = Bed::new(
        "[limit]\nslow='1/h'\n[task.a]\nrun='touch begun; while [ ! -e go ]; do sleep 0.01; done'\n[task.b]\nneeds=['a']\nrun='true'\n[task.c]\nrun='true'\npriority=-9\n[task.d]\nrun='[ -e go ]'\npriority=9\nretries=5\nbackoff={base='1h',cap='2h'}\nresources={cores=0}\n[task.e]\nrun='true'\nfor_each={list=['1','2']}\nlimit='slow'\npriority=8\nresources={cores=0}\n",
    );
    let mut going = bed.start(&["-j1", "--seed", "3"]);
    going.until("retry");
    wait_for("the command", || bed.path("begun").exists());
    let says = |task: &str, parts: &[&str]| _ = bed.run(&["--explain", task]).code(0).prints(parts);
    says(
        "a",
        &[
            "a: running",
            "it has been running for",
            "process ",
            "it must run: it has not run to an end before",
        ],
    );
    says("b", &["b: waiting", "it waits for a (running)"]);
    says("c", &["c: ready", "it waits for cores: it asks for 1, and 0 of 1 are free; held by a"]);
    says("d", &["d: backoff", "try 1 failed; the next one is in"]);
    says("e", &["e: several", "its limit slow has the next free start in"]);
    bed.run(&["--explain", "x"]).code(2).says(&["no task `x`"]);
    let json = bed.run(&["--explain", "a", "--json"]).code(0);
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((json["task"].as_str(), json["state"].as_str()), (Some("a"), Some("running")));
    going.signal(Signal::INT);
    going.end();
    assert!(!bed.path(".divvy/p.sock").exists());
}

#[test]
fn a_store_of_a_newer_version_is_left_alone() {
    let bed = Bed::new("[task.a]\nrun='touch a'\n");
    bed.run(&[]).code(0);
    std::fs::remove_file(bed.path("a")).unwrap();
    let database = Database::open(bed.store()).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(TableDefinition::<&str, u64>::new("meta")).unwrap().insert("format", 99).unwrap();
    write.commit().unwrap();
    drop(database);
    let before = std::fs::read(bed.store()).unwrap();
    for arguments in [&[][..], &["--dry-run"], &["--explain", "a"], &["--output", "a"]] {
        bed.run(arguments).code(4).says(&[
            "error: the store .divvy/p.redb was written by a newer divvy (format 99, this one knows 1)",
            "= help: ",
            "the store was not changed",
        ]);
    }
    assert!(!bed.path("a").exists());
    assert!(std::fs::read(bed.store()).unwrap() == before, "the store was changed");
}

#[test]
fn a_damaged_store_is_left_alone() {
    let bed = Bed::new("[task.a]\nrun='touch a'\n");
    std::fs::create_dir(bed.path(".divvy")).unwrap();
    for rubbish in [&b"not a store"[..], &[0; 10_000]] {
        std::fs::write(bed.store(), rubbish).unwrap();
        bed.run(&[]).code(4).says(&["the store .divvy/p.redb cannot be", "= help: ", "--store FILE"]);
        assert_eq!(std::fs::read(bed.store()).unwrap(), rubbish);
    }
    assert!(!bed.path("a").exists());
}

#[test]
fn a_truncated_or_garbled_store_never_panics() {
    let bed = Bed::new("[task.a]\nrun='true'\nfor_each={list=[1,2,3,4,5,6,7,8]}\n");
    bed.run(&[]).code(0);
    let good = std::fs::read(bed.store()).unwrap();
    for step in 0..24 {
        let mut bad = good.clone();
        if step % 2 == 0 {
            bad.truncate(good.len() * step / 24);
        } else {
            let at = good.len() * step / 24;
            let end = (at + 700).min(bad.len());
            bad[at..end].iter_mut().for_each(|byte| *byte ^= 0x5a);
        }
        std::fs::write(bed.store(), &bad).unwrap();
        let ended = bed.run(&[]);
        assert!(matches!(ended.code, Some(0 | 4 | 6)), "{ended:?}");
        assert!(!ended.err.contains("panicked"), "{}", ended.err);
    }
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let bed = Bed::new("[task.a]\nrun='true'\n");
    bed.run(&["--store", "p.toml/s.redb"])
        .code(4)
        .says(&["cannot create the store p.toml/s.redb", "= help: "]);
    bed.run(&["--store", "/proc/s.redb"]).code(4).says(&["cannot create the store /proc/s.redb", "= help: "]);
}

/// A limit on the size of files stands for a full disk.
#[test]
fn a_store_that_cannot_grow_ends_the_run_and_keeps_what_it_has() {
    let bed = Bed::new(
        "[task.a]\nrun=\"head -c 65536 /dev/zero | tr '\\\\0' x\"\nfor_each={list=[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40]}\n",
    );
    let run = bed.command(&[]);
    let mut limited = std::process::Command::new("sh");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 3072; exec \"$@\"", "sh"])
        .arg(run.get_program())
        .args(run.get_args());
    let output = limited.current_dir(bed.path(".")).output().unwrap();
    let shown = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(6), "{shown}");
    assert!(
        shown.contains("error: cannot write the store .divvy/p.redb")
            && shown.contains("what was recorded before is kept"),
        "{shown}"
    );
    let kept = bed.records().len();
    let events = bed.run(&["--json"]).code(0).events();
    assert_eq!(crate::bed::tasks(&events, "up_to_date").len(), kept);
    assert_eq!(bed.records().len(), 40);
}

#[test]
fn another_database_is_not_taken_for_a_store() {
    let bed = Bed::new("[task.a]\nrun='true'\n");
    let path = bed.path("mine.redb");
    let database = Database::create(&path).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(TableDefinition::<&str, u64>::new("precious")).unwrap().insert("x", 1).unwrap();
    write.commit().unwrap();
    drop(database);
    bed.run(&["--store", "mine.redb"])
        .code(4)
        .says(&["mine.redb is not a store of divvy", "was not changed"]);
}

//! SIGKILL at random moments: what was recorded does not run again, and what was not runs.

use crate::bed::Bed;
use divvy::rng::{Rng, Xoshiro256PlusPlus};
use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often each item was recorded; whole lines only.
fn recorded(bed: &Bed) -> BTreeMap<String, u32> {
    let text = std::fs::read_to_string(bed.path("log")).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    count(
        whole
            .lines()
            .skip(1)
            .map(|line| line.split('\t').nth(8).unwrap().rsplit(' ').next().unwrap().to_owned()),
    )
}

fn count(items: impl Iterator<Item = String>) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    items.for_each(|item| *counts.entry(item).or_default() += 1);
    counts
}

#[test]
fn nothing_recorded_runs_again_and_nothing_is_lost() {
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    println!("seed {seed}");
    let mut rng = Xoshiro256PlusPlus::seed(seed);
    let mut kills = 0;
    for round in 0..4 {
        let bed = Bed::new();
        bed.write("job.sh", "echo $1 >> ran\nsleep 0.00$(( $$ % 8 ))\necho out $1\n");
        let mut items: Vec<String> = (0..60).map(|n| format!("item{n}")).collect();
        // The same item twice is two jobs.
        items.push("item7".into());
        loop {
            let before = recorded(&bed);
            let ran = bed.lines("ran").len();
            rng.shuffle(&mut items);
            let mut arguments = vec!["-j3", "--joblog", "log", "--resume"];
            if round % 2 == 1 {
                arguments.push("-k");
            }
            arguments.extend(["sh job.sh {}", ":::"]);
            arguments.extend(items.iter().map(String::as_str));
            let mut command = bed.command(&arguments);
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap();
            std::thread::sleep(Duration::from_micros(rng.below_u64(120_000)));
            _ = child.kill();
            let status = child.wait().unwrap();
            // What was not recorded may have been left running and write before the next run ends it.
            for (item, times) in count(bed.lines("ran").into_iter().skip(ran)) {
                let wanted = if item == "item7" { 2 } else { 1 };
                let done = before.get(&item).copied().unwrap_or(0);
                assert!(
                    done < wanted,
                    "{item} was recorded {done} times and ran {times} times more (seed {seed})"
                );
            }
            match status.code() {
                None => kills += 1,
                Some(0) => break,
                Some(code) => panic!("exit code {code} (seed {seed})"),
            }
        }
        let expected = count(items.into_iter());
        assert_eq!(recorded(&bed), expected, "seed {seed}");
        let ran = count(bed.lines("ran").into_iter());
        assert!(expected.iter().all(|(item, times)| ran[item] >= *times), "seed {seed}");
    }
    println!("{kills} kills");
    assert!(kills > 0, "nothing was killed, so nothing was tested (seed {seed})");
}

#[test]
fn what_a_killed_map_left_running_is_ended_by_the_next() {
    let bed = Bed::new();
    let job = "echo $$ > pid; while [ ! -e go ]; do sleep 0.01; done; echo {}";
    let mut child = bed.start(&["--joblog", "log", job, ":::", "a"]);
    crate::bed::wait_for("the job", || !bed.lines("pid").is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    let orphan = bed.read("pid");
    assert!(crate::bed::alive(&orphan));
    std::fs::remove_file(bed.path("pid")).unwrap();
    let second = bed.start(&["--joblog", "log", "--resume", job, ":::", "a"]);
    crate::bed::wait_for("the job", || !bed.lines("pid").is_empty());
    assert!(!crate::bed::alive(&orphan), "two of the same job run");
    bed.write("go", "");
    crate::bed::end(second).code(0).prints("a\n").says(&["an earlier run had left"]);
}

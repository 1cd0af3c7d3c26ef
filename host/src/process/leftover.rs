//! Commands that outlived a killed run.
//!
//! SIGKILL ends divvy without a chance to end its commands, and they would go on writing while the next run starts
//! them anew. Every command carries the mark of its store in its environment; after a run that did not close, the
//! next one looks for the mark and ends what carries it before anything starts. A command that cleared its
//! environment escapes. Systems without `/proc` are not searched.

use rustix::process::{Pid, Signal};
use std::time::{Duration, Instant};

/// Ends every process that carries `mark`. Returns how many there were, and whether all of them are gone.
pub(crate) fn kill(mark: &str) -> (usize, bool) {
    let mut killed = std::collections::HashSet::new();
    let patience = Instant::now() + Duration::from_secs(10);
    loop {
        let found = find(mark);
        if found.is_empty() {
            return (killed.len(), true);
        }
        if Instant::now() > patience {
            return (killed.len(), false);
        }
        for &(pid, leads) in &found {
            killed.insert(pid);
            // A marked process that leads its group was started by divvy, so the whole group is.
            if leads {
                super::signal_group(pid, Signal::KILL);
            }
            _ = rustix::process::kill_process(pid, Signal::KILL);
        }
        // Those that fork while we look are found in the next round.
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The living processes whose environment has `mark`, and whether each leads its process group.
#[cfg(target_os = "linux")]
fn find(mark: &str) -> Vec<(Pid, bool)> {
    let own = std::process::id();
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|&pid| pid as u32 != own)
        .filter_map(|pid| {
            let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
            let marked = environment.split(|&byte| byte == 0).any(|variable| {
                let value = variable.strip_prefix(super::MARK.as_bytes()).and_then(|v| v.strip_prefix(b"="));
                value.is_some_and(|value| {
                    value.split(|&byte| byte == b':').any(|part| part == mark.as_bytes())
                })
            });
            // The environment of a zombie reads as empty, so what is dead is not found.
            let pid = Pid::from_raw(pid).filter(|_| marked)?;
            let leads = rustix::process::getpgid(Some(pid)).is_ok_and(|group| group == pid);
            Some((pid, leads))
        })
        .collect()
}

#[cfg(not(target_os = "linux"))]
fn find(_mark: &str) -> Vec<(Pid, bool)> {
    Vec::new()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    #[test]
    fn only_what_carries_the_mark_is_ended() {
        let start = |mark: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", "sleep 100 & echo ready; wait"]).env(super::super::MARK, mark);
            let mut child = command.process_group(0).stdout(Stdio::piped()).spawn().unwrap();
            let mut line = String::new();
            std::io::BufRead::read_line(
                &mut std::io::BufReader::new(child.stdout.as_mut().unwrap()),
                &mut line,
            )
            .unwrap();
            child
        };
        let mark = format!("test-{}", std::process::id());
        let mut marked = start(&format!("outer:{mark}"));
        let mut other = start(&format!("{mark}-other"));
        // The shell leads its group; what it started may die with it before it is seen by itself.
        let (killed, all) = kill(&mark);
        assert!((1..=2).contains(&killed) && all, "{killed} {all}");
        assert!(!marked.wait().unwrap().success());
        // The pipe ends when nobody holds it any more: what the shell started is gone too.
        let mut rest = Vec::new();
        std::io::Read::read_to_end(&mut marked.stdout.take().unwrap(), &mut rest).unwrap();
        assert!(rest.is_empty());
        assert!(other.try_wait().unwrap().is_none(), "the other one was ended");
        super::super::signal_group(Pid::from_child(&other), Signal::KILL);
        other.wait().unwrap();
    }
}

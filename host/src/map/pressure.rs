//! Whether the machine has room for another job: free memory and load, as the kernel tells them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What `--memfree` and `--load` ask for.
#[derive(Debug)]
pub(crate) struct Pressure {
    /// Nothing starts under so many free bytes; under half of that the youngest job is killed.
    memfree: Option<u64>,
    /// Nothing starts over this load.
    load: Option<f64>,
    meminfo: PathBuf,
    loadavg: PathBuf,
    /// The load changes once in five seconds, and starting jobs does not show in it before.
    last_load: Option<(Instant, f64)>,
}

/// What to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Room {
    Start,
    Hold,
    /// Kill the youngest job.
    Relieve,
}

/// How often the machine is looked at.
pub(crate) const LOOK: Duration = Duration::from_millis(500);

impl Pressure {
    /// `root`: where the kernel tells it, `/proc`.
    pub(crate) fn new(memfree: Option<u64>, load: Option<f64>, root: PathBuf) -> Self {
        let (meminfo, loadavg) = (root.join("meminfo"), root.join("loadavg"));
        Self { memfree, load, meminfo, loadavg, last_load: None }
    }

    /// Whether there is anything to look at.
    pub(crate) fn matters(&self) -> bool {
        self.memfree.is_some() || self.load.is_some()
    }

    /// Whether running jobs may have to go.
    pub(crate) fn relieves(&self) -> bool {
        self.memfree.is_some()
    }

    /// All memory of the machine.
    pub(crate) fn total_memory(&self) -> Option<u64> {
        field(&std::fs::read_to_string(&self.meminfo).ok()?, "MemTotal:")
    }

    /// What to do while `running` jobs run. What the kernel does not tell holds nothing back.
    pub(crate) fn room(&mut self, now: Instant, running: usize) -> Room {
        if let Some(wanted) = self.memfree
            && let Ok(text) = std::fs::read_to_string(&self.meminfo)
            && let Some(free) = field(&text, "MemAvailable:").or_else(|| field(&text, "MemFree:"))
        {
            let room = judge(free, wanted, running);
            if room != Room::Start {
                return room;
            }
        }
        let Some(most) = self.load else { return Room::Start };
        if running > 0 && self.current_load(now) > most { Room::Hold } else { Room::Start }
    }

    fn current_load(&mut self, now: Instant) -> f64 {
        match self.last_load {
            Some((looked, load)) if now.saturating_duration_since(looked) < LOOK => load,
            _ => {
                let text = std::fs::read_to_string(&self.loadavg).unwrap_or_default();
                let load = text.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(0.0);
                self.last_load = Some((now, load));
                load
            }
        }
    }
}

/// The oldest job is never killed, so that there is an end to it.
fn judge(free: u64, wanted: u64, running: usize) -> Room {
    if free >= wanted {
        Room::Start
    } else if free < wanted / 2 && running > 1 {
        Room::Relieve
    } else {
        Room::Hold
    }
}

/// A field of `/proc/meminfo`, in bytes.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_decides() {
        assert_eq!(judge(100, 100, 5), Room::Start);
        assert_eq!(judge(99, 100, 0), Room::Hold);
        assert_eq!(judge(49, 100, 2), Room::Relieve);
        assert_eq!(judge(0, 100, 1), Room::Hold);
    }

    #[test]
    fn the_files_of_the_kernel_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("meminfo", "MemTotal:       2000 kB\nMemFree:  1 kB\nMemAvailable:   10 kB\n");
        write("loadavg", "3.50 1 1 1/2 3\n");
        let now = Instant::now();
        let mut memory = Pressure::new(Some(10 * 1024), None, folder.path().into());
        assert_eq!((memory.total_memory(), memory.room(now, 9)), (Some(2_048_000), Room::Start));
        let mut more = Pressure::new(Some(10 * 1024 + 1), None, folder.path().into());
        assert_eq!(more.room(now, 9), Room::Hold);
        let mut load = Pressure::new(None, Some(3.0), folder.path().into());
        assert_eq!((load.room(now, 0), load.room(now, 1)), (Room::Start, Room::Hold));
        write("loadavg", "2.50 1 1 1/2 3\n");
        assert_eq!((load.room(now, 1), load.room(now + LOOK, 1)), (Room::Hold, Room::Start));
        write("meminfo", "nonsense");
        assert_eq!(more.room(now, 9), Room::Start);
    }
}

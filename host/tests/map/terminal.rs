//! What people see on a terminal of eighty columns.

use crate::bed::Bed;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

/// Runs it with all its descriptors on a terminal; returns what that showed.
fn on_terminal(bed: &Bed, arguments: &[&str]) -> String {
    let main = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&main).unwrap();
    unlockpt(&main).unwrap();
    tcsetwinsize(&main, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let name = ptsname(&main, Vec::new()).unwrap();
    let side =
        OpenOptions::new().read(true).write(true).open(std::ffi::OsStr::from_bytes(name.as_bytes())).unwrap();
    let mut command = bed.command(arguments);
    command.env("TERM", "xterm");
    command.stdin(Stdio::null()).stdout(side.try_clone().unwrap()).stderr(side);
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut main = File::from(main);
    let mut shown = Vec::new();
    let mut buffer = [0; 4096];
    // The other side reads as broken when the last one who had it is gone.
    while let Ok(read) = main.read(&mut buffer) {
        if read == 0 {
            break;
        }
        shown.extend_from_slice(&buffer[..read]);
    }
    child.wait().unwrap();
    String::from_utf8_lossy(&shown).into_owned()
}

/// The text without what moves the cursor and colours it.
fn plain(shown: &str) -> String {
    anstream::adapter::strip_str(shown).to_string()
}

#[test]
fn help_fits_eighty_columns() {
    let bed = Bed::new();
    for arguments in [["--help"], ["-h"]] {
        let piped = bed.map(&arguments).code(0).out;
        let shown = plain(&on_terminal(&bed, &arguments));
        for line in piped.lines().chain(shown.lines()) {
            assert!(line.trim_end().chars().count() <= 80, "{line}");
        }
        assert!(piped.contains("{//}") && piped.contains("Exit codes:") && piped.contains("--resume-failed"));
    }
}

#[test]
fn a_bar_is_drawn_and_taken_away() {
    let bed = Bed::new();
    let shown = on_terminal(&bed, &["--bar", "-j1", "sleep 0.3; echo out{}", ":::", "1", "2", "3"]);
    let text = plain(&shown);
    assert!(text.contains("1/3") && text.contains("running, in") && text.contains("left"), "{text}");
    for out in ["out1\r\n", "out2\r\n", "out3\r\n"] {
        assert!(shown.contains(out), "{shown:?}");
    }
    assert!(text.contains("divvy map: 3 of 3 jobs done, in"), "{text}");
    for line in text.split(['\r', '\n']) {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn without_a_terminal_nothing_is_drawn() {
    let bed = Bed::new();
    let ended = bed.map(&["--progress", "sleep 0.2; echo", ":::", "1"]).code(0);
    assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
    assert!(ended.err.starts_with("divvy map: 1 of 1 jobs done, in"));
    assert_eq!(bed.map(&["true", ":::", "1"]).code(0).err, "");
}

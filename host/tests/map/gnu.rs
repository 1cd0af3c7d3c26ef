//! Beside GNU parallel itself, where it is installed: the same command lines print the same.

use crate::bed::Bed;
use std::process::Command;

fn parallel(bed: &Bed, arguments: &[&str], input: &str) -> Option<String> {
    use std::io::Write;
    use std::process::Stdio;
    let version = Command::new("parallel").arg("--version").output().ok()?;
    if !String::from_utf8_lossy(&version.stdout).starts_with("GNU parallel") {
        return None;
    }
    let mut command = Command::new("parallel");
    command
        .current_dir(bed.path(""))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.env("SHELL", "/bin/sh").env("PARALLEL_SHELL", "/bin/sh").spawn().ok()?;
    child.stdin.take()?.write_all(input.as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn the_same_command_lines_print_the_same() {
    let bed = Bed::new();
    bed.write("list", "l1\nl2\n");
    let parts = "echo \\\\{} {.} {/} {//} {/.}";
    for (arguments, input) in [
        (&["-k", "echo", ":::", "a", "b c"][..], ""),
        (&["-k", "echo"], "1\n\n 2 \n"),
        (&["-k", "-0", "printf '%s;' x"], "1\n2\x00003\0"),
        (&["-k", parts, ":::", "a/b.tar.gz", "x", "d.d/x", "x.", "/", "a//b", "b/"], ""),
        (&["-k", "echo {2} {1}", ":::", "a", "b", ":::", "1", "2"], ""),
        (&["-k", "echo", ":::", "a", "b", ":::+", "1", "2", ":::", "x", "y"], ""),
        (&["-k", "echo", ":::", "a", "b", ":::+", "1", "2", "3"], ""),
        (&["-k", "echo", "::::", "list", ":::", "x", "y"], ""),
        (&["-k", "-a", "list", "echo"], ""),
        (&["-k", "-n2", "echo x{}y"], "1\n2\n3\n"),
        (&["-k", "-N2", "echo {1}-{2}"], "1\n2\n3\n"),
        (&["-k", "--colsep", ",", "echo {2} {1}"], "a,b\nc,d\n"),
        (&["-k", "--tag", "echo x{}", ":::", "a", "b"], ""),
        (&["-k", "--tagstring", "T{#}", "echo", ":::", "a"], ""),
        (&["-k", "-I%", "echo %{#}", ":::", "a"], ""),
        (&["-k", "-j1", "echo {#} {%}", ":::", "a", "b"], ""),
        (&["-k", "-q", "printf", "%s %s\\n", "a  b", "{}", ":::", "c  d"], ""),
        (&["-k", "echo {-1} {1/.}", ":::", "p/q.r", ":::", "z"], ""),
        (&["-k"], "echo a; echo b\nprintf c\n"),
        (&["-k", "-d,", "echo"], "a,b,c"),
        (&["--dry-run", "-k", "echo {} > x", ":::", "a"], ""),
        (&["-k", "--pipe", "-j1", "--block", "1M", "wc -l"], "a\nb\n"),
    ] {
        let Some(theirs) = parallel(&bed, arguments, input) else { return };
        let ours = bed.fed(input, arguments);
        assert_eq!(ours.out, theirs, "{arguments:?}\n{}", ours.err);
    }
}

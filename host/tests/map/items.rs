//! Where items come from, and where they go in the command.

use crate::bed::Bed;

#[test]
fn from_the_command_line_standard_input_and_files() {
    let bed = Bed::new();
    bed.map(&["-k", "echo", "x", ":::", "a", "b c"]).code(0).prints("x a\nx b c\n");
    bed.fed("a\n\n b ", &["-k", "echo", "x{}y"]).code(0).prints("xay\nxy\nx b y\n");
    bed.fed("a\nb\0c", &["-k", "-0", "printf '[%s]'"]).code(0).prints("[a\nb][c]");
    bed.fed("a,b,c", &["-k", "-d,", "echo"]).code(0).prints("a\nb\nc\n");
    bed.write("list", "1\n2\n");
    bed.map(&["-k", "-a", "list", "echo"]).code(0).prints("1\n2\n");
    bed.map(&["-k", "echo", "::::", "list"]).code(0).prints("1\n2\n");
    bed.fed("p\nq\n", &["-k", "echo", "::::", "-", "list"]).code(0).prints("p 1\np 2\nq 1\nq 2\n");
}

#[test]
fn several_sources_are_combined_or_linked() {
    let bed = Bed::new();
    let combined = ["-k", "echo {2}-{1}", ":::", "a", "b", ":::", "1", "2"];
    bed.map(&combined).code(0).prints("1-a\n2-a\n1-b\n2-b\n");
    bed.map(&["-k", "echo", ":::", "a", "b", ":::+", "1", "2", "3"]).code(0).prints("a 1\nb 2\n");
    bed.write("list", "x\ny\n");
    let mixed = ["-k", "echo {1}{2}{3}", ":::", "a", "b", "::::+", "list", ":::", "1", "2"];
    bed.map(&mixed).code(0).prints("ax1\nax2\nby1\nby2\n");
}

#[test]
fn batches_take_several_items() {
    let bed = Bed::new();
    bed.fed("1\n2\n3\n", &["-k", "-n2", "echo", "x"]).code(0).prints("x 1 2\nx 3\n");
    bed.fed("1\n2\n3\n", &["-k", "-N2", "echo '{2}' {1}"]).code(0).prints("2 1\n 3\n");
    // As many as fit: 100,000 items of six bytes are more than one command line, and far fewer than 100,000.
    let many: String = (100_000..200_000).map(|n| format!("{n}\n")).collect();
    let ended = bed.fed(&many, &["-X", "sh -c 'echo $#' x"]).code(0);
    let counts: Vec<usize> = ended.out.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(counts.iter().sum::<usize>(), 100_000);
    assert!((5..40).contains(&counts.len()), "{counts:?}");
}

#[test]
fn columns_and_other_replacement_texts() {
    let bed = Bed::new();
    bed.fed("a\tb\nc\td\n", &["-k", "--colsep", "\\t", "echo {2} {1}"]).code(0).prints("b a\nd c\n");
    bed.map(&["-I@", "echo @ '{}'", ":::", "a"]).code(0).prints("a {}\n");
    bed.map(&["-k", "-j1", "echo {#} {%} {/.}", ":::", "d/a.b", "c"]).code(0).prints("1 1 a\n2 1 c\n");
}

#[test]
fn items_can_be_commands() {
    let bed = Bed::new();
    bed.fed("echo a\necho b; echo c >&2\nexit 3\n", &["-k"])
        .code(1)
        .prints("a\nb\n")
        .says(&["job 3: exit code 3"]);
    bed.map(&[":::", "echo x | tr x y"]).code(0).prints("y\n");
}

#[test]
fn a_shell_sees_every_item_as_one_word() {
    let bed = Bed::new();
    let nasty = ["$(touch oops)", "a'b", "a\"b", "a  b", "*", "-n", ";exit", "`id`", "\\", "é", ""];
    for command in ["printf %s\\\\n {} | cat", "printf '%s\\n' \"{}\" | cat", "printf '%s\\n' '{}' | cat"] {
        let mut arguments = vec!["-k", command, ":::"];
        arguments.extend(nasty);
        bed.map(&arguments).code(0).prints(&(nasty.join("\n") + "\n"));
    }
    assert!(!bed.path("oops").exists());
}

#[test]
fn quoted_words_are_the_program_and_its_arguments() {
    let bed = Bed::new();
    let script = ["-q", "sh", "-c", "echo \"$1\" '{}'", "x", "{}", ":::", "a b"];
    bed.map(&script).code(0).prints("a b a b\n");
    bed.map(&["-q", "printf", "%s|", "a b", "{#}", ":::", "x"]).code(0).prints("a b|1|");
    bed.map(&["--shell", "/bin/bash", "echo {1..3} $0", ":::", "x"]).code(0).prints("1 2 3 /bin/bash x\n");
}

#[test]
fn jobs_read_nothing_from_the_terminal_of_divvy() {
    let bed = Bed::new();
    bed.fed("a\nb\n", &["-k", "-j1", "cat; echo"]).code(0).prints("a\nb\n");
    bed.fed("not for them", &["cat {}; cat; true", ":::", "/dev/null"]).code(0).prints("");
}

#[test]
fn standard_input_goes_to_jobs_in_blocks() {
    let bed = Bed::new();
    let input: String = (1..=1000).map(|n| format!("{n}\n")).collect();
    bed.fed(&input, &["-k", "--pipe", "--block", "500", "cat"]).code(0).prints(&input);
    let counts = bed.fed(&input, &["--pipe", "--block", "1k", "wc -l"]).code(0);
    let counts: Vec<usize> = counts.out.lines().map(|line| line.trim().parse().unwrap()).collect();
    assert!(counts.len() == 4 && counts.iter().sum::<usize>() == 1000, "{counts:?}");
    // A job that reads nothing of it is no problem, and neither is a try more.
    bed.fed(&input, &["--pipe", "--block", "500", "true"]).code(0);
    let again = "cat >> all; [ -e tried ] || { touch tried; exit 1; }";
    bed.fed("a\nb\n", &["--pipe", "--retries", "1", "--backoff", "1ms", again]).code(0);
    assert_eq!(bed.read("all"), "a\nb\na\nb\n");
}

#[test]
fn no_item_is_no_failure() {
    let bed = Bed::new();
    bed.map(&["touch", "x"]).code(0).says(&["there was no item, so nothing ran"]);
    assert_eq!(bed.map(&["-r", "touch", "x"]).code(0).err, "");
    assert_eq!(bed.map(&["-r", "touch", "x", ":::"]).code(0).err, "");
}

#[test]
fn a_dry_run_prints_the_commands() {
    let bed = Bed::new();
    bed.map(&["--dry-run", "touch {}; echo {#}", ":::", "a b", "c"])
        .code(0)
        .prints("touch 'a b'; echo 1\ntouch c; echo 2\n");
    bed.map(&["--dry-run", "touch", ":::", "a b"]).code(0).prints("touch 'a b'\n");
    assert!(!bed.path("c").exists());
    let json = bed.map(&["--dry-run", "--json", "touch", ":::", "a"]).code(0);
    assert_eq!(json.out, "{\"command\":\"touch a\",\"event\":\"plan\",\"items\":[\"a\"],\"job\":1}\n");
}

#[test]
fn a_shuffle_runs_every_item_once() {
    let bed = Bed::new();
    let input: String = (1..=50).map(|n| format!("{n}\n")).collect();
    let shuffled = |seed| bed.fed(&input, &["-k", "--shuf", "--seed", seed, "echo"]).code(0);
    let (first, again, other) = (shuffled("1"), shuffled("1"), shuffled("2"));
    assert_eq!(first.out, again.out);
    assert_ne!(first.out, other.out);
    assert_ne!(first.out, input);
    let mut expected: Vec<&str> = input.lines().collect();
    expected.sort_unstable();
    assert_eq!(first.sorted(), expected);
}

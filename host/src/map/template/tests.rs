use super::*;
use proptest::prelude::*;
use std::process::Command;

fn bytes(words: &[&str]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

fn template(words: &[&str], how: How<'_>) -> Template {
    Template::parse(&bytes(words), how, b"/bin/sh").unwrap()
}

fn filled(words: &[&str], items: &[&str]) -> Line {
    template(words, How::default()).fill(Values { items: &bytes(items), seq: 7, slot: 2 })
}

fn shown(words: &[&str], items: &[&str]) -> String {
    String::from_utf8(filled(words, items).show()).unwrap()
}

#[test]
fn replacement_strings_stand_for_what_gnu_parallel_puts_there() {
    let all = ["echo", "{}", "{.}", "{/}", "{//}", "{/.}", "{#}", "{%}"];
    assert_eq!(shown(&all, &["a/b.tar.gz"]), "echo a/b.tar.gz a/b.tar b.tar.gz a b.tar 7 2");
    let parts = |item: &str| {
        let Line::Words(words) = filled(&["e", "{.}", "{/}", "{//}", "{/.}"], &[item]) else { panic!() };
        words[1..].iter().map(|word| String::from_utf8(word.clone()).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(parts(".bashrc"), ["", ".bashrc", ".", ""]);
    assert_eq!(parts("x/"), ["x/", "", ".", ""]);
    assert_eq!(parts("/"), ["/", "", "/", ""]);
    assert_eq!(parts("a//b"), ["a//b", "b", "a", "b"]);
    assert_eq!(parts("d.d/x"), ["d.d/x", "x", "d.d", "x"]);
    assert_eq!(parts("x."), ["x", "x.", ".", "x"]);
    assert_eq!(parts(""), ["", "", ".", ""]);
    assert_eq!(shown(&["echo", "{2}", "{1/.}", "{-1}"], &["p/q.r", "s"]), "echo s q s");
}

#[test]
fn without_a_replacement_string_the_items_come_last() {
    assert_eq!(shown(&["wc", "-l"], &["a b"]), "wc -l 'a b'");
    assert_eq!(shown(&["wc -l"], &["a b"]), "wc -l 'a b'");
    assert_eq!(shown(&["wc", "-l", "|", "cat"], &["a b"]), "wc -l | cat 'a b'");
    assert_eq!(shown(&["echo", "{#}"], &["a"]), "echo 7");
}

#[test]
fn several_items_are_several_words() {
    assert_eq!(shown(&["echo", "x{}y"], &["1", "2"]), "echo x1 2y");
    assert_eq!(shown(&["echo 'x{}y'"], &["1", "2"]), "echo 'x1 2y'");
    assert_eq!(shown(&["rm", "--"], &["a", "b c", ""]), "rm -- a 'b c' ''");
}

#[test]
fn a_shell_comes_only_where_it_is_needed() {
    let direct = |words: &[&str]| matches!(filled(words, &["a"]), Line::Words(_));
    assert!(direct(&["wc", "-l", "{}"]) && direct(&["wc -l {}.txt"]));
    for shell in
        ["a|b", "a > b", "X=1 a", "cd x", "a 'b'", "a $b", "a\nb", "~/x", "{} -l", "a *.c", "if", "a é"]
    {
        assert!(!direct(&[shell]), "{shell}");
    }
    assert!(matches!(
        template(&["a", "b|c"], How { quote: true, ..How::default() })
            .fill(Values { items: &bytes(&["x"]), seq: 1, slot: 1 }),
        Line::Words(words) if words == bytes(&["a", "b|c", "x"])
    ));
}

#[test]
fn items_can_be_the_commands() {
    let line =
        |item: &str| template(&[], How::default()).fill(Values { items: &bytes(&[item]), seq: 1, slot: 1 });
    assert_eq!(line("wc -l x"), Line::Words(bytes(&["wc", "-l", "x"])));
    assert_eq!(line("wc -l < x"), Line::Script(b"wc -l < x".to_vec()));
    assert_eq!(line("echo {}"), Line::Script(b"echo {}".to_vec()));
}

#[test]
fn what_is_no_replacement_string_stays() {
    for text in ["awk {print}", "{ a; }", "${#}", "${1}", "a{1..5}", "{a,b}", "{ }", "{", "{}}"] {
        let parsed = pieces(text.as_bytes(), None).unwrap();
        if text != "{}}" {
            assert_eq!(parsed, [Piece::Literal(text.as_bytes().to_vec())], "{text}");
        }
    }
    assert_eq!(pieces(b"a@b{}", Some(b"@")).unwrap().len(), 3);
}

#[test]
fn unknown_replacement_strings_are_refused() {
    for text in ["{..}", "{...}", "{+/}", "{0}", "{1..}", "{= s/a/b/ =}", "{##}"] {
        let problem = pieces(text.as_bytes(), None).unwrap_err();
        assert!(problem.message().contains("replacement string"), "{text}");
    }
    let script = Template::parse(&bytes(&["bash", "-c", "echo {}"]), How::default(), b"/bin/sh").unwrap_err();
    assert!(script.to_string().contains("-q"));
}

#[test]
fn the_hash_is_of_the_command_and_the_items() {
    let key = |words: &[&str], items: &[&str]| template(words, How::default()).key(&bytes(items));
    assert_eq!(key(&["a", "{}"], &["x"]), key(&["a", "{}"], &["x"]));
    let keys = [
        key(&["a", "{}"], &["x"]),
        key(&["a", "{}"], &["y"]),
        key(&["b", "{}"], &["x"]),
        key(&["a", "{}"], &["x", ""]),
        key(&["a", "{}"], &["", "x"]),
        key(&["a {}"], &["x"]),
        template(&["a", "{}"], How { quote: true, ..How::default() }).key(&bytes(&["x"])),
    ];
    for (i, a) in keys.iter().enumerate() {
        assert!(!keys[..i].contains(a), "{i}");
    }
}

/// What a real shell or a real program makes of the command.
fn run(line: &Line) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    let os = |bytes: &[u8]| std::ffi::OsStr::from_bytes(bytes).to_owned();
    let mut command = match line {
        Line::Script(script) => {
            let mut command = Command::new("sh");
            command.arg("-c").arg(os(script));
            command
        }
        Line::Words(words) => {
            let mut command = Command::new(os(&words[0]));
            command.args(words[1..].iter().map(|word| os(word)));
            command
        }
    };
    command.output().unwrap().stdout
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]
    #[test]
    fn any_item_reaches_the_command_whole(items in prop::collection::vec(prop::collection::vec(1u8.., 0..8), 1..4)) {
        let values = Values { items: &items, seq: 1, slot: 1 };
        let mut expected = Vec::new();
        for item in &items {
            expected.extend_from_slice(item);
            expected.push(b'\n');
        }
        // A newline of its own after the last one makes an empty item visible.
        for words in [&["printf", r"%s\n", "{}"][..], &[r"printf '%s\n' {}"][..], &["printf '%s\\n' {} | cat"][..]] {
            let how = How { quote: words.len() > 1, ..How::default() };
            prop_assert_eq!(&run(&template(words, how).fill(values)), &expected, "{:?}", words);
        }
    }
}

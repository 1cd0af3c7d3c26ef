//! Texts with placeholders: `{item}`, `{item.name}`, `{item.stem}`; and how a shell command takes them.
//!
//! Shells and `awk` use braces a lot, so nothing but these exact tokens is replaced, and only in tasks with
//! `for_each`. `{{item}}` stands for the literal `{item}`.

use crate::process::shell::{Quotes, SHELL_WORDS, is_plain};
use std::borrow::Cow;
use std::path::Path;

/// A text that may hold placeholders.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Text(Vec<Piece>);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Piece {
    Literal(String),
    Item(Part),
}

/// What of the item a placeholder stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    Whole,
    /// The last component of a path.
    Name,
    /// The last component without its extension.
    Stem,
}

const TOKENS: [(&str, Part); 3] =
    [("{item}", Part::Whole), ("{item.name}", Part::Name), ("{item.stem}", Part::Stem)];

impl Part {
    fn of(self, item: &str) -> Cow<'_, str> {
        let path = Path::new(item);
        let part = match self {
            Part::Whole => None,
            Part::Name => path.file_name(),
            Part::Stem => path.file_stem(),
        };
        part.map_or(Cow::Borrowed(item), |part| part.to_string_lossy())
    }
}

impl Text {
    /// A text in which placeholders count.
    pub(crate) fn with_placeholders(source: &str) -> Self {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = source;
        'scan: while !rest.is_empty() {
            for (token, part) in TOKENS {
                if let Some(after) = rest.strip_prefix(token) {
                    if !literal.is_empty() {
                        pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                    }
                    pieces.push(Piece::Item(part));
                    rest = after;
                    continue 'scan;
                }
                if let Some(after) = rest.strip_prefix('{').and_then(|r| r.strip_prefix(token))
                    && let Some(after) = after.strip_prefix('}')
                {
                    literal.push_str(token);
                    rest = after;
                    continue 'scan;
                }
            }
            let first = rest.chars().next().unwrap_or_default();
            literal.push(first);
            rest = &rest[first.len_utf8()..];
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Self(pieces)
    }

    /// A text that means itself.
    pub(crate) fn literal(source: &str) -> Self {
        Self(vec![Piece::Literal(source.to_owned())])
    }

    /// The text, if it is the same for every item.
    pub(crate) fn fixed(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The text for `item`.
    pub(crate) fn fill(&self, item: Option<&str>) -> Cow<'_, str> {
        if let Some(text) = self.fixed() {
            return Cow::Borrowed(text);
        }
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Item(part) => out.push_str(&part.of(item.unwrap_or_default())),
            }
        }
        Cow::Owned(out)
    }

    /// The text for `item` as a shell script: each value is quoted so that it stays one word wherever it stands.
    pub(crate) fn fill_shell(&self, item: Option<&str>) -> Cow<'_, str> {
        if let Some(text) = self.fixed() {
            return Cow::Borrowed(text);
        }
        let mut out = Vec::new();
        let mut quotes = Quotes::default();
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => {
                    quotes.read(text.as_bytes());
                    out.extend_from_slice(text.as_bytes());
                }
                Piece::Item(part) => quotes.write(part.of(item.unwrap_or_default()).as_bytes(), &mut out),
            }
        }
        // Quotes are put between characters, so the text is whole.
        Cow::Owned(String::from_utf8_lossy(&out).into_owned())
    }

    /// The words of a command that needs no shell: no metacharacter, quote, assignment, builtin or keyword.
    pub(crate) fn simple_words(&self) -> Option<Vec<Text>> {
        let mut words: Vec<Text> = Vec::new();
        let mut open = false;
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => {
                    for c in text.chars() {
                        if c == ' ' || c == '\t' {
                            open = false;
                            continue;
                        }
                        if !u8::try_from(c).is_ok_and(is_plain) {
                            return None;
                        }
                        if !open {
                            words.push(Text(Vec::new()));
                            open = true;
                        }
                        let word = words.last_mut()?;
                        match word.0.last_mut() {
                            Some(Piece::Literal(literal)) => literal.push(c),
                            _ => word.0.push(Piece::Literal(c.to_string())),
                        }
                    }
                }
                Piece::Item(_) => {
                    if !open {
                        words.push(Text(Vec::new()));
                        open = true;
                    }
                    words.last_mut()?.0.push(piece.clone());
                }
            }
        }
        let program = words.first()?.fixed()?;
        (!program.contains('=') && !SHELL_WORDS.contains(&program)).then_some(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    fn filled(template: &str, item: &str) -> String {
        Text::with_placeholders(template).fill(Some(item)).into_owned()
    }

    #[test]
    fn only_the_exact_tokens_are_replaced() {
        assert_eq!(filled("a {item} b", "X"), "a X b");
        assert_eq!(filled("{item.name}|{item.stem}", "/d/x.tar.gz"), "x.tar.gz|x.tar");
        assert_eq!(filled("{item.name}", ".."), "..");
        assert_eq!(
            filled("awk '{print $1}' ${HOME} { item } {Item}", "X"),
            "awk '{print $1}' ${HOME} { item } {Item}"
        );
        assert_eq!(filled("{{item}} {{item.name}} {{item}", "X"), "{item} {item.name} {X");
        assert_eq!(filled("{", "X"), "{");
        assert_eq!(Text::literal("{item}").fill(Some("X")), "{item}");
    }

    #[test]
    fn simple_commands_need_no_shell() {
        let words = |source: &str| {
            let words = Text::with_placeholders(source).simple_words()?;
            Some(words.iter().map(|w| w.fill(Some("a b")).into_owned()).collect::<Vec<_>>())
        };
        assert_eq!(words("  wc -l  x.txt "), Some(vec!["wc".into(), "-l".into(), "x.txt".into()]));
        assert_eq!(words("wc -{item}.txt"), Some(vec!["wc".into(), "-a b.txt".into()]));
        for shell in [
            "a|b",
            "a > b",
            "X=1 a",
            "cd x",
            "a 'b'",
            "a $b",
            "a\nb",
            "",
            "~/x",
            "{item} -l",
            "a *.c",
            "a #b",
            "if",
            "a é",
        ] {
            assert_eq!(words(shell), None, "{shell}");
        }
    }

    /// What a real shell makes of the script.
    fn shell(script: &str) -> String {
        let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    const AROUND: [&str; 8] = [
        "printf %s {item}",
        "printf %s '{item}'",
        "printf %s \"{item}\"",
        "printf %s \"$(printf %s {item})\"",
        "printf %s \"$(printf %s \"{item}\")\"",
        "x={item}; (printf %s \"$x\")",
        "printf %s `printf %s {item}`''",
        "true # it's a comment\nprintf '%s' {item}",
    ];

    #[test]
    fn a_value_stays_one_word_in_every_context() {
        for item in
            ["plain", "two words", "a'b", "a\"b", "$(touch x)", "back\\slash", "*", "a;b", "~", "-n", "é"]
        {
            for template in AROUND {
                // Inside backquotes a backslash is halved before anything else; the other forms keep every byte.
                if template.contains('`') && item.contains(['\\', ' ', '*', '`']) {
                    continue;
                }
                assert_eq!(
                    shell(&Text::with_placeholders(template).fill_shell(Some(item))),
                    item,
                    "{template}"
                );
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn quoting_survives_any_text(item in "[ -~]{0,12}") {
            for template in AROUND.iter().filter(|t| !t.contains('`')) {
                let script = Text::with_placeholders(template).fill_shell(Some(&item)).into_owned();
                prop_assert_eq!(shell(&script), item.as_str(), "{}", script);
            }
        }
    }
}

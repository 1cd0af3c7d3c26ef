//! Reading the command of a map.

use super::path::Part;
use super::{Form, Piece, Template, simple_words};
use crate::diagnostic::{Diagnostic, Result};
use crate::exit::Exit;

/// How the words of a command are meant.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct How<'a> {
    /// The words are the program and its arguments, whatever they hold.
    pub(crate) quote: bool,
    /// What stands for the items instead of `{}`.
    pub(crate) replace: Option<&'a [u8]>,
    /// Items go on standard input, so that none is put at the end of the command.
    pub(crate) pipe: bool,
}

const KNOWN: &str = "known: {} {.} {/} {//} {/.}, of one item {1} {1.} {1/} {1//} {1/.}, of the last one {-1}, \
                     {#} for the number of the job and {%} for its slot";

impl Template {
    /// Reads the words of a command; none at all means that the items are commands.
    pub(crate) fn parse(words: &[Vec<u8>], how: How<'_>, shell: &[u8]) -> Result<Self> {
        let mut identity = vec![u8::from(how.quote), u8::from(how.pipe)];
        for word in [shell, how.replace.unwrap_or(b"{}")].into_iter().chain(words.iter().map(Vec::as_slice)) {
            identity.extend_from_slice(&(word.len() as u64).to_le_bytes());
            identity.extend_from_slice(word);
        }
        identity.extend_from_slice(&u64::MAX.to_le_bytes());
        if words.is_empty() {
            return Ok(Self { form: Form::Lines, identity });
        }
        let form = if how.quote {
            let mut parsed =
                words.iter().map(|word| pieces(word, how.replace)).collect::<Result<Vec<_>>>()?;
            if !how.pipe && !parsed.iter().flatten().any(is_item) {
                parsed.push(vec![Piece::All(Part::Whole)]);
            }
            Form::Words(parsed)
        } else {
            script_of_its_own(words)?;
            let mut parsed = pieces(&words.join(&b' '), how.replace)?;
            if !how.pipe && !parsed.iter().any(is_item) {
                parsed.push(Piece::Literal(b" ".to_vec()));
                parsed.push(Piece::All(Part::Whole));
            }
            simple_words(&parsed).map_or(Form::Script(parsed), Form::Words)
        };
        Ok(Self { form, identity })
    }
}

fn is_item(piece: &Piece) -> bool {
    !matches!(piece, Piece::Literal(_))
}

/// Words are joined before a shell takes them apart again, so the script of `sh -c 'a b'` would be `a` alone.
fn script_of_its_own(words: &[Vec<u8>]) -> Result<()> {
    let [program, flag, script, ..] = words else { return Ok(()) };
    let name = program.rsplit(|&c| c == b'/').next().unwrap_or_default();
    let shells: [&[u8]; 6] = [b"sh", b"bash", b"dash", b"zsh", b"ksh", b"fish"];
    if !shells.contains(&name) || flag != b"-c" || !script.iter().any(u8::is_ascii_whitespace) {
        return Ok(());
    }
    let name = String::from_utf8_lossy(name).into_owned();
    Err(Diagnostic::new(
        Exit::Usage,
        format!(
            "the words of a command are joined, so `{name} -c` would get only the first word of its script"
        ),
    )
    .help(format!(
        "give the script alone: divvy map 'SCRIPT' …; or add -q: divvy map -q {name} -c 'SCRIPT' …"
    )))
}

/// Text and replacement strings in the order they stand. `replace` is what stands for `{}`.
pub(crate) fn pieces(text: &[u8], replace: Option<&[u8]>) -> Result<Vec<Piece>> {
    let mut out = Vec::new();
    let mut literal = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let found = match replace {
            Some(replace) if rest.starts_with(replace) => Some((Piece::All(Part::Whole), replace.len())),
            _ if rest[0] == b'{' => braces(rest, text[..at].last() == Some(&b'$'), replace.is_some())?,
            _ => None,
        };
        match found {
            Some((piece, length)) => {
                if !literal.is_empty() {
                    out.push(Piece::Literal(std::mem::take(&mut literal)));
                }
                out.push(piece);
                at += length;
            }
            None => {
                literal.push(rest[0]);
                at += 1;
            }
        }
    }
    if !literal.is_empty() {
        out.push(Piece::Literal(literal));
    }
    Ok(out)
}

/// The replacement string at the beginning of `rest`, and its length. Whatever a shell or awk may mean by braces is
/// none; what can only be a replacement string and is not known is an error.
fn braces(rest: &[u8], after_dollar: bool, replaced: bool) -> Result<Option<(Piece, usize)>> {
    if rest.starts_with(b"{= ") || rest.starts_with(b"{=s") {
        return Err(unknown("{= … =}")
            .help(format!("Perl expressions are not replaced; write it as a script of the shell. {KNOWN}")));
    }
    let Some(end) = rest.iter().take(16).position(|&c| c == b'}') else { return Ok(None) };
    let Ok(body) = std::str::from_utf8(&rest[1..end]) else { return Ok(None) };
    // `${#}` and `${1}` are the shell's own; `${}` is nothing to it.
    if (after_dollar && !body.is_empty()) || (replaced && body.is_empty()) {
        return Ok(None);
    }
    let digits = body.find(|c: char| !(c.is_ascii_digit() || c == '-')).unwrap_or(body.len());
    let (number, part) = body.split_at(digits);
    let known = match part {
        "" => Some(Part::Whole),
        "." => Some(Part::Stem),
        "/" => Some(Part::Name),
        "//" => Some(Part::Folder),
        "/." => Some(Part::NameStem),
        _ => None,
    };
    let piece = match (number, known) {
        ("", Some(part)) => Piece::All(part),
        ("", None) if part == "#" => Piece::Seq,
        ("", None) if part == "%" => Piece::Slot,
        (number, Some(part)) => match number.parse::<i32>() {
            Ok(0) => {
                let body = format!("{{{body}}}");
                return Err(unknown(&body).help("positions count from 1; {#} is the number of the job"));
            }
            Ok(position) => Piece::At(position, part),
            Err(_) => return Ok(None),
        },
        _ if !part.is_empty() && part.chars().all(|c| "./+:#%".contains(c)) => {
            return Err(unknown(&format!("{{{body}}}"))
                .help(format!("{KNOWN}; with -I it is another text than {{}} that is replaced")));
        }
        _ => return Ok(None),
    };
    Ok(Some((piece, end + 1)))
}

fn unknown(text: &str) -> Box<Diagnostic> {
    Diagnostic::new(Exit::Usage, format!("unknown replacement string `{text}` in the command"))
}

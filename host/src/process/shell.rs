//! What of a command is for a shell, and how a value becomes one word of it.

/// The characters that mean nothing to a shell wherever they stand in a word.
pub(crate) fn is_plain(c: u8) -> bool {
    c.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&c)
}

/// Builtins without a program of the same meaning, and keywords.
pub(crate) const SHELL_WORDS: [&str; 45] = [
    ".", ":", "alias", "bg", "break", "case", "cd", "command", "continue", "do", "done", "elif", "else",
    "esac", "eval", "exec", "exit", "export", "fc", "fg", "fi", "for", "getopts", "hash", "if", "in", "jobs",
    "local", "read", "readonly", "return", "set", "shift", "source", "then", "time", "times", "trap", "type",
    "ulimit", "umask", "unalias", "unset", "until", "while",
];

/// Which quotes are open at one point of a shell script. Follows `'…'`, `"…"`, `\`, `$(…)`, `` `…` `` and comments;
/// here-documents are read as plain text.
#[derive(Debug)]
pub(crate) struct Quotes {
    /// The innermost context last; a `$(` inside double quotes starts afresh.
    open: Vec<Context>,
    escaped: bool,
    comment: bool,
    last: u8,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Context {
    Plain,
    Single,
    Double,
    Command,
    Paren,
    Backtick,
}

impl Default for Quotes {
    fn default() -> Self {
        Self { open: vec![Context::Plain], escaped: false, comment: false, last: b'\n' }
    }
}

impl Quotes {
    fn context(&self) -> Context {
        self.open.last().copied().unwrap_or(Context::Plain)
    }

    /// Follows `text`, which stands in the script as it is.
    pub(crate) fn read(&mut self, text: &[u8]) {
        for &c in text {
            self.step(c);
            self.last = c;
        }
    }

    fn step(&mut self, c: u8) {
        if self.comment {
            self.comment = c != b'\n';
            return;
        }
        let context = self.context();
        if context == Context::Single {
            if c == b'\'' {
                self.open.pop();
            }
            return;
        }
        if std::mem::take(&mut self.escaped) {
            return;
        }
        match (c, context) {
            (b'\\', _) => self.escaped = true,
            (b'"', Context::Double) => _ = self.open.pop(),
            (b'"', _) => self.open.push(Context::Double),
            (b'`', _) if self.open.contains(&Context::Backtick) => {
                while self.open.pop().is_some_and(|context| context != Context::Backtick) {}
            }
            (b'`', _) => self.open.push(Context::Backtick),
            (b'(', _) if self.last == b'$' => self.open.push(Context::Command),
            (_, Context::Double) => {}
            (b'\'', _) => self.open.push(Context::Single),
            (b'(', _) => self.open.push(Context::Paren),
            (b')', Context::Command | Context::Paren) => _ = self.open.pop(),
            (b'#', _) if self.last.is_ascii_whitespace() || b"();&|".contains(&self.last) => {
                self.comment = true
            }
            _ => {}
        }
    }

    /// Writes `value` so that it is one word where the script stands, or part of one.
    pub(crate) fn write(&mut self, value: &[u8], out: &mut Vec<u8>) {
        match self.context() {
            _ if self.comment => out.extend(value.iter().map(|&c| if c == b'\n' { b' ' } else { c })),
            Context::Single => escape_single(value, out),
            Context::Double => {
                for &c in value {
                    if b"\"$`\\".contains(&c) {
                        out.push(b'\\');
                    }
                    out.push(c);
                }
            }
            _ => quote(value, out),
        }
        self.escaped = false;
        self.last = b'x';
    }
}

/// Writes `value` as one word of a shell command.
pub(crate) fn quote(value: &[u8], out: &mut Vec<u8>) {
    if !value.is_empty() && value.iter().all(|&c| is_plain(c)) {
        out.extend_from_slice(value);
        return;
    }
    out.push(b'\'');
    escape_single(value, out);
    out.push(b'\'');
}

/// Writes `value` as it stands between single quotes.
fn escape_single(value: &[u8], out: &mut Vec<u8>) {
    for &c in value {
        if c == b'\'' {
            out.extend_from_slice(br"'\''");
        } else {
            out.push(c);
        }
    }
}

/// `value` as one word of a shell command.
pub(crate) fn quoted(value: &str) -> String {
    let mut out = Vec::new();
    quote(value.as_bytes(), &mut out);
    // Quotes are put between characters, so the text is whole.
    String::from_utf8_lossy(&out).into_owned()
}

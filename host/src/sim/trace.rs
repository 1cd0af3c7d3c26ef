//! Requests that really came, from a CSV file: arrival, key, cost.

use crate::config::{self, units};
use crate::diagnostic::{Diagnostic, Result, Source};
use crate::exit::Exit;
use divvy::Instant;
use divvy::hash::xxh3_64;
use std::path::Path;
use std::time::Duration;

/// One request of a trace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) at: Instant,
    pub(crate) key: Option<u64>,
    /// The time that a server of speed 1 needs for it.
    pub(crate) cost: Duration,
}

const FORM: &str = "the first line names the columns, `arrival,key,cost` in any order; times are seconds (0.25) or have a \
                    unit (250ms), and key may be empty or missing";

/// Reads the trace at `path`, in which arrivals never go back. The first one is the beginning of time.
pub(crate) fn load(path: &Path) -> Result<Vec<Request>> {
    let source = config::read(path, "trace").map_err(|error| {
        error.or_help("`--trace` takes the path of a CSV file with the columns arrival, key, cost")
    })?;
    parse(&source)
}

fn parse(source: &Source) -> Result<Vec<Request>> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(source.text.as_bytes());
    let headings = reader.headers().map_err(|error| refuse(source, &error))?.clone();
    let column = |name: &str| headings.iter().position(|heading| heading.eq_ignore_ascii_case(name));
    let missing = |name: &str| {
        source
            .error(
                0..source.text.lines().next().unwrap_or("").len(),
                format!("the trace has no column `{name}`"),
            )
            .help(FORM)
    };
    let arrival = column("arrival").ok_or_else(|| missing("arrival"))?;
    let cost = column("cost").ok_or_else(|| missing("cost"))?;
    let key = column("key");

    let mut requests: Vec<Request> = vec![];
    let mut first = Duration::ZERO;
    let mut last = Duration::ZERO;
    let mut record = csv::StringRecord::new();
    loop {
        let begin = reader.position().byte() as usize;
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => return Err(refuse(source, &error)),
        }
        let time = |at: usize, name: &str| {
            let text = record.get(at).unwrap_or("");
            seconds(text).ok_or_else(|| {
                let message = format!("`{text}` is not a time for `{name}`");
                source
                    .error(field(source, begin, at), message)
                    .help("write seconds, such as 0.25, or a unit: 250ms")
            })
        };
        let at = time(arrival, "arrival")?;
        if requests.is_empty() {
            first = at;
        } else if at < last {
            return Err(source
                .error(field(source, begin, arrival), "this request came before the one above it")
                .help("sort the trace by arrival"));
        }
        last = at;
        let key = key.and_then(|key| record.get(key)).filter(|key| !key.is_empty());
        let at = Instant::ZERO.saturating_add(at - first);
        requests.push(Request { at, key: key.map(|key| xxh3_64(key.as_bytes())), cost: time(cost, "cost")? });
    }
    if requests.is_empty() {
        return Err(source.error(0..0, "the trace has no requests").help(FORM));
    }
    Ok(requests)
}

/// Seconds as a plain number, or a time with its unit; without rounding through a float.
fn seconds(text: &str) -> Option<Duration> {
    if !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return units::duration(text);
    }
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() && part.is_empty() || part.contains('.') {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let nanos = format!("{:0<9}", &part[..part.len().min(9)]).parse().ok()?;
    // What the clock cannot count is no time: 584 years.
    (whole < u64::MAX / 1_000_000_000).then(|| Duration::new(whole, nanos))
}

/// Where field `at` of the record that begins after byte `begin` stands.
fn field(source: &Source, begin: usize, at: usize) -> std::ops::Range<usize> {
    let text = source.text.get(begin..).unwrap_or("");
    let begin = begin + (text.len() - text.trim_start_matches(['\n', '\r']).len());
    let line = source.text.get(begin..).unwrap_or("").lines().next().unwrap_or("");
    let start: usize = line.split(',').take(at).map(|field| field.len() + 1).sum();
    let field = line.get(start..).unwrap_or("").split(',').next().unwrap_or("");
    let start = begin + start + (field.len() - field.trim_start().len());
    start..start + field.trim().len()
}

fn refuse(source: &Source, error: &csv::Error) -> Box<Diagnostic> {
    let at = error.position().map_or(0, |position| position.byte() as usize);
    let message = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("this line has {len} fields, the first one has {expected_len}")
        }
        _ => format!("this is not CSV: {error}"),
    };
    let at = field(source, at, 0).start;
    let end = at + source.text.get(at..).unwrap_or("").lines().next().unwrap_or("").len();
    let mut diagnostic = source.error(at..end, message);
    debug_assert_eq!(diagnostic.exit(), Exit::File);
    diagnostic = diagnostic.help(FORM);
    diagnostic
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Request>> {
        parse(&Source::new(Path::new("t.csv"), text.to_owned()))
    }

    #[track_caller]
    fn refused(text: &str, place: &str, message: &str) {
        let shown = read(text).expect_err("it was accepted").to_string();
        assert!(shown.contains(place) && shown.contains(message) && shown.contains("help:"), "{shown}");
    }

    #[test]
    fn columns_come_in_any_order_and_times_in_either_form() {
        let requests = read("cost, key ,arrival,other\n5ms,a,10,x\n0.25,,10.000000001,\n").unwrap();
        let millis = Duration::from_millis;
        assert_eq!(
            requests,
            [
                Request { at: Instant::ZERO, key: Some(xxh3_64(b"a")), cost: millis(5) },
                Request { at: Instant::from_nanos(1), key: None, cost: millis(250) },
            ]
        );
        assert_eq!(read("arrival,cost\n1,1\n").unwrap()[0].key, None);
    }

    #[test]
    fn what_is_wrong_is_shown_with_line_and_column() {
        refused("", "t.csv:1:1", "no column `arrival`");
        refused("arrival,key\n1,a\n", "t.csv:1:1", "no column `cost`");
        refused("arrival,cost\n", "t.csv:1:1", "no requests");
        refused("arrival,cost\n1,2\n2, soon\n", "t.csv:3:4", "`soon` is not a time for `cost`");
        refused("arrival,cost\n1,1\n\n1.2.3,1\n", "t.csv:4:1", "`1.2.3` is not a time for `arrival`");
        refused("arrival,cost\n-1,1\n", "t.csv:2:1", "`-1` is not a time");
        refused("arrival,cost\n2,1\n1,1\n", "t.csv:3:1", "before the one above");
        refused("arrival,cost\n2,1\n1\n", "t.csv:3:1", "1 fields, the first one has 2");
        refused("arrival,cost\n99999999999999999999,1\n", "t.csv:2:1", "is not a time");
    }

    #[test]
    fn seconds_are_read_exactly() {
        assert_eq!(seconds("0.1"), Some(Duration::from_millis(100)));
        assert_eq!(seconds(".000000001"), Some(Duration::from_nanos(1)));
        assert_eq!(seconds("3."), Some(Duration::from_secs(3)));
        assert_eq!((seconds("."), seconds(""), seconds("1e3")), (None, None, None));
    }
}

//! How the values of the options are read.

use crate::config::units;
use crate::map::timeout::seconds;
use divvy::retry::Backoff;
use std::time::Duration;

pub(super) fn jobs(text: &str) -> Result<usize, String> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let usage = || "write a number from 0 to 65536, or 50%, +1, -1 of the cores".to_owned();
    let number = |text: &str| text.parse::<usize>().ok().filter(|&n| n <= 65_536).ok_or_else(usage);
    if let Some(percent) = text.strip_suffix('%') {
        return Ok((cores * number(percent)? / 100).max(1));
    }
    if let Some(more) = text.strip_prefix('+') {
        return Ok(cores + number(more)?);
    }
    if let Some(less) = text.strip_prefix('-') {
        return Ok(cores.saturating_sub(number(less)?).max(1));
    }
    number(text).map(|jobs| if jobs == 0 { cores } else { jobs })
}

pub(super) fn load(text: &str) -> Result<f64, String> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let (number, times) = match text.strip_suffix('%') {
        Some(percent) => (percent, cores as f64 / 100.0),
        None => (text, 1.0),
    };
    let load = number.parse::<f64>().ok().filter(|load| load.is_finite() && *load > 0.0);
    load.map(|load| load * times)
        .ok_or_else(|| "write a load such as 2.5, or a part of the cores such as 80%".into())
}

pub(super) fn size(text: &str) -> Result<u64, String> {
    units::bytes(text)
        .filter(|&bytes| bytes > 0)
        .ok_or_else(|| "write bytes with a unit, such as 512MiB or 2G".into())
}

pub(super) fn time(text: &str) -> Result<Duration, String> {
    seconds(text).ok_or_else(|| "write seconds, or a time with its unit, such as 0.5 or 500ms".into())
}

pub(super) fn backoff(text: &str) -> Result<Backoff, String> {
    let (base, cap) = text.split_once(',').unwrap_or((text, ""));
    let base = time(base)?;
    let cap = if cap.is_empty() { base.max(Duration::from_secs(60)) } else { time(cap)? };
    Backoff::new(base, cap).map_err(|error| error.to_string())
}

pub(super) fn character(text: &str) -> Result<u8, String> {
    match separator(text)?.as_slice() {
        [byte] => Ok(*byte),
        _ => Err("it is one character (one byte); --colsep takes a text".into()),
    }
}

/// What `--colsep` says.
#[derive(Clone, Debug)]
pub(super) struct Separator(pub(super) Vec<u8>);

pub(super) fn columns(text: &str) -> Result<Separator, String> {
    separator(text).map(Separator)
}

/// A text with `\n`, `\t`, `\0`, `\\` and `\xHH`.
fn separator(text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let usage = || {
            format!(
                "`{text}` ends in the middle of \\n, \\t, \\0, \\\\ or \\xHH, or has another letter there; it is a text, not a pattern"
            )
        };
        let (&escape, after) = rest.split_first().ok_or_else(usage)?;
        rest = after;
        out.push(match escape {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'0' => 0,
            b'\\' => b'\\',
            b'x' => {
                let digits =
                    rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok()).ok_or_else(usage)?;
                rest = &rest[2..];
                u8::from_str_radix(digits, 16).map_err(|_| usage())?
            }
            _ => return Err(usage()),
        });
    }
    if out.is_empty() { Err("it cannot be empty".into()) } else { Ok(out) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_a_number_or_a_part_of_the_cores() {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        assert_eq!([jobs("0"), jobs("7"), jobs("100%")], [Ok(cores), Ok(7), Ok(cores)]);
        assert_eq!((jobs("+2"), jobs("-100000").is_ok()), (Ok(cores + 2), false));
        assert_eq!([jobs("-1000"), jobs("1%")], [Ok(1), Ok(1)]);
        for bad in ["", "x", "1.5", "65537", "%", "+", "--1"] {
            assert!(jobs(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn texts_have_escapes() {
        assert_eq!(separator("a\\t\\x41\\\\"), Ok(b"a\tA\\".to_vec()));
        assert_eq!([character("\\0"), character(",")], [Ok(0), Ok(b',')]);
        for bad in ["", "\\", "\\q", "\\x4", "\\xzz", "\\x\u{e9}"] {
            assert!(separator(bad).is_err(), "{bad}");
        }
        assert!(character("\u{e9}").is_err(), "two bytes");
    }
}

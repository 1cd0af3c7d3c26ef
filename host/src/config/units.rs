//! How times, sizes and rates are written in files and options, and how they are shown.

use std::num::NonZeroU32;
use std::time::Duration;

/// Reads `250ms`, `2m`, `1h30m`, `1.5s`. `None` if it is not a time.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let unit_end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let unit = match unit.trim() {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        let seconds = number.parse::<f64>().ok()? * unit;
        total = total.checked_add(Duration::try_from_secs_f64(seconds).ok()?)?;
        rest = after;
    }
    // The engine's clock counts nanoseconds in 64 bits; a century is as good as for ever.
    Some(total.min(Duration::from_secs(100 * 365 * 86_400)))
}

/// Reads `512MiB`, `2GB`, `64k` as bytes. `None` if it is not a size.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1u64,
        "k" | "kib" => 1 << 10,
        "kb" => 1_000,
        "m" | "mib" => 1 << 20,
        "mb" => 1_000_000,
        "g" | "gib" => 1 << 30,
        "gb" => 1_000_000_000,
        "t" | "tib" => 1 << 40,
        "tb" => 1_000_000_000_000,
        _ => return None,
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(unit);
    }
    let bytes = number.parse::<f64>().ok()? * unit as f64;
    (bytes < u64::MAX as f64).then_some(bytes as u64)
}

/// Reads `5/s`, `100/min`, `1/10s` as so many starts per that time. `None` if it is not a rate.
pub(crate) fn rate(text: &str) -> Option<(NonZeroU32, Duration)> {
    let (cells, per) = text.split_once('/')?;
    let cells = cells.trim().parse().ok()?;
    let per = per.trim();
    let per = if per.starts_with(|c: char| c.is_ascii_digit()) {
        duration(per)?
    } else {
        duration(&format!("1{per}"))?
    };
    (per > Duration::ZERO).then_some((cells, per))
}

/// A time for people: three digits and a unit.
pub(crate) fn show_duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match seconds {
        s if s < 0.0995 => format!("{:.1} ms", s * 1e3),
        s if s < 9.995 => format!("{s:.2} s"),
        s if s < 59.95 => format!("{s:.1} s"),
        s if s < 3_599.5 => {
            let whole = s.round() as u64;
            format!("{} min {:02} s", whole / 60, whole % 60)
        }
        s => {
            let minutes = (s / 60.0).round() as u64;
            format!("{} h {:02} min", minutes / 60, minutes % 60)
        }
    }
}

/// A time for people in which nanoseconds count: three digits and a unit.
pub(crate) fn show_short(duration: Duration) -> String {
    let nanos = duration.as_nanos() as f64;
    let (value, unit) = match nanos {
        n if n < 999.5 => return format!("{n}ns"),
        n if n < 999.5e3 => (n / 1e3, "us"),
        n if n < 999.5e6 => (n / 1e6, "ms"),
        n => (n / 1e9, "s"),
    };
    let decimals = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    format!("{value:.decimals$}{unit}")
}

/// A size for people.
pub(crate) fn show_bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("1h30m"), Some(Duration::from_secs(5_400)));
        assert_eq!(duration(" 1.5s "), Some(Duration::from_millis(1_500)));
        assert_eq!(duration("2 min"), Some(Duration::from_secs(120)));
        assert_eq!(duration("999999999999d"), Some(Duration::from_secs(100 * 365 * 86_400)));
        for bad in ["", "5", "s", "5x", "-1s", "1..2s", "1e9s", "NaNs"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes_are_read() {
        assert_eq!(bytes("512MiB"), Some(512 << 20));
        assert_eq!(bytes("1.5 kB"), Some(1_500));
        assert_eq!(bytes("17"), Some(17));
        for bad in ["", "MiB", "1 XB", "-1", "99999999999999999999", "99999999TiB"] {
            assert_eq!(bytes(bad), None, "{bad}");
        }
    }

    #[test]
    fn rates_are_read() {
        let five = NonZeroU32::new(5).unwrap();
        assert_eq!(rate("5/s"), Some((five, Duration::from_secs(1))));
        assert_eq!(rate("5 / 10s"), Some((five, Duration::from_secs(10))));
        assert_eq!(rate("5/min"), Some((five, Duration::from_secs(60))));
        for bad in ["5", "0/s", "5/", "5/0s", "-5/s", "/s", "5/parsec"] {
            assert_eq!(rate(bad), None, "{bad}");
        }
    }

    #[test]
    fn times_are_shown_short() {
        let shown = |ms| show_duration(Duration::from_millis(ms));
        assert_eq!(
            [shown(0), shown(99), shown(100), shown(9_999)],
            ["0.0 ms", "99.0 ms", "0.10 s", "10.0 s"]
        );
        assert_eq!(
            [shown(59_999), shown(3_599_600), shown(7_200_000)],
            ["1 min 00 s", "1 h 00 min", "2 h 00 min"]
        );
        let short = |nanos| show_short(Duration::from_nanos(nanos));
        assert_eq!([short(0), short(999), short(1_000), short(12_345)], ["0ns", "999ns", "1.00us", "12.3us"]);
        assert_eq!([short(999_499), short(999_600), short(123_400_000_000)], ["999us", "1.00ms", "123s"]);
        assert_eq!([show_bytes(900), show_bytes(1536)], ["900 B", "1.5 KiB"]);
    }
}

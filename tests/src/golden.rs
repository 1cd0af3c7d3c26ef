//! The committed digests.

const FILE: &str = include_str!("../golden/digests.txt");

/// The digest that `scenario` must come to on every target, or `None` if the golden file has no line for it.
///
/// # Examples
///
/// ```
/// assert!(divvy_tests::golden("rng").is_some());
/// assert_eq!(divvy_tests::golden("no such scenario"), None);
/// ```
pub fn golden(scenario: &str) -> Option<u64> {
    entries().find(|(name, _)| *name == scenario)?.1
}

/// The lines of the golden file; a digest that is not 16 lower-case hexadecimal digits is `None`.
pub(crate) fn entries() -> impl Iterator<Item = (&'static str, Option<u64>)> {
    FILE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| {
        let (name, digits) = line.split_once(' ').unwrap_or((line, ""));
        (name, parse(digits))
    })
}

fn parse(digits: &str) -> Option<u64> {
    let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if digits.len() != 16 || !digits.bytes().all(lower_hex) {
        return None;
    }
    u64::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sixteen_lower_case_digits_are_a_digest() {
        assert_eq!(parse("00000000000000ff"), Some(255));
        for bad in ["", "ff", "00000000000000FF", "+0000000000000ff", "00000000000000ff0"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}

//! Nodes as people write them: a name, and a weight that may have decimals.

use crate::diagnostic::{Diagnostic, Result, suggest};
use crate::exit::Exit;

/// A node of the command line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Node {
    pub(crate) name: String,
    /// As it was written, without zeros that say nothing.
    pub(crate) weight: String,
    /// The weight in the smallest whole numbers that have the same proportion.
    pub(crate) units: u32,
}

/// The nodes before a change, and the change.
#[derive(Clone, Debug)]
pub(crate) struct Nodes {
    /// Those before, then those that are added. Their places are their numbers.
    pub(crate) all: Vec<Node>,
    /// How many of them there are before.
    pub(crate) before: usize,
    /// The places of those that go.
    pub(crate) removed: Vec<usize>,
}

impl Nodes {
    /// Reads `NAME[:WEIGHT]` of `--nodes` and `--add`, and the names of `--remove`.
    pub(crate) fn read(nodes: &[String], add: &[String], remove: &[String]) -> Result<Self> {
        let mut written: Vec<Written> = vec![];
        for (text, option) in
            nodes.iter().map(|text| (text, "--nodes")).chain(add.iter().map(|text| (text, "--add")))
        {
            let node = Written::read(text, option)?;
            if written.iter().any(|other| other.name == node.name) {
                return Err(usage(format!("there are two nodes called `{}`", node.name))
                    .help("give each node a name of its own"));
            }
            written.push(node);
        }
        if written.iter().take(nodes.len()).all(|node| node.digits == 0) {
            let problem =
                if nodes.is_empty() { "there are no nodes" } else { "the weights of all nodes are 0" };
            return Err(usage(problem)
                .help("`--nodes a:1,b:2` names nodes and weights; one of them must weigh something"));
        }
        let mut removed = vec![];
        for name in remove.iter().map(|name| name.trim()) {
            let names = written[..nodes.len()].iter().map(|node| node.name.as_str());
            let at = names.clone().position(|other| other == name);
            let at = at.ok_or_else(|| {
                usage(format!("`--remove` names `{name}`, which is not among the nodes"))
                    .help(suggest(name, names))
            })?;
            if !removed.contains(&at) {
                removed.push(at);
            }
        }
        let left = (0..written.len()).filter(|at| !removed.contains(at)).any(|at| written[at].digits > 0);
        if !left {
            return Err(usage("after the change no node with weight is left")
                .help("remove fewer nodes, or `--add` one that takes the keys"));
        }
        Ok(Self { all: in_units(written)?, before: nodes.len(), removed })
    }

    /// The sum of all weights, of those that are added too.
    pub(crate) fn units(&self) -> u32 {
        // Whether it fits was checked with the weights.
        self.all.iter().map(|node| node.units).sum()
    }

    pub(crate) fn change(&self) -> bool {
        !self.removed.is_empty() || self.added().next().is_some()
    }

    /// The places of those that come.
    pub(crate) fn added(&self) -> std::ops::Range<usize> {
        self.before..self.all.len()
    }
}

fn usage(message: impl Into<String>) -> Box<Diagnostic> {
    Diagnostic::new(Exit::Usage, message)
}

/// A weight as `digits` over a power of ten.
struct Written {
    name: String,
    weight: String,
    digits: u128,
    decimals: u32,
}

impl Written {
    fn read(text: &str, option: &str) -> Result<Self> {
        let text = text.trim();
        let (name, weight) = text.rsplit_once(':').unwrap_or((text, "1"));
        let (name, weight) = (name.trim(), weight.trim());
        if name.is_empty() {
            return Err(usage(format!("`{option}` has a node without a name: `{text}`"))
                .help("write NAME:WEIGHT, or NAME for a weight of 1"));
        }
        let (digits, decimals) = decimal(weight).ok_or_else(|| {
            usage(format!("the weight of `{name}` is no number that can be used: `{weight}`")).help(
                "write a number such as 2 or 0.5, with at most 9 digits before the point and 9 after it;\na name that \
                 has a colon needs its weight behind it: host:80:1",
            )
        })?;
        let weight = match weight.split_once('.') {
            Some((whole, part)) => match part.trim_end_matches('0') {
                "" => whole.to_owned(),
                part => format!("{whole}.{part}"),
            },
            None => weight.to_owned(),
        };
        let weight = match weight.trim_start_matches('0') {
            short if short.is_empty() || short.starts_with('.') => format!("0{short}"),
            short => short.to_owned(),
        };
        Ok(Self { name: name.to_owned(), weight, digits, decimals })
    }
}

/// `12.50` as 125 and 1.
fn decimal(text: &str) -> Option<(u128, u32)> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part = part.trim_end_matches('0');
    let digits = format!("{whole}{part}");
    let fits = whole.len() <= 9 && part.len() <= 9 && !whole.is_empty() | !part.is_empty();
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !fits || !plain || text == "." {
        return None;
    }
    let digits = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    Some((digits, part.len() as u32))
}

/// Whole numbers in the same proportion, the smallest there are.
fn in_units(written: Vec<Written>) -> Result<Vec<Node>> {
    let decimals = written.iter().map(|node| node.decimals).max().unwrap_or(0);
    let scaled = |node: &Written| node.digits * 10u128.pow(decimals - node.decimals);
    let divisor = written.iter().map(scaled).fold(0, gcd).max(1);
    let sum: u128 = written.iter().map(|node| scaled(node) / divisor).sum();
    if sum > u32::MAX.into() {
        return Err(usage(
            "the weights are too far apart: in whole numbers they come to more than 4,294,967,295",
        )
        .help("round them, so that they have fewer digits"));
    }
    let node = |node: &Written| Node {
        name: node.name.clone(),
        weight: node.weight.clone(),
        units: (scaled(node) / divisor) as u32,
    };
    Ok(written.iter().map(node).collect())
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(nodes: &[&str]) -> Vec<u32> {
        let nodes: Vec<String> = nodes.iter().map(|node| (*node).to_owned()).collect();
        Nodes::read(&nodes, &[], &[]).unwrap().all.iter().map(|node| node.units).collect()
    }

    #[test]
    fn decimals_become_the_smallest_whole_numbers_in_proportion() {
        assert_eq!(units(&["a:1", "b:2", "c:0.5"]), [2, 4, 1]);
        assert_eq!(units(&["a:100", "b:250"]), [2, 5]);
        assert_eq!(units(&["a", "b:0", "c:.25", "d:2."]), [4, 0, 1, 8]);
        assert_eq!(units(&["a:0.333333333", "b:0.666666666"]), [1, 2]);
        assert_eq!(units(&["a:999999999", "b:1"]), [999_999_999, 1]);
    }

    #[test]
    fn weights_are_shown_as_short_as_they_can_be() {
        let nodes: Vec<String> = ["a:01.50", "b:.5", "c:2.0", "d:000"].map(str::to_owned).into();
        let nodes = Nodes::read(&nodes, &[], &[]).unwrap();
        assert_eq!(
            nodes.all.iter().map(|node| node.weight.as_str()).collect::<Vec<_>>(),
            ["1.5", "0.5", "2", "0"]
        );
    }

    #[test]
    fn what_is_no_weight_is_refused() {
        for weight in [
            "",
            ".",
            "-1",
            "+1",
            "1e3",
            "nan",
            "inf",
            "1.2.3",
            "1,5",
            "1_000",
            "1234567890",
            "0.1234567891",
            "½",
        ] {
            let refused = Nodes::read(&[format!("x:{weight}")], &[], &[]).unwrap_err();
            assert!(refused.message().contains("the weight of `x`"), "{weight}: {}", refused.message());
        }
        assert!(Nodes::read(&["a:999999999".into(), "b:0.000000001".into()], &[], &[]).is_err());
        assert!(Nodes::read(&[":1".into()], &[], &[]).is_err());
    }
}

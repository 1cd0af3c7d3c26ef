//! Who owns what and what moves, for people and for programs.

use super::keys::Keys;
use super::nodes::Nodes;
use super::ring::{Change, Spread, Study};
use crate::table::{Table, bar};
use divvy::ring::ChangeError;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Columns for a name; longer ones are shortened in the middle.
const NAME: usize = 24;
/// Columns of a terminal that may be filled.
const WIDTH: usize = 80;
/// How many flows are shown.
const FLOWS: usize = 20;

/// One algorithm in full: at most 80 columns.
pub(crate) fn one(study: &Study, nodes: &Nodes, keys: &Keys) -> String {
    let mut out = heading(&study.algorithm.to_string(), nodes, keys);
    let Ok(spread) = &study.spread else { return out };
    out += "\n";
    out += &shares(spread, nodes);
    _ = writeln!(
        out,
        "\npeak/average {:.3}, minimum/average {:.3}, {} bytes",
        spread.peak, spread.least, study.bytes
    );
    if let Some(Ok(change)) = &study.change {
        out += &moves(change, nodes, keys);
    }
    out
}

/// Algorithms side by side: at most 80 columns.
pub(crate) fn all(studies: &[Study], nodes: &Nodes, keys: &Keys) -> String {
    let mut out = heading("every ring", nodes, keys);
    let change = nodes.change();
    if change {
        out += &changed(nodes);
    }
    out += "\n";
    let mut headings = vec!["algorithm", "peak/avg", "min/avg"];
    if change {
        headings.extend(["moved", "ideal", "needless"]);
    }
    headings.push("bytes");
    let mut table = Table::new(headings);
    let mut refusals = String::new();
    for study in studies {
        let mut row = vec![study.algorithm.to_string()];
        match &study.spread {
            Ok(spread) => row.extend([format!("{:.3}", spread.peak), format!("{:.3}", spread.least)]),
            Err(_) => row.extend(["-".to_owned(), "-".to_owned()]),
        }
        match &study.change {
            None => {}
            Some(Ok(change)) => {
                row.extend([change.moved, change.ideal, change.needless].map(|keys| keys.to_string()));
            }
            Some(Err(_)) => row.extend(["-", "-", "-"].map(str::to_owned)),
        }
        let refusal =
            study.spread.as_ref().err().or(study.change.as_ref().and_then(|change| change.as_ref().err()));
        if let Some(refusal) = refusal {
            _ = writeln!(refusals, "{} cannot do this: {}", study.algorithm, why(*refusal));
        }
        row.push(study.bytes.to_string());
        table.row(row);
    }
    out += &table.render();
    if !refusals.is_empty() {
        _ = write!(out, "\n{refusals}");
    }
    let name = |study: &Study| study.algorithm.name().len();
    let width = studies.iter().map(name).max().unwrap_or(0);
    let bars = |title: &str, value: fn(&Study) -> Option<f64>, show: fn(f64) -> String| {
        let most = studies.iter().filter_map(value).fold(0.0, f64::max);
        let mut out = format!("\n{title}\n");
        for study in studies {
            if let Some(value) = value(study) {
                let bar = bar(value, most, WIDTH - width - 10);
                _ = writeln!(out, "{:width$}  {bar} {}", study.algorithm, show(value));
            }
        }
        out
    };
    if change {
        out += &bars(
            "moved",
            |study| study.change.as_ref()?.as_ref().ok().map(|change| change.moved as f64),
            |moved| format!("{moved:.0}"),
        );
        out += "\nideal: as many keys as must move for every node to have its share\n\
                needless: those that moved between nodes that did not change\n";
    } else {
        let peak: fn(&Study) -> Option<f64> = |study| study.spread.as_ref().ok().map(|spread| spread.peak);
        out += &bars("peak/avg", peak, |peak| format!("{peak:.3}"));
    }
    out
}

fn heading(what: &str, nodes: &Nodes, keys: &Keys) -> String {
    let seed = keys.seed.map_or(String::new(), |seed| format!(", sampled with seed {seed}"));
    format!(
        "{what}: {}, {}{seed}\n",
        count(nodes.before as u64, "node"),
        count(keys.keys.len() as u64, "key")
    )
}

fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// The change, each side of it on a line: who goes, who comes.
fn changed(nodes: &Nodes) -> String {
    let side = |word: &str, places: Vec<usize>| {
        let mut names: Vec<String> = places.iter().take(2).map(|at| name(nodes, *at)).collect();
        if places.len() > 2 {
            names.push(format!("{} more", places.len() - 2));
        }
        match names.pop() {
            None => String::new(),
            Some(last) if names.is_empty() => format!("{word} {last}\n"),
            Some(last) => format!("{word} {} and {last}\n", names.join(", ")),
        }
    };
    side("without", nodes.removed.clone()) + &side("with", nodes.added().collect())
}

/// The name, in the middle of which something may be left out: what tells names apart is mostly at their beginning.
fn name(nodes: &Nodes, at: usize) -> String {
    let name: Vec<char> = nodes.all[at].name.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    if name.len() <= NAME {
        return name.into_iter().collect();
    }
    let tail = (NAME - 3) / 3;
    let head = NAME - 3 - tail;
    name[..head].iter().chain(&['.'; 3]).chain(&name[name.len() - tail..]).collect()
}

/// Why an algorithm does not do it, in the words of the command line.
pub(crate) fn why(refusal: ChangeError) -> String {
    match refusal {
        ChangeError::Unsupported => "only the last node can go or change".to_owned(),
        ChangeError::Full => "the weights, as whole numbers, are too large for it".to_owned(),
        refusal => refusal.to_string(),
    }
}

/// Each node with its keys, and a bar.
fn shares(spread: &Spread, nodes: &Nodes) -> String {
    let keys: u64 = spread.keys.iter().flatten().sum();
    let owned = |at: usize| spread.keys[at].map(|keys| (at, keys));
    let units: f64 = nodes
        .all
        .iter()
        .zip(&spread.keys)
        .filter(|(_, keys)| keys.is_some())
        .map(|(node, _)| f64::from(node.units))
        .sum();
    let mut table = Table::new(["node", "weight", "keys", "share", "fair", "ratio", ""]).left(6);
    let most = spread.keys.iter().flatten().max().copied().unwrap_or(0);
    let widths = [
        (0..nodes.all.len()).map(|at| name(nodes, at).chars().count()).max().unwrap_or(0).max(4),
        nodes.all.iter().map(|node| node.weight.len()).max().unwrap_or(0).max(6),
        keys.to_string().len().max(4),
    ];
    let room = WIDTH.saturating_sub(widths.iter().sum::<usize>() + 34).max(4);
    for (at, held) in (0..nodes.all.len()).filter_map(owned) {
        let (share, fair) = (held as f64 / keys as f64, f64::from(nodes.all[at].units) / units);
        let ratio = if fair > 0.0 { format!("{:.3}", share / fair) } else { "-".to_owned() };
        table.row([
            name(nodes, at),
            nodes.all[at].weight.clone(),
            held.to_string(),
            percent(share),
            percent(fair),
            ratio,
            bar(held as f64, most as f64, room),
        ]);
    }
    table.render()
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// What moves, and from whom to whom.
fn moves(change: &Change, nodes: &Nodes, keys: &Keys) -> String {
    let all = keys.keys.len() as u64;
    let mut out = format!(
        "\n{}{} of {} move ({}), ideal {}, needless {}\n",
        changed(nodes),
        change.moved,
        count(all, "key"),
        percent(change.moved as f64 / all as f64),
        change.ideal,
        change.needless
    );
    if !change.flows.is_empty() {
        let mut table = Table::new(["from", "to", "keys", ""]).left(1).left(3);
        let most = change.flows.first().map_or(0, |flow| flow.2);
        for (from, to, keys) in change.flows.iter().take(FLOWS) {
            let bar = bar(*keys as f64, most as f64, 20);
            table.row([name(nodes, *from), name(nodes, *to), keys.to_string(), bar]);
        }
        _ = write!(out, "\n{}", table.render());
        if let Some(more) = change.flows.get(FLOWS..).filter(|more| !more.is_empty()) {
            let keys: u64 = more.iter().map(|flow| flow.2).sum();
            _ = writeln!(out, "and {} in {} more directions; --json has all", count(keys, "key"), more.len());
        }
    }
    let Spread { peak, least, .. } = change.after;
    _ = writeln!(
        out,
        "\nafterwards:\n\n{}\npeak/average {peak:.3}, minimum/average {least:.3}",
        shares(&change.after, nodes)
    );
    out
}

/// One object for programs; host/docs/plan.md says what is in it.
pub(crate) fn json(studies: &[Study], nodes: &Nodes, keys: &Keys) -> String {
    let names = |places: &mut dyn Iterator<Item = usize>| -> Vec<&str> {
        places.map(|at| nodes.all[at].name.as_str()).collect()
    };
    let algorithms: Vec<Value> = studies.iter().map(|study| study_json(study, nodes)).collect();
    let document = json!({
        "keys": keys.keys.len(),
        "seed": keys.seed,
        "remove": names(&mut nodes.removed.iter().copied()),
        "add": names(&mut nodes.added()),
        "algorithms": algorithms,
    });
    format!("{document}\n")
}

fn study_json(study: &Study, nodes: &Nodes) -> Value {
    let refusal = |refusal: &ChangeError| Value::from(why(*refusal));
    json!({
        "algorithm": study.algorithm.name(),
        "bytes": study.bytes,
        "error": study.spread.as_ref().err().map(refusal),
        "spread": study.spread.as_ref().ok().map(|spread| spread_json(spread, nodes)),
        "change": study.change.as_ref().map(|change| match change {
            Err(error) => json!({ "error": refusal(error) }),
            Ok(change) => json!({
                "error": null,
                "moved": change.moved,
                "ideal": change.ideal,
                "needless": change.needless,
                "flows": change.flows.iter().map(|(from, to, keys)| json!({
                    "from": nodes.all[*from].name, "to": nodes.all[*to].name, "keys": keys,
                })).collect::<Vec<_>>(),
                "spread": spread_json(&change.after, nodes),
            }),
        }),
    })
}

fn spread_json(spread: &Spread, nodes: &Nodes) -> Value {
    let rows: Vec<Value> = (nodes.all.iter().zip(&spread.keys))
        .filter_map(|(node, keys)| {
            Some(json!({ "name": node.name, "weight": node.weight.parse::<f64>().ok(), "units": node.units, "keys": (*keys)? }))
        })
        .collect();
    json!({ "peak": spread.peak, "least": spread.least, "nodes": rows })
}

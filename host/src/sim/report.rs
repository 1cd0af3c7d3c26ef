//! What came of the policies, side by side.

use super::race::Row;
use super::scenario::Scenario;
use crate::config::units::show_short;
use crate::table::{Table, bar};
use divvy::fixed::Q32;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Duration;

/// The table for people: at most 80 columns.
pub(crate) fn table(scenario: &Scenario, rows: &[Row], seed: u64) -> String {
    let requests = rows.first().map_or(0, |row| row.summary.arrived);
    let mut out = format!(
        "{}: {} servers, {requests} requests measured, seed {seed}\n\n",
        scenario.name,
        scenario.servers.len()
    );
    let mut table = Table::new(["policy", "mean", "p50", "p99", "p99.9", "spread", "errors", "moved"]);
    for row in rows {
        let Row { policy, summary, .. } = row;
        let moved = share(summary.moved, summary.repeated);
        table.row([
            policy.clone(),
            show_short(summary.mean),
            show_short(summary.p50),
            show_short(summary.p99),
            show_short(summary.p999),
            decimals(summary.spread),
            share(summary.errors(), summary.arrived),
            if summary.repeated == 0 { "-".to_owned() } else { moved },
        ]);
    }
    out += &table.render();
    let slowest = rows.iter().map(|row| row.summary.p99).max().unwrap_or_default();
    let width = rows.iter().map(|row| row.policy.chars().count()).max().unwrap_or(0);
    let room = 80usize.saturating_sub(width + 10);
    _ = writeln!(out, "\np99");
    for row in rows {
        let p99 = row.summary.p99;
        _ = writeln!(
            out,
            "{:width$}  {} {}",
            row.policy,
            bar(p99.as_secs_f64(), slowest.as_secs_f64(), room),
            show_short(p99)
        );
    }
    out += "\nspread: how far apart the servers' queues are (standard deviation over servers)\n";
    if rows.iter().any(|row| row.summary.repeated > 0) {
        out += "moved: requests whose key was on another server the time before\n";
    }
    out
}

/// One object for programs. Times are nanoseconds, shares numbers from 0 to 1.
pub(crate) fn json(scenario: &Scenario, rows: &[Row], seed: u64) -> String {
    let policies: Vec<Value> = rows
        .iter()
        .map(|Row { policy, summary, servers, digest }| {
            let servers: Vec<Value> = scenario
                .servers
                .iter()
                .zip(servers)
                .map(|(named, stats)| {
                    json!({
                        "name": named.name,
                        "picked": stats.picked,
                        "served": stats.served,
                        "failed": stats.failed,
                        "rejected": stats.rejected,
                        "lost": stats.lost,
                        "peak": stats.peak,
                        "busy_ns": nanos(stats.busy),
                        "utilisation": number(stats.utilisation),
                        "mean_held": number(stats.mean_held),
                    })
                })
                .collect();
            json!({
                "policy": policy,
                "digest": format!("{digest:016x}"),
                "requests": summary.arrived,
                "succeeded": summary.succeeded,
                "errors": {
                    "failed": summary.failed,
                    "rejected": summary.rejected,
                    "lost": summary.lost,
                    "timed_out": summary.timed_out,
                    "refused": summary.refused,
                },
                "latency_ns": {
                    "mean": nanos(summary.mean),
                    "p50": nanos(summary.p50),
                    "p99": nanos(summary.p99),
                    "p999": nanos(summary.p999),
                    "max": nanos(summary.max),
                },
                "spread": number(summary.spread),
                "skew": number(summary.skew),
                "utilisation": number(summary.utilisation),
                "keys": { "repeated": summary.repeated, "moved": summary.moved },
                "probes": summary.probes,
                "servers": servers,
            })
        })
        .collect();
    let whole = json!({ "scenario": scenario.name, "seed": seed, "policies": policies });
    serde_json::to_string_pretty(&whole).unwrap_or_default() + "\n"
}

/// One line a policy: the digest of every event, and whose it is.
pub(crate) fn digests(rows: &[Row]) -> String {
    rows.iter().fold(String::new(), |out, row| out + &format!("{:016x}  {}\n", row.digest, row.policy))
}

pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

pub(super) fn number(value: Q32) -> f64 {
    value.to_bits() as f64 / 2f64.powi(32)
}

fn decimals(value: Q32) -> String {
    let value = number(value);
    if value < 99.5 { format!("{value:.2}") } else { format!("{value:.0}") }
}

/// A share in per cent, in which little is not nothing.
pub(super) fn share(part: u64, whole: u64) -> String {
    let share = if whole == 0 { 0.0 } else { part as f64 / whole as f64 * 100.0 };
    match share {
        0.0 => "0".to_owned(),
        share if share < 0.01 => "<0.01%".to_owned(),
        share if share < 9.995 => format!("{share:.2}%"),
        share => format!("{share:.1}%"),
    }
}

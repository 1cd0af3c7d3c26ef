//! What came of the protections, side by side.

use super::race::Row;
use super::scenario::Scenario;
use crate::config::units::show_short;
use crate::sim::report::{nanos, number, share};
use crate::table::Table;
use divvy::sim::chain::{Failure, Requests, TierStats};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// Columns of services that fit beside the names.
const COLUMNS: usize = 6;

/// The tables for people: at most 80 columns.
pub(crate) fn table(scenario: &Scenario, rows: &[Row], seed: u64) -> String {
    let requests = rows.first().map_or(0, |row| row.summary.all.arrived);
    let mut out = format!(
        "{}: {} services, {requests} requests measured, seed {seed}\n",
        scenario.name,
        scenario.services.len()
    );
    if !scenario.about.is_empty() {
        out += &format!("{}\n", scenario.about);
    }
    let mut table = Table::new(["what users get", "answered", "in full", "p50", "p99", "wasted work"]);
    for row in rows {
        let all = &row.summary.all;
        let busy: u128 = row.tiers.iter().map(|tier| tier.busy.as_nanos()).sum();
        let part = |nanos: u128| u64::try_from(nanos / 1_000).unwrap_or(u64::MAX);
        table.row([
            row.protection.clone(),
            share(all.succeeded + all.degraded, all.arrived),
            share(all.succeeded, all.arrived),
            show_short(row.summary.p50),
            show_short(row.summary.p99),
            share(part(row.summary.wasted.as_nanos()), part(busy)),
        ]);
    }
    _ = write!(out, "\n{}", table.render());
    out += &by_service(scenario, rows, "calls answered", |tier| rate(&tier.calls));
    out += &by_service(scenario, rows, "p99 of a call", |tier| {
        match tier.calls.succeeded + tier.calls.degraded {
            0 => "-".to_owned(),
            _ => show_short(tier.p99),
        }
    });
    out +=
        &by_service(scenario, rows, "calls per request", |tier| format!("{:.2}", number(tier.amplification)));
    if rows.iter().any(|row| row.summary.important != row.summary.all) {
        let mut table = Table::new(["by priority", "important", "all"]);
        for row in rows {
            table.row([row.protection.clone(), rate(&row.summary.important), rate(&row.summary.all)]);
        }
        _ = write!(out, "\n{}", table.render());
    }
    out += "\nin full: without a fallback or an old answer in place of a service's\n\
            wasted work: time of workers for callers that had given up\n\
            calls per request: attempts that reached a service, for each user's request\n";
    out
}

fn by_service(scenario: &Scenario, rows: &[Row], title: &str, cell: impl Fn(&TierStats) -> String) -> String {
    let services = &scenario.services;
    // The last ones are those where it begins.
    let from = services.len().saturating_sub(COLUMNS);
    let short = |name: &String| name.chars().take(7).collect::<String>();
    let names: Vec<String> = services[from..].iter().map(short).collect();
    let mut table = Table::new(std::iter::once(title).chain(names.iter().map(String::as_str)));
    for row in rows {
        let cells = row.tiers[from..].iter().map(&cell);
        table.row(std::iter::once(row.protection.clone()).chain(cells));
    }
    format!("\n{}", table.render())
}

fn rate(calls: &Requests) -> String {
    if calls.arrived == 0 { "-".to_owned() } else { share(calls.succeeded + calls.degraded, calls.arrived) }
}

/// One object for programs. Times are nanoseconds, shares numbers from 0 to 1.
pub(crate) fn json(scenario: &Scenario, rows: &[Row], seed: u64) -> String {
    let counts = |requests: &Requests| {
        json!({
            "arrived": requests.arrived,
            "succeeded": requests.succeeded,
            "degraded": requests.degraded,
            "failed": requests.failed,
            "unfinished": requests.unfinished(),
        })
    };
    let tier = |(name, stats): (&String, &TierStats)| {
        let failures: Map<String, Value> = Failure::ALL
            .iter()
            .zip(stats.failures)
            .map(|(failure, count)| (failure.name().to_owned(), count.into()))
            .collect();
        json!({
            "name": name,
            "calls": counts(&stats.calls),
            "failures": failures,
            "attempts": stats.attempts,
            "turned_away": stats.turned_away,
            "held_back": stats.held_back,
            "retries": stats.retries,
            "hedges": stats.hedges,
            "unpaid": stats.unpaid,
            "late": stats.late,
            "calls_per_request": number(stats.amplification),
            "latency_ns": { "p50": nanos(stats.p50), "p99": nanos(stats.p99), "p999": nanos(stats.p999) },
            "goodput_per_second": number(stats.goodput),
            "busy_ns": nanos(stats.busy),
            "wasted_ns": nanos(stats.wasted),
            "utilisation": number(stats.utilisation),
            "longest_queue": stats.longest_queue,
            "breaker_opened": stats.opened,
        })
    };
    let protections: Vec<Value> = rows
        .iter()
        .map(|row| {
            let summary = &row.summary;
            json!({
                "protection": row.protection,
                "digest": format!("{:016x}", row.digest),
                "requests": counts(&summary.all),
                "important": counts(&summary.important),
                "no_room": summary.no_room,
                "latency_ns": {
                    "mean": nanos(summary.mean),
                    "p50": nanos(summary.p50),
                    "p99": nanos(summary.p99),
                    "p999": nanos(summary.p999),
                    "max": nanos(summary.max),
                },
                "wasted_ns": nanos(summary.wasted),
                "services": scenario.services.iter().zip(&row.tiers).map(tier).collect::<Vec<_>>(),
            })
        })
        .collect();
    let whole = json!({ "scenario": scenario.name, "seed": seed, "protections": protections });
    serde_json::to_string_pretty(&whole).unwrap_or_default() + "\n"
}

/// One line a protection: the digest of every event, and whose it is.
pub(crate) fn digests(rows: &[Row]) -> String {
    rows.iter().fold(String::new(), |out, row| out + &format!("{:016x}  {}\n", row.digest, row.protection))
}

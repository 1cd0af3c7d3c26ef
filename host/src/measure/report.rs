//! What was measured and what follows from it, for people and for programs.

use super::Point;
use super::fit::Law;
use super::verdict::{Verdict, Why};
use crate::config::units::show_short;
use crate::table::{Table, bar};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// All there is to report.
pub(crate) struct Report {
    pub(crate) name: String,
    pub(crate) points: Vec<Point>,
    pub(crate) amdahl: Option<Law>,
    pub(crate) universal: Option<Law>,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) cores: u32,
}

impl Report {
    fn one(&self) -> f64 {
        self.points.first().map_or(0.0, |point| point.wall().as_secs_f64())
    }

    /// At most 80 columns, but for the name.
    pub(crate) fn table(&self) -> String {
        let rounds = self.points.first().map_or(0, |point| point.walls.len());
        let mut out = format!("{}\n{} cores, median of {rounds} rounds\n\n", self.name, self.cores);
        let mut table =
            Table::new(["workers", "time", "spread", "times", "efficiency", "cores busy", ""]).left(6);
        let speedup = |point: &Point| self.one() / point.wall().as_secs_f64().max(1e-9);
        let most = self.points.iter().map(speedup).fold(1.0, f64::max);
        for point in &self.points {
            let times = speedup(point);
            table.row([
                point.workers.to_string(),
                show_short(point.wall()),
                format!("{:.0} %", 100.0 * point.spread()),
                format!("{times:.2}"),
                format!("{:.0} %", 100.0 * times / f64::from(point.workers)),
                point.busy().map_or_else(|| "-".to_owned(), |busy| format!("{busy:.2}")),
                format!(" {}", bar(times, most, 20)),
            ]);
        }
        out += &table.render();
        out += "\n";
        if let Some(law) = &self.amdahl {
            _ = match law.limit() {
                Some(limit) if limit < 1.05 => writeln!(out, "Amdahl's law: all of it is serial{}", off(law)),
                Some(limit) => writeln!(
                    out,
                    "Amdahl's law: {:.1} % is serial: never more than {limit:.1} times as fast{}",
                    100.0 * law.contention,
                    off(law)
                ),
                None => writeln!(out, "Amdahl's law: nothing is serial, as far as this shows{}", off(law)),
            };
        }
        if let Some(law) = &self.universal {
            _ = write!(
                out,
                "universal scalability law: contention {:.1} %, crosstalk {:.2} %{}\n  ",
                100.0 * law.contention,
                100.0 * law.crosstalk,
                off(law)
            );
            out += &match law.peak() {
                Some(peak) => {
                    format!(
                        "the knee: {peak:.1} workers, {:.2} times as fast; slower beyond\n",
                        law.speedup(peak)
                    )
                }
                None => "no knee: nothing gets slower by more workers, as far as this shows\n".to_owned(),
            };
        } else {
            out += "universal scalability law: it takes three numbers of workers to find it\n";
        }
        if let Some(verdict) = &self.verdict {
            _ = write!(out, "\n{}\n", self.words(verdict));
        }
        out
    }

    fn words(&self, verdict: &Verdict) -> String {
        let one = self.points.first().map(|point| show_short(point.wall())).unwrap_or_default();
        let advice = match self.points.iter().find(|point| point.workers == verdict.workers) {
            Some(point) if verdict.workers > 1 => format!(
                "Worth it: {} workers take {} instead of {one}, {:.2} times as fast.",
                verdict.workers,
                show_short(point.wall()),
                verdict.speedup
            ),
            _ => "Not worth it: none was faster than one worker by a twentieth.".to_owned(),
        };
        let why = match verdict.why {
            Why::NothingGained => "More workers gained less than a twentieth.".to_owned(),
            Why::CoresBusy { busy, cores } => {
                format!("No more than that: {busy:.2} of {cores} cores are busy; more needs more cores.")
            }
            Why::Crosstalk { cpu } => format!(
                "Not more: workers make work for each other: with the most that were tried,\nprocessors worked {cpu:.2} times as long as with one."
            ),
            Why::Contended => {
                "Not more: they wait for each other, for a lock perhaps: slower, though the\nprocessors work no longer.".to_owned()
            }
            Why::Serial { share } => {
                format!("Not more: {:.0} % of the work is done by one at a time.", 100.0 * share)
            }
            Why::NotReached { tried } => {
                format!("It still got faster at {tried}, the most that were tried: try more with --workers.")
            }
        };
        format!("{advice}\n{why}")
    }

    /// One object. Times are seconds.
    pub(crate) fn json(&self) -> String {
        let law = |law: &Option<Law>| {
            law.map(|law| {
                json!({
                    "one": law.one, "contention": law.contention, "crosstalk": law.crosstalk,
                    "error": law.error, "peak": law.peak(), "limit": law.limit(),
                })
            })
        };
        let points: Vec<Value> = self
            .points
            .iter()
            .map(|point| {
                json!({
                    "workers": point.workers,
                    "seconds": point.wall().as_secs_f64(),
                    "rounds": point.walls.iter().map(|wall| wall.as_secs_f64()).collect::<Vec<_>>(),
                    "cpu": point.cpu.map(|cpu| cpu.as_secs_f64()),
                })
            })
            .collect();
        let why = self.verdict.as_ref().map(|verdict| match verdict.why {
            Why::NothingGained => "nothing-gained",
            Why::CoresBusy { .. } => "cores-busy",
            Why::Crosstalk { .. } => "crosstalk",
            Why::Contended => "contended",
            Why::Serial { .. } => "serial",
            Why::NotReached { .. } => "not-reached",
        });
        let verdict = self
            .verdict
            .as_ref()
            .map(|verdict| json!({ "workers": verdict.workers, "speedup": verdict.speedup, "why": why }));
        let all = json!({
            "name": self.name, "cores": self.cores, "points": points,
            "amdahl": law(&self.amdahl), "universal": law(&self.universal), "verdict": verdict,
        });
        format!("{all}\n")
    }
}

/// How far a law is from what was measured, where that is worth a word.
fn off(law: &Law) -> String {
    if law.error < 0.005 { String::new() } else { format!(" (off by {:.0} %)", (100.0 * law.error).max(1.0)) }
}

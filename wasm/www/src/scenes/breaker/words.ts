// The breaker in words and tables.

import { html, table } from "../../dom.js";
import { duration, grouped, percent, seconds } from "../../format.js";
import type { Params } from "./params.js";
import type { Run, Step } from "./run.js";

export function question({ steps: [start] }: Run): string {
  const { trips = 0, judged = 0 } = start ?? {};
  return `${trips} of ${judged} calls ${trips === 1 ? "fails" : "fail"}. Who should still call?`;
}

export function sentence(run: Run, at: number, params: Params): string {
  const step = run.steps[at];
  if (!step) return "";
  const when = `At ${seconds(step.now)} the breaker is ${step.state}`;
  switch (step.state) {
    case "closed": {
      const counted =
        step.calls === 0
          ? "no call has counted yet"
          : `${were(step.failures, "failed")} and ${were(step.slow, "slow")} of the last ${step.calls}`;
      return `${answered(step)}${when}: ${counted}. ${step.trips} of ${step.judged} trip it.`;
    }
    case "open": {
      const last = run.changes[step.changes - 1];
      const why = last ? `, because ${last.why}${counts(last)}` : "";
      const until =
        step.deadline === undefined
          ? ""
          : ` It refuses every call for another ${seconds(step.deadline - step.now)}.`;
      return `${answered(step)}${when}${why}.${until}`;
    }
    case "half-open": {
      const left = params.probes - step.succeeded;
      const lost =
        step.probes > 0 && step.deadline !== undefined
          ? ` One that has not reported in ${seconds(step.deadline - step.now)} is lost, and opens it again.`
          : "";
      return (
        `${answered(step)}${when}: ${step.probes} of ${params.probes} probes ${step.probes === 1 ? "is" : "are"} under way, ` +
        `${left} more ${left === 1 ? "success closes" : "successes close"} it, one failure opens it.${lost}`
      );
    }
  }
}

function answered({ done }: Step): string {
  if (done?.answer !== "open" && done?.answer !== "probing") return "";
  return `The call was refused: try again at ${seconds(done.retryAt)}. `;
}

function were(count: number, what: string): string {
  return `${count === 0 ? "none" : count} ${what === "slow" ? (count === 1 || count === 0 ? "was slow" : "were slow") : what}`;
}

function counts({ calls, failures, slow }: { calls: number; failures: number; slow: number }): string {
  const parts = [failures > 0 ? `${failures} failed` : "", slow > 0 ? `${slow} slow` : ""].filter(
    (part) => part !== "",
  );
  return parts.length > 0 ? ` (${parts.join(" and ")} of ${calls})` : "";
}

export function changesTable(run: Run, at: number): HTMLElement {
  const changes = run.changes.slice(0, run.steps[at]?.changes ?? 0);
  if (changes.length === 0) return html("p", {}, "It has not changed its state yet.");
  return table(
    "Changes of state",
    ["At", "To", "Why", "Counted", "Open for"],
    changes.map((change) => [
      seconds(change.at),
      change.to,
      change.why,
      change.calls > 0 ? `${change.failures} failed, ${change.slow} slow of ${change.calls}` : "–",
      change.until === undefined ? "–" : duration(change.until - change.at),
    ]),
  );
}

export function totalsTable({ totals }: Step): HTMLTableElement {
  const { calls, failures, slow, rejected, lost, openings } = totals;
  const share = (part: number) => (calls > 0 ? percent(part / calls, 1) : "–");
  return table(
    "Sums since the start",
    ["", "Calls", "Of those that counted"],
    [
      ["counted", grouped(calls), share(calls)],
      ["failed", grouped(failures), share(failures)],
      ["slow", grouped(slow), share(slow)],
      ["refused", grouped(rejected), "–"],
      ["probes lost", grouped(lost), "–"],
      ["opened since last closed", grouped(openings), "–"],
    ],
  );
}

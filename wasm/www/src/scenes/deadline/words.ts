// Verdicts and figures in words and tables.

import { withBar } from "../../chart/bar.js";
import { html, table, who } from "../../dom.js";
import { counted, listed, percent } from "../../format.js";
import { NAMES, type Params } from "./params.js";
import type { Evidence, Run, Verdict } from "./run.js";

const ms = (time: number) => `${Math.round(time * 100) / 100}\u00a0ms`;
const name = (task: number) => NAMES[task] ?? "?";

export function question({ tasks, cores }: Params, { utilisation }: Run): string {
  const all = cores === 1 ? "a core" : `${counted(cores)} cores`;
  return `${capital(counted(tasks.length))} tasks ask for ${percent(utilisation / cores)} of ${all}. Will every task meet its deadline?`;
}

function capital(text: string): string {
  return `${text[0]?.toUpperCase() ?? ""}${text.slice(1)}`;
}

/** What the sharpest test says, in a sentence. */
export function verdict({ verdicts, known }: Run): string {
  const [first] = verdicts;
  const away = known.flatMap(({ away }, task) => (away ? [name(task)] : []));
  if (away.length > 0) {
    return `Refused: no core can take ${listed(away)} beside the others. They meet their deadlines without ${away.length === 1 ? "it" : "them"}.`;
  }
  if (!first) return "";
  const says = {
    meets: "Admitted: every task meets every deadline",
    misses: "Refused: a deadline is missed if all arrive at once",
    unproven: "Not proven: deadlines may be met, and may be missed",
    undecided: "Undecided",
  }[first.says];
  const why = evidence(first.evidence);
  return `${says}${why && `, for ${why}`}.`;
}

function evidence(evidence: Evidence): string {
  switch (evidence.kind) {
    case "utilisation":
      return `they use ${percent(evidence.sum, 1)} of a core, and the bound is ${percent(evidence.bound, 1)}`;
    case "product":
      return `the product is ${evidence.product.toFixed(3)}, and may be 2`;
    case "response": {
      const { task, response, deadline } = evidence;
      return response <= deadline
        ? `${name(task)} comes closest: it responds within ${ms(response)} of ${ms(deadline)}`
        : `${name(task)} takes ${ms(response)} and more, and has ${ms(deadline)}`;
    }
    case "demand": {
      const { within, demand } = evidence;
      return demand <= within
        ? `never more is due than there is time: ${ms(demand)} within the first ${ms(within)}`
        : `${ms(demand)} of work is due within the first ${ms(within)}`;
    }
    case "none":
      return "";
  }
}

export function sentence({ events, segments, end }: Run, now: number): string {
  const until = events.filter(({ at }) => at <= now);
  const done = until.filter(({ kind }) => kind === "complete").length;
  const missed = until.filter(({ kind }) => kind === "miss");
  const [first] = missed;
  const misses =
    first === undefined
      ? "No deadline was missed"
      : `${missed.length === 1 ? "1 deadline was" : `${missed.length} deadlines were`} missed, the first by ${name(first.task)} at ${ms(first.at)}`;
  const preempted = segments.filter(({ end, to }) => end === "preempted" && to <= now).length;
  return (
    `${now >= end ? `In ${ms(end)}` : `Up to ${ms(now)}`}, ${done} jobs were done. ${misses}; ` +
    `jobs were preempted ${preempted === 1 ? "once" : `${preempted} times`}.`
  );
}

const TESTS: Record<Verdict["test"], string> = {
  sharpest: "The sharpest for the case",
  "liu-layland": "Liu and Layland's bound",
  hyperbolic: "Hyperbolic bound",
  goossens: "Goossens, Funk, Baruah",
  global: "Response times, all cores",
};
const SAYS: Record<Verdict["says"], string> = {
  meets: "all met",
  misses: "one missed",
  unproven: "not proven",
  undecided: "undecided",
};

export function verdictsTable({ verdicts }: Run): HTMLTableElement {
  return table(
    "What the admission tests say before anything runs",
    ["Test", "About", "Says", "Evidence"],
    verdicts.map(({ test, core, says, evidence: by }) => [
      TESTS[test],
      core === undefined ? "all" : `core ${core}`,
      html("span", { class: `says says-${says}` }, SAYS[says]),
      capital(evidence(by)) || "–",
    ]),
  );
}

/** What became of the jobs of each task up to `now`. */
export function jobsTable({ tasks }: Params, { events, known }: Run, now: number): HTMLTableElement {
  const until = events.filter(({ at }) => at <= now);
  return table(
    "What became of the jobs of each task",
    ["Task", "Arrived", "Done", "Missed", "Slowest", "By analysis", "Deadline"],
    tasks.map(({ deadline }, task) => {
      const mine = until.filter((event) => event.task === task);
      const count = (kind: string) => mine.filter((event) => event.kind === kind).length;
      const slowest = Math.max(
        0,
        ...mine.filter(({ kind }) => kind === "complete").map(({ extra }) => extra),
      );
      const { away, core, response } = known[task] ?? {};
      const on = core === undefined ? "" : `, core ${core}`;
      return [
        who(task, `${name(task)}${away ? ", turned away" : on}`),
        ...[count("release"), count("complete"), count("miss")].map(String),
        slowest > 0 ? withBar(ms(slowest), Math.min(1, slowest / (2 * deadline)), 0.5) : "–",
        response === undefined ? "–" : ms(response),
        ms(deadline),
      ];
    }),
  );
}

// The run in words and tables, for those who do not see the picture, and for numbers that it does not show.

import { withBar } from "../../chart/bar.js";
import { html, table, who } from "../../dom.js";
import { counted, percent, seconds } from "../../format.js";
import { ActivityKind } from "../../pkg/divvy.js";
import type { Take, Victim } from "../../pkg/divvy.js";
import { outcome, type Run } from "./run.js";
import { POLICIES, TASKS, VICTIMS, type Params } from "./params.js";

export function question({ share, workers }: Readonly<Params>): string {
  const landing = share === 1 ? "1 of 100 tasks lands" : `${share} of 100 tasks land`;
  return `${landing} on one of ${counted(workers)} workers. Who helps?`;
}

/** One or two sentences on the state of the run. */
export function sentence(run: Run): string {
  const stats = run.stats();
  const steals = run.attempts.filter((attempt) => attempt.count > 0);
  const moved = steals.reduce((sum, attempt) => sum + attempt.count, 0);
  const stealing =
    run.params.policy === "none"
      ? "Nobody steals."
      : `${steals.length} ${steals.length === 1 ? "steal has" : "steals have"} moved ${moved} ${moved === 1 ? "task" : "tasks"}.`;
  const end = run.makespan;
  if (end !== undefined) {
    const busy = stats.reduce((sum, worker) => sum + worker.busy, 0) / (end * stats.length);
    return (
      `The last task ended after ${seconds(end)}, ${over(end, run.lowerBound)} above the best possible ` +
      `${seconds(run.lowerBound)}. ${stealing} Workers were busy ${percent(busy)} of the time.`
    );
  }
  const queues = stats.map((worker) => worker.queued).join(", ");
  const idle = run.activities().filter(({ kind }) => kind === ActivityKind.Idle).length;
  const idlers =
    idle === 0 ? "" : ` ${idle} of ${stats.length} workers ${idle === 1 ? "has" : "have"} nothing to do.`;
  return `At ${seconds(run.now)}, ${TASKS - run.unfinished} of ${TASKS} tasks are done; waiting in the queues: ${queues}. ${stealing}${idlers}`;
}

export function statsTable(run: Run): HTMLTableElement {
  const activities = run.activities();
  const elapsed = run.now;
  const rows = run
    .stats()
    .map((stats, worker) => [
      who(worker, worker),
      doing(activities[worker]?.kind, activities[worker]?.subject),
      String(stats.queued),
      String(stats.processed),
      String(stats.stolen),
      String(stats.lost),
      `${stats.hits} of ${stats.attempts}`,
      elapsed > 0 ? percent(stats.busy / elapsed) : "–",
    ]);
  return table(
    "Statistics of each worker",
    ["Worker", "Now", "Waiting", "Done", "Stolen", "Lost", "Attempts", "Busy"],
    rows,
  );
}

export interface Choice {
  policy: Take;
  victim: Victim;
  makespan: number;
  attempts: number;
}

/** What every policy makes of the same tasks. */
export function compare(params: Readonly<Params>): Choice[] {
  return POLICIES.flatMap((policy) =>
    (policy === "none" ? [params.victim] : VICTIMS).map((victim) => {
      const { makespan, attempts } = outcome({ ...params, policy, victim });
      return { policy, victim, makespan, attempts };
    }),
  );
}

export function compareTable(
  choices: Choice[],
  bound: number,
  params: Readonly<Params>,
  choose: (choice: Choice) => void,
): HTMLTableElement {
  const longest = Math.max(...choices.map((choice) => choice.makespan));
  const rows = choices.map((choice) => {
    const { policy, victim, makespan, attempts } = choice;
    const current = policy === params.policy && (policy === "none" || victim === params.victim);
    const button = html(
      "button",
      { type: "button", class: "link", "data-choice": `${policy}-${victim}` },
      named(choice),
    );
    if (current) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => choose(choice));
    return [
      button,
      withBar(seconds(makespan), makespan / longest, bound / longest),
      over(makespan, bound),
      String(attempts),
    ];
  });
  return table("The end under each policy", ["Policy", "Ends after", "Above best", "Attempts"], rows);
}

function named({ policy, victim }: Choice): string {
  if (policy === "none") return "nobody steals";
  return `${policy === "one" ? "one" : "half"}, from ${victim === "random" ? "anyone" : "the busiest"}`;
}

function doing(kind: ActivityKind | undefined, subject: number | undefined): string {
  switch (kind) {
    case ActivityKind.Running:
      return `runs task ${subject}`;
    case ActivityKind.Stealing:
      return `steals from ${subject}`;
    case ActivityKind.Idle:
      return "idle";
    default:
      return "–";
  }
}

/** By how much of the bound the end is later. */
function over(end: number, bound: number): string {
  return `${((end / bound - 1) * 100).toFixed(1)} %`;
}

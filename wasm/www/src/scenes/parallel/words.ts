// The run in words and tables.

import { withBar } from "../../chart/bar.js";
import { table, who } from "../../dom.js";
import { counted, duration, percent } from "../../format.js";
import { TASKS, type Params } from "./params.js";
import type { Run } from "./run.js";

/** What was run, and what it is measured by. */
export interface Results {
  run: Run;
  /** The same tasks on one worker. */
  alone: number;
  simulated: Run;
  simulatedAlone: number;
  cores: number;
}

export function question({ share, workers }: Params): string {
  const landing = share === 1 ? "1 of 100 tasks lands" : `${share} of 100 tasks land`;
  return `${landing} on one of ${counted(workers)} workers of your browser. How much sooner is it done?`;
}

export function sentence({ run, alone, cores }: Results, now: number): string {
  const workers = counted(run.accounts.length);
  if (now < run.end) {
    const done = run.bars.filter(({ to }) => to <= now).length;
    const stolen = run.steals.filter(({ at }) => at <= now).reduce((sum, { count }) => sum + count, 0);
    return `At ${duration(now)}, ${done} of ${TASKS} tasks are done; ${stolen} were stolen.`;
  }
  const moved = run.accounts.reduce((sum, { stolen }) => sum + stolen, 0);
  const times = `${(alone / run.end).toFixed(2)} times as fast as one (${duration(alone)})`;
  const steals = `${run.steals.length} ${run.steals.length === 1 ? "steal" : "steals"} moved ${moved} ${moved === 1 ? "task" : "tasks"}.`;
  return run.real
    ? `${workers[0]?.toUpperCase()}${workers.slice(1)} workers finished ${TASKS} tasks in ${duration(run.end)}, ${times}. ` +
        `${steals} This machine says it has ${cores} ${cores === 1 ? "core" : "cores"}.`
    : `In the simulation, ${workers} workers finish ${TASKS} tasks in ${duration(run.end)}, ${times}. ${steals}`;
}

/** Each worker up to `now`. */
export function statsTable({ accounts, bars, steals, end, idle }: Run, now: number): HTMLTableElement {
  const over = now >= end;
  const until = Math.min(now, end);
  const rows = accounts.map(({ processed, stolen, attempts, sleeps }, worker) => {
    const mine = bars.filter((bar) => bar.worker === worker);
    const busy = mine.reduce((sum, { from, to }) => sum + Math.max(0, Math.min(to, until) - from), 0);
    const brought = steals.filter(({ thief, at }) => thief === worker && at <= now);
    const still = mine.some(({ from, to }) => from <= until && to > until);
    const out = idle.some((one) => one.worker === worker && one.at <= until);
    return [
      who(worker, worker),
      String(over ? processed : mine.filter(({ to }) => to <= now).length),
      String(over ? stolen : brought.reduce((sum, { count }) => sum + count, 0)),
      over ? String(attempts) : "…",
      over ? (sleeps === undefined ? "–" : String(sleeps)) : still || !out ? "…" : "asleep",
      until > 0 ? withBar(percent(busy / until), busy / until) : "–",
    ];
  });
  return table("What each worker did", ["Worker", "Processed", "Stolen", "Attempts", "Slept", "Busy"], rows);
}

export function speedTable({ run, alone, simulated, simulatedAlone }: Results): HTMLTableElement {
  const workers = run.accounts.length;
  const longest = Math.max(alone, simulatedAlone, run.end);
  const row = (name: string, time: number, one: number) => [
    name,
    withBar(duration(time), time / longest),
    `${(one / time).toFixed(2)} ×`,
  ];
  const real = [row("one worker", alone, alone), row(`${counted(workers)} workers`, run.end, alone)];
  const foreseen = [
    row("one worker, simulated", simulatedAlone, simulatedAlone),
    row(`${counted(workers)}, simulated`, simulated.end, simulatedAlone),
  ];
  return table(
    "Beside one worker",
    ["", "All tasks done after", "Speed"],
    run.real ? [...real, ...foreseen] : foreseen,
  );
}

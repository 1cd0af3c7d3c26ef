// Work stealing by workers that run at the same time, or by the simulation where they cannot.

import { Gantt } from "../../chart/gantt.js";
import { html } from "../../dom.js";
import { duration } from "../../format.js";
import type { Scene } from "../../scene.js";
import { parts, result, type Frame } from "../../ui/frame.js";
import type { Control } from "../../ui/knobs.js";
import type { Reel } from "../../ui/player.js";
import { play, type Show, type Stage } from "../../ui/stage.js";
import { Crew, obstacle } from "./crew.js";
import { SPEC, TASKS, type Params } from "./params.js";
import { perform, simulate, simulatedAlone } from "./run.js";
import { question, sentence, speedTable, statsTable, type Results } from "./words.js";

/** Before a run begins that a knob asked for: while the knob moves, nothing runs. */
const SETTLE = 200;

/** How far beyond the end the axis goes to show the end of one worker, in ends: further, and the blocks become slivers. */
const WIDEST = 3;

const CONTROLS: readonly Control<Params>[] = [
  { kind: "range", name: "workers", label: "Workers", low: 2, high: 8 },
  { kind: "range", name: "share", label: "Tasks on worker 0", low: 0, high: TASKS },
  {
    ...{ kind: "choice", name: "take", label: "A worker without tasks" },
    options: [
      ["one", "steals one"],
      ["half", "steals half"],
    ],
  },
  { kind: "seed", name: "seed", label: "Seed" },
];

const SPEEDS = {
  options: [
    [0.01, "1/100"],
    [0.05, "1/20"],
    [0.2, "1/5"],
    [1, "real time"],
  ],
} as const;

export const parallel: Scene = {
  name: "parallel",
  title: "How much sooner with more workers? Real work stealing, by divvy",
  mount: (place) =>
    play<Params>(place, {
      ...{ spec: SPEC, controls: CONTROLS, speeds: SPEEDS, question, build },
      ...{ fromStart: true, endFirst: true },
    }),
};

function build(view: Frame, stage: Stage<Params>): { show: Show<Params>; reel: Reel } {
  const [mode, timeline] = parts(view, "mode", "timeline");
  const stats = result(view.results, "crew", "Who did what, up to now");
  const speed = result(view.results, "speedup", "Beside one worker");
  const again = html("button", { type: "button", id: "again" }, "Run again");
  again.addEventListener("click", () => {
    stage.play(false);
    start(stage.params, 0);
    stage.relay(0);
  });
  const chart = new Gantt(timeline);
  const why = obstacle();
  mode.textContent = why
    ? `This is the simulation: ${why}.`
    : "Real: each row is a Web Worker that runs the library's scheduler on a memory shared with the others.";
  // The simulation would come to the same.
  if (!why) view.controls.append(html("div", { class: "player" }, again));
  mode.dataset["mode"] = why ? "simulation" : "real";
  let key: string | undefined;
  let crew: Crew | undefined;
  /** Which run is the present one. */
  let turn = 0;
  let timer = 0;
  let failed: string | undefined;
  let results: Results | undefined;
  let time = 0;

  /** Ends the run under way, if any. */
  function end(): void {
    turn += 1;
    clearTimeout(timer);
    crew?.end();
  }

  function start(params: Params, wait: number): void {
    end();
    const own = turn;
    const simulated = simulate(params);
    const foreseen = {
      simulated,
      simulatedAlone: simulatedAlone(params),
      cores: navigator.hardwareConcurrency,
    };
    failed = undefined;
    results = why ? { run: simulated, alone: foreseen.simulatedAlone, ...foreseen } : undefined;
    if (why) return;
    delete document.documentElement.dataset["ran"];

    const run = async (workers: number) => {
      // A memory and workers of its own: nothing is left of what ran before.
      crew = new Crew();
      return perform(crew, params, workers);
    };
    const both = async () => {
      try {
        const alone = await run(1);
        if (own !== turn) return;
        const all = await run(params.workers);
        if (own === turn) settle({ run: all, alone: alone.end, ...foreseen });
      } catch (error) {
        // A run that was ended for another one has nothing to say.
        if (own === turn) settle(undefined, error instanceof Error ? error.message : String(error));
      }
    };
    timer = window.setTimeout(() => void both(), wait);
  }

  function settle(next: Results | undefined, why?: string): void {
    results = next;
    failed = why;
    document.documentElement.dataset["ran"] = String(why === undefined);
    if (next && !stage.less) {
      stage.relay(0);
      stage.play(true);
    } else stage.relay(Infinity);
  }

  const over = () => results?.run.end ?? 1;
  const moments = () => {
    const { bars = [], steals = [] } = results?.run ?? {};
    return [...bars.flatMap(({ from, to }) => [from, to]), ...steals.map(({ at }) => at)].sort(
      (a, b) => a - b,
    );
  };
  const reel: Reel = {
    now: () => Math.min(time, over()),
    end: over,
    goTo: (to) => (time = Math.max(0, to)),
    step: () => (time = moments().find((at) => at > reel.now()) ?? over()),
    back: () =>
      (time =
        moments()
          .filter((at) => at < reel.now())
          .at(-1) ?? 0),
  };
  const show: Show<Params> = {
    begin: (params) => {
      const next = JSON.stringify({ ...params, speed: 0 });
      if (next === key) return;
      const first = key === undefined;
      key = next;
      start(params, first ? 0 : SETTLE);
    },
    lay: () => {
      const { run, alone = 1 } = results ?? {};
      const rows = Array.from({ length: stage.params.workers }, (_, i) => ({
        name: `worker ${i}`,
        paint: i,
      }));
      chart.lay({
        rows,
        domain: run ? Math.max(run.end, Math.min(alone, WIDEST * run.end)) * 1.01 : 1,
        bars: (run?.bars ?? []).map(({ task, worker, origin, from, to }) => ({
          ...{ row: worker, from, to, paint: origin, data: { task, origin, worker } },
        })),
        marks: (run?.steals ?? []).map(({ at, thief, victim }) => ({
          ...{ kind: "steal", row: thief, other: victim, at },
        })),
        lines: run ? [{ time: alone, label: `one worker ${duration(alone)}`, kind: "alone" }] : [],
        write: (ms) => `${ms} ms`,
        words: "What each worker ran and when, over time. The text and the tables below say the same.",
      });
    },
    draw: (now) => {
      const { run } = results ?? {};
      chart.draw(
        now,
        Array.from({ length: stage.params.workers }, (_, worker) => {
          if (!run) return failed ? "" : "…";
          return `${run.bars.filter((bar) => bar.worker === worker && bar.to <= now).length} done`;
        }),
      );
    },
    tables: (now) => {
      stats.replaceChildren(...(results ? [statsTable(results.run, now)] : []));
      speed.replaceChildren(...(results ? [speedTable(results)] : []));
      return results ? { ...results, params: stage.params, now } : null;
    },
    sentence: (now) => {
      if (failed) return `The run failed: ${failed}. “Run again” tries once more.`;
      return results ? sentence(results, now) : `${stage.params.workers} workers are running the tasks.`;
    },
    leave: end,
  };
  return { show, reel };
}

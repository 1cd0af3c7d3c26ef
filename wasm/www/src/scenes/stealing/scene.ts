// The scene: parameters and playback, and everything that shows the run.

import { Lines } from "../../chart/lines.js";
import type { Scene } from "../../scene.js";
import { parts, result, type Frame } from "../../ui/frame.js";
import type { Control } from "../../ui/knobs.js";
import type { Reel } from "../../ui/player.js";
import { play, type Show, type Stage } from "../../ui/stage.js";
import { DEFAULTS, SPEC, type Params } from "./params.js";
import { Picture } from "./picture.js";
import { outcome, Run } from "./run.js";
import { compare, compareTable, question, sentence, statsTable, type Choice } from "./words.js";

const SPEEDS = {
  options: [
    [0.01, "1/100"],
    [0.05, "1/20"],
    [0.2, "1/5"],
    [1, "real time"],
  ],
} as const;

const CONTROLS: readonly Control<Params>[] = [
  {
    ...{ kind: "choice", name: "policy", label: "A worker without tasks" },
    options: [
      ["none", "stops"],
      ["one", "steals one"],
      ["half", "steals half"],
    ],
  },
  {
    ...{ kind: "choice", name: "victim", label: "From" },
    options: [
      ["random", "anyone"],
      ["busiest", "the busiest"],
    ],
  },
  {
    ...{ kind: "select", name: "cost", label: "An attempt takes" },
    options: [10, 100, 1000, 5000, 20_000, 100_000].map((micros) => [micros, `${micros / 1000} ms`]),
    words: (micros) => `${micros / 1000} ms`,
  },
  { kind: "range", name: "workers", label: "Workers", low: 2, high: 8 },
  { kind: "range", name: "share", label: "Tasks on worker 0", low: 0, high: 100 },
  { kind: "seed", name: "seed", label: "Seed" },
];

export const stealing: Scene = {
  name: "stealing",
  title: "Who helps? Work stealing, by divvy",
  mount: (place) =>
    play<Params>(place, {
      ...{ spec: SPEC, controls: CONTROLS, speeds: SPEEDS, question, fromStart: true, build },
    }),
  figures: () => {
    const seconds = (ms: number) => (ms / 1000).toFixed(2);
    return {
      bound: seconds(outcome(DEFAULTS).bound),
      none: seconds(outcome({ ...DEFAULTS, policy: "none" }).makespan),
      half: seconds(outcome(DEFAULTS).makespan),
    };
  },
};

function build(view: Frame, stage: Stage<Params>): { show: Show<Params>; reel: Reel } {
  const [lanes, queues] = parts(view, "lanes", "plot");
  const compared = result(view.results, "compare", "The same tasks under every policy");
  const stats = result(view.results, "stats", "Who did what, up to now");
  const picture = new Picture(lanes);
  const plot = new Lines(queues);
  let params = stage.params;
  let run = new Run(params);
  let choices: Choice[] = [];
  let end = 1;

  const reel: Reel = {
    now: () => run.now,
    end: () => end,
    goTo: (time) => run.goTo(Math.min(time, end)),
    step: () => run.step(),
    back: () => run.goTo(run.lengths.filter(({ at }) => at < run.now).at(-1)?.at ?? 0),
  };
  const show: Show<Params> = {
    begin: (next) => {
      params = next;
      run.free();
      run = new Run(params);
      choices = compare(params);
      end = outcome(params).makespan;
    },
    lay: () => {
      stage.disable("victim", params.policy === "none");
      const alone = choices[0]?.makespan ?? end;
      const scale = picture.lay(run, { domain: Math.max(alone, end) * 1.01, alone });
      plot.lay(scale, {
        title: "Tasks waiting in each queue",
        words: "How many tasks wait in each queue, over time. The table says the present numbers.",
        height: 132,
        most: Math.max(1, ...(run.lengths[0]?.queues ?? [])),
        write: String,
        steps: true,
        axis: false,
      });
      compared.replaceChildren(
        compareTable(choices, run.lowerBound, params, ({ policy, victim }) => {
          stage.begin({ ...params, policy, victim }, 0);
          compared.querySelector<HTMLElement>("[aria-current]")?.focus();
          stage.play(!stage.less);
        }),
      );
    },
    draw: (now, animate) => {
      picture.draw(run, animate);
      plot.draw(
        Array.from({ length: params.workers }, (_, worker) => ({
          ...{ key: String(worker), paint: worker, label: String(worker) },
          points: run.lengths.map(({ at, queues }) => [at, queues[worker] ?? 0] as const),
        })),
        now,
      );
    },
    tables: () => {
      stats.replaceChildren(statsTable(run));
      return run.stats();
    },
    sentence: () => sentence(run),
    leave: () => run.free(),
  };
  return { show, reel };
}

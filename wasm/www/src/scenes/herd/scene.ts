// Ten thousand workers sleep, and a task comes.

import { withBar } from "../../chart/bar.js";
import { Lines } from "../../chart/lines.js";
import { round, scale } from "../../chart/scale.js";
import { table, who } from "../../dom.js";
import { Clock, latest } from "../../fleet/film.js";
import { counted, grouped, rounded } from "../../format.js";
import type { Scene } from "../../scene.js";
import { parts, result, type Frame } from "../../ui/frame.js";
import type { Control } from "../../ui/knobs.js";
import { play, type Show } from "../../ui/stage.js";
import { Dots } from "./dots.js";
import { POLLS, SPEC, SPEEDS, WORKERS, type Params } from "./params.js";
import { END, EVERY, watch, type Sample, type Wake } from "./track.js";

interface Lane {
  key: Wake;
  label: string;
  paint: number;
  samples: Sample[];
}

const CONTROLS: readonly Control<Params>[] = [
  { kind: "range", name: "workers", label: "Workers", values: WORKERS, words: grouped },
  { kind: "range", name: "tasks", label: "Tasks", low: 1, high: 50 },
  {
    ...{ kind: "range", name: "gap", label: "From task to task", values: [50, 100, 200, 500, 1000, 2000] },
    words: micros,
  },
  { kind: "range", name: "poll", label: "Who polls looks every", values: POLLS, words: rounded },
  { kind: "seed", name: "seed", label: "Seed" },
];

export const herd: Scene = {
  name: "herd",
  title: "How many wake for one task? By divvy",
  mount: (place) =>
    play<Params>(place, {
      ...{ spec: SPEC, controls: CONTROLS, question },
      speeds: {
        options: SPEEDS.map((speed) => [speed, `1/${1_000_000 / speed} of real time`]),
        unit: 1 / 1000,
      },
      build: (view) => ({ reel: new Clock({ every: EVERY, end: END }, micros), show: show(view) }),
    }),
};

function show(view: Frame): Show<Params> {
  const [fields, awake] = parts(view, "fields", "plot");
  const figures = result(view.results, "stats", "Up to now");
  view.results.classList.add("one");
  const picture = new Dots(fields);
  const plot = new Lines(awake);
  let params: Params;
  let lanes: Lane[] = [];
  const at = (now: number) => lanes.map(({ samples }) => latest(samples, EVERY, now));

  return {
    begin: (next) => {
      params = next;
      lanes = [
        { key: "poll", label: "each looks by itself", paint: 3, samples: watch(params, "poll") },
        { key: "all", label: "all are woken", paint: 1, samples: watch(params, "all") },
        { key: "one", label: "one is woken", paint: 0, samples: watch(params, "one") },
      ];
    },
    lay: () => {
      picture.lay(lanes, params.workers);
      plot.lay(scale(Math.max(280, awake.clientWidth), END, 64), {
        title: "Workers awake",
        words: "How many workers are awake under each way to wake them. The table says the numbers.",
        height: 180,
        ...{ least: 1, most: Math.max(10, round(params.workers)) },
        write: grouped,
        ...{ steps: true, axis: true, names: 120, unit: " ms" },
        moments: [{ time: 2000, label: "a task comes" }],
      });
    },
    draw: (now) => {
      picture.draw(at(now));
      plot.draw(
        lanes.map(({ key, paint, label, samples }) => ({
          ...{ key, paint, label },
          points: samples.map(({ at, awake }) => [at, awake] as const),
        })),
        now,
      );
    },
    tables: (now) => {
      const samples = at(now);
      figures.replaceChildren(wakesTable(lanes, samples));
      return Object.fromEntries(lanes.map(({ key }, i) => [key, samples[i]?.figures]));
    },
    sentence: (now) => sentence(at(now), params, now),
  };
}

function wakesTable(lanes: readonly Lane[], samples: readonly Sample[]): HTMLTableElement {
  const most = Math.max(1, ...samples.map(({ figures }) => figures.wakes));
  return table(
    "What waking took under each way",
    [
      "",
      "Tasks begun",
      "Wakes",
      "… for nothing",
      "Wakes a task",
      "Tasks waited",
      "Workers' time spent on it",
    ],
    lanes.map(({ label, paint }, i) => {
      const named = who(paint, label);
      const all = samples[i]?.figures;
      if (!all) return [named];
      const { begun, wakes, useless, perTask, delay, overhead } = all;
      return [
        ...[named, grouped(begun), withBar(grouped(wakes), wakes / most), grouped(useless)],
        begun > 0 ? grouped(perTask) : "–",
        begun > 0 ? micros(delay) : "–",
        micros(overhead),
      ];
    }),
  );
}

/** A time of the scene, as people read it: 51 µs, 2.4 ms, 1.31 s. */
function micros(time: number): string {
  if (time < 1000) return `${Math.round(time)}\u00a0µs`;
  return time < 1_000_000 ? `${(time / 1000).toFixed(1)}\u00a0ms` : `${(time / 1_000_000).toFixed(2)}\u00a0s`;
}

function question({ workers, tasks }: Params): string {
  const come = tasks === 1 ? "one task comes" : `${counted(tasks)} tasks come`;
  return `${grouped(workers)} workers sleep, and ${come}. How many wake?`;
}

function sentence(samples: readonly Sample[], { poll }: Params, now: number): string {
  const [polls, all, one] = samples.map(({ figures }) => figures);
  if (!polls || !all || !one || one.tasks === 0)
    return `At ${micros(now)} no task has come, and those that look every ${rounded(poll)} have woken ${grouped(polls?.wakes ?? 0)} times.`;
  return (
    `Up to ${micros(now)}, ${grouped(one.tasks)} ${one.tasks === 1 ? "task" : "tasks"} took ${grouped(one.wakes)} ` +
    `${one.wakes === 1 ? "wake" : "wakes"} where one is woken, ${grouped(all.wakes)} where all are, and workers that look by ` +
    `themselves woke ${grouped(polls.wakes)} times until all was done.`
  );
}

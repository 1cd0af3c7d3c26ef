// Requests against a quota: GCRA and a sliding log beside a counter in fixed windows.

import { withBar } from "../../chart/bar.js";
import { Lines } from "../../chart/lines.js";
import { scale } from "../../chart/scale.js";
import { table, who } from "../../dom.js";
import { Clock, latest, PACE } from "../../fleet/film.js";
import { grouped, seconds } from "../../format.js";
import type { Scene } from "../../scene.js";
import { parts, result, type Frame } from "../../ui/frame.js";
import type { Control } from "../../ui/knobs.js";
import { play, type Show } from "../../ui/stage.js";
import { Lanes } from "./lanes.js";
import { CHANGES, SPEC, type Params } from "./params.js";
import { GRID, HALF, LANES, track, type Key, type Sample, type Track } from "./track.js";

const CONTROLS: readonly Control<Params>[] = [
  {
    ...{ kind: "choice", name: "coming", label: "Requests come" },
    options: [
      ["bursts", "In bursts"],
      ["poisson", "At random"],
      ["steady", "Evenly"],
    ],
  },
  {
    ...{ kind: "range", name: "load", label: "Of what the quota allows", low: 10, high: 400 },
    words: (load) => `${load}\u00a0%`,
  },
  {
    ...{ kind: "range", name: "cells", label: "Quota", low: 1, high: 100 },
    words: (cells) => `${cells} a second`,
  },
  { kind: "range", name: "burst", label: "GCRA: at once", low: 1, high: 100 },
  {
    ...{ kind: "range", name: "then", label: "Quota from half time on", values: CHANGES },
    words: (then) => (then === 100 ? "the same" : `${then}\u00a0%`),
  },
  { kind: "seed", name: "seed", label: "Seed" },
];

export const limiter: Scene = {
  name: "limiter",
  title: "How many go in the worst second? Limiters, by divvy",
  mount: (place) =>
    play<Params>(place, {
      ...{ spec: SPEC, controls: CONTROLS, speeds: PACE, question },
      build: (view) => ({ reel: new Clock(GRID), show: show(view) }),
    }),
};

function show(view: Frame): Show<Params> {
  const [marks, recent, level] = parts(view, "lanes", "plot", "level");
  const figures = result(view.results, "limits", "Up to now");
  view.results.classList.add("one");
  const lanes = new Lanes(marks);
  const plot = new Lines(recent);
  const levels = new Lines(level);
  let params: Params;
  let run: Track;
  const at = (now: number) => latest(run.samples, GRID.every, now);

  return {
    begin: (next) => {
      params = next;
      run = track(params);
    },
    lay: () => {
      const axis = scale(Math.max(280, marks.clientWidth), GRID.end, 66);
      const most = (field: "recent" | "free") =>
        Math.max(1, ...run.samples.flatMap((sample) => LANES.map(({ key }) => sample[key][field])));
      const then = later(params);
      const moments = then === params.cells ? [] : [{ time: HALF, label: `quota ${then}` }];
      lanes.lay(axis, run);
      plot.lay(axis, {
        title: "Went within the last second",
        words:
          "How many requests each limiter let go within the last second. The table has the most in any second.",
        height: 170,
        most: Math.max(most("recent"), Math.ceil(params.cells * 1.1)),
        write: (value) => value.toFixed(0),
        ...{ steps: true, axis: false, names: 96, moments },
        marks: [{ value: params.cells, label: `quota ${params.cells}` }],
      });
      levels.lay(axis, {
        title: "Would go at once",
        words: "How many requests each limiter would let go at once. The table has the numbers.",
        height: 140,
        most: most("free"),
        write: (value) => value.toFixed(0),
        ...{ steps: true, axis: true, names: 96, moments: moments.map(({ time }) => ({ time, label: "" })) },
      });
    },
    draw: (now) => {
      lanes.draw(at(now), now);
      const lines = (field: "recent" | "free") =>
        LANES.map(({ key, label, paint }) => ({
          ...{ key, label, paint },
          points: run.samples.map((sample) => [sample.at, sample[key][field]] as const),
        }));
      plot.draw(lines("recent"), now);
      levels.draw(lines("free"), now);
    },
    tables: (now) => {
      figures.replaceChildren(figuresTable(at(now), params));
      return at(now);
    },
    sentence: (now) => sentence(at(now), params, now),
  };
}

/** The quota from half time on. */
function later({ cells, then }: Params): number {
  return Math.max(1, Math.floor((cells * then) / 100));
}

function question({ cells }: Params): string {
  return `${cells} a second ${cells === 1 ? "is" : "are"} allowed. How many go in the worst second?`;
}

function sentence({ gcra, log, fixed }: Sample, params: Params, now: number): string {
  const came = gcra.admitted + gcra.refused;
  if (came === 0) return `At ${seconds(now)} nothing has come yet.`;
  return (
    `At ${seconds(now)}, of ${grouped(came)} requests GCRA has let ${gcra.admitted} go, the sliding log ${log.admitted}, the ` +
    `fixed window ${fixed.admitted}. In the worst second they let ${gcra.most}, ${log.most} and ${fixed.most} go; ` +
    `the quota ${now < HALF || later(params) === params.cells ? `is ${params.cells}` : `was ${params.cells} and is now ${later(params)}`}.`
  );
}

function figuresTable(sample: Sample, params: Params): HTMLTableElement {
  const quota = Math.max(params.cells, later(params));
  const bounds: Record<Key, number> = { gcra: params.burst + quota, log: quota, fixed: 2 * quota };
  const longest = Math.max(...LANES.map(({ key }) => Math.max(bounds[key], sample[key].most)));
  return table(
    "What each limiter let go",
    ["Limiter", "Most in any second", "Never more than", "Went", "Refused", "Would go at once"],
    LANES.map(({ key, label, paint }) => {
      const { most, admitted, refused, free } = sample[key];
      return [
        who(paint, label),
        withBar(grouped(most), most / longest, params.cells / longest),
        ...[bounds[key], admitted, refused, free].map(grouped),
      ];
    }),
  );
}

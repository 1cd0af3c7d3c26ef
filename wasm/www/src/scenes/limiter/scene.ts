// Requests against a quota: GCRA and a sliding log beside a counter in fixed windows.

import { withBar } from "../../chart/bar.js";
import { Lines } from "../../chart/lines.js";
import { scale } from "../../chart/scale.js";
import { html, table } from "../../dom.js";
import { Clock, SPEED_WORDS } from "../../fleet/film.js";
import { grouped, seconds } from "../../format.js";
import { format, moment, parse } from "../../params.js";
import { ask, type Place, type Scene } from "../../scene.js";
import { frame, onWidth, result } from "../../ui/frame.js";
import { Knobs, type Control } from "../../ui/knobs.js";
import { KEYS, Player, type Draw } from "../../ui/player.js";
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
  mount,
};

function mount(place: Place): () => void {
  const link = parse(SPEC, place.query);
  const start = moment(place.query);
  place.note([...link.notes, ...start.notes]);
  const view = frame(place.stage, KEYS);
  const marks = html("div", { id: "lanes" });
  const recent = html("div", { id: "plot" });
  const level = html("div", { id: "level" });
  view.picture.append(marks, recent, level);
  const figures = result(view.results, "limits", "Up to now");
  view.results.classList.add("one");
  const lanes = new Lanes(marks);
  const plot = new Lines(recent);
  const levels = new Lines(level);
  const clock = new Clock(GRID);

  let params: Params = link.params;
  let run: Track = { samples: [], cells: [] };

  const player = new Player(
    view,
    clock.film(draw, () => place.keep(format(SPEC, params, clock.now))),
    {
      options: SPEED_WORDS,
      get: () => params.speed,
      set: (speed) => {
        params = { ...params, speed };
        knobs.show(params);
      },
    },
    place.flush,
  );
  const knobs = new Knobs(view.knobs, CONTROLS, (next) => {
    const resume = player.playing;
    begin(next, clock.now);
    player.setPlaying(resume);
  });

  function begin(next: Params, at: number): void {
    params = next;
    knobs.show(params);
    ask(place, question(params));
    run = track(params);
    clock.set(at);
    lay();
  }

  function lay(): void {
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
    player.loaded();
  }

  function draw({ tables, words }: Draw): void {
    const now = run.samples[Math.min(run.samples.length - 1, Math.floor(clock.now / GRID.every + 1e-6))];
    if (!now) return;
    lanes.draw(now, clock.now);
    const lines = (field: "recent" | "free") =>
      LANES.map(({ key, label, paint }) => ({
        ...{ key, label, paint },
        points: run.samples.map((sample) => [sample.at, sample[key][field]] as const),
      }));
    plot.draw(lines("recent"), clock.now);
    levels.draw(lines("free"), clock.now);
    if (tables) {
      figures.replaceChildren(figuresTable(now, params));
      document.documentElement.dataset["summary"] = JSON.stringify(now);
    }
    if (words) view.say.textContent = sentence(now, params, clock.now);
  }

  const unwatch = onWidth(view.figure, lay);
  begin(params, start.time ?? 0);
  if (start.time === undefined && !player.less) player.setPlaying(true);
  return () => {
    unwatch();
    player.leave();
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
        html("span", { class: "who" }, html("i", { class: `chip chip-${paint}` }), ` ${label}`),
        withBar(grouped(most), most / longest, params.cells / longest),
        ...[bounds[key], admitted, refused, free].map(grouped),
      ];
    }),
  );
}

// Loads that are known only as they were some time ago, and what comes of believing them.

import { Lines } from "../../chart/lines.js";
import { scale } from "../../chart/scale.js";
import { Clock, PACE } from "../../fleet/film.js";
import { Heat } from "../../fleet/heat.js";
import { Track } from "../../fleet/track.js";
import { figuresOf, figuresTable, linesOf, type Lane, type Running } from "../../fleet/words.js";
import { duration, percent, rounded, seconds } from "../../format.js";
import type { Scene } from "../../scene.js";
import { parts, result, type Frame } from "../../ui/frame.js";
import type { Control } from "../../ui/knobs.js";
import { play, type Show } from "../../ui/stage.js";
import { byAge, trafficOf } from "./ages.js";
import { AGES, SPEC, type Params } from "./params.js";

/** The queue that is drawn darkest. */
const DARKEST = 30;
const GRID = { every: 100, end: 40_000 };

/** Those that believe the snapshot as it is; then those that add what they sent since; then who asks nobody. */
const LANES: readonly Lane[] = [
  { policy: "told-all", label: "the emptiest of all", paint: 1 },
  { policy: "told-two", label: "the emptier of two", paint: 3 },
  { policy: "p2c", label: "of two, with local credit", paint: 0 },
  { policy: "least-loaded", label: "of all, with local credit", paint: 2 },
  { policy: "random", label: "any", paint: 4 },
];

const CONTROLS: readonly Control<Params>[] = [
  {
    ...{ kind: "range", name: "age", label: "A snapshot every", values: AGES },
    words: rounded,
  },
  {
    ...{ kind: "range", name: "load", label: "Load", low: 10, high: 110 },
    words: (load) => percent(load / 100),
  },
  { kind: "range", name: "servers", label: "Servers", low: 2, high: 32 },
  { kind: "range", name: "dispatchers", label: "Dispatchers", low: 1, high: 32 },
  { kind: "seed", name: "seed", label: "Seed" },
];

export const stale: Scene = {
  name: "stale",
  title: "Why do old news herd? By divvy",
  mount: (place) =>
    play<Params>(place, {
      ...{ spec: SPEC, controls: CONTROLS, speeds: PACE, question },
      build: (view) => ({ reel: new Clock(GRID), show: show(view) }),
    }),
};

function show(view: Frame): Show<Params> {
  const [strips, latency] = parts(view, "strips", "plot");
  const table = result(view.results, "stats", "Latency up to now");
  const ages = result(view.results, "ages", "The mean at other ages of the snapshot");
  view.results.classList.add("one");
  const picture = new Heat(strips);
  const plot = new Lines(latency);
  let lanes: Running[] = [];
  let stop = () => {};

  const lay = () => {
    const wide = latency.clientWidth >= 600;
    picture.lay(lanes, GRID.end, DARKEST, wide ? 44 : 26);
    const axis = scale(Math.max(280, latency.clientWidth), GRID.end, 56);
    // Below one another, on one time axis.
    strips.style.padding = `0 ${axis.width - axis.x(GRID.end)}px 0 ${axis.gutter}px`;
    plot.lay(axis, {
      title: "Mean latency so far (logarithmic)",
      words: "The mean latency up to each moment, for each policy. The table says the present numbers.",
      height: wide ? 190 : 150,
      ...{ least: 100, most: 10_000 },
      write: rounded,
      ...{ steps: false, axis: true, names: 150 },
    });
  };
  return {
    begin: (params) => {
      const traffic = trafficOf(params, params.age);
      lanes = LANES.map((lane) => ({
        ...lane,
        track: new Track(lane.policy, traffic, GRID.every, GRID.end, 20),
      }));
      traffic.free();
      stop();
      stop = byAge(LANES, params, GRID.end, (table) => ages.replaceChildren(table));
    },
    lay,
    draw: (now) => {
      picture.draw(now);
      plot.draw(linesOf(lanes, "mean"), now);
    },
    tables: (now) => {
      table.replaceChildren(figuresTable(lanes, now));
      return figuresOf(lanes, now);
    },
    sentence: (now) => sentence(lanes, now),
    leave: () => stop(),
  };
}

function question({ age }: Params): string {
  return `Everybody knows who was idle ${rounded(age)} ago. Why does that make it worse?`;
}

function sentence(lanes: readonly Running[], now: number): string {
  const mean = (policy: string) =>
    lanes.find((lane) => lane.policy === policy)?.track.at(now).figures ?? { mean: 0, succeeded: 0 };
  const all = mean("told-all");
  if (all.succeeded === 0) return `At ${seconds(now)} nothing has been answered yet.`;
  return (
    `At ${seconds(now)}, a request has taken ${duration(all.mean)} on average where all go to the server that was ` +
    `emptiest, ${duration(mean("told-two").mean)} with two at random, ${duration(mean("p2c").mean)} with local ` +
    `credit on top, and ${duration(mean("random").mean)} at random.`
  );
}

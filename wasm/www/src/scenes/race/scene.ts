// The same requests under several policies, side by side.

import { Lines } from "../../chart/lines.js";
import { round, scale } from "../../chart/scale.js";
import { Clock, PACE } from "../../fleet/film.js";
import { Track } from "../../fleet/track.js";
import { figuresOf, figuresTable, linesOf, type Running } from "../../fleet/words.js";
import { counted, duration, percent, rounded, seconds } from "../../format.js";
import { policies, Traffic } from "../../pkg/divvy.js";
import type { Scene } from "../../scene.js";
import { parts, result, type Frame } from "../../ui/frame.js";
import type { Control } from "../../ui/knobs.js";
import { play, type Show } from "../../ui/stage.js";
import { Lanes } from "./lanes.js";
import { MAX_LANES, spec, type Params } from "./params.js";

const GRID = { every: 50, end: 30_000 };
/** The longest queue that is drawn as long as it is; above, the number says it. */
const TALLEST = 20;
/** A slow server's speed, in percent. */
const SLOW = 25;

export const race: Scene = {
  name: "race",
  title: "Which policy answers sooner? Balancers racing, by divvy",
  mount: (place) => {
    const names = policies();
    return play<Params>(place, {
      ...{ spec: spec(names), controls: controls(names), speeds: PACE, question },
      build: (view) => ({ reel: new Clock(GRID), show: show(view) }),
    });
  },
};

function show(view: Frame): Show<Params> {
  const [queues, latency] = parts(view, "lanes", "plot");
  const table = result(view.results, "stats", "Latency up to now");
  view.results.classList.add("one");
  const picture = new Lanes(queues);
  const plot = new Lines(latency);
  let lanes: Running[] = [];
  let slow = 0;

  return {
    begin: ({ policies, seed, servers, load, times, ...params }) => {
      slow = Math.min(params.slow, servers);
      const traffic = new Traffic(seed, servers, load);
      traffic.runTimes(times);
      traffic.slow(slow, SLOW);
      lanes = policies.map((policy, paint) => ({
        ...{ policy, paint, label: policy },
        track: new Track(policy, traffic, GRID.every, GRID.end, 20),
      }));
      traffic.free();
    },
    lay: () => {
      const longest = Math.max(1, ...lanes.map(({ track }) => track.longest));
      picture.lay(lanes, slow, Math.min(longest, TALLEST));
      plot.lay(scale(Math.max(280, latency.clientWidth), GRID.end, 56), {
        title: "99 of 100 requests so far took at most",
        words:
          "The 99th percentile of latency up to each moment, for each policy. The table says the present numbers.",
        height: 160,
        most: round(
          Math.max(...lanes.flatMap(({ track }) => track.samples.map(({ figures }) => figures.p99))),
        ),
        write: (ms) => (ms === 0 ? "0" : rounded(ms)),
        ...{ steps: false, axis: true, names: 96 },
      });
    },
    draw: (now) => {
      picture.draw(lanes, now);
      plot.draw(linesOf(lanes, "p99"), now);
    },
    tables: (now) => {
      table.replaceChildren(figuresTable(lanes, now));
      return figuresOf(lanes, now);
    },
    sentence: (now) => sentence(lanes, now),
  };
}

function controls(names: readonly string[]): Control<Params>[] {
  return [
    {
      ...{ kind: "several", name: "policies", label: "Policies", low: 2, high: MAX_LANES },
      options: names.map((name) => [name, name]),
    },
    {
      ...{ kind: "range", name: "load", label: "Load", low: 10, high: 120 },
      words: (load) => percent(load / 100),
    },
    { kind: "range", name: "servers", label: "Servers", low: 2, high: 16 },
    { kind: "range", name: "slow", label: "Slow servers (¼ speed)", low: 0, high: 4 },
    {
      ...{ kind: "select", name: "times", label: "Run times" },
      options: [
        ["constant", "all the same"],
        ["exponential", "exponential"],
        ["bimodal", "1 in 10 runs 20 × as long"],
        ["pareto", "Pareto: a few very long"],
      ],
    },
    { kind: "seed", name: "seed", label: "Seed" },
  ];
}

function question({ servers, slow }: Params): string {
  const which = slow === 0 ? "" : `, ${counted(Math.min(slow, servers))} of them slow`;
  return `The same requests come to ${counted(servers)} servers${which}. Which policy answers sooner?`;
}

function sentence(lanes: readonly Running[], now: number): string {
  const order = lanes
    .map(({ label, track }) => ({ label, ...track.at(now).figures }))
    .sort((a, b) => a.p99 - b.p99);
  const [best, worst] = [order[0], order.at(-1)];
  if (!best || !worst || best.succeeded === 0) return `At ${seconds(now)} nothing has been answered yet.`;
  return (
    `At ${seconds(now)}, 99 of 100 requests took at most ${duration(best.p99)} under ${best.label} and ` +
    `${duration(worst.p99)} under ${worst.label}; on average ${duration(best.mean)} and ${duration(worst.mean)}.`
  );
}

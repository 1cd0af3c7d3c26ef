// A cold server joins, with and without slow start.

import { Lines, type Line } from "../../chart/lines.js";
import { round, scale } from "../../chart/scale.js";
import { table, who } from "../../dom.js";
import { Clock, PACE } from "../../fleet/film.js";
import { Track } from "../../fleet/track.js";
import { counted, duration, grouped, percent, rounded, seconds } from "../../format.js";
import { policies, Traffic } from "../../pkg/divvy.js";
import type { Scene } from "../../scene.js";
import { parts, result, type Frame } from "../../ui/frame.js";
import type { Control } from "../../ui/knobs.js";
import { play, type Show } from "../../ui/stage.js";
import { spec, type Params } from "./params.js";

const GRID = { every: 100, end: 40_000 };
/** How many samples a share or a percentile is taken over. */
const WINDOW = 10;
/** Later than the longest ramp: the others are done with theirs, which they all began together. */
const JOINS = 21_000;
const FROM = 16_000;

interface Lane {
  key: "without" | "with";
  label: string;
  paint: number;
  track: Track;
  /** The share of the requests that the new server got, in each window. */
  shares: (readonly [number, number])[];
}

export const slow: Scene = {
  name: "slow",
  title: "How much work for a cold server? Slow start, by divvy",
  mount: (place) => {
    const names = policies();
    return play<Params>(place, {
      ...{ spec: spec(names), controls: controls(names), speeds: PACE, question },
      build: (view) => ({ reel: new Clock({ ...GRID, end: GRID.end - FROM }), show: show(view) }),
    });
  },
};

function show(view: Frame): Show<Params> {
  const [ramp, latency] = parts(view, "ramp", "plot");
  const figures = result(view.results, "stats", "Since the server joined");
  view.results.classList.add("one");
  const shares = new Lines(ramp);
  const plot = new Lines(latency);
  let servers = 0;
  let lanes: Lane[] = [];
  const since = (now: number) => lanes.map((lane) => ({ ...lane, ...sinceJoin(lane.track, now + FROM) }));

  return {
    begin: (params) => {
      servers = params.servers;
      const traffic = new Traffic(params.seed, servers, params.load);
      traffic.joins(JOINS, params.warm * 1000, params.cold);
      const without = new Track(params.policy, traffic, GRID.every, GRID.end, WINDOW);
      traffic.slowStart(params.ramp * 1000);
      const ramped = new Track(params.policy, traffic, GRID.every, GRID.end, WINDOW);
      traffic.free();
      lanes = [
        { key: "without", label: "without", paint: 1, track: without, shares: shared(without) },
        { key: "with", label: "with slow start", paint: 0, track: ramped, shares: shared(ramped) },
      ];
    },
    lay: () => {
      const width = Math.max(280, latency.clientWidth);
      const axis = scale(width, GRID.end - FROM, 64);
      const fair = 1 / (servers + 1);
      const most = Math.max(2 * fair, ...lanes.flatMap(({ shares }) => shares.map(([, share]) => share)));
      shares.lay(axis, {
        title: "Share of the requests that the new server gets",
        words: "The share of requests that the new server gets, over time. The table says the numbers.",
        height: width >= 600 ? 170 : 150,
        most: Math.min(1, Math.ceil(most * 10) / 10),
        write: (part) => percent(part),
        ...{ steps: false, axis: false, names: 110 },
        marks: [{ value: fair, label: `fair ${percent(fair)}` }],
        moments: [{ time: JOINS - FROM, label: "it joins" }],
      });
      plot.lay(axis, {
        title: "99 of 100 requests took at most (each second)",
        words: "The 99th percentile of latency in each second. The table says the numbers.",
        height: width >= 600 ? 210 : 170,
        most: round(Math.max(...lanes.flatMap(({ track }) => recent(track).map(([, p99]) => p99)))),
        write: (ms) => (ms === 0 ? "0" : rounded(ms)),
        ...{ steps: false, axis: true, names: 110 },
        moments: [{ time: JOINS - FROM, label: "" }],
      });
    },
    draw: (now) => {
      const lines = (points: (lane: Lane) => Line["points"]) =>
        lanes.map((lane) => ({ key: lane.key, paint: lane.paint, label: lane.label, points: points(lane) }));
      shares.draw(
        lines((lane) => lane.shares),
        now,
      );
      plot.draw(
        lines((lane) => recent(lane.track)),
        now,
      );
    },
    tables: (now) => {
      const all = since(now);
      figures.replaceChildren(sinceTable(all));
      return Object.fromEntries(
        all.map(({ key, picked, share, held, own, worst }) => [key, { picked, share, held, own, worst }]),
      );
    },
    sentence: (now) => sentence(since(now), now),
  };
}

function sinceTable(since: readonly (Lane & Since)[]): HTMLTableElement {
  return table(
    "What the new server got and how long requests took since it joined",
    ["", "Requests to it", "Its share", "It holds now", "Its worst second, 99 %", "All: worst second, 99 %"],
    since.map(({ label, paint, picked, share, held, own, worst }) => [
      who(paint, label),
      ...[grouped(picked), percent(share, 1), grouped(held), duration(own), duration(worst)],
    ]),
  );
}

function controls(names: readonly string[]): Control<Params>[] {
  const time = (value: number) => rounded(value * 1000);
  return [
    { ...{ kind: "select", name: "policy", label: "Policy" }, options: names.map((name) => [name, name]) },
    { ...{ kind: "range", name: "ramp", label: "Slow start lasts", low: 1, high: 20 }, words: time },
    { ...{ kind: "range", name: "warm", label: "The server is warm after", low: 0, high: 20 }, words: time },
    {
      ...{ kind: "range", name: "cold", label: "Its speed while cold", low: 1, high: 100 },
      words: (part) => percent(part / 100),
    },
    {
      ...{ kind: "range", name: "load", label: "Load", low: 10, high: 110 },
      words: (load) => percent(load / 100),
    },
    { kind: "range", name: "servers", label: "Servers before", low: 1, high: 12 },
    { kind: "seed", name: "seed", label: "Seed" },
  ];
}

/** What the new server got in each window, as a share of all. */
function shared(track: Track): (readonly [number, number])[] {
  return track.samples
    .filter((sample, i) => i % WINDOW === 0 && sample.at > JOINS)
    .map((sample) => {
      const before = track.at(sample.at - WINDOW * track.every);
      const own = (sample.servers.at(-1)?.picked ?? 0) - (before.servers.at(-1)?.picked ?? 0);
      const all = sample.figures.arrived - before.figures.arrived;
      return [sample.at - FROM, all > 0 ? own / all : 0] as const;
    });
}

function recent(track: Track): (readonly [number, number])[] {
  return track.samples
    .filter((sample) => sample.at >= FROM && sample.recent !== undefined)
    .map((sample) => [sample.at - FROM, sample.recent?.p99 ?? 0] as const);
}

interface Since {
  picked: number;
  share: number;
  held: number;
  /** The worst second of the new server, and of all. */
  own: number;
  worst: number;
}

function sinceJoin(track: Track, time: number): Since {
  const [now, then] = [track.at(time), track.at(JOINS)];
  const newcomer = now.servers.at(-1);
  const picked = newcomer?.picked ?? 0;
  const all = now.figures.arrived - then.figures.arrived;
  const samples = track.samples.filter(({ at }) => at > JOINS && at <= time);
  return {
    ...{ picked, share: all > 0 ? picked / all : 0, held: newcomer?.held ?? 0 },
    own: Math.max(0, ...samples.map(({ recentOfLast }) => recentOfLast?.p99 ?? 0)),
    worst: Math.max(0, ...samples.map(({ recent }) => recent?.p99 ?? 0)),
  };
}

function question({ servers }: Params): string {
  return `A cold server joins ${counted(servers)} warm ${servers === 1 ? "one" : "ones"}. How much should it get at once?`;
}

function sentence(since: readonly (Lane & Since)[], now: number): string {
  const joined = JOINS - FROM;
  const [without, ramped] = since;
  if (now <= joined || !without || !ramped)
    return `At ${seconds(now)}. The cold server joins at ${seconds(joined)}.`;
  return (
    `${seconds(now - joined)} after it joined, the new server has got ${percent(without.share, 1)} of the requests without ` +
    `slow start and ${percent(ramped.share, 1)} with it. In the worst second since, 99 of 100 requests took at most ` +
    `${duration(without.worst)} without and ${duration(ramped.worst)} with.`
  );
}

// Calls of which a few stall, with and without a second attempt.

import { withBar } from "../../chart/bar.js";
import { Lines } from "../../chart/lines.js";
import { round, scale } from "../../chart/scale.js";
import { table, who } from "../../dom.js";
import { Clock, latest, PACE } from "../../fleet/film.js";
import { duration, grouped, percent, rounded, seconds } from "../../format.js";
import type { Scene } from "../../scene.js";
import { parts, result, type Frame } from "../../ui/frame.js";
import type { Control } from "../../ui/knobs.js";
import { play, type Show } from "../../ui/stage.js";
import { Bars } from "./bars.js";
import { BUDGETS, PERCENTILES, SPEC, STALLS, type Params } from "./params.js";
import { GRID, HALF, track, type Sample, type Track } from "./track.js";

const WAYS = [
  { key: "alone", label: "one attempt", paint: 1 },
  { key: "hedged", label: "hedged", paint: 0 },
] as const;

const CONTROLS: readonly Control<Params>[] = [
  {
    ...{ kind: "range", name: "percentile", label: "Sent again after the percentile", values: PERCENTILES },
    words: (mille) => `${mille / 10}`,
  },
  {
    ...{ kind: "range", name: "stalls", label: "Attempts that stall for 1\u00a0s", values: STALLS },
    words: (mille) => `${mille / 10}\u00a0%`,
  },
  {
    ...{ kind: "range", name: "budget", label: "Budget, of first attempts", values: BUDGETS },
    words: (share) => `${share}\u00a0%`,
  },
  {
    ...{ kind: "choice", name: "slower", label: "At half time, all servers 10 × as slow" },
    options: [
      ["no", "No"],
      ["yes", "Yes"],
    ],
  },
  { kind: "seed", name: "seed", label: "Seed" },
];

export const hedging: Scene = {
  name: "hedging",
  title: "What does a second attempt cost? Hedging, by divvy",
  mount: (place) =>
    play<Params>(place, {
      ...{ spec: SPEC, controls: CONTROLS, speeds: PACE, question },
      build: (view) => ({ reel: new Clock(GRID), show: show(view) }),
    }),
};

function show(view: Frame): Show<Params> {
  const [calls, tail, load] = parts(view, "calls", "plot", "load");
  const figures = result(view.results, "tails", "Latency up to now");
  const costs = result(view.results, "costs", "What it costs");
  const bars = new Bars(calls);
  const plot = new Lines(tail);
  const shares = new Lines(load);
  let params: Params;
  let run: Track;
  const at = (now: number) => latest(run.samples, GRID.every, now);

  return {
    begin: (next) => {
      params = next;
      run = track(params);
    },
    lay: () => {
      const axis = scale(Math.max(280, calls.clientWidth), GRID.end, 56);
      const moments = params.slower === "yes" ? [{ time: HALF, label: "all 10 × as slow" }] : [];
      bars.lay();
      plot.lay(axis, {
        title: "999 of 1000 calls so far took at most",
        words:
          "The 99.9th percentile of latency up to each moment, with and without hedging. The table has the numbers.",
        height: 180,
        ...{ least: 10, most: 10_000, write: rounded, steps: false, axis: false, names: 92, moments },
      });
      shares.lay(axis, {
        title: "Sent twice, in each half second",
        words: "Second attempts in each half second, as a share of the calls. The table has the sum.",
        height: 150,
        most: Math.min(1, round(Math.max(0.1, ...run.samples.map(({ share }) => share)))),
        write: (share) => percent(share),
        ...{ steps: false, axis: true, names: 92, moments: moments.map(({ time }) => ({ time, label: "" })) },
        marks: params.budget > 0 ? [{ value: params.budget / 100, label: `${params.budget}\u00a0%` }] : [],
      });
    },
    draw: (now) => {
      const sample = at(now);
      bars.draw(run.calls[run.samples.indexOf(sample)] ?? [], sample.delay);
      const answered = run.samples.filter(({ alone }) => alone.answered > 0);
      plot.draw(
        WAYS.map(({ key, label, paint }) => ({
          ...{ key, label, paint },
          points: answered.map((sample) => [sample.at, sample[key].p999] as const),
        })),
        now,
      );
      const share = run.samples.map(({ at, share }) => [at, share] as const);
      shares.draw([{ key: "share", label: "sent twice", paint: 0, points: share }], now);
    },
    tables: (now) => {
      const sample = at(now);
      figures.replaceChildren(figuresTable(sample));
      costs.replaceChildren(costTable(sample));
      return sample;
    },
    sentence: (now) => sentence(at(now)),
  };
}

function question({ stalls }: Params): string {
  if (stalls === 0) return "No call stalls. What does a second attempt cost?";
  return stalls % 10 === 0
    ? `${stalls / 10} of 100 calls ${stalls === 10 ? "stalls" : "stall"} for a second. What does a second attempt cost?`
    : `${stalls} of 1000 calls ${stalls === 1 ? "stalls" : "stall"} for a second. What does a second attempt cost?`;
}

function sentence({ at, alone, hedged, calls, sent, refused }: Sample): string {
  if (alone.answered === 0) return `At ${seconds(at)} nothing has been answered yet.`;
  const held = refused === 0 ? "" : ` The budget refused ${grouped(refused)} more.`;
  return (
    `At ${seconds(at)}, 999 of 1000 calls took at most ${duration(alone.p999)} with one attempt and ` +
    `${duration(hedged.p999)} with hedging, which sent ${percent(sent / calls, 1)} of the calls twice.${held}`
  );
}

function figuresTable(sample: Sample): HTMLTableElement {
  const longest = Math.max(1, sample.alone.p999, sample.hedged.p999);
  return table(
    "The latency of the calls with and without hedging",
    ["", "99.9 % within", "99 %", "50 %", "Longest", "Answered"],
    WAYS.map(({ key, label, paint }) => {
      const { answered, p50, p99, p999, max } = sample[key];
      return [
        who(paint, label),
        withBar(duration(p999), p999 / longest),
        ...[p99, p50, max].map(duration),
        grouped(answered),
      ];
    }),
  );
}

function costTable({ calls, sent, refused, balance, delay }: Sample): HTMLTableElement {
  return table(
    "What hedging costs",
    ["", ""],
    [
      ["Extra load", percent(calls > 0 ? sent / calls : 0, 2)],
      ["Second attempts", `${grouped(sent)} of ${grouped(calls)} calls`],
      ["Refused by the budget", grouped(refused)],
      ["Left in the budget", grouped(balance)],
      ["Sent again after", delay === undefined ? "not known yet" : duration(delay)],
    ],
  );
}

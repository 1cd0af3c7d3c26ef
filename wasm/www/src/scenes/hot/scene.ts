// Most requests are for a few keys: plain hashing against splitting what is hot.

import { withBar } from "../../chart/bar.js";
import { Lines } from "../../chart/lines.js";
import { scale } from "../../chart/scale.js";
import { table } from "../../dom.js";
import { Clock, latest } from "../../fleet/film.js";
import { grouped, percent } from "../../format.js";
import type { Scene } from "../../scene.js";
import { parts, result, type Frame } from "../../ui/frame.js";
import type { Control } from "../../ui/knobs.js";
import { play, type Show } from "../../ui/stage.js";
import { KEYS, SPEC, SPEEDS, type Params } from "./params.js";
import { Picture } from "./picture.js";
import { cut, END, EVERY, type Sample } from "./track.js";

const SHOWN = 12;

const CONTROLS: readonly Control<Params>[] = [
  {
    ...{ kind: "range", name: "share", label: "Requests for hot keys", low: 0, high: 100 },
    words: (share) => percent(share / 100),
  },
  { kind: "range", name: "hot", label: "Hot keys", low: 1, high: 100 },
  { ...{ kind: "range", name: "keys", label: "Keys", values: [...KEYS, 100_000] }, words: grouped },
  { kind: "range", name: "workers", label: "Workers", low: 2, high: 16 },
  {
    ...{
      kind: "range",
      name: "counters",
      label: "Counters of the sketch",
      values: [4, 8, 16, 32, 64, 128, 256],
    },
  },
  { kind: "seed", name: "seed", label: "Seed" },
];

export const hot: Scene = {
  name: "hot",
  title: "What do hot keys do to hashing? By divvy",
  mount: (place) =>
    play<Params>(place, {
      ...{ spec: SPEC, controls: CONTROLS, question },
      speeds: { options: SPEEDS.map((speed) => [speed, `${speed} requests/s`]), unit: 1 / 1000 },
      build: (view) => ({
        reel: new Clock({ every: EVERY, end: END }, (time) => `${grouped(time)} requests`),
        show: show(view),
      }),
    }),
};

function show(view: Frame): Show<Params> {
  const [loads, skew] = parts(view, "loads", "plot");
  const found = result(view.results, "found", "Which keys the sketch found");
  const costs = result(view.results, "costs", "What it costs");
  const picture = new Picture(loads);
  const plot = new Lines(skew);
  let params: Params;
  let samples: Sample[] = [];
  const at = (now: number) => latest(samples, EVERY, now);

  return {
    begin: (next) => {
      params = next;
      samples = cut(params);
    },
    lay: () => {
      picture.lay(params.workers);
      const most = Math.max(2, ...samples.slice(2).flatMap(({ hashed, split }) => [hashed, split]));
      plot.lay(scale(Math.max(280, skew.clientWidth), END, 56), {
        title: "Skew, by thousands of requests",
        words: "The skew under both cuts as requests come. The text below says the present numbers.",
        height: 170,
        most: Math.ceil(most),
        write: (value) => value.toFixed(0),
        ...{ steps: false, axis: true, names: 100, unit: "k" },
        marks: [{ value: 1, label: "even 1" }],
      });
    },
    draw: (now) => {
      picture.draw(at(now));
      const line = (key: "hashed" | "split") =>
        samples.slice(1).map((sample) => [sample.at, sample[key]] as const);
      plot.draw(
        [
          { key: "hashed", paint: 1, label: "by hash", points: line("hashed") },
          { key: "split", paint: 0, label: "hot keys split", points: line("split") },
        ],
        now,
      );
    },
    tables: (now) => {
      const { hashed, split, kept, copies } = at(now);
      found.replaceChildren(foundTable(at(now), params));
      costs.replaceChildren(costTable(at(now)));
      return { hashed, split, kept, copies };
    },
    sentence: (now) => sentence(at(now), params),
  };
}

function question({ share, hot, keys }: Params): string {
  const these = hot === 1 ? "1 key" : `${hot} keys`;
  return `${share} of 100 requests are for ${these} of ${grouped(keys)}. What does that do to hashing?`;
}

function sentence(now: Sample, { hot }: Params): string {
  if (now.at === 0) return "Nothing has come yet.";
  const split = now.found.filter(({ choices }) => choices > 1);
  const right = split.filter(({ key }) => key < hot).length;
  const keys =
    split.length === 0
      ? "No key is split."
      : `${split.length === 1 ? "1 key is" : `${split.length} keys are`} split, ${right} of them hot.`;
  return (
    `After ${grouped(now.at)} requests, the fullest worker has ${now.hashed.toFixed(2)} times the mean by hash, and ` +
    `${now.split.toFixed(2)} times with hot keys split. ${keys}`
  );
}

function foundTable(now: Sample, { hot }: Params): HTMLTableElement {
  const shown = now.found.slice(0, SHOWN);
  const most = Math.max(1, ...shown.map(({ count }) => count));
  return table(
    "The heaviest keys that the sketch counts",
    ["Key", "Counted", "At least", "Of all", "Split over"],
    shown.map(({ key, count, error, choices }) => [
      `key-${key}${key < hot ? " (hot)" : ""}`,
      withBar(grouped(count), count / most),
      grouped(count - error),
      percent(now.at > 0 ? (count - error) / now.at : 0, 1),
      choices > 1 ? `${choices} workers` : "–",
    ]),
  );
}

function costTable(now: Sample): HTMLTableElement {
  const longest = Math.max(now.hashed, now.split, 1);
  return table(
    "What both cuts come to",
    ["", "Skew", "Spare room for the mean to fit", "Keys kept", "In places"],
    (["hashed", "split"] as const).map((key) => [
      key === "hashed" ? "by hash" : "hot keys split",
      withBar(now[key].toFixed(2), now[key] / longest),
      percent(Math.max(0, now[key] - 1)),
      grouped(now.kept),
      grouped(key === "hashed" ? now.kept : now.copies),
    ]),
  );
}

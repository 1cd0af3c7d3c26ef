// Calls of which a few stall, with and without a second attempt.

import { withBar } from "../../chart/bar.js";
import { Lines } from "../../chart/lines.js";
import { round, scale } from "../../chart/scale.js";
import { html, table } from "../../dom.js";
import { Clock, SPEED_WORDS } from "../../fleet/film.js";
import { duration, grouped, percent, rounded, seconds } from "../../format.js";
import { format, moment, parse } from "../../params.js";
import { ask, type Place, type Scene } from "../../scene.js";
import { frame, onWidth, result } from "../../ui/frame.js";
import { Knobs, type Control } from "../../ui/knobs.js";
import { KEYS, Player, type Draw } from "../../ui/player.js";
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
  mount,
};

function mount(place: Place): () => void {
  const link = parse(SPEC, place.query);
  const start = moment(place.query);
  place.note([...link.notes, ...start.notes]);
  const view = frame(place.stage, KEYS);
  const calls = html("div", { id: "calls" });
  const tail = html("div", { id: "plot" });
  const load = html("div", { id: "load" });
  view.picture.append(calls, tail, load);
  const figures = result(view.results, "tails", "Latency up to now");
  const costs = result(view.results, "costs", "What it costs");
  const bars = new Bars(calls);
  const plot = new Lines(tail);
  const shares = new Lines(load);
  const clock = new Clock(GRID);

  let params: Params = link.params;
  let run: Track = { samples: [], calls: [] };

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
    player.loaded();
  }

  function draw({ tables, words }: Draw): void {
    const at = Math.min(run.samples.length - 1, Math.floor(clock.now / GRID.every + 1e-6));
    const now = run.samples[at];
    if (!now) return;
    bars.draw(run.calls[at] ?? [], now.delay);
    const answered = run.samples.filter(({ alone }) => alone.answered > 0);
    plot.draw(
      WAYS.map(({ key, label, paint }) => ({
        ...{ key, label, paint },
        points: answered.map((sample) => [sample.at, sample[key].p999] as const),
      })),
      clock.now,
    );
    const share = run.samples.map(({ at, share }) => [at, share] as const);
    shares.draw([{ key: "share", label: "sent twice", paint: 0, points: share }], clock.now);
    if (tables) {
      figures.replaceChildren(figuresTable(now));
      costs.replaceChildren(costTable(now));
      document.documentElement.dataset["summary"] = JSON.stringify(now);
    }
    if (words) view.say.textContent = sentence(now);
  }

  const unwatch = onWidth(view.figure, lay);
  begin(params, start.time ?? 0);
  if (start.time === undefined && !player.less) player.setPlaying(true);
  return () => {
    unwatch();
    player.leave();
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
        html("span", { class: "who" }, html("i", { class: `chip chip-${paint}` }), ` ${label}`),
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

// A slow service in a chain, with and without protection.

import { Boxes, type ChainLane } from "../../chain/boxes.js";
import { ChainTrack } from "../../chain/track.js";
import { servicesTable, success } from "../../chain/words.js";
import { Lines } from "../../chart/lines.js";
import { round, scale } from "../../chart/scale.js";
import { html } from "../../dom.js";
import { Clock, SPEED_WORDS } from "../../fleet/film.js";
import { counted, duration, percent, rounded, seconds } from "../../format.js";
import { format, moment, parse } from "../../params.js";
import { ChainPlan } from "../../pkg/protection.js";
import { ask, type Place, type Scene } from "../../scene.js";
import { frame, onWidth, result } from "../../ui/frame.js";
import { Knobs, type Control } from "../../ui/knobs.js";
import { KEYS, Player, type Draw } from "../../ui/player.js";
import { SPEC, type Guard, type Params } from "./params.js";

const GRID = { every: 250, end: 60_000 };
/** When D is slow. */
const FROM = 10_000;
const UNTIL = 40_000;
const STRETCH = 1000;
/** How long D waits for E, and how many calls of D may be under way. */
const PATIENCE = 150;
const PLACES = 20;

export const cascade: Scene = {
  name: "cascade",
  title: "One slow service: what becomes of the others? By divvy",
  mount,
};

function mount(place: Place): () => void {
  const link = parse(SPEC, place.query);
  const start = moment(place.query);
  place.note([...link.notes, ...start.notes]);
  const view = frame(place.stage, KEYS);
  const boxes = html("div", { id: "boxes" });
  const rate = html("div", { id: "rate" });
  const latency = html("div", { id: "plot" });
  view.picture.append(boxes, rate, latency);
  const figures = result(view.results, "stats", "Each service up to now");
  view.results.classList.add("one");
  const picture = new Boxes(boxes);
  const answered = new Lines(rate);
  const plot = new Lines(latency);
  const clock = new Clock(GRID);

  let params: Params = link.params;
  let lanes: ChainLane[] = [];

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
  const knobs = new Knobs(view.knobs, controls(), (next) => {
    const resume = player.playing;
    begin(next, clock.now);
    player.setPlaying(resume);
  });

  function begin(next: Params, at: number): void {
    params = next;
    knobs.show(params);
    ask(place, question(params));
    lanes = [
      { key: "without", label: "without protection", paint: 1, track: track(params, []) },
      { key: "with", label: "with protection", paint: 0, track: track(params, params.guards) },
    ];
    clock.set(at);
    lay();
  }

  function lay(): void {
    const width = Math.max(280, latency.clientWidth);
    const axis = scale(width, GRID.end, 64);
    const moments = (label: string, after: string) => [
      { time: FROM, label },
      { time: UNTIL, label: after },
    ];
    picture.lay(lanes);
    answered.lay(axis, {
      title: "Share of A's requests answered (each second)",
      words: "The share of the requests to A that are answered, in each second. The table says the numbers.",
      height: 140,
      most: 1,
      write: (part) => percent(part),
      ...{ steps: false, axis: false, names: 130 },
      moments: moments("D is slow", "D is well"),
    });
    plot.lay(axis, {
      title: "99 of 100 answers of A took at most (each second)",
      words: "The 99th percentile of the time to an answer of A, in each second. The table says the numbers.",
      height: 160,
      most: round(Math.max(...lanes.flatMap(({ track }) => track.p99().map(([, p99]) => p99)))),
      write: (ms) => (ms === 0 ? "0" : rounded(ms)),
      ...{ steps: false, axis: true, names: 130 },
      moments: moments("", ""),
    });
    player.loaded();
  }

  function draw({ tables, words }: Draw): void {
    const now = clock.now;
    picture.draw(lanes, now);
    const lines = (points: (track: ChainTrack) => (readonly [number, number])[]) =>
      lanes.map(({ key, paint, label, track }) => ({ ...{ key, paint, label }, points: points(track) }));
    answered.draw(
      lines((track) => track.answered()),
      now,
    );
    plot.draw(
      lines((track) => track.p99()),
      now,
    );
    if (tables) {
      figures.replaceChildren(servicesTable(lanes, now));
      document.documentElement.dataset["summary"] = JSON.stringify(
        Object.fromEntries(lanes.map(({ key, track }) => [key, track.at(now).users])),
      );
    }
    if (words) view.say.textContent = sentence(lanes, now);
  }

  const unwatch = onWidth(view.figure, lay);
  begin(params, start.time ?? 0);
  if (start.time === undefined && !player.less) player.setPlaying(true);
  return () => {
    unwatch();
    player.leave();
  };
}

function track({ seed, rate, factor, need }: Params, guards: readonly Guard[]): ChainTrack {
  const plan = new ChainPlan(seed, rate);
  try {
    plan.needD(need);
    plan.slowD(factor, FROM, UNTIL);
    if (guards.includes("timeouts")) plan.timeouts(PATIENCE);
    if (guards.includes("bulkhead")) plan.bulkhead(PLACES);
    plan.breaker(guards.includes("breaker"));
    plan.deadlines(guards.includes("deadlines"));
    plan.fallback(guards.includes("fallback"));
    return new ChainTrack(plan, GRID.every, GRID.end, STRETCH);
  } finally {
    plan.free();
  }
}

function controls(): Control<Params>[] {
  return [
    {
      ...{ kind: "several", name: "guards", label: "Protection", low: 1, high: 5 },
      options: [
        ["timeouts", "time-outs"],
        ["bulkhead", "a bulkhead before D"],
        ["breaker", "a breaker before D"],
        ["deadlines", "deadlines that travel"],
        ["fallback", "an answer without D"],
      ],
    },
    {
      kind: "range",
      name: "factor",
      label: "D is slower by",
      low: 2,
      high: 50,
      words: (factor) => `${factor} ×`,
    },
    {
      ...{ kind: "range", name: "need", label: "Requests that need D", low: 0, high: 100 },
      words: (need) => percent(need / 100),
    },
    {
      ...{ kind: "range", name: "rate", label: "Requests", low: 50, high: 1000 },
      words: (rate) => `${rate}/s`,
    },
    { kind: "seed", name: "seed", label: "Seed" },
  ];
}

function question({ factor, need }: Params): string {
  return `Service D takes ${counted(factor)} times as long; ${need} of 100 requests need it. What becomes of A?`;
}

function sentence(lanes: readonly ChainLane[], now: number): string {
  const [without, guarded] = lanes.map(({ track }) => track.at(now).users);
  if (now < FROM || !without || !guarded)
    return `At ${seconds(now)} all is well. D becomes slow at ${seconds(FROM)}.`;
  return (
    `${now < UNTIL ? "D is slow" : "D is well again"}. Up to ${seconds(now)} A answered ` +
    `${percent(success(without), 1)} of the requests without protection, 99 of 100 answers within ${duration(without.p99)}; ` +
    `with it ${percent(success(guarded), 1)}, within ${duration(guarded.p99)}.`
  );
}

// Retries on every floor of a chain, with and without a budget.

import { Boxes, type ChainLane } from "../../chain/boxes.js";
import { ChainTrack } from "../../chain/track.js";
import { servicesTable, success } from "../../chain/words.js";
import { Lines } from "../../chart/lines.js";
import { round, scale } from "../../chart/scale.js";
import { html } from "../../dom.js";
import { Clock, SPEED_WORDS } from "../../fleet/film.js";
import { counted, grouped, percent, rounded, seconds } from "../../format.js";
import { format, moment, parse } from "../../params.js";
import { ChainPlan } from "../../pkg/protection.js";
import { ask, type Place, type Scene } from "../../scene.js";
import { frame, onWidth, result } from "../../ui/frame.js";
import { Knobs, type Control } from "../../ui/knobs.js";
import { KEYS, Player, type Draw } from "../../ui/player.js";
import { SPEC, type Guard, type Params } from "./params.js";

const GRID = { every: 250, end: 60_000 };
/** When D fails. */
const FROM = 10_000;
const STRETCH = 1000;
const PATIENCE = 150;
/** The service that fails, in the row. */
const D = 3;

export const storm: Scene = {
  name: "retry-storm",
  title: "How many calls become of one? A retry storm, by divvy",
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
  const attempts = new Lines(rate);
  const answered = new Lines(latency);
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
      { key: "without", label: "retries alone", paint: 1, track: track(params, []) },
      { key: "with", label: `with ${words(params.guards)}`, paint: 0, track: track(params, params.guards) },
    ];
    clock.set(at);
    lay();
  }

  function lay(): void {
    const axis = scale(Math.max(280, latency.clientWidth), GRID.end, 64);
    const moments = (label: string, after: string) => [
      { time: FROM, label },
      { time: FROM + params.outage * 1000, label: after },
    ];
    picture.lay(lanes);
    const most = lanes.flatMap(({ track }) => track.attempts(D, STRETCH).map(([, made]) => made));
    attempts.lay(axis, {
      title: "Calls that reach D a second",
      words: "How many calls reach D in each second. The table says the numbers.",
      height: 170,
      most: round(Math.max(...most)),
      write: (calls) => grouped(calls),
      ...{ steps: false, axis: false, names: 130 },
      marks: [{ value: params.rate, label: `users ${params.rate}` }],
      moments: moments("D fails", "D is well"),
    });
    answered.lay(axis, {
      title: "Share of requests answered (each second)",
      words: "The share of users' requests that are answered in each second. The table says the numbers.",
      height: 150,
      most: 1,
      write: (part) => percent(part),
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
    attempts.draw(
      lines((track) => track.attempts(D, STRETCH)),
      now,
    );
    answered.draw(
      lines((track) => track.answered()),
      now,
    );
    if (tables) {
      figures.replaceChildren(servicesTable(lanes, now));
      document.documentElement.dataset["summary"] = JSON.stringify(
        Object.fromEntries(lanes.map(({ key, track }) => [key, summary(track, now)])),
      );
    }
    if (words) view.say.textContent = sentence(lanes, params, now);
  }

  const unwatch = onWidth(view.figure, lay);
  begin(params, start.time ?? 0);
  if (start.time === undefined && !player.less) player.setPlaying(true);
  return () => {
    unwatch();
    player.leave();
  };
}

function track({ seed, rate, attempts, outage }: Params, guards: readonly Guard[]): ChainTrack {
  const plan = new ChainPlan(seed, rate);
  try {
    plan.failD(FROM, FROM + outage * 1000);
    plan.timeouts(PATIENCE);
    plan.attempts(attempts);
    plan.budget(guards.includes("budget"));
    plan.breaker(guards.includes("breaker"));
    plan.deadlines(guards.includes("deadlines"));
    return new ChainTrack(plan, GRID.every, GRID.end, STRETCH);
  } finally {
    plan.free();
  }
}

/** Users' requests, those that were answered, and the calls that reached D. */
function summary(track: ChainTrack, time: number): { arrived: number; answered: number; calls: number } {
  const { users, totals } = track.at(time);
  return {
    ...{ arrived: users.arrived, answered: users.full + users.degraded },
    calls: totals[D]?.attempts ?? 0,
  };
}

const WORDS: Record<Guard, string> = { budget: "a budget", breaker: "a breaker", deadlines: "deadlines" };

function words(guards: readonly Guard[]): string {
  return guards.map((guard) => WORDS[guard]).join(" + ");
}

function controls(): Control<Params>[] {
  return [
    {
      ...{ kind: "several", name: "guards", label: "Against it", low: 1, high: 3 },
      options: [
        ["budget", "a budget: one retry in ten"],
        ["breaker", "a breaker before D"],
        ["deadlines", "deadlines that travel"],
      ],
    },
    { kind: "range", name: "attempts", label: "Attempts of each caller", low: 2, high: 5 },
    {
      ...{ kind: "range", name: "outage", label: "D fails for", low: 1, high: 30 },
      words: (s) => rounded(s * 1000),
    },
    {
      ...{ kind: "range", name: "rate", label: "Requests", low: 10, high: 800 },
      words: (rate) => `${rate}/s`,
    },
    { kind: "seed", name: "seed", label: "Seed" },
  ];
}

function question({ attempts, outage }: Params): string {
  return `D fails for ${counted(outage)} seconds, and every caller tries ${counted(attempts)} times. How many calls become of one?`;
}

function sentence(lanes: readonly ChainLane[], { outage }: Params, now: number): string {
  const span = Math.min(Math.max(now - FROM, 0), outage * 1000);
  const [without, guarded] = lanes.map(({ track }) => {
    const [then, end] = [summary(track, FROM), summary(track, FROM + span)];
    const { users } = track.at(now);
    return {
      calls: (end.calls - then.calls) / Math.max(1, end.arrived - then.arrived),
      success: success(users),
    };
  });
  if (span < 1000 || !without || !guarded)
    return `At ${seconds(now)} D is well. It fails at ${seconds(FROM)}.`;
  return (
    `While D failed, ${without.calls.toFixed(1)} calls of it became of one request with retries alone, ` +
    `${guarded.calls.toFixed(1)} with ${lanes[1]?.label.replace(/^with /, "") ?? ""}. Up to ${seconds(now)} ` +
    `${percent(without.success, 1)} and ${percent(guarded.success, 1)} of the requests were answered.`
  );
}

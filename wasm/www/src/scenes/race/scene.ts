// The same requests under several policies, side by side.

import { Lines } from "../../chart/lines.js";
import { round, scale } from "../../chart/scale.js";
import { html } from "../../dom.js";
import { Clock, SPEED_WORDS } from "../../fleet/film.js";
import { Track } from "../../fleet/track.js";
import { figuresTable, type Lane } from "../../fleet/words.js";
import { counted, duration, percent, rounded, seconds } from "../../format.js";
import { format, moment, parse } from "../../params.js";
import { policies, Traffic } from "../../pkg/divvy.js";
import { ask, type Place, type Scene } from "../../scene.js";
import { frame, onWidth, result } from "../../ui/frame.js";
import { Knobs, type Control } from "../../ui/knobs.js";
import { KEYS, Player, type Draw } from "../../ui/player.js";
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
  mount,
};

function mount(place: Place): () => void {
  const names = policies();
  const SPEC = spec(names);
  const link = parse(SPEC, place.query);
  const start = moment(place.query);
  place.note([...link.notes, ...start.notes]);
  const view = frame(place.stage, KEYS);
  const queues = html("div", { id: "lanes" });
  const latency = html("div", { id: "plot" });
  view.picture.append(queues, latency);
  const table = result(view.results, "stats", "Latency up to now");
  view.results.classList.add("one");
  const picture = new Lanes(queues);
  const plot = new Lines(latency);
  const clock = new Clock(GRID);

  let params: Params = link.params;
  let lanes: (Lane & { track: Track })[] = [];

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
  const knobs = new Knobs(view.knobs, controls(names), (next) => {
    const resume = player.playing;
    begin(next, clock.now);
    player.setPlaying(resume);
  });

  function begin(next: Params, at: number): void {
    params = next;
    knobs.show(params);
    ask(place, question(params));
    const traffic = new Traffic(params.seed, params.servers, params.load);
    traffic.runTimes(params.times);
    traffic.slow(Math.min(params.slow, params.servers), SLOW);
    lanes = params.policies.map((policy, paint) => ({
      ...{ policy, paint, label: policy },
      track: new Track(policy, traffic, GRID.every, GRID.end, 20),
    }));
    traffic.free();
    clock.set(at);
    lay();
  }

  function lay(): void {
    const longest = Math.max(1, ...lanes.map(({ track }) => track.longest));
    picture.lay(lanes, Math.min(params.slow, params.servers), Math.min(longest, TALLEST));
    plot.lay(scale(Math.max(280, latency.clientWidth), GRID.end, 56), {
      title: "99 of 100 requests so far took at most",
      words:
        "The 99th percentile of latency up to each moment, for each policy. The table says the present numbers.",
      height: 160,
      most: round(Math.max(...lanes.flatMap(({ track }) => track.samples.map(({ figures }) => figures.p99)))),
      write: (ms) => (ms === 0 ? "0" : rounded(ms)),
      ...{ steps: false, axis: true, names: 96 },
    });
    player.loaded();
  }

  function draw({ tables, words }: Draw): void {
    const now = clock.now;
    picture.draw(lanes, now);
    plot.draw(
      lanes.map(({ policy, paint, label, track }) => ({
        ...{ key: policy, paint, label },
        points: track.samples.map(({ at, figures }) => [at, figures.p99] as const),
      })),
      now,
    );
    if (tables) {
      table.replaceChildren(figuresTable(lanes, now));
      document.documentElement.dataset["summary"] = JSON.stringify(
        Object.fromEntries(lanes.map(({ policy, track }) => [policy, track.at(now).figures])),
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

function sentence(lanes: readonly (Lane & { track: Track })[], now: number): string {
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

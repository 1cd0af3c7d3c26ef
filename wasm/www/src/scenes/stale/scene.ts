// Loads that are known only as they were some time ago, and what comes of believing them.

import { Lines } from "../../chart/lines.js";
import { scale } from "../../chart/scale.js";
import { html } from "../../dom.js";
import { Clock, SPEED_WORDS } from "../../fleet/film.js";
import { Heat } from "../../fleet/heat.js";
import { Track } from "../../fleet/track.js";
import { figuresTable, type Lane } from "../../fleet/words.js";
import { duration, percent, rounded, seconds } from "../../format.js";
import { format, moment, parse } from "../../params.js";
import { ask, type Place, type Scene } from "../../scene.js";
import { frame, onWidth, result } from "../../ui/frame.js";
import { Knobs, type Control } from "../../ui/knobs.js";
import { KEYS, Player, type Draw } from "../../ui/player.js";
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

export const stale: Scene = { name: "stale", title: "Why do old news herd? By divvy", mount };

function mount(place: Place): () => void {
  const link = parse(SPEC, place.query);
  const start = moment(place.query);
  place.note([...link.notes, ...start.notes]);
  const view = frame(place.stage, KEYS);
  const strips = html("div", { id: "strips" });
  const latency = html("div", { id: "plot" });
  view.picture.append(strips, latency);
  const table = result(view.results, "stats", "Latency up to now");
  const ages = result(view.results, "ages", "The mean at other ages of the snapshot");
  view.results.classList.add("one");
  const picture = new Heat(strips);
  const plot = new Lines(latency);
  const clock = new Clock(GRID);
  const dark = matchMedia("(prefers-color-scheme: dark)");

  let params: Params = link.params;
  let lanes: (Lane & { track: Track })[] = [];
  let stop = () => {};

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
    const traffic = trafficOf(params, params.age);
    lanes = LANES.map((lane) => ({
      ...lane,
      track: new Track(lane.policy, traffic, GRID.every, GRID.end, 20),
    }));
    traffic.free();
    stop();
    stop = byAge(LANES, params, GRID.end, (table) => ages.replaceChildren(table));
    clock.set(at);
    lay();
  }

  function lay(): void {
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
    player.loaded();
  }

  function draw({ tables, words }: Draw): void {
    const now = clock.now;
    picture.draw(now);
    plot.draw(
      lanes.map(({ policy, paint, label, track }) => ({
        ...{ key: policy, paint, label },
        points: track.samples.map(({ at, figures }) => [at, figures.mean] as const),
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
  dark.addEventListener("change", lay);
  begin(params, start.time ?? 0);
  if (start.time === undefined && !player.less) player.setPlaying(true);
  return () => {
    unwatch();
    stop();
    dark.removeEventListener("change", lay);
    player.leave();
  };
}

function question({ age }: Params): string {
  return `Everybody knows who was idle ${rounded(age)} ago. Why does that make it worse?`;
}

function sentence(lanes: readonly (Lane & { track: Track })[], now: number): string {
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

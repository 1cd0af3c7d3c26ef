// The scene: parameters and playback, and everything that shows the run.

import { Lines } from "../../chart/lines.js";
import { html } from "../../dom.js";
import { format, moment, parse } from "../../params.js";
import { ask, type Place, type Scene } from "../../scene.js";
import { frame, onWidth, result } from "../../ui/frame.js";
import { Knobs, type Control } from "../../ui/knobs.js";
import { KEYS, Player, type Draw } from "../../ui/player.js";
import { DEFAULTS, SPEC, type Params } from "./params.js";
import { Picture } from "./picture.js";
import { outcome, Run } from "./run.js";
import { compare, compareTable, question, sentence, statsTable, type Choice } from "./words.js";

const SPEED_WORDS = [
  [0.01, "1/100"],
  [0.05, "1/20"],
  [0.2, "1/5"],
  [1, "real time"],
] as const;

const CONTROLS: readonly Control<Params>[] = [
  {
    ...{ kind: "choice", name: "policy", label: "A worker without tasks" },
    options: [
      ["none", "stops"],
      ["one", "steals one"],
      ["half", "steals half"],
    ],
  },
  {
    ...{ kind: "choice", name: "victim", label: "From" },
    options: [
      ["random", "anyone"],
      ["busiest", "the busiest"],
    ],
  },
  {
    ...{ kind: "select", name: "cost", label: "An attempt takes" },
    options: [10, 100, 1000, 5000, 20_000, 100_000].map((micros) => [micros, `${micros / 1000} ms`]),
    words: (micros) => `${micros / 1000} ms`,
  },
  { kind: "range", name: "workers", label: "Workers", low: 2, high: 8 },
  { kind: "range", name: "share", label: "Tasks on worker 0", low: 0, high: 100 },
  { kind: "seed", name: "seed", label: "Seed" },
];

export const stealing: Scene = {
  name: "stealing",
  title: "Who helps? Work stealing, by divvy",
  mount,
  figures: () => {
    const seconds = (ms: number) => (ms / 1000).toFixed(2);
    return {
      bound: seconds(outcome(DEFAULTS).bound),
      none: seconds(outcome({ ...DEFAULTS, policy: "none" }).makespan),
      half: seconds(outcome(DEFAULTS).makespan),
    };
  },
};

function mount(place: Place): () => void {
  const link = parse(SPEC, place.query);
  const start = moment(place.query);
  place.note([...link.notes, ...start.notes]);
  const view = frame(place.stage, KEYS);
  const lanes = html("div", { id: "lanes" });
  const queues = html("div", { id: "plot" });
  view.picture.append(lanes, queues);
  const compared = result(view.results, "compare", "The same tasks under every policy");
  const stats = result(view.results, "stats", "Who did what, up to now");
  const picture = new Picture(lanes);
  const plot = new Lines(queues);

  let params: Params = link.params;
  let run = new Run(params);
  let choices: Choice[] = [];
  let end = 1;

  const player = new Player(
    view,
    {
      now: () => run.now,
      end: () => end,
      goTo: (time) => run.goTo(time),
      step: () => run.step(),
      back: () => run.goTo(run.lengths.filter(({ at }) => at < run.now).at(-1)?.at ?? 0),
      draw,
      keep: () => place.keep(format(SPEC, params, run.now)),
    },
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
    begin(next, 0);
    player.setPlaying(resume);
  });

  /** Another run, shown from `at` on. */
  function begin(next: Params, at: number): void {
    params = next;
    knobs.show(params);
    knobs.disable("victim", params.policy === "none");
    ask(place, question(params));
    run.free();
    run = new Run(params);
    choices = compare(params);
    end = outcome(params).makespan;
    run.goTo(Math.min(at, end));
    lay();
  }

  function lay(): void {
    const alone = choices[0]?.makespan ?? end;
    const scale = picture.lay(run, { domain: Math.max(alone, end) * 1.01, alone });
    plot.lay(scale, {
      title: "Tasks waiting in each queue",
      words: "How many tasks wait in each queue, over time. The table says the present numbers.",
      height: 132,
      most: Math.max(1, ...(run.lengths[0]?.queues ?? [])),
      write: String,
      steps: true,
      axis: false,
    });
    compared.replaceChildren(
      compareTable(choices, run.lowerBound, params, ({ policy, victim }) => {
        begin({ ...params, policy, victim }, 0);
        compared.querySelector<HTMLElement>("[aria-current]")?.focus();
        player.setPlaying(!player.less);
      }),
    );
    player.loaded();
  }

  function draw({ animate, tables, words }: Draw): void {
    picture.draw(run, animate);
    plot.draw(
      Array.from({ length: params.workers }, (_, worker) => ({
        ...{ key: String(worker), paint: worker, label: String(worker) },
        points: run.lengths.map(({ at, queues }) => [at, queues[worker] ?? 0] as const),
      })),
      run.now,
    );
    if (tables) stats.replaceChildren(statsTable(run));
    if (words) view.say.textContent = sentence(run);
  }

  const unwatch = onWidth(view.figure, lay);
  begin(params, start.time ?? 0);
  // A link to a moment shows that moment; who asked for less motion starts it by hand.
  if (start.time === undefined && !player.less) player.setPlaying(true);
  return () => {
    unwatch();
    player.leave();
    run.free();
  };
}

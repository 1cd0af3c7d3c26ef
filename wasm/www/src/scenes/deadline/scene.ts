// Tasks with deadlines: whether they will be met, and what happens.

import { Gantt, type Mark } from "../../chart/gantt.js";
import { html } from "../../dom.js";
import { defaults } from "../../params.js";
import init from "../../pkg/deadlines.js";
import type { Scene } from "../../scene.js";
import { parts, result, type Frame } from "../../ui/frame.js";
import type { Control } from "../../ui/knobs.js";
import type { Reel } from "../../ui/player.js";
import { play, type Show, type Stage } from "../../ui/stage.js";
import { tasksKnob } from "./knob.js";
import { NAMES, PRESETS, SPEC, SPEEDS, type Params } from "./params.js";
import { simulate, type Run } from "./run.js";
import { jobsTable, question, sentence, verdict, verdictsTable } from "./words.js";

const CONTROLS: readonly Control<Params>[] = [
  {
    ...{ kind: "select", name: "order", label: "First runs" },
    options: [
      ["edf", "earliest deadline (EDF)"],
      ["rm", "shortest period (RM)"],
      ["dm", "shortest deadline (DM)"],
    ],
  },
  { kind: "range", name: "cores", label: "Cores", low: 1, high: 4 },
  {
    ...{ kind: "choice", name: "place", label: "A task runs on" },
    options: [
      ["global", "any core"],
      ["partitioned", "its own core"],
    ],
  },
  { kind: "own", name: "tasks", label: "Tasks", make: tasksKnob },
];

const deadline: Scene = {
  name: "deadline",
  title: "Will every task meet its deadline? By divvy",
  mount: (place) => {
    let run = simulate(defaults(SPEC));
    return play<Params>(place, {
      ...{ spec: SPEC, controls: CONTROLS, fromStart: true, endFirst: true },
      speeds: { options: SPEEDS.map((speed) => [speed, `${speed} ms a second`]), unit: 1 / 1000 },
      question: (params) => question(params, run),
      build: (view, stage) => build(view, stage, (params) => (run = simulate(params))),
    });
  },
};

/** The scene, once its module is there. */
export async function load(): Promise<Scene> {
  await init();
  return deadline;
}

function build(
  view: Frame,
  stage: Stage<Params>,
  simulate: (params: Params) => Run,
): { show: Show<Params>; reel: Reel } {
  const [says, timeline] = parts(view, "verdict", "timeline");
  says.setAttribute("role", "status");
  const tests = result(view.results, "tests", "What the tests say beforehand");
  const jobs = result(view.results, "jobs", "What became of the jobs, up to now");
  view.results.classList.add("one");
  view.controls.append(presets(stage));
  const chart = new Gantt(timeline);
  let params = stage.params;
  let run = simulate(params);
  let time = 0;

  const moments = () =>
    [...run.events.map(({ at }) => at), ...run.segments.flatMap(({ from, to }) => [from, to])].sort(
      (a, b) => a - b,
    );
  const reel: Reel = {
    now: () => time,
    end: () => run.end,
    goTo: (to) => (time = Math.min(Math.max(0, to), run.end)),
    step: () => (time = moments().find((at) => at > time) ?? run.end),
    back: () =>
      (time =
        moments()
          .filter((at) => at < time)
          .at(-1) ?? 0),
    moment: (time) => `${Math.round(time * 10) / 10} milliseconds`,
  };
  const show: Show<Params> = {
    begin: (next) => {
      params = next;
      run = simulate(params);
      says.textContent = verdict(run);
      says.dataset["says"] = run.known.some(({ away }) => away)
        ? "misses"
        : (run.verdicts[0]?.says ?? "undecided");
      tests.replaceChildren(verdictsTable(run));
    },
    lay: () => {
      stage.disable("place", params.cores === 1);
      chart.lay({
        domain: run.end * 1.005,
        rows: params.tasks.map((_, paint) => ({ name: `task ${NAMES[paint] ?? ""}`, paint })),
        bars: run.segments.map(({ core, task, number, from, to, end }) => ({
          ...{ row: task, from, to, paint: task, data: { task, number, core, end } },
          ...(params.cores > 1 ? { label: String(core) } : {}),
        })),
        marks: marks(run),
        lines: due(run),
        write: (ms) => `${ms} ms`,
        words:
          "When each task ran, arrived, had its deadline and missed it. The text and the tables say the same.",
      });
    },
    draw: (now) =>
      chart.draw(
        now,
        params.tasks.map((_, task) => state(run, task, now)),
      ),
    tables: (now) => {
      jobs.replaceChildren(jobsTable(params, run, now));
      return { ...run, now };
    },
    sentence: (now) => sentence(run, now),
  };
  return { show, reel };
}

function presets(stage: Stage<Params>): HTMLElement {
  const buttons = PRESETS.map(({ name, label, params }) => {
    const button = html("button", { type: "button", id: `preset-${name}` }, label);
    button.addEventListener("click", () => {
      stage.begin({ ...stage.params, ...params }, stage.less ? Infinity : 0);
      stage.play(!stage.less);
    });
    return button;
  });
  return html(
    "div",
    { class: "deeds", role: "group", "aria-label": "Examples" },
    html("span", {}, "Examples"),
    ...buttons,
  );
}

function marks({ events, segments }: Run): Mark[] {
  const all: Mark[] = [];
  for (const { kind, task, at, extra } of events) {
    if (kind === "release") all.push({ kind, row: task, at }, { kind: "deadline", row: task, at: extra });
    if (kind === "miss") all.push({ kind, row: task, at });
  }
  for (const { end, task, to } of segments)
    if (end === "preempted") all.push({ kind: "preempted", row: task, at: to });
  return all;
}

/** Where more is due than there is time. */
function due({ verdicts, end }: Run): { time: number; label: string; kind: "bound" }[] {
  const [first] = verdicts;
  if (first?.says !== "misses" || first.evidence.kind !== "demand") return [];
  const { within, demand } = first.evidence;
  return within <= end ? [{ time: within, label: `${demand} ms due by ${within} ms`, kind: "bound" }] : [];
}

function state({ events, segments, known }: Run, task: number, now: number): string {
  if (known[task]?.away) return "turned away";
  const missed = events.filter(
    (event) => event.task === task && event.kind === "miss" && event.at <= now,
  ).length;
  if (missed > 0) return `${missed} missed`;
  return segments.some((one) => one.task === task && one.from <= now && now < one.to) ? "runs" : "";
}

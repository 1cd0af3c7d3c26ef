// A circuit breaker, and calls that end as the reader says.

import { html, who } from "../../dom.js";
import { rounded } from "../../format.js";
import type { Scene } from "../../scene.js";
import { parts, result, type Frame } from "../../ui/frame.js";
import type { Control } from "../../ui/knobs.js";
import type { Reel } from "../../ui/player.js";
import { play, type Show, type Stage } from "../../ui/stage.js";
import { DEEDS, isLetter, MOST, SPEC, SPEEDS, type Letter, type Params } from "./params.js";
import { KEY, Picture } from "./picture.js";
import { replay, type Run } from "./run.js";
import { changesTable, question, sentence, totalsTable } from "./words.js";

/** Of the film, for one thing done. */
const EACH = 1000;

const CONTROLS: readonly Control<Params>[] = [
  { kind: "range", name: "window", label: "Window: the last calls", low: 4, high: 40 },
  {
    ...{ kind: "range", name: "threshold", label: "Trips at", low: 5, high: 100 },
    words: (share) => `${share}\u00a0%`,
  },
  { kind: "range", name: "minimum", label: "Of at least so many calls", low: 1, high: 40 },
  {
    ...{ kind: "choice", name: "sure", label: "Only if 95 % sure (Wilson)" },
    options: [
      ["no", "No"],
      ["yes", "Yes"],
    ],
  },
  {
    ...{ kind: "range", name: "open", label: "Open for, at first", values: [1, 2, 5, 10, 20, 30, 60] },
    words: (time) => rounded(time * 1000),
  },
  { kind: "range", name: "probes", label: "Probes at once", low: 1, high: 5 },
];

const ACTS: readonly [string, string][] = (Object.keys(DEEDS) as Letter[]).map((letter) => [
  letter.toUpperCase(),
  ["w", "d"].includes(letter) ? `waits ${DEEDS[letter].label}` : `calls: it ${DEEDS[letter].label}`,
]);

export const breaker: Scene = {
  name: "breaker",
  title: "When to stop calling? A circuit breaker, by divvy",
  mount: (place) =>
    play<Params>(place, {
      ...{ spec: SPEC, controls: CONTROLS, build, endFirst: true },
      keys: [...ACTS, ["⌫", "takes the last back"]],
      speeds: { options: SPEEDS.map((speed) => [speed, `${speed} a second`]) },
      question: (params) => question(replay(params)),
      mend: (params) => ({ ...params, minimum: Math.min(params.minimum, params.window) }),
    }),
};

function build(view: Frame, stage: Stage<Params>): { show: Show<Params>; reel: Reel } {
  const [drawing] = parts(view, "breaker");
  const key = html("p", { class: "key" });
  for (const [label, kind] of KEY) {
    key.append(who(kind, label));
  }
  view.picture.append(key);
  const changes = result(view.results, "changes", "Changes of state");
  const totals = result(view.results, "totals", "Since the start");
  const picture = new Picture(drawing);
  let run: Run;
  let time = 0;
  const end = () => stage.params.log.length * EACH;
  const at = () => Math.min(stage.params.log.length, Math.floor(time / EACH + 1e-6));
  const goTo = (to: number) => (time = Math.min(Math.max(to, 0), end()));

  /** What was done up to the moment shown stays; `log` says how it goes on. */
  function rewrite(log: string): void {
    stage.play(false);
    stage.begin({ ...stage.params, log }, log.length * EACH);
  }

  function act(letter: Letter): void {
    if (at() >= MOST)
      stage.place.note([`A link holds ${MOST} things done, no more: take some back or clear them.`]);
    else rewrite(stage.params.log.slice(0, at()) + letter);
  }

  const takeBack = () => rewrite(stage.params.log.slice(0, Math.max(0, at() - 1)));
  view.controls.append(buttons(act, takeBack, () => rewrite("")));
  view.figure.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const letter = event.key.toLowerCase();
    if (isLetter(letter)) act(letter);
    else if (event.key === "Backspace") takeBack();
    else return;
    event.preventDefault();
  });

  const reel: Reel = {
    ...{ now: () => time, end, goTo },
    step: () => goTo((at() + 1) * EACH),
    back: () => goTo((Math.ceil(time / EACH - 1e-6) - 1) * EACH),
    moment: (time) => `${Math.floor(time / EACH + 1e-6)} of ${stage.params.log.length} done`,
  };
  const show: Show<Params> = {
    begin: (params) => {
      run = replay(params);
    },
    // All of it changes with each thing done.
    lay: () => {},
    draw: () => picture.draw(run, at(), stage.params.probes, stage.params.window),
    tables: () => {
      const step = run.steps[at()];
      if (!step) return undefined;
      changes.replaceChildren(changesTable(run, at()));
      totals.replaceChildren(totalsTable(step));
      return { ...step, changes: run.changes.slice(0, step.changes) };
    },
    sentence: () => sentence(run, at(), stage.params),
  };
  return { show, reel };
}

/** What the reader can do to the breaker. */
function buttons(act: (letter: Letter) => void, takeBack: () => void, clear: () => void): HTMLElement {
  const button = (id: string, label: string, does: () => void) => {
    const button = html("button", { type: "button", id }, label);
    button.addEventListener("click", does);
    return button;
  };
  const deed = (letter: Letter) => button(`do-${letter}`, DEEDS[letter].label, () => act(letter));
  const group = (label: string, ...all: HTMLElement[]) =>
    html("div", { class: "deeds", role: "group", "aria-label": label }, html("span", {}, label), ...all);
  return html(
    "div",
    { class: "deed-rows" },
    group("A call that", deed("s"), deed("f"), deed("l"), deed("n")),
    group("Wait", deed("w"), deed("d")),
    group("Log", button("undo", "Take back", takeBack), button("clear", "Clear", clear)),
  );
}

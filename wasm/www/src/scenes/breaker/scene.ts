// A circuit breaker, and calls that end as the reader says.

import { html } from "../../dom.js";
import { rounded } from "../../format.js";
import { format, moment, parse } from "../../params.js";
import { ask, type Place, type Scene } from "../../scene.js";
import { frame, onWidth, result } from "../../ui/frame.js";
import { Knobs, type Control } from "../../ui/knobs.js";
import { KEYS, Player, type Draw } from "../../ui/player.js";
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

export const breaker: Scene = {
  name: "breaker",
  title: "When to stop calling? A circuit breaker, by divvy",
  mount,
};

function mount(place: Place): () => void {
  const link = parse(SPEC, place.query);
  const start = moment(place.query);
  place.note([...link.notes, ...start.notes]);
  const deeds: [string, string][] = (Object.keys(DEEDS) as Letter[]).map((letter) => [
    letter.toUpperCase(),
    ["w", "d"].includes(letter) ? `waits ${DEEDS[letter].label}` : `calls: it ${DEEDS[letter].label}`,
  ]);
  const view = frame(place.stage, [...deeds, ["⌫", "takes the last back"], ...KEYS]);
  const drawing = html("div", { id: "breaker" });
  const key = html("p", { class: "key" });
  for (const [label, kind] of KEY) {
    key.append(html("span", { class: "who" }, html("i", { class: `chip chip-${kind}` }), ` ${label}`));
  }
  view.picture.append(drawing, key);
  const changes = result(view.results, "changes", "Changes of state");
  const totals = result(view.results, "totals", "Since the start");
  const picture = new Picture(drawing);

  let params: Params = link.params;
  let run: Run = replay(params);
  let time = 0;
  const at = () => Math.min(params.log.length, Math.floor(time / EACH + 1e-6));
  const end = () => params.log.length * EACH;
  const goTo = (to: number) => (time = Math.min(Math.max(to, 0), end()));

  view.controls.append(buttons());
  const player = new Player(
    view,
    {
      ...{ now: () => time, end, goTo, draw },
      step: () => goTo((at() + 1) * EACH),
      back: () => goTo((Math.ceil(time / EACH - 1e-6) - 1) * EACH),
      keep: () => place.keep(format(SPEC, params, time)),
      moment: (time) => `${Math.floor(time / EACH + 1e-6)} of ${params.log.length} done`,
    },
    {
      options: SPEEDS.map((speed) => [speed, `${speed} a second`] as const),
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
    begin({ ...next, minimum: Math.min(next.minimum, next.window) });
    player.setPlaying(resume);
  });

  function begin(next: Params): void {
    params = next;
    knobs.show(params);
    run = replay(params);
    ask(place, question(run));
    goTo(time);
    player.loaded();
  }

  /** What was done up to the moment shown stays; `log` says how it goes on. */
  function rewrite(log: string): void {
    player.setPlaying(false);
    time = log.length * EACH;
    begin({ ...params, log });
  }

  function act(letter: Letter): void {
    if (at() >= MOST)
      place.note([`A link holds ${MOST} things done, no more: take some back or clear them.`]);
    else rewrite(params.log.slice(0, at()) + letter);
  }

  function buttons(): HTMLElement {
    const button = (id: string, label: string, does: () => void) => {
      const button = html("button", { type: "button", id }, label);
      button.addEventListener("click", does);
      return button;
    };
    const deed = (letter: Letter) => button(`do-${letter}`, DEEDS[letter].label, () => act(letter));
    const group = (label: string, ...all: HTMLElement[]) =>
      html("div", { class: "deeds", role: "group", "aria-label": label }, html("span", {}, label), ...all);
    view.figure.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const letter = event.key.toLowerCase();
      if (isLetter(letter)) act(letter);
      else if (event.key === "Backspace") rewrite(params.log.slice(0, Math.max(0, at() - 1)));
      else return;
      event.preventDefault();
    });
    return html(
      "div",
      { class: "deed-rows" },
      group("A call that", deed("s"), deed("f"), deed("l"), deed("n")),
      group("Wait", deed("w"), deed("d")),
      group(
        "Log",
        button("undo", "Take back", () => rewrite(params.log.slice(0, Math.max(0, at() - 1)))),
        button("clear", "Clear", () => rewrite("")),
      ),
    );
  }

  function draw({ tables, words }: Draw): void {
    const step = run.steps[at()];
    if (!step) return;
    picture.draw(run, at(), params.probes, params.window);
    if (tables) {
      changes.replaceChildren(changesTable(run, at()));
      totals.replaceChildren(totalsTable(step));
      document.documentElement.dataset["summary"] = JSON.stringify({
        ...step,
        changes: run.changes.slice(0, step.changes),
      });
    }
    if (words) view.say.textContent = sentence(run, at(), params);
  }

  const unwatch = onWidth(view.figure, () => player.loaded());
  time = start.time ?? (player.less ? end() : 0);
  begin({ ...params, minimum: Math.min(params.minimum, params.window) });
  if (start.time === undefined && !player.less) player.setPlaying(true);
  return () => {
    unwatch();
    player.leave();
  };
}

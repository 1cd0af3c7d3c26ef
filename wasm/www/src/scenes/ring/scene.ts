// Nodes on a ring: change them, and see which keys move.

import { html, who } from "../../dom.js";
import { format, parse } from "../../params.js";
import { ringAlgorithms } from "../../pkg/divvy.js";
import { ask, type Place, type Scene } from "../../scene.js";
import { copyButton } from "../../ui/copy.js";
import { frame, result } from "../../ui/frame.js";
import { Knobs } from "../../ui/knobs.js";
import { Circle } from "./circle.js";
import { andThen, LABELS, MAX_WEIGHT, spec, type Change, type Params } from "./params.js";
import { plan, type NodeFigures, type Plan } from "./plan.js";
import { question, sentence, shares, ways } from "./words.js";

export const ring: Scene = { name: "ring", title: "Which keys move? Hash rings, by divvy", mount };

function mount(place: Place): () => void {
  const algorithms = ringAlgorithms();
  const SPEC = spec(algorithms);
  const link = parse(SPEC, place.query);
  place.note(link.notes);
  const view = frame(place.stage, [
    ["↑ ↓", "on a node change its weight"],
    ["D", "drains it or ends that"],
    ["Delete", "takes it out"],
  ]);
  let params: Params = link.params;
  let shown: Plan = plan(params);

  const circle = html("div", { class: "round" });
  const beside = html("div", { id: "shares", class: "wide" });
  view.picture.classList.add("pair-of");
  view.picture.append(circle, beside);
  const moves = result(view.results, "moves", "Where the keys went");

  const act = (change: Change) => show(andThen(params, change));
  const toggle = (id: number) => {
    const draining = shown.nodes.find((node) => node.id === id)?.draining ?? false;
    act({ what: draining ? "resume" : "drain", id });
  };
  const weigh = (id: number, weight: number) => {
    if (shown.nodes.find((node) => node.id === id)?.weight !== weight) act({ what: "weight", id, weight });
  };
  const picture = new Circle(circle, {
    ...{ weigh, drain: toggle, settled: () => say() },
    remove: (id) => act({ what: "remove", id }),
  });

  const knobs = new Knobs<Params>(
    view.knobs,
    [
      {
        ...{ kind: "select", name: "algorithm", label: "Algorithm" },
        options: algorithms.map((name) => [name, name]),
      },
      { kind: "range", name: "points", label: "Points of each node", values: [1, 3, 10, 30, 150, 1000] },
    ],
    (next) => show({ ...params, algorithm: next.algorithm, points: next.points }),
  );
  const list = html("div", { class: "nodes", role: "group", "aria-label": "Nodes" });
  view.knobs.append(list);

  const take = button("take", "Take one out", () => {
    const last = members().at(-1);
    if (last) act({ what: "remove", id: last.id });
  });
  take.className = "main";
  const add = button("add", "Add one", () => {
    const id = free();
    if (id !== undefined) act({ what: "add", id, weight: 1 });
  });
  const undo = button("undo", "Undo", () => show({ ...params, done: params.done.slice(0, -1) }));
  const reset = button("restart", "Start again", () => show({ ...params, done: [] }));
  view.controls.append(
    html(
      "div",
      { class: "player", role: "group", "aria-label": "Changes" },
      ...[
        take,
        add,
        undo,
        reset,
        copyButton(() => {
          place.keep(format(SPEC, params));
          place.flush();
        }),
      ],
    ),
  );

  function members(): NodeFigures[] {
    return shown.nodes.filter((node) => node.member);
  }

  /** The first name that no member has. */
  function free(): number | undefined {
    const taken = new Set(members().map((node) => node.id));
    const id = LABELS.findIndex((_, id) => !taken.has(id));
    return id < 0 ? undefined : id;
  }

  function show(next: Params): void {
    params = next;
    shown = plan(params);
    knobs.show(params);
    knobs.disable("points", params.algorithm !== "karger");
    picture.draw(shown);
    beside.replaceChildren(shares(shown));
    moves.replaceChildren(ways(shown));
    showList();
    add.disabled = free() === undefined;
    take.disabled = members().length === 0;
    undo.disabled = reset.disabled = params.done.length === 0;
    ask(place, question(params.done.at(-1)));
    say();
    const { moved, ideal, needless, peak, least } = shown;
    document.documentElement.dataset["summary"] = JSON.stringify({ moved, ideal, needless, peak, least });
    place.keep(format(SPEC, params));
  }

  function say(): void {
    const words = [...shown.refused.slice(-2), sentence(shown, params.done.at(-1))].join(" ");
    if (view.say.textContent !== words) view.say.textContent = words;
  }

  /** A row for each member; the controls stay while the members do, so that none loses the focus. */
  function showList(): void {
    const rows = members();
    const key = rows.map((node) => node.id).join();
    if (list.dataset["members"] !== key) {
      const focus = document.activeElement instanceof HTMLElement && list.contains(document.activeElement);
      list.replaceChildren(...rows.map(row));
      list.dataset["members"] = key;
      // What had the focus is gone with its node.
      if (focus) list.querySelector<HTMLElement>("button")?.focus();
    }
    for (const { id, weight, draining } of rows) {
      const label = LABELS[id] ?? "";
      const input = list.querySelector<HTMLInputElement>(`#weight-${label}`);
      const output = list.querySelector<HTMLOutputElement>(`#weight-${label}-value`);
      const drain = list.querySelector<HTMLButtonElement>(`#drain-${label}`);
      if (input) input.value = String(weight);
      if (output) output.textContent = String(weight);
      drain?.setAttribute("aria-pressed", String(draining));
    }
  }

  function row({ id }: NodeFigures): HTMLElement {
    const label = LABELS[id] ?? "";
    const input = html("input", { id: `weight-${label}`, type: "range", min: 0, max: MAX_WEIGHT, step: 1 });
    input.setAttribute("aria-label", `Weight of node ${label}`);
    // The form has parameters of its own: this is not one of them.
    input.addEventListener("input", (event) => {
      event.stopPropagation();
      weigh(id, Number(input.value));
    });
    const drain = button(`drain-${label}`, "Drain", () => toggle(id));
    const remove = button(`remove-${label}`, "Remove", () => act({ what: "remove", id }));
    drain.setAttribute("aria-label", `Drain node ${label}`);
    remove.setAttribute("aria-label", `Remove node ${label}`);
    return html(
      "div",
      { class: "node-row" },
      who(id, label),
      html("output", { id: `weight-${label}-value`, for: `weight-${label}` }),
      ...[input, drain, remove],
    );
  }

  show(params);
  return () => {};
}

function button(id: string, label: string, act: () => void): HTMLButtonElement {
  const button = html("button", { type: "button", id }, label);
  button.addEventListener("click", act);
  return button;
}

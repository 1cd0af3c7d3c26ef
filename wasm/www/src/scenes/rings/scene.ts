// Every ring algorithm with the same nodes and keys: how evenly it shares, and what moves when a node leaves.

import { withBar } from "../../chart/bar.js";
import { html, set, svg, table } from "../../dom.js";
import { counted, grouped, percent } from "../../format.js";
import { format, parse } from "../../params.js";
import { ringAlgorithms, RingPlan } from "../../pkg/divvy.js";
import { rows } from "../../rows.js";
import { ask, type Place, type Scene } from "../../scene.js";
import { copyButton } from "../../ui/copy.js";
import { frame, onWidth, result } from "../../ui/frame.js";
import { Knobs, type Control } from "../../ui/knobs.js";
import { MAX_NODES, SPEC, type Params } from "./params.js";

const KEYS = 40_000;
const POINTS = 150;
/** How many nodes of weight 1, 2 and 3 follow one another where weights are mixed. */
const MIXED = [1, 2, 3];

interface Node {
  id: number;
  member: boolean;
  keys: number;
  before: number;
  fair: number;
}

interface Placed {
  algorithm: string;
  nodes: Node[];
  moved: number;
  ideal: number;
  needless: number;
  /** Before anybody left: the fullest node over its fair share, and the emptiest. */
  peak: number;
  least: number;
  /** Why the node could not leave. */
  refused: string | undefined;
}

const CONTROLS: readonly Control<Params>[] = [
  { kind: "range", name: "nodes", label: "Nodes", low: 2, high: MAX_NODES },
  { kind: "range", name: "gone", label: "The one that leaves", low: 0, high: MAX_NODES },
  {
    ...{ kind: "choice", name: "weights", label: "Weights" },
    options: [
      ["even", "all 1"],
      ["mixed", "1, 2, 3, 1, …"],
    ],
  },
];

export const rings: Scene = {
  name: "rings",
  title: "Who shares best, who moves least? Rings side by side, by divvy",
  mount,
};

function mount(place: Place): () => void {
  const link = parse(SPEC, place.query);
  place.note(link.notes);
  const view = frame(place.stage, [["← →", "choose the node that leaves"]]);
  const all = html("div", { id: "all" });
  view.picture.append(all);
  const figures = result(view.results, "compare", "Side by side");
  view.results.classList.add("one");
  view.controls.append(
    html(
      "div",
      { class: "player" },
      copyButton(() => {
        place.keep(format(SPEC, params));
        place.flush();
      }),
    ),
  );

  let params: Params = link.params;
  let placed: Placed[] = [];
  const knobs = new Knobs(view.knobs, CONTROLS, show);
  view.figure.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    show({ ...params, gone: (gone(params) + step + params.nodes) % params.nodes });
  });

  function show(next: Params): void {
    params = { ...next, gone: gone(next) };
    knobs.show(params);
    ask(place, `One of ${counted(params.nodes)} nodes leaves. Who shares best, and who moves least?`);
    placed = ringAlgorithms().map((algorithm) => put(algorithm, params));
    figures.replaceChildren(comparison(placed));
    view.say.textContent = sentence(placed);
    document.documentElement.dataset["summary"] = JSON.stringify(
      placed.map(({ algorithm, moved, ideal, needless, peak, least }) => ({
        algorithm,
        moved,
        ideal,
        needless,
        peak,
        least,
      })),
    );
    place.keep(format(SPEC, params));
    lay();
  }

  function lay(): void {
    all.replaceChildren(...placed.map((one) => strip(one, all.clientWidth, params)));
  }

  const unwatch = onWidth(view.figure, lay);
  show(params);
  return unwatch;
}

/** The last node if the link names one that is not there. */
function gone({ gone, nodes }: Params): number {
  return Math.min(gone, nodes - 1);
}

function put(algorithm: string, params: Params): Placed {
  const weights = Array.from({ length: params.nodes }, (_, id) => weight(id, params));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const ring = new RingPlan(algorithm, params.nodes, total, KEYS, POINTS);
  try {
    weights.forEach((weight, id) => ring.insert(id, weight));
    ring.mark();
    const [, , , , peak = 0, least = 0] = ring.summary();
    let refused: string | undefined;
    try {
      ring.remove(params.gone);
    } catch (error) {
      refused = error instanceof Error ? error.message : String(error);
    }
    const [, moved = 0, ideal = 0, needless = 0] = ring.summary();
    const nodes = rows(ring.nodes(), 7, ([id, member, , , keys, before, fair]) => ({
      ...{ id, member: member === 1, keys, before, fair },
    }));
    return { algorithm, nodes, moved, ideal, needless, peak, least, refused };
  } finally {
    ring.free();
  }
}

function weight(id: number, { weights }: Params): number {
  return weights === "even" ? 1 : (MIXED[id % MIXED.length] ?? 1);
}

/** A bar for each node: what it had, and what it got from the one that left; a line at the fair share. */
function strip({ algorithm, nodes, peak, refused }: Placed, space: number, params: Params): HTMLElement {
  const width = Math.max(260, space >= 600 ? (space - 28) / 2 : space);
  const tall = space >= 600 ? 74 : 52;
  const most = 2;
  const pitch = width / nodes.length;
  const root = svg("svg", {
    ...{ width, height: tall + 2, viewBox: `0 0 ${width} ${tall + 2}`, role: "img" },
    "aria-label": `The keys of each node under ${algorithm}. The table below has the numbers.`,
  });
  root.append(svg("rect", { class: "track", width, height: tall }));
  // Fair shares before the node left: what the others hold on top of that then is what it left them.
  const total = nodes.reduce((sum, node) => sum + node.before, 0);
  const weights = nodes.reduce((sum, { id }) => sum + weight(id, params), 0);
  nodes.forEach(({ id, member, keys, before }, i) => {
    const fair = (total * weight(id, params)) / weights;
    const high = (count: number) => (Math.min(count / fair, most) / most) * tall;
    const x = i * pitch + 0.75;
    const bar = { x, width: Math.max(1, pitch - 1.5) };
    const kept = svg("rect", { class: member ? "kept" : "left", "data-keys": keys, "data-before": before });
    set(kept, { ...bar, y: tall - high(before), height: high(before) });
    root.append(kept);
    const gained = svg("rect", { class: keys >= before ? "gained" : "lost" });
    if (member && keys !== before) {
      const [low, top] = [Math.min(keys, before), Math.max(keys, before)];
      set(gained, { ...bar, y: tall - high(top), height: high(top) - high(low) });
      root.append(gained);
    }
  });
  const fair = tall / most;
  root.append(svg("line", { class: "bound", x1: 0, x2: width, y1: fair, y2: fair }));
  const note = refused ? "this node cannot leave" : `fullest ${peak.toFixed(2)} × fair`;
  return html(
    "div",
    { class: "ring-strip", "data-algorithm": algorithm },
    html("div", { class: "strip-name" }, html("b", {}, algorithm), html("span", {}, note)),
    root,
  );
}

function comparison(placed: readonly Placed[]): HTMLTableElement {
  const most = Math.max(1, ...placed.map(({ moved, ideal }) => Math.max(moved, ideal)));
  return table(
    "Shares and moves of every algorithm",
    ["Algorithm", "Fullest node", "Emptiest node", "Keys moved", "Of all", "Ideal", "Needless"],
    placed.map(({ algorithm, peak, least, moved, ideal, needless, refused }) => [
      algorithm,
      `${peak.toFixed(2)} ×`,
      `${least.toFixed(2)} ×`,
      refused ? "it cannot leave" : withBar(grouped(moved), moved / most, ideal / most),
      refused ? "–" : percent(moved / KEYS, 1),
      refused ? "–" : grouped(ideal),
      refused ? "–" : grouped(needless),
    ]),
  );
}

function sentence(placed: readonly Placed[]): string {
  const even = [...placed].sort((a, b) => a.peak - b.peak);
  const [best, worst] = [even[0], even.at(-1)];
  const needless = placed.filter(({ refused, needless }) => refused === undefined && needless > 0);
  const moves =
    needless.length === 0
      ? "No key moved needlessly."
      : `Keys moved needlessly: ${needless.map(({ algorithm, needless }) => `${grouped(needless)} under ${algorithm}`).join(", ")}.`;
  return best && worst
    ? `Shares are most even under ${best.algorithm} (the fullest node has ${best.peak.toFixed(2)} times its fair share) and ` +
        `least even under ${worst.algorithm} (${worst.peak.toFixed(2)}). ${moves}`
    : "";
}

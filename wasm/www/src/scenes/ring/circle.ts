// The circle of hashes, with the nodes inside and what moved between them.

import { paint, patterns } from "../../chart/patterns.js";
import { svg } from "../../dom.js";
import { LABELS, MAX_WEIGHT } from "./params.js";
import { NONE, type NodeFigures, type Plan } from "./plan.js";

const SIZE = 400;
const CENTRE = SIZE / 2;
const BAND = [150, 182] as const;
/** Outside of the band: who owned a place that changed hands. */
const WAS = [186, 198] as const;
const NODES = 98;
/** How far a drag goes for one unit of weight. */
const STEP = 16;

export interface Acts {
  weigh(id: number, weight: number): void;
  remove(id: number): void;
  drain(id: number): void;
  /** The drag or the key that weighed is over. */
  settled(): void;
}

export class Circle {
  private readonly host: HTMLElement;
  private readonly acts: Acts;
  /** The node that is being dragged: where from, and with which weight. */
  private drag: { id: number; x: number; y: number; weight: number } | undefined;

  constructor(host: HTMLElement, acts: Acts) {
    this.host = host;
    this.acts = acts;
  }

  draw(plan: Plan): void {
    const focus = this.host.contains(document.activeElement) ? document.activeElement?.id : undefined;
    const root = svg("svg", {
      ...{ viewBox: `0 0 ${SIZE} ${SIZE}`, class: "circle", role: "group" },
      "aria-label": "The circle of hashes, coloured by owner, and the nodes. The text below says what moved.",
    });
    root.append(patterns(LABELS.length));
    const now = plan.places.map((place) => place.now);
    root.append(...arcs(now, BAND, "owned"));
    root.append(
      ...arcs(
        plan.places.map(({ now, before }) => (now === before ? NONE : before)),
        WAS,
        "was",
      ),
    );
    const spot = this.spots(plan);
    const most = Math.max(1, ...plan.moves.map(({ count }) => count));
    for (const { from, to, count } of plan.moves) {
      const [a, b] = [spot.get(from), spot.get(to)];
      if (!a || !b) continue;
      root.append(
        svg("path", {
          ...{ class: `flow line-${from}`, d: `M${at(a)}Q${CENTRE} ${CENTRE} ${at(b)}` },
          "stroke-width": 1 + (9 * count) / most,
          "data-from": from,
          "data-to": to,
          "data-count": count,
        }),
      );
    }
    for (const node of plan.nodes) {
      const place = spot.get(node.id);
      if (place) root.append(this.node(node, place));
    }
    this.host.replaceChildren(root);
    if (focus) document.getElementById(focus)?.focus();
  }

  /** Where each node stands: those that go keep their place until the next change. */
  private spots(plan: Plan): Map<number, [number, number]> {
    const nodes = [...plan.nodes].sort((a, b) => a.id - b.id);
    return new Map(nodes.map(({ id }, i) => [id, polar(i / nodes.length, NODES)]));
  }

  private node(node: NodeFigures, [x, y]: [number, number]): SVGGElement {
    const label = LABELS[node.id] ?? "";
    const radius = node.member ? 13 + 2.6 * node.weight : 13;
    const state = node.member ? (node.draining ? "draining" : "member") : "gone";
    const group = svg(
      "g",
      {
        class: `node ${state}`,
        id: `node-${label}`,
        transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})`,
      },
      svg("circle", { class: "hit", r: Math.max(24, radius) }),
      svg("circle", { class: "disc", r: radius, fill: paint(node.id) }),
      svg("circle", { class: "plate", r: 10 }),
      svg("text", { class: "name", y: 4.5, "text-anchor": "middle" }, label),
    );
    if (!node.member) return group;
    for (const [name, value] of Object.entries({
      ...{
        tabindex: "0",
        role: "slider",
        "aria-label": `Weight of node ${label}`,
        "aria-orientation": "vertical",
      },
      ...{ "aria-valuemin": "0", "aria-valuemax": String(MAX_WEIGHT), "aria-valuenow": String(node.weight) },
      "aria-valuetext": `${node.weight}${node.draining ? ", draining" : ""}; ${node.keys} keys`,
    })) {
      group.setAttribute(name, value);
    }
    group.addEventListener("keydown", (event) => this.key(event, node));
    group.addEventListener("pointerdown", (event) => {
      this.drag = { id: node.id, x: event.clientX, y: event.clientY, weight: node.weight };
      // The node is drawn anew while it moves: the circle follows the pointer, not the node.
      this.host.setPointerCapture(event.pointerId);
      this.host.onpointermove = (event) => this.move(event);
      this.host.onpointerup = this.host.onpointercancel = () => this.drop();
      event.preventDefault();
      group.focus();
    });
    return group;
  }

  private key(event: KeyboardEvent, { id, weight }: NodeFigures): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const to = { ArrowUp: weight + 1, ArrowRight: weight + 1, ArrowDown: weight - 1, ArrowLeft: weight - 1 };
    const next = to[event.key as keyof typeof to] ?? { Home: 0, End: MAX_WEIGHT }[event.key];
    if (next !== undefined) {
      if (next >= 0 && next <= MAX_WEIGHT && next !== weight) this.acts.weigh(id, next);
      this.acts.settled();
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.acts.remove(id);
    } else if (event.key.toLowerCase() === "d") {
      this.acts.drain(id);
    } else {
      return;
    }
    event.preventDefault();
  }

  private move(event: PointerEvent): void {
    if (!this.drag) return;
    const { id, x, y, weight } = this.drag;
    // Up and right is more, as with any knob.
    const steps = Math.round((event.clientX - x + (y - event.clientY)) / STEP);
    this.acts.weigh(id, Math.min(MAX_WEIGHT, Math.max(0, weight + steps)));
  }

  private drop(): void {
    this.drag = undefined;
    this.host.onpointermove = this.host.onpointerup = this.host.onpointercancel = null;
    this.acts.settled();
  }
}

/** One path for each owner: all the places that it has. */
function arcs(
  owners: readonly number[],
  [inner, outer]: readonly [number, number],
  kind: string,
): SVGPathElement[] {
  const paths = new Map<number, string>();
  let start = 0;
  owners.forEach((owner, i) => {
    if (i + 1 < owners.length && owners[i + 1] === owner) return;
    if (owner !== NONE) {
      const [from, to] = [start / owners.length, (i + 1) / owners.length];
      const large = to - from > 0.5 ? 1 : 0;
      // A whole circle has no ends to draw between.
      const end = to - from >= 1 ? to - 1e-4 : to;
      paths.set(
        owner,
        `${paths.get(owner) ?? ""}M${at(polar(from, inner))}L${at(polar(from, outer))}` +
          `A${outer} ${outer} 0 ${large} 1 ${at(polar(end, outer))}L${at(polar(end, inner))}` +
          `A${inner} ${inner} 0 ${large} 0 ${at(polar(from, inner))}Z`,
      );
    }
    start = i + 1;
  });
  return [...paths].map(([owner, d]) =>
    svg("path", { class: `${kind} paint-${owner}`, d, "data-owner": owner }),
  );
}

/** Part of the way around, from the top. */
function polar(part: number, radius: number): [number, number] {
  const angle = (part - 0.25) * 2 * Math.PI;
  return [CENTRE + radius * Math.cos(angle), CENTRE + radius * Math.sin(angle)];
}

function at([x, y]: [number, number]): string {
  return `${x.toFixed(1)} ${y.toFixed(1)}`;
}

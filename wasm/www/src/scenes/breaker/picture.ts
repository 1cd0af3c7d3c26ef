// The state, the window, what trips, and all that was done.

import { paint, patterns } from "../../chart/patterns.js";
import { svg } from "../../dom.js";
import { duration, seconds } from "../../format.js";
import { STATES, type Done, type Run, type State, type Step } from "./run.js";

const WIDE = 560;
const BOX = 54;
const CELL = 26;
const COLUMN = 13;
const WIDEST = 22;
const LINE = 24;
/** Failed, slow. */
const FAILED = 1;
const SLOW = 3;
const GOOD = 2;
const STATE_PAINT: Record<State, number> = { closed: GOOD, open: FAILED, "half-open": SLOW };

/** What the marks are, for the key below the picture: what comes after `chip-` in its class. */
export const KEY: readonly (readonly [string, string])[] = [
  ["went well", `${GOOD}`],
  ["failed", `${FAILED}`],
  ["slow", `${SLOW}`],
  ["never reported", "unsaid"],
  ["refused", "refused"],
];

export class Picture {
  private readonly host: HTMLElement;

  constructor(host: HTMLElement) {
    this.host = host;
  }

  draw(run: Run, at: number, probes: number, size: number): void {
    const step = run.steps[at];
    if (!step) return;
    const width = Math.max(280, this.host.clientWidth);
    const root = svg("svg", { role: "img" });
    root.setAttribute(
      "aria-label",
      "The state of the breaker, the calls in its window, and all that was done. The text below says the same.",
    );
    root.append(patterns(4));
    let top = boxes(root, step, width, probes);
    top = cells(root, step, width, top + 26, size);
    top = bars(root, step, width, top + 12);
    top = strip(root, run, at, width, top + 26);
    root.setAttribute("width", String(width));
    root.setAttribute("height", String(top));
    root.setAttribute("viewBox", `0 0 ${width} ${top}`);
    this.host.replaceChildren(root);
  }
}

/** The three states with the ways between them. */
function boxes(root: SVGSVGElement, step: Step, width: number, probes: number): number {
  const gap = width >= WIDE ? 44 : 18;
  const each = (width - 2 * gap - 2) / 3;
  const says: Record<State, string> = {
    closed: width >= WIDE ? "every call goes through" : "all go through",
    open: `${seconds((step.deadline ?? step.now) - step.now)} more`,
    "half-open":
      width >= WIDE ? `${step.probes} of ${probes} probes under way` : `${step.probes} of ${probes} probes`,
  };
  STATES.forEach((state, i) => {
    const current = state === step.state;
    const x = 1 + i * (each + gap);
    const middle = { x: x + each / 2, "text-anchor": "middle" };
    root.append(
      svg("rect", {
        ...{ class: `state-box paint-${STATE_PAINT[state]}`, x, y: 1, width: each, height: BOX, rx: 6 },
        "data-state": state,
        "data-current": String(current),
      }),
      svg("text", { class: "inside name", ...middle, y: current ? 24 : 33 }, state),
    );
    if (current) root.append(svg("text", { class: "inside", ...middle, y: 42 }, says[state]));
  });
  // From closed to open, between open and half-open both ways; the way back to closed is the long one below.
  const way = (from: number, to: number, y: number) => {
    const end = to - Math.sign(to - from) * 3;
    const back = end - Math.sign(to - from) * 5;
    root.append(
      svg("path", { class: "way", d: `M${from} ${y}H${end}M${back} ${y - 4}L${end} ${y}L${back} ${y + 4}` }),
    );
  };
  const first = each + 4;
  const second = 2 * each + gap + 4;
  way(first, first + gap - 6, 28);
  way(second, second + gap - 6, 20);
  way(second + gap - 6, second, 38);
  const [from, to] = [1 + 2 * (each + gap) + each / 2, 1 + each / 2];
  root.append(
    svg("path", {
      class: "way",
      d: `M${from} ${BOX + 4}V${BOX + 13}H${to}V${BOX + 5}M${to - 4} ${BOX + 9}L${to} ${BOX + 4}L${to + 4} ${BOX + 9}`,
    }),
  );
  return BOX + 16;
}

/** The calls in the window, the oldest first. */
function cells(root: SVGSVGElement, step: Step, width: number, top: number, size: number): number {
  const columns = Math.min(size, Math.floor((width - 2) / 14));
  const pitch = Math.min(CELL, (width - 2) / columns);
  root.append(svg("text", { class: "title", x: 0, y: top - 8 }, "The window, oldest call first"));
  for (let i = 0; i < size; i++) {
    const call = step.window[i];
    const kind = call ? (call.failed ? FAILED : call.slow ? SLOW : GOOD) : undefined;
    root.append(
      svg("rect", {
        ...{ x: 1 + (i % columns) * pitch, y: top + Math.floor(i / columns) * CELL },
        ...{ width: pitch - 3, height: CELL - 4, rx: 3 },
        ...(kind === undefined ? { class: "unused" } : { fill: paint(kind) }),
        "data-cell": call ? `${Number(call.failed)}${Number(call.slow)}` : "empty",
      }),
    );
  }
  return top + Math.ceil(size / columns) * CELL;
}

/** How many calls are bad, against how many trip it. */
function bars(root: SVGSVGElement, step: Step, width: number, top: number): number {
  const left = width >= WIDE ? 120 : 0;
  const room = width - left - 2;
  const under = width >= WIDE ? 0 : 15;
  const kinds = [
    { key: "failed", bad: step.failures, fill: FAILED },
    { key: "slow", bad: step.slow, fill: SLOW },
  ];
  kinds.forEach(({ key, bad, fill }, i) => {
    const y = top + i * (LINE + under) + under;
    const name = `${bad} of ${step.judged} ${key}`;
    root.append(
      svg("text", { class: "name", x: 0, y: under > 0 ? y - 4 : y + 12 }, name),
      svg("rect", { class: "track", x: left, y, width: room, height: 16 }),
      svg("rect", { x: left, y, width: (room * bad) / step.judged, height: 16, fill: paint(fill) }),
    );
    const x = left + (room * step.trips) / step.judged;
    root.append(svg("line", { class: "limit", x1: x, x2: x, y1: y - 3, y2: y + 19 }));
    if (i === 0) {
      const end = x > width - 70;
      root.append(
        svg(
          "text",
          { class: "label", x: end ? x - 5 : x + 5, y: y + 12, "text-anchor": end ? "end" : "start" },
          `${step.trips} trip it`,
        ),
      );
    }
  });
  return top + 2 * (LINE + under);
}

/** All that was done, one column each, over the states that it led to. */
function strip(root: SVGSVGElement, run: Run, at: number, width: number, top: number): number {
  const count = run.steps.length - 1;
  const pitch = Math.min(WIDEST, Math.max(COLUMN, (width - 2) / Math.max(1, count)));
  const fits = Math.max(1, Math.floor((width - 2) / pitch + 1e-6));
  // The last ones that fit, with a little of what follows.
  const first = Math.max(0, Math.min(count - fits, at - fits + 4));
  const shown = run.steps.slice(first + 1, first + 1 + fits);
  const hidden = first > 0 ? `, without the first ${first}` : "";
  root.append(
    svg("text", { class: "title", x: 0, y: top - 8 }, `What was done, and the state after it${hidden}`),
  );
  const band = top + pitch + 3;
  let named = -Infinity;
  let before: State = "closed";
  shown.forEach((step, i) => {
    const index = first + i + 1;
    const x = 1 + i * pitch;
    const column = svg("g", { class: index <= at ? "deed" : "deed later" });
    if (step.done) mark(column, step.done, x, top, pitch - 3);
    column.append(
      svg("rect", {
        x,
        y: band,
        width: pitch + 0.5,
        height: 12,
        fill: paint(STATE_PAINT[step.state]),
        "data-after": step.state,
      }),
    );
    if (step.state !== before && index <= at) {
      // A change may have come before the end of the step: its own time stands in the table.
      const text = `${duration(step.now)}: ${step.state}`;
      const end = x + 120 > width;
      if (x > named) {
        column.append(
          svg("line", { class: "tick", x1: x, x2: x, y1: band + 12, y2: band + 18 }),
          svg(
            "text",
            { class: "tick", x: end ? width - 2 : x, y: band + 29, "text-anchor": end ? "end" : "start" },
            text,
          ),
        );
        named = x + text.length * 6.8 + 10;
      }
    }
    before = step.state;
    root.append(column);
  });
  const x = 1 + (at - first) * pitch;
  root.append(svg("line", { class: "now", x1: x, x2: x, y1: top - 4, y2: band + 16 }));
  return band + 36;
}

function mark(column: SVGGElement, done: Done, x: number, y: number, size: number): void {
  const box = {
    x,
    y,
    width: size,
    height: size,
    rx: 2,
    "data-deed": done.letter,
    "data-answer": done.answer,
  };
  if (done.answer === "open" || done.answer === "probing") {
    column.append(
      svg("rect", { ...box, class: "refused" }),
      svg("path", {
        class: "way",
        d: `M${x + 2} ${y + 2}l${size - 4} ${size - 4}M${x + size - 2} ${y + 2}l${4 - size} ${size - 4}`,
      }),
    );
    return;
  }
  switch (done.letter) {
    case "s":
      column.append(svg("rect", { ...box, fill: paint(GOOD) }));
      break;
    case "f":
      column.append(svg("rect", { ...box, fill: paint(FAILED) }));
      break;
    case "l":
      column.append(svg("rect", { ...box, fill: paint(SLOW) }));
      break;
    case "n":
      column.append(svg("rect", { ...box, class: "unsaid" }));
      break;
    default:
      column.append(
        svg(
          "text",
          { class: "tick", x: x + size / 2, y: y + size, "text-anchor": "middle" },
          done.letter === "w" ? "·" : "»",
        ),
      );
  }
}

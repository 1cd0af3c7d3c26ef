// Who ran what, from when to when: a row for each, bars in it, and marks over them.

import { set, svg } from "../dom.js";
import { paint, patterns } from "./patterns.js";
import { scale, ticks, type Scale } from "./scale.js";

const TOP = 24;
const AXIS = 24;
/** How tall a row of bars is, and what is above it for the marks. */
const TALL = 24;
const ABOVE = 18;
/** Where names stand above their rows. */
const NAME = 18;

export interface Row {
  name: string;
  paint: number;
}

export interface Bar {
  row: number;
  from: number;
  to: number;
  paint: number;
  /** What it is, for tests and for its looks. */
  data: Record<string, string | number>;
  /** Written in it, if there is room. */
  label?: string;
}

/** `steal` is a line from row `other`; the others stand at their own row. */
export interface Mark {
  kind: "steal" | "release" | "deadline" | "miss" | "preempted";
  row: number;
  at: number;
  other?: number;
}

export interface Chart {
  /** How far the axis goes. */
  domain: number;
  rows: readonly Row[];
  bars: readonly Bar[];
  marks: readonly Mark[];
  /** Times to draw a line down at, as far as the axis goes. */
  lines: readonly { time: number; label: string; kind: "bound" | "alone" }[];
  /** How to write a time below the axis. */
  write: (time: number) => string;
  /** What those hear who do not see it. */
  words: string;
}

export class Gantt {
  private readonly host: HTMLElement;
  private scale: Scale = scale(900, 1000);
  private chart: Chart | undefined;
  private bars: SVGRectElement[] = [];
  private labels: (SVGTextElement | undefined)[] = [];
  private marks: SVGGElement[] = [];
  private states: SVGTextElement[] = [];
  private now = svg("line", { class: "now" });
  private pitch = 0;
  private above = ABOVE;

  constructor(host: HTMLElement) {
    this.host = host;
  }

  lay(chart: Chart): void {
    this.chart = chart;
    this.scale = scale(Math.max(280, this.host.clientWidth), chart.domain);
    const { width, gutter } = this.scale;
    const narrow = gutter < 50;
    this.above = ABOVE + (narrow ? NAME : 0);
    this.pitch = this.above + TALL;
    const bottom = TOP + chart.rows.length * this.pitch + 6;
    const height = bottom + AXIS;
    const root = svg("svg", {
      ...{ width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": chart.words },
    });
    root.append(patterns(8), this.frame(chart, bottom));
    this.states = [];
    for (const [i, { name, paint: fill }] of chart.rows.entries()) {
      const y = this.y(i);
      const swatch = narrow ? { x: gutter, y: y - ABOVE - 12 } : { x: 0, y: y + TALL / 2 - 12 };
      const state = svg("text", {
        ...{ class: "state", y: narrow ? swatch.y + 10 : y + TALL / 2 + 14 },
        ...(narrow ? { x: width - 4, "text-anchor": "end" } : { x: 16 }),
      });
      this.states.push(state);
      root.append(
        svg("rect", { class: "track", x: gutter, y, width: width - gutter - 4, height: TALL }),
        svg("rect", { ...swatch, width: 11, height: 11, rx: 2, fill: paint(fill) }),
        svg("text", { class: "name", x: swatch.x + 16, y: swatch.y + 10 }, name),
        state,
      );
    }
    this.bars = chart.bars.map(({ row, paint: fill, data }) =>
      svg("rect", {
        ...{ class: "bar-of-row", y: this.y(row), height: TALL, rx: 1.5, fill: paint(fill) },
        ...Object.fromEntries(Object.entries(data).map(([name, value]) => [`data-${name}`, value])),
      }),
    );
    this.labels = chart.bars.map(({ row, from, to, label }) => {
      const [left, right] = [this.scale.x(from), this.scale.x(to)];
      if (label === undefined || right - left < 14) return undefined;
      const place = { x: (left + right) / 2, y: this.y(row) + TALL / 2 + 4, "text-anchor": "middle" };
      return svg("text", { class: "inside", ...place }, label);
    });
    this.marks = chart.marks.map((mark) => this.mark(mark));
    this.now = svg("line", { class: "now", y1: TOP - 4, y2: bottom });
    const labels = this.labels.filter((label) => label !== undefined);
    root.append(...this.bars, ...labels, ...this.marks, this.now);
    this.host.replaceChildren(root);
  }

  /** Shows what was until `now`; `states` say what each row does. */
  draw(now: number, states: readonly string[]): void {
    this.chart?.bars.forEach(({ from, to }, i) => {
      const bar = this.bars[i];
      if (!bar) return;
      const x = this.scale.x(from);
      const width = Math.max(0.6, this.scale.x(Math.min(to, now)) - x - 0.6);
      show(bar, from < now);
      set(bar, { x, width, "data-state": to <= now ? "done" : from < now ? "running" : "later" });
      const label = this.labels[i];
      if (label) show(label, to <= now);
    });
    this.chart?.marks.forEach(({ at }, i) => {
      const mark = this.marks[i];
      if (mark) show(mark, at <= now);
    });
    states.forEach((state, row) => {
      const text = this.states[row];
      if (text && text.textContent !== state) text.textContent = state;
    });
    const x = this.scale.x(Math.min(now, this.chart?.domain ?? now));
    set(this.now, { x1: x, x2: x });
  }

  private y(row: number): number {
    return TOP + row * this.pitch + this.above;
  }

  private mark({ kind, row, at, other }: Mark): SVGGElement {
    const x = this.scale.x(at);
    const y = this.y(row);
    const mark = svg("g", {
      class: `sign ${kind}`,
      "data-mark": kind,
      "data-row": row,
      "data-at": String(at),
    });
    switch (kind) {
      case "steal": {
        const up = (other ?? row) < row;
        const start = this.y(other ?? row) + (up ? TALL : 0);
        const end = y + (up ? 0 : TALL);
        mark.append(
          svg("line", { x1: x, x2: x, y1: start, y2: end }),
          svg("circle", { cx: x, cy: end, r: 2.4 }),
        );
        break;
      }
      case "release":
        mark.append(svg("path", { d: `M${x} ${y + TALL}V${y - 11}M${x - 3} ${y - 7}l3 -4l3 4` }));
        break;
      case "deadline":
        mark.append(svg("path", { d: `M${x} ${y - 13}V${y + TALL}M${x - 3.5} ${y - 5}l3.5 4l3.5 -4` }));
        break;
      case "miss":
        mark.append(
          svg("path", { d: `M${x - 5} ${y - 13}l10 10m0 -10l-10 10` }),
          svg("line", { x1: x, x2: x, y1: y, y2: y + TALL }),
        );
        break;
      case "preempted":
        mark.append(svg("path", { d: `M${x} ${y}l-3.5 4l3.5 4l-3.5 4l3.5 4l-3.5 4l3.5 4` }));
    }
    return mark;
  }

  private frame({ domain, lines, write }: Chart, bottom: number): SVGGElement {
    const frame = svg("g", { class: "frame" });
    const { width } = this.scale;
    for (const time of ticks(this.scale)) {
      const x = this.scale.x(time);
      const last = x > width - 24;
      const anchor = time === 0 ? "start" : last ? "end" : "middle";
      frame.append(
        svg("line", { class: "tick", x1: x, x2: x, y1: TOP, y2: bottom }),
        svg(
          "text",
          { class: "tick", x: last ? width - 2 : x, y: bottom + 16, "text-anchor": anchor },
          write(time),
        ),
      );
    }
    for (const { time, label, kind } of lines) {
      if (time > domain) continue;
      const x = this.scale.x(time);
      const end = x > width / 2;
      frame.append(
        svg("line", { class: kind, x1: x, x2: x, y1: 4, y2: bottom, "data-time": String(time) }),
        svg(
          "text",
          { class: kind, x: end ? x - 5 : x + 5, y: 12, "text-anchor": end ? "end" : "start" },
          label,
        ),
      );
    }
    return frame;
  }
}

function show(element: SVGElement, shown: boolean): void {
  const display = shown ? "" : "none";
  if (element.style.display !== display) element.style.display = display;
}

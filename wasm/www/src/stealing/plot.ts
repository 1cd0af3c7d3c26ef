// How many tasks wait in each queue, over the same time axis as the rows.

import { set, svg } from "../dom.js";
import type { Run } from "./run.js";
import type { Scale } from "./scale.js";

const HEIGHT = 132;
const TOP = 22;
const BOTTOM = HEIGHT - 8;
const LABEL = 12;

export class Plot {
  private readonly host: HTMLElement;
  private scale: Scale | undefined;
  private root = svg("svg");
  private lines: { path: SVGPathElement; label: SVGTextElement }[] = [];
  private now = svg("line", { class: "now", y1: TOP - 4, y2: BOTTOM });
  private most = 1;

  constructor(host: HTMLElement) {
    this.host = host;
  }

  lay(run: Run, scale: Scale): void {
    this.scale = scale;
    this.most = Math.max(1, ...(run.lengths[0]?.queues ?? []));
    this.root = svg("svg", {
      ...{ width: scale.width, height: HEIGHT, viewBox: `0 0 ${scale.width} ${HEIGHT}`, role: "img" },
      "aria-label": "How many tasks wait in each queue, over time. The table says the present numbers.",
    });
    const frame = svg("g", { class: "frame" });
    const narrow = scale.gutter < 50;
    for (const value of [0, this.most]) {
      const y = this.y(value);
      const place = narrow
        ? { x: scale.width - 6, y: y - 4, "text-anchor": "end" }
        : { x: scale.gutter - 6, y: y + 4, "text-anchor": "end" };
      frame.append(
        svg("line", { class: "tick", x1: scale.gutter, x2: scale.width - 4, y1: y, y2: y }),
        svg("text", { class: "tick", ...place }, String(value)),
      );
    }
    frame.append(svg("text", { class: "title", x: scale.gutter, y: 12 }, "Tasks waiting in each queue"));
    this.lines = Array.from({ length: run.params.workers }, (_, worker) => ({
      path: svg("path", { class: `line line-${worker}`, "data-worker": worker }),
      label: svg("text", { class: `label label-${worker}` }, String(worker)),
    }));
    this.root.append(
      frame,
      this.now,
      ...this.lines.map(({ path }) => path),
      ...this.lines.map(({ label }) => label),
    );
    this.host.replaceChildren(this.root);
  }

  draw(run: Run): void {
    const { scale } = this;
    if (!scale) return;
    const x = scale.x(run.now);
    set(this.now, { x1: x, x2: x });
    const ends: { worker: number; y: number }[] = [];
    this.lines.forEach(({ path }, worker) => {
      let d = "";
      let value = 0;
      for (const { at, queues } of run.lengths) {
        value = queues[worker] ?? 0;
        d += `${d ? "H" : "M"}${scale.x(at).toFixed(1)}${d ? "V" : " "}${this.y(value).toFixed(1)}`;
      }
      set(path, { d: `${d}H${x.toFixed(1)}`, "data-last": value, "data-points": run.lengths.length });
      ends.push({ worker, y: this.y(value) });
    });
    // Names at the ends of the lines, pushed apart where lines meet.
    ends.sort((a, b) => b.y - a.y);
    let floor = BOTTOM + LABEL - 2;
    for (const end of ends) {
      floor = Math.min(end.y, floor - LABEL);
      const label = this.lines[end.worker]?.label;
      if (label) set(label, { x: x + 6, y: floor + 4 });
    }
  }

  private y(value: number): number {
    return BOTTOM - (value / this.most) * (BOTTOM - TOP);
  }
}

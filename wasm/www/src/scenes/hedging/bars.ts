// The latency of each call, with and without a second attempt.

import { paint, patterns } from "../../chart/patterns.js";
import { set, svg } from "../../dom.js";
import { rounded } from "../../format.js";
import type { Call } from "./track.js";

const TOP = 24;
const LEAST = 2;
const MOST = 2000;
const BAR = 4;

export class Bars {
  private readonly host: HTMLElement;
  private alone = svg("path");
  private hedged = svg("path");
  private delay = svg("line");
  private label = svg("text");
  private left = 0;
  private width = 0;
  private bottom = 0;

  constructor(host: HTMLElement) {
    this.host = host;
  }

  lay(): void {
    const width = Math.max(280, this.host.clientWidth);
    const height = width >= 600 ? 190 : 160;
    this.left = width >= 620 ? 56 : 8;
    this.width = width - this.left - 14;
    this.bottom = height - 6;
    const root = svg("svg", {
      ...{ width, height, viewBox: `0 0 ${width} ${height}`, role: "img" },
      "aria-label":
        "The latency of calls that began a second ago, alone and with a second attempt. The table has the percentiles.",
    });
    root.append(
      patterns(2),
      svg("text", { class: "title", x: this.left, y: 12 }, "Calls that began a second ago"),
    );
    const labels: SVGTextElement[] = [];
    for (const ms of [10, 100, 1000]) {
      const y = this.y(ms);
      const place =
        this.left > 8
          ? { x: this.left - 6, y: y + 4, "text-anchor": "end" }
          : { x: width - 6, y: y - 4, "text-anchor": "end" };
      root.append(svg("line", { class: "tick", x1: this.left, x2: this.left + this.width, y1: y, y2: y }));
      labels.push(svg("text", { class: "tick", ...place }, rounded(ms)));
    }
    this.alone = svg("path", { class: "alone-bars", fill: paint(1) });
    this.hedged = svg("path", { class: "hedged-bars", fill: paint(0) });
    this.delay = svg("line", { class: "bound" });
    this.label = svg("text", { class: "bound", x: this.left + this.width, y: 12, "text-anchor": "end" });
    root.append(this.alone, this.hedged, this.delay, this.label, ...labels);
    this.host.replaceChildren(root);
  }

  draw(calls: readonly Call[], delay: number | undefined): void {
    const fits = Math.floor(this.width / BAR);
    let [alone, hedged] = ["", ""];
    const shown = calls.slice(-fits);
    shown.forEach((call, i) => {
      const x = this.left + i * BAR;
      const bar = (ms: number) => `M${x} ${this.bottom}V${this.y(ms).toFixed(1)}h${BAR - 1}V${this.bottom}z`;
      if (call.alone !== undefined && call.alone !== call.hedged) alone += bar(call.alone);
      if (call.hedged !== undefined) hedged += bar(call.hedged);
    });
    set(this.alone, { d: alone, "data-stalls": shown.filter(({ alone = 0 }) => alone >= 1000).length });
    set(this.hedged, { d: hedged, "data-calls": shown.length });
    const display = delay === undefined ? "none" : "";
    this.delay.style.display = this.label.style.display = display;
    if (delay === undefined) return;
    const y = this.y(delay);
    set(this.delay, { x1: this.left, x2: this.left + this.width, y1: y, y2: y });
    const text = `sent again after ${delay < 100 ? delay.toFixed(1) : delay.toFixed(0)}\u00a0ms`;
    if (this.label.textContent !== text) this.label.textContent = text;
  }

  private y(ms: number): number {
    const part = Math.log(Math.min(Math.max(ms, LEAST), MOST) / LEAST) / Math.log(MOST / LEAST);
    return this.bottom - part * (this.bottom - TOP);
  }
}

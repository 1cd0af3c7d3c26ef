// What each limiter did with each cell, over time.

import type { Scale } from "../../chart/scale.js";
import { set, svg } from "../../dom.js";
import { GRID, LANES, type Sample, type Track } from "./track.js";

const NAME = 16;
const WENT = 18;
const REFUSED = 14;
const LANE = NAME + WENT + REFUSED + 8;

export class Lanes {
  private readonly host: HTMLElement;
  private scale: Scale | undefined;
  private past = svg("rect");
  private now = svg("line");
  private counts: SVGTextElement[] = [];

  constructor(host: HTMLElement) {
    this.host = host;
  }

  lay(scale: Scale, { cells }: Track): void {
    this.scale = scale;
    const height = LANES.length * LANE;
    const root = svg("svg", {
      ...{ width: scale.width, height, viewBox: `0 0 ${scale.width} ${height}`, role: "img" },
      "aria-label":
        "Which requests each limiter let go and which it refused, over time. The table has the sums.",
    });
    // All marks are drawn once; what is not past yet is cut off.
    this.past = svg("rect", { x: 0, y: 0, width: 0, height });
    root.append(svg("defs", {}, svg("clipPath", { id: "past" }, this.past)));
    this.counts = [];
    this.now = svg("line", { class: "now", y1: 0, y2: height });
    root.append(this.now);
    LANES.forEach(({ key, label, paint }, i) => {
      const top = i * LANE + NAME;
      const left = scale.x(0);
      const lane = svg("g", { class: "lane", "data-lane": key });
      lane.append(
        svg("rect", { class: "track", x: left, y: top, width: scale.x(GRID.end) - left, height: WENT }),
      );
      for (let time = 0; time <= GRID.end; time += 1000) {
        const x = scale.x(time);
        lane.append(svg("line", { class: "tick", x1: x, x2: x, y1: top, y2: top + WENT + REFUSED }));
      }
      let went = "";
      let refused = "";
      let ways = "";
      for (const cell of cells) {
        const x = scale.x(cell.at).toFixed(1);
        if (cell[key] === 0) {
          went += `M${x} ${top}v${WENT}`;
          continue;
        }
        refused += `M${x} ${top + WENT + 2}v5`;
        ways += `M${x} ${top + WENT + 7}L${scale.x(Math.min(cell[key], GRID.end)).toFixed(1)} ${top + WENT + REFUSED}`;
      }
      const count = svg("text", { class: "count", x: scale.x(GRID.end), y: top - 4, "text-anchor": "end" });
      this.counts.push(count);
      lane.append(
        svg(
          "g",
          { "clip-path": "url(#past)" },
          svg("path", { class: "way told", d: ways }),
          svg("path", { class: `went line-${paint}`, d: went }),
          svg("path", { class: "way", d: refused }),
        ),
        svg(
          "text",
          { class: "name", x: left, y: top - 4 },
          key === "fixed" ? `${label} (to be beaten)` : label,
        ),
        count,
      );
      root.append(lane);
    });
    this.host.replaceChildren(root);
  }

  draw(sample: Sample, now: number): void {
    const { scale } = this;
    if (!scale) return;
    const x = scale.x(now);
    set(this.past, { width: x });
    set(this.now, { x1: x, x2: x });
    LANES.forEach(({ key }, i) => {
      const { admitted, refused } = sample[key];
      const text = `${admitted} went, ${refused} refused`;
      const count = this.counts[i];
      if (count && count.textContent !== text) count.textContent = text;
    });
  }
}

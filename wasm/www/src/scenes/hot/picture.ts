// The load of each worker, under both cuts.

import { paint, patterns } from "../../chart/patterns.js";
import { set, svg } from "../../dom.js";
import type { Sample } from "./track.js";

const NAME = 24;
const CUTS = [
  { key: "hashed", label: "by hash", fill: 1 },
  { key: "split", label: "hot keys split", fill: 0 },
] as const;

export class Picture {
  private readonly host: HTMLElement;
  private bars: SVGRectElement[][] = [];
  private skews: SVGTextElement[] = [];
  private tall = 100;

  constructor(host: HTMLElement) {
    this.host = host;
  }

  lay(workers: number): void {
    const width = Math.max(280, this.host.clientWidth);
    const gap = width >= 600 ? 36 : 18;
    const each = (width - gap) / 2;
    this.tall = width >= 600 ? 190 : 130;
    const root = svg("svg", {
      ...{
        width,
        height: this.tall + NAME + 18,
        viewBox: `0 0 ${width} ${this.tall + NAME + 18}`,
        role: "img",
      },
      "aria-label": "The requests of each worker under both cuts. The text below has the skew.",
    });
    root.append(patterns(2));
    this.skews = [];
    this.bars = CUTS.map(({ key, label, fill }, i) => {
      const left = i * (each + gap);
      const pitch = each / workers;
      const skew = svg("text", { class: "name", x: left + each, y: 14, "text-anchor": "end" });
      this.skews.push(skew);
      root.append(
        svg("text", { class: "name", x: left, y: 14 }, label),
        skew,
        svg("rect", { class: "track", x: left, y: NAME, width: each, height: this.tall }),
      );
      const bars = Array.from({ length: workers }, (_, worker) => {
        const x = left + worker * pitch;
        root.append(
          svg(
            "text",
            { class: "tick", x: x + pitch / 2, y: NAME + this.tall + 14, "text-anchor": "middle" },
            String(worker),
          ),
        );
        const bar = svg("rect", {
          class: "load",
          x: x + 1.5,
          width: pitch - 3,
          fill: paint(fill),
          "data-cut": key,
        });
        root.append(bar);
        return bar;
      });
      // The even share: all bars would end here.
      const y = NAME + this.tall * (1 - 1 / this.most(workers));
      root.append(
        svg("line", { class: "bound", x1: left, x2: left + each, y1: y, y2: y }),
        svg("text", { class: "bound", x: left + 3, y: y - 4 }, "even"),
      );
      return bars;
    });
    this.host.replaceChildren(root);
  }

  draw(sample: Sample): void {
    const workers = sample.loads.length;
    const mean = sample.at / workers;
    CUTS.forEach(({ key }, i) => {
      sample.loads.forEach((loads, worker) => {
        const bar = this.bars[i]?.[worker];
        const part = mean > 0 ? Math.min(1, loads[key] / mean / this.most(workers)) : 0;
        if (bar)
          set(bar, { y: NAME + this.tall * (1 - part), height: this.tall * part, "data-load": loads[key] });
      });
      const text = sample.at > 0 ? `skew ${sample[key].toFixed(2)}` : "";
      const label = this.skews[i];
      if (label && label.textContent !== text) label.textContent = text;
    });
  }

  /** Where the bars end at the latest, in even shares. */
  private most(workers: number): number {
    return Math.min(workers, 4);
  }
}

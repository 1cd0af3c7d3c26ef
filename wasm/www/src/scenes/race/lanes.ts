// The queues of the servers, one lane for each policy.

import { paint, patterns } from "../../chart/patterns.js";
import { set, svg } from "../../dom.js";
import type { Lane } from "../../fleet/words.js";
import type { Track } from "../../fleet/track.js";

const NAME = 22;
const GAP = 10;

interface Bar {
  bar: SVGRectElement;
  count: SVGTextElement;
}

export class Lanes {
  private readonly host: HTMLElement;
  private bars: Bar[][] = [];
  private scales: ((held: number) => { y: number; height: number })[] = [];

  constructor(host: HTMLElement) {
    this.host = host;
  }

  /** `slow` servers, the last ones, are marked; `most` is the longest queue to be shown. */
  lay(lanes: readonly (Lane & { track: Track })[], slow: number, most: number): void {
    const width = Math.max(280, this.host.clientWidth);
    const columns = width >= 600 ? Math.min(lanes.length, lanes.length === 4 ? 2 : 3) : 2;
    const each = (width - (columns - 1) * 22) / columns;
    const tall = width >= 600 ? (lanes.length > 3 ? 92 : 140) : 84;
    const height = Math.ceil(lanes.length / columns) * (tall + NAME + GAP);
    const root = svg("svg", {
      ...{ width, height, viewBox: `0 0 ${width} ${height}`, role: "img" },
      "aria-label":
        "How many requests each server holds, under each policy. The table below has the latencies.",
    });
    root.append(patterns(8));
    this.bars = [];
    this.scales = [];
    lanes.forEach((lane, i) => {
      const left = (i % columns) * (each + 22);
      const top = Math.floor(i / columns) * (tall + NAME + GAP) + NAME;
      const servers = lane.track.last.servers.length;
      const pitch = each / servers;
      const group = svg(
        "g",
        { class: "lane", "data-policy": lane.policy },
        svg("rect", { class: `paint-${lane.paint}`, x: left, y: top - 17, width: 11, height: 11, rx: 2 }),
        svg("text", { class: "name", x: left + 16, y: top - 7 }, lane.label),
        svg("rect", { class: "track", x: left, y: top, width: each, height: tall }),
      );
      this.scales.push((held) => {
        const height = (Math.min(held, most) / most) * (tall - 14);
        return { y: top + tall - height, height };
      });
      this.bars.push(
        Array.from({ length: servers }, (_, server) => {
          const isSlow = server >= servers - slow;
          const bar = svg("rect", {
            ...{ class: isSlow ? "server slow" : "server", x: left + server * pitch + 1.5, width: pitch - 3 },
            fill: isSlow ? paint(1) : paint(0),
            "data-server": server,
          });
          const count = svg("text", {
            ...{ class: "count", x: left + (server + 0.5) * pitch, "text-anchor": "middle" },
          });
          group.append(bar, count);
          return { bar, count };
        }),
      );
      root.append(group);
    });
    this.host.replaceChildren(root);
  }

  draw(lanes: readonly { track: Track }[], time: number): void {
    lanes.forEach(({ track }, lane) => {
      track.at(time).servers.forEach(({ held }, server) => {
        const parts = this.bars[lane]?.[server];
        const place = this.scales[lane]?.(held);
        if (!parts || !place) return;
        set(parts.bar, { ...place, "data-held": held });
        set(parts.count, { y: place.y - 3 });
        const text = held > 0 ? String(held) : "";
        if (parts.count.textContent !== text) parts.count.textContent = text;
      });
    });
  }
}

// Services in a row: how many of their workers are held, how many requests wait, and the breakers between.

import { paint, patterns } from "../chart/patterns.js";
import { set, svg } from "../dom.js";
import { SERVICES, type ChainTrack, type Level } from "./track.js";

/** What a service's queue has room for. */
const ROOM = 100;
const NAME = 22;
const TALL = 64;
const BELOW = 34;

export interface ChainLane {
  key: string;
  label: string;
  paint: number;
  track: ChainTrack;
}

interface Box {
  group: SVGGElement;
  held: SVGRectElement;
  queue: SVGRectElement;
  said: SVGTextElement;
  gate: SVGTextElement;
}

export class Boxes {
  private readonly host: HTMLElement;
  private boxes: Box[][] = [];
  private tops: number[] = [];
  private wide = 0;

  constructor(host: HTMLElement) {
    this.host = host;
  }

  lay(lanes: readonly ChainLane[]): void {
    const width = Math.max(280, this.host.clientWidth);
    const pitch = width / SERVICES.length;
    this.wide = pitch - (width >= 600 ? 34 : 16);
    const each = NAME + TALL + BELOW;
    const height = lanes.length * each;
    const root = svg("svg", {
      ...{ width, height, viewBox: `0 0 ${width} ${height}`, role: "img" },
      "aria-label":
        "Each service's workers that are held, and the requests that wait for one. The table below has the figures.",
    });
    root.append(patterns(2));
    this.tops = lanes.map((_, lane) => lane * each + NAME);
    this.boxes = lanes.map((lane, i) => {
      const top = i * each + NAME;
      const group = svg(
        "g",
        { class: "lane", "data-lane": lane.key },
        svg("rect", { class: `paint-${lane.paint}`, x: 0, y: top - 17, width: 11, height: 11, rx: 2 }),
        svg("text", { class: "name", x: 16, y: top - 7 }, lane.label),
      );
      root.append(group);
      return SERVICES.map((name, service) => {
        const left = service * pitch;
        const box: Box = {
          group: svg("g", { class: "box", "data-service": name }),
          held: svg("rect", { fill: paint(lane.paint), x: left, width: this.wide }),
          queue: svg("rect", { class: "queue", x: left, y: top + TALL + 3, height: 5 }),
          said: svg("text", { class: "said", x: left, y: top + TALL + 20 }),
          gate: svg("text", {
            ...{ class: "gate", x: left - (pitch - this.wide) / 2, y: top + TALL / 2 + 5 },
            "text-anchor": "middle",
          }),
        };
        box.group.append(
          svg("rect", { class: "track", x: left, y: top, width: this.wide, height: TALL }),
          box.held,
          svg("text", { class: "letter", x: left + 6, y: top + 17 }, name),
          svg("rect", { class: "track", x: left, y: top + TALL + 3, width: this.wide, height: 5 }),
          ...[box.queue, box.said, box.gate],
        );
        group.append(box.group);
        return box;
      });
    });
    this.host.replaceChildren(root);
  }

  draw(lanes: readonly ChainLane[], time: number): void {
    lanes.forEach(({ track }, lane) => {
      track.at(time).levels.forEach((level, service) => {
        const box = this.boxes[lane]?.[service];
        const top = this.tops[lane];
        if (box && top !== undefined) this.show(box, level, top);
      });
    });
  }

  private show(box: Box, level: Level, top: number): void {
    const { waiting, working, workers, faulty, breaker } = level;
    const height = (working / Math.max(1, workers)) * TALL;
    set(box.group, {
      ...{ class: faulty ? "box faulty" : "box", "data-working": working, "data-waiting": waiting },
      "data-breaker": breaker,
    });
    set(box.held, { y: top + TALL - height, height });
    set(box.queue, { width: (Math.min(waiting, ROOM) / ROOM) * this.wide });
    write(box.said, waiting > 0 ? `${waiting} wait` : "");
    write(box.gate, { none: "", closed: "|", open: "✕", "half-open": "¦" }[breaker]);
  }
}

function write(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

// Lines over a time axis, each named at its end.

import { set, svg } from "../dom.js";
import { ticks, type Scale } from "./scale.js";

const TOP = 22;
const LABEL = 12;

export interface Line {
  /** What the line is, for tests and for the colour: `line-PAINT`. */
  key: string;
  paint: number;
  /** Written at its end. */
  label: string;
  points: readonly (readonly [number, number])[];
}

export interface Frame {
  title: string;
  /** What those hear who do not see it. */
  words: string;
  height: number;
  /** The highest value. */
  most: number;
  /** The lowest value: then each tenfold is as high as the next. Without it, 0 and all evenly. */
  least?: number;
  /** How to write a value beside the axis. */
  write: (value: number) => string;
  /** Whether a value holds until the next point. */
  steps: boolean;
  /** Whether the times stand below. */
  axis: boolean;
  /** What a thousand of the axis is; seconds unless something else. */
  unit?: string;
  /** Space for the names of the lines, right of their ends. */
  names?: number;
  /** Values to draw a line across at. */
  marks?: readonly { value: number; label: string }[];
  /** Times to draw a line down at. */
  moments?: readonly { time: number; label: string }[];
}

export class Lines {
  private readonly host: HTMLElement;
  private scale: Scale | undefined;
  private frame: Frame | undefined;
  private root = svg("svg");
  private now = svg("line", { class: "now" });
  private drawn = new Map<string, { path: SVGPathElement; label: SVGTextElement }>();
  private bottom = 0;

  constructor(host: HTMLElement) {
    this.host = host;
  }

  lay(scale: Scale, frame: Frame): void {
    this.scale = scale;
    this.frame = frame;
    this.bottom = frame.height - (frame.axis ? 24 : 8);
    this.root = svg("svg", {
      ...{ width: scale.width, height: frame.height, viewBox: `0 0 ${scale.width} ${frame.height}` },
      ...{ role: "img", "aria-label": frame.words },
    });
    const back = svg("g", { class: "frame" });
    const narrow = scale.gutter < 50;
    const across = (value: number, text: string, kind: string) => {
      const y = this.y(value);
      const place = narrow
        ? { x: scale.width - 6, y: y - 4, "text-anchor": "end" }
        : { x: scale.gutter - 6, y: y + 4, "text-anchor": "end" };
      back.append(
        svg("line", { class: kind, x1: scale.gutter, x2: scale.width - 4, y1: y, y2: y }),
        svg("text", { class: "tick", ...place }, text),
      );
    };
    for (const value of heights(frame)) across(value, frame.write(value), "tick");
    for (const { value, label } of frame.marks ?? []) if (value <= frame.most) across(value, label, "bound");
    if (frame.axis) {
      for (const time of ticks(scale)) {
        const last = scale.x(time) > scale.width - 24;
        const anchor = time === 0 ? "start" : last ? "end" : "middle";
        back.append(
          svg(
            "text",
            {
              class: "tick",
              x: last ? scale.width - 2 : scale.x(time),
              y: this.bottom + 16,
              "text-anchor": anchor,
            },
            `${time / 1000}${frame.unit ?? " s"}`,
          ),
        );
      }
    }
    for (const { time, label } of frame.moments ?? []) {
      const x = scale.x(time);
      back.append(
        svg("line", { class: "bound", x1: x, x2: x, y1: TOP - 4, y2: this.bottom }),
        svg("text", { class: "bound", x: x + 4, y: TOP + 8 }, label),
      );
    }
    back.append(svg("text", { class: "title", x: scale.gutter, y: 12 }, frame.title));
    this.now = svg("line", { class: "now", y1: TOP - 4, y2: this.bottom });
    this.drawn.clear();
    this.root.append(back, this.now);
    this.host.replaceChildren(this.root);
  }

  draw(lines: readonly Line[], now: number): void {
    const { scale, frame } = this;
    if (!scale || !frame) return;
    const x = scale.x(now);
    set(this.now, { x1: x, x2: x });
    const ends: { label: SVGTextElement; x: number; y: number }[] = [];
    for (const line of lines) {
      const { path, label } = this.line(line);
      let d = "";
      let value = 0;
      let last = x;
      for (const [time, height] of line.points) {
        if (time > now) break;
        value = height;
        last = scale.x(time);
        const [at, y] = [last.toFixed(1), this.y(height).toFixed(1)];
        if (d === "") d = `M${at} ${y}`;
        else d += frame.steps ? `H${at}V${y}` : `L${at} ${y}`;
      }
      if (d !== "" && frame.steps) {
        d += `H${x.toFixed(1)}`;
        last = x;
      }
      set(path, { d, "data-last": String(value), "data-points": line.points.length });
      label.style.display = d === "" ? "none" : "";
      if (d !== "") ends.push({ label, x: last, y: this.y(value) });
    }
    // Names at the ends of the lines, pushed apart where lines meet.
    ends.sort((a, b) => b.y - a.y);
    let floor = this.bottom + LABEL - 2;
    for (const { label, x, y } of ends) {
      floor = Math.min(y, floor - LABEL);
      const room = scale.width - x > (frame.names ?? 16);
      set(label, {
        x: room ? x + 6 : x - 6,
        y: floor + (room ? 4 : -3),
        "text-anchor": room ? "start" : "end",
      });
    }
  }

  private line({ key, paint, label: name }: Line): { path: SVGPathElement; label: SVGTextElement } {
    const known = this.drawn.get(key);
    if (known) return known;
    const made = {
      path: svg("path", { class: `line line-${paint}`, "data-line": key }),
      label: svg("text", { class: `label label-${paint}` }, name),
    };
    this.drawn.set(key, made);
    this.root.append(made.path, made.label);
    return made;
  }

  private y(value: number): number {
    const { most, least } = this.frame ?? { most: 1, least: undefined };
    const capped = Math.min(value, most);
    const part =
      least === undefined
        ? capped / most
        : Math.log(Math.max(capped, least) / least) / Math.log(most / least);
    return this.bottom - part * (this.bottom - TOP);
  }
}

/** The values that stand beside the axis. */
function heights({ least, most }: Frame): number[] {
  if (least === undefined) return [0, most];
  const values = [];
  for (let value = least; value < most * 0.999; value *= 10) values.push(value);
  return [...values, most];
}

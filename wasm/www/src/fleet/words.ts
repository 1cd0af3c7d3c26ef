// What a policy is called, and what it came to.

import { withBar } from "../chart/bar.js";
import { table, who } from "../dom.js";
import { duration, grouped } from "../format.js";
import type { Line } from "../chart/lines.js";
import type { Figures, Track } from "./track.js";

export interface Lane {
  /** As the library and the address name it. */
  policy: string;
  label: string;
  paint: number;
}

/** A lane with what came of it. */
export interface Running extends Lane {
  track: Track;
}

/** The figures of all lanes at a moment. */
export function figuresOf(lanes: readonly Running[], time: number): Record<string, Figures> {
  return Object.fromEntries(lanes.map(({ policy, track }) => [policy, track.at(time).figures]));
}

/** One of the figures of each lane, over time. */
export function linesOf(lanes: readonly Running[], figure: keyof Figures): Line[] {
  return lanes.map(({ policy, paint, label, track }) => ({
    ...{ key: policy, paint, label },
    points: track.samples.map(({ at, figures }) => [at, figures[figure]] as const),
  }));
}

/** The table of all lanes at a moment. */
export function figuresTable(lanes: readonly Running[], time: number): HTMLTableElement {
  const all = lanes.map(({ track }) => track.at(time).figures);
  const longest = Math.max(1, ...all.map(({ p99 }) => p99));
  const rows = lanes.map(({ label, paint }, i) => {
    const figures = all[i];
    if (!figures) return [label];
    const { succeeded, mean, p50, p99, p999, skew } = figures;
    return [
      who(paint, label),
      grouped(succeeded),
      duration(mean),
      duration(p50),
      withBar(duration(p99), p99 / longest),
      duration(p999),
      skew.toFixed(2),
    ];
  });
  return table(
    "Figures of each policy, up to now",
    ["Policy", "Answered", "Mean", "Median", "99 % within", "99.9 % within", "Busiest server"],
    rows,
  );
}

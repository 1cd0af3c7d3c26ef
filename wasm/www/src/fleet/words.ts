// What a policy is called, and what it came to.

import { withBar } from "../chart/bar.js";
import { html, table } from "../dom.js";
import { duration, grouped } from "../format.js";
import type { Track } from "./track.js";

export interface Lane {
  /** As the library and the address name it. */
  policy: string;
  label: string;
  paint: number;
}

/** The table of all lanes at a moment. */
export function figuresTable(lanes: readonly (Lane & { track: Track })[], time: number): HTMLTableElement {
  const all = lanes.map(({ track }) => track.at(time).figures);
  const longest = Math.max(1, ...all.map(({ p99 }) => p99));
  const rows = lanes.map(({ label, paint }, i) => {
    const figures = all[i];
    if (!figures) return [label];
    const { succeeded, mean, p50, p99, p999, skew } = figures;
    return [
      html("span", { class: "who" }, html("i", { class: `chip chip-${paint}` }), ` ${label}`),
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

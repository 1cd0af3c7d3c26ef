// Fills that differ in colour and in pattern, so that neither alone must tell them apart.

import { svg } from "../dom.js";

const SHAPES = [
  "",
  "M-1 7L7 -1M-1 1L1 -1M5 7L7 5",
  "M1.5 1.5h1.6v1.6h-1.6zM4.5 4.5h1.6v1.6h-1.6z",
  "M0 1.5H6M0 4.5H6",
  "M-1 -1L7 7M-1 5L1 7M5 -1L7 1",
  "M1.5 0V6M4.5 0V6",
  "M0 3H6M3 0V6",
  "M0 0L3 3L6 0M0 3L3 6L6 3",
];

/** How many there are; the next is as the first. */
export const PAINTS = SHAPES.length;

export function paint(index: number): string {
  return `url(#paint-${index % PAINTS})`;
}

/** What an SVG that uses `paint` must contain. */
export function patterns(count: number): SVGDefsElement {
  const defs = svg("defs");
  SHAPES.slice(0, count).forEach((shape, i) => {
    defs.append(
      svg(
        "pattern",
        { id: `paint-${i}`, width: 6, height: 6, patternUnits: "userSpaceOnUse" },
        svg("rect", { width: 6, height: 6, class: `paint-${i}` }),
        svg("path", { d: shape, class: i === 2 ? "dots" : "strokes" }),
      ),
    );
  });
  return defs;
}

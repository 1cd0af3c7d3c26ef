// A bar below a number in a table.

import { html } from "../dom.js";

/** `text` over a bar of `part` (0 to 1) of the width, with a mark at `mark` if there is one. */
export function withBar(text: string, part: number, mark?: number): HTMLSpanElement {
  const best = mark === undefined ? "" : `;--best:${mark.toFixed(4)}`;
  const bar = html("span", {
    class: mark === undefined ? "bar" : "bar marked",
    style: `--part:${part.toFixed(4)}${best}`,
  });
  return html("span", { class: "with-bar" }, text, bar);
}

// Servers over time, one strip for each policy: the darker, the longer the queue.

import { html } from "../dom.js";
import type { Lane } from "./words.js";
import type { Track } from "./track.js";

export class Heat {
  private readonly host: HTMLElement;
  private covers: HTMLElement[] = [];
  private end = 1;

  constructor(host: HTMLElement) {
    this.host = host;
  }

  /** `most` is the queue that is drawn darkest; `tall` is the height of a strip. */
  lay(lanes: readonly (Lane & { track: Track })[], end: number, most: number, tall: number): void {
    this.end = end;
    this.covers = [];
    const style = getComputedStyle(document.documentElement);
    this.host.replaceChildren(
      ...lanes.map(({ label, paint, policy, track }) => {
        const servers = track.last.servers.length;
        const canvas = html("canvas", { width: track.samples.length, height: servers, role: "img" });
        canvas.setAttribute("aria-label", `The queues of ${servers} servers over time under ${label}`);
        const context = canvas.getContext("2d");
        if (context) {
          context.fillStyle = style.getPropertyValue(`--w${paint}`);
          track.samples.forEach((sample, x) => {
            sample.servers.forEach(({ held }, y) => {
              // The root, so that short queues can be told from empty ones.
              context.globalAlpha = Math.sqrt(Math.min(1, held / most));
              context.fillRect(x, y, 1, 1);
            });
          });
        }
        const cover = html("div", { class: "cover" });
        this.covers.push(cover);
        return html(
          "div",
          { class: "strip", "data-policy": policy },
          html("div", { class: "who" }, html("i", { class: `chip chip-${paint}` }), ` ${label}`),
          html("div", { class: "heat", style: `height:${tall}px` }, canvas, cover),
        );
      }),
    );
  }

  /** Shows what was until `time`. */
  draw(time: number): void {
    const left = `${((100 * time) / this.end).toFixed(2)}%`;
    for (const cover of this.covers) cover.style.left = left;
  }
}

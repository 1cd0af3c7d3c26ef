// All workers as dots, one field for each way to wake them.

import { html } from "../../dom.js";
import type { Sample } from "./track.js";

export class Dots {
  private readonly host: HTMLElement;
  private fields: { canvas: HTMLCanvasElement; count: HTMLElement }[] = [];
  private columns = 1;

  constructor(host: HTMLElement) {
    this.host = host;
  }

  lay(lanes: readonly { key: string; label: string; paint: number }[], workers: number): void {
    // Twice as wide as high.
    this.columns = Math.ceil(Math.sqrt(workers * 2));
    const high = Math.ceil(workers / this.columns);
    this.fields = lanes.map(() => ({
      canvas: html("canvas", { width: this.columns, height: high, role: "img" }),
      count: html("span", { class: "hint" }),
    }));
    this.host.replaceChildren(
      ...lanes.map(({ key, label, paint }, i) => {
        const field = this.fields[i];
        if (!field) return html("div");
        field.canvas.setAttribute("aria-label", `${workers} workers, ${label}`);
        return html(
          "div",
          { class: "field", "data-lane": key },
          html(
            "div",
            { class: "who" },
            html("i", { class: `chip chip-${paint}` }),
            ` ${label} `,
            field.count,
          ),
          field.canvas,
        );
      }),
    );
  }

  draw(samples: readonly Sample[]): void {
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const paints = [colour("--line"), colour("--bad"), colour("--good")];
    samples.forEach((sample, lane) => {
      const field = this.fields[lane];
      const context = field?.canvas.getContext("2d");
      if (!field || !context) return;
      let working = 0;
      sample.states.forEach((state, worker) => {
        context.fillStyle = paints[state] ?? "";
        context.fillRect(worker % this.columns, Math.floor(worker / this.columns), 1, 1);
        working += state === 2 ? 1 : 0;
      });
      field.canvas.dataset["awake"] = String(sample.awake);
      field.count.textContent = `${sample.awake} awake, ${working} of them at work`;
    });
  }
}

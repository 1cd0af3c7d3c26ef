// The parts that every scene has: the picture, what is said of it, the player or buttons, the knobs, the results.

import { html } from "../dom.js";

export interface Frame {
  figure: HTMLElement;
  /** The picture goes here. */
  picture: HTMLDivElement;
  /** The result in words; screen readers follow it. */
  say: HTMLOutputElement;
  /** Below the picture: what acts on it. */
  controls: HTMLDivElement;
  knobs: HTMLFormElement;
  results: HTMLDivElement;
}

/** `keys` are the keys that work while the picture has the focus, and what they do. */
export function frame(stage: HTMLElement, keys: readonly [string, string][]): Frame {
  const say = html("output", { id: "say", "aria-live": "polite" });
  const picture = html("div", { id: "drawing" });
  const hint = html("span", { class: "hint" }, "With the picture in focus: ");
  keys.forEach(([key, does], i) => {
    hint.append(html("kbd", {}, key), ` ${does}${i + 1 < keys.length ? ", " : "."}`);
  });
  const figure = html(
    "figure",
    { id: "picture", tabindex: 0, "aria-describedby": "say" },
    picture,
    html("figcaption", {}, say),
  );
  const controls = html("div", { class: "controls" });
  const knobs = html("form", { id: "knobs", "aria-label": "Parameters" });
  knobs.addEventListener("submit", (event) => event.preventDefault());
  const results = html("div", { class: "results" });
  stage.append(
    html("div", { class: "bench" }, html("div", { class: "view" }, figure, controls, hint), knobs),
    results,
  );
  return { figure, picture, say, controls, knobs, results };
}

/** Parts of the picture with these ids, one below the other. */
export function parts<I extends string[]>(view: Frame, ...ids: I): { [K in keyof I]: HTMLDivElement } {
  const parts = ids.map((id) => html("div", { id }));
  view.picture.append(...parts);
  return parts as { [K in keyof I]: HTMLDivElement };
}

/** A part of the results with a title; answers where its content goes. */
export function result(results: HTMLElement, id: string, title: string): HTMLDivElement {
  const heading = `${id}-title`;
  const content = html("div", { id, class: "wide", role: "region", tabindex: 0, "aria-labelledby": heading });
  results.append(
    html("section", { "aria-labelledby": heading }, html("h2", { id: heading }, title), content),
  );
  return content;
}

/** Calls `changed` when the width of `element` is another one; answers how to stop. */
export function onWidth(element: Element, changed: () => void): () => void {
  let width = element.clientWidth;
  const observer = new ResizeObserver(() => {
    if (element.clientWidth === width) return;
    width = element.clientWidth;
    changed();
  });
  observer.observe(element);
  return () => observer.disconnect();
}

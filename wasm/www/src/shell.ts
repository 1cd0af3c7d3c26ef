// Which scene the page shows.

import { Address, target } from "./address.js";
import { byId, html } from "./dom.js";
import { clip } from "./params.js";
import type { Coming, Scene } from "./scene.js";

/** Shows the scene that the address names, and follows it. The first one is shown when this is done. */
export async function start(scenes: readonly [Scene, ...(Scene | Coming)[]]): Promise<void> {
  const address = new Address();
  const notes = byId("notes", HTMLDivElement);
  const [first] = scenes;
  let leave = () => {};
  let turn = 0;

  async function show(): Promise<void> {
    const own = ++turn;
    delete document.documentElement.dataset["scene"];
    leave();
    // What the scene before this one wanted to write would take the reader back there.
    address.follow();
    const { scene: name, query } = target(location.search, location.hash, first.name);
    const scene = scenes.find((candidate) => candidate.name === name) ?? first;
    notes.replaceChildren();
    const note = (sentences: readonly string[]) =>
      notes.append(...sentences.map((sentence) => html("p", { class: "note" }, sentence)));
    if (scene.name !== name) {
      note([
        `There is no scene ${clip(name)}; this is the scene ${scene.name}. The others: ${scenes
          .filter((other) => other !== scene)
          .map((other) => other.name)
          .join(", ")}.`,
      ]);
    }
    document.querySelectorAll("article").forEach((article) => (article.hidden = true));
    for (const { name } of scenes) {
      if (name === scene.name) byId(`scene-${name}`, HTMLElement).hidden = false;
      const link = tab(name);
      if (name === scene.name) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    const strip = byId("scenes", HTMLElement);
    const current = tab(scene.name);
    strip.scrollLeft = current.offsetLeft - (strip.clientWidth - current.offsetWidth) / 2;

    const article = byId(`scene-${scene.name}`, HTMLElement);
    const stage = html("div", { class: "stage" });
    article.querySelector("header")?.after(stage);
    leave = () => stage.remove();
    let here: Scene;
    try {
      here = "load" in scene ? await scene.load() : scene;
    } catch (error) {
      if (own === turn) note([`This scene could not be loaded: ${String(error)}.`]);
      return;
    }
    // The reader may have gone on meanwhile.
    if (own !== turn) return;
    document.title = here.title;
    const unmount = here.mount({
      ...{ article, stage, query, note },
      keep: (query) => {
        address.set({ scene: scene.name, query });
        // The way back to this scene leads to the state that it was left in.
        tab(scene.name).href = `#${scene.name}?${query}`;
      },
      flush: () => address.flush(),
    });
    leave = () => {
      unmount();
      stage.remove();
    };
    document.documentElement.dataset["scene"] = scene.name;
    document.documentElement.dataset["figures"] = JSON.stringify(here.figures?.() ?? {});
  }

  window.addEventListener("hashchange", () => void show());
  window.addEventListener("pagehide", () => address.flush());
  byId("skip", HTMLAnchorElement).addEventListener("click", (event) => {
    event.preventDefault();
    byId("picture", HTMLElement).focus();
  });
  await show();
}

/** The link to a scene. */
function tab(name: string): HTMLAnchorElement {
  return byId(`to-${name}`, HTMLAnchorElement);
}

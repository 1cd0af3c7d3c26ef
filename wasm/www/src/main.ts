import init from "./pkg/divvy.js";
import { byId, html } from "./dom.js";
import { hot } from "./scenes/hot/scene.js";
import { race } from "./scenes/race/scene.js";
import { ring } from "./scenes/ring/scene.js";
import { rings } from "./scenes/rings/scene.js";
import { slow } from "./scenes/slow/scene.js";
import { stale } from "./scenes/stale/scene.js";
import { stealing } from "./scenes/stealing/scene.js";
import { start } from "./shell.js";

try {
  await init();
  await start([
    ...([stealing, ring, rings, race, hot, stale, slow] as const),
    { name: "parallel", load: async () => (await import("./scenes/parallel/scene.js")).parallel },
    { name: "deadline", load: async () => (await import("./scenes/deadline/scene.js")).load() },
    ...["breaker", "limiter", "hedging", "cascade", "retry-storm", "herd"].map((name) => ({
      name,
      // A module of their own, too: who looks at a ring does not wait for it.
      load: async () => (await import("./protection.js")).protection(name),
    })),
  ]);
  document.documentElement.dataset["ready"] = "true";
  // The scenarios are a module of their own, larger than all else: it comes when the reader does.
  const coming = new IntersectionObserver(
    (seen) => {
      if (!seen.some(({ isIntersecting }) => isIntersecting)) return;
      coming.disconnect();
      void conformance();
    },
    { rootMargin: "500px" },
  );
  coming.observe(byId("same-title", HTMLHeadingElement));
} catch (error) {
  const reason = error instanceof Error ? error.message : String(error);
  byId("notes", HTMLDivElement).append(
    html(
      "p",
      { class: "note" },
      `The simulation could not start: ${reason}. A current browser with WebAssembly runs it; the text below says what it shows.`,
    ),
  );
}

async function conformance(): Promise<void> {
  try {
    const { showConformance } = await import("./conformance.js");
    await showConformance();
  } catch (error) {
    byId("conformance", HTMLDivElement).append(
      html("p", { class: "note" }, `The scenarios could not be loaded: ${String(error)}.`),
    );
  }
}

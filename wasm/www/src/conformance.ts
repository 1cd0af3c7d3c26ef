// The scenarios that every target runs, run here.

import init, { digests, goldenDigests } from "./pkg/conformance.js";
import { byId, html, table } from "./dom.js";

/** Loads them, runs them and shows each digest beside the committed one. */
export async function showConformance(): Promise<void> {
  await init();
  const golden = new Map(lines(goldenDigests()));
  const found = lines(digests());
  let good = 0;
  const rows = found.map(([scenario, digest]) => {
    const expected = golden.get(scenario) ?? "none";
    const same = digest === expected;
    if (same) good += 1;
    return [
      scenario,
      html("code", {}, digest),
      html("code", {}, expected),
      html("span", { class: same ? "same" : "differs" }, same ? "✓ same" : "✗ differs"),
    ];
  });
  const all = good === found.length && found.length > 0;
  const verdict = html(
    "p",
    { class: all ? "verdict" : "verdict differs", "data-good": good, "data-all": found.length },
    all
      ? `All ${found.length} scenarios came to the committed digests in this browser.`
      : `${good} of ${found.length} scenarios came to the committed digests in this browser. This is a defect: please report it with the name of your browser.`,
  );
  const digestTable = table(
    "Conformance digests",
    ["Scenario", "Computed here, just now", "Committed", ""],
    rows,
  );
  digestTable.dataset["digests"] = digests();
  byId("conformance", HTMLDivElement).replaceChildren(
    verdict,
    html(
      "div",
      { class: "wide", role: "region", tabindex: 0, "aria-label": "Conformance digests" },
      digestTable,
    ),
  );
}

/** The scenario and the digest of each line `digest TARGET CORE SCENARIO DIGEST`. */
function lines(text: string): [string, string][] {
  return text
    .trim()
    .split("\n")
    .map((line) => line.split(" "))
    .map(([, , , scenario = "", digest = ""]) => [scenario, digest]);
}

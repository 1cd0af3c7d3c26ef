// Rings side by side.

import assert from "node:assert/strict";
import { test } from "node:test";
import { cells, module, shoot, visit, visitWith, written } from "./page.mjs";

const summary = (page) => page.evaluate(() => JSON.parse(document.documentElement.dataset.summary));

test("every algorithm has its strip and its row, with the library's numbers", async () => {
  await visit("#rings?nodes=12&gone=11&weights=even", async (page) => {
    await shoot(page, "rings");
    const shown = await summary(page);
    const counted = await module(page, ({ RingPlan, ringAlgorithms }) =>
      ringAlgorithms().map((algorithm) => {
        const ring = new RingPlan(algorithm, 12, 12, 40_000, 150);
        for (let id = 0; id < 12; id++) ring.insert(id, 1);
        ring.mark();
        const [, , , , peak, least] = ring.summary();
        ring.remove(11);
        const [, moved, ideal, needless] = ring.summary();
        return { algorithm, moved, ideal, needless, peak, least };
      }),
    );
    assert.deepEqual(shown, counted);
    const rows = await cells(page, "#compare");
    assert.equal(rows.length, counted.length);
    for (const [i, { algorithm, moved, needless, peak, ideal }] of counted.entries()) {
      assert.equal(rows[i][0], algorithm);
      assert.equal(rows[i][1], `${peak.toFixed(2)} ×`);
      assert.equal(Number(rows[i][3].replace(/\D/g, "")), moved);
      assert.equal(Number(rows[i][6].replace(/\D/g, "")), needless);
      assert.ok(needless === 0 || algorithm === "maglev", algorithm);
      assert.ok(moved > 0.6 * ideal && moved < 1.6 * ideal, `${algorithm}: ${moved} of ${ideal}`);
      const bars = page.locator(`[data-algorithm=${algorithm}] .kept`);
      assert.equal(await bars.count(), 11);
    }
    const say = await page.textContent("#say");
    assert.match(say, /Keys moved needlessly: .* under maglev\./);
  });
});

test("links, knobs and keys", async () => {
  await visit("#rings?nodes=9&gone=3&weights=mixed", async (page) => {
    const first = await summary(page);
    assert.equal(await written(page), "#rings?nodes=9&gone=3&weights=mixed");
    assert.ok(
      (await page.textContent("#compare")).includes("it cannot leave"),
      "jump-back keeps its third node",
    );
    await page.locator("#picture").focus();
    await page.keyboard.press("ArrowRight");
    assert.match(await written(page), /gone=4/);
    assert.notDeepEqual(await summary(page), first);
    await page.keyboard.press("ArrowLeft");
    assert.deepEqual(await summary(page), first);
    await page.locator("#nodes").fill("3");
    assert.match(await written(page), /nodes=3&gone=2&/);
  });
  await visitWith(
    { viewport: { width: 320, height: 740 }, reducedMotion: "reduce" },
    "#rings",
    async (page) => {
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 320);
    },
  );
});

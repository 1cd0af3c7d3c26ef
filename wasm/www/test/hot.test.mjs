// Hot keys.

import assert from "node:assert/strict";
import { test } from "node:test";
import { cells, ends, module, shoot, visit, written } from "./page.mjs";

const LINK = "#hot?seed=3&workers=8&keys=1000&hot=10&share=90&counters=64&speed=1000&t=10000";

const summary = (page) => page.evaluate(() => JSON.parse(document.documentElement.dataset.summary));
const loads = (page, cut) =>
  page.evaluate(
    (cut) => [...document.querySelectorAll(`[data-cut=${cut}]`)].map((bar) => Number(bar.dataset.load)),
    cut,
  );

test("the loads, the skew and the keys are the library's", async () => {
  await visit(LINK, async (page) => {
    await shoot(page, "hot");
    assert.equal(await written(page), LINK);
    const counted = await module(page, ({ HotPartition }) => {
      const hot = new HotPartition(3, 8, 1000, 10, 90, 64);
      hot.advance(10_000);
      return { loads: [...hot.loads()], summary: [...hot.summary()], found: [...hot.found()] };
    });
    const shown = await summary(page);
    const [hashed, split, kept, copies] = counted.summary;
    assert.deepEqual(shown, { hashed, split, kept, copies });
    assert.deepEqual(await ends(page), { hashed, split });
    assert.ok(hashed > 1.3 && split < 1.05, `${hashed} ${split}`);
    for (const [column, cut] of ["hashed", "split"].entries()) {
      const bars = await loads(page, cut);
      assert.deepEqual(
        bars,
        counted.loads.filter((_, i) => i % 2 === column),
      );
      assert.equal(
        bars.reduce((a, b) => a + b),
        10_000,
      );
      const skew = Math.max(...bars) / (10_000 / 8);
      assert.ok(Math.abs(skew - shown[cut]) < 1e-6, `${cut}: ${skew}`);
    }
    const rows = await cells(page, "#found");
    rows.forEach(([key, count], i) => {
      assert.equal(Number(key.match(/\d+/)[0]), counted.found[4 * i]);
      assert.equal(Number(count.replace(/\D/g, "")), counted.found[4 * i + 1]);
      assert.equal(key.includes("hot"), i < 10, key);
    });
    assert.ok(rows.slice(0, 10).every((row) => row[4].endsWith("workers")));
    assert.ok(rows.slice(10).every((row) => row[4] === "–"));
    assert.ok((await page.textContent("#say")).includes("10 keys are split, 10 of them hot."));
  });
});

test("without hot keys nothing is split; time goes both ways", async () => {
  await visit(LINK, async (page) => {
    const before = await summary(page);
    await page.locator("#picture").focus();
    await page.keyboard.press("End");
    assert.notDeepEqual(await summary(page), before);
    await page.locator("#time").fill("10000");
    assert.deepEqual(await summary(page), before);
    await page.locator("#share").fill("0");
    assert.ok((await page.textContent("#say")).includes("No key is split."));
    await page.locator("#reseed").click();
    assert.doesNotMatch(await written(page), /seed=3&/);
  });
});

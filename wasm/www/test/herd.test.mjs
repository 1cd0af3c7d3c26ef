// Workers that sleep, and who wakes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ends, module, shoot, time, visit, visitWith, written } from "./page.mjs";

const summary = (page) => page.evaluate(() => JSON.parse(document.documentElement.dataset.summary));
const LINK = "#herd?seed=3&workers=10000&tasks=1&gap=500&poll=100&speed=2000&t=10000";

test("one task wakes one worker, or ten thousand", async () => {
  await visit(LINK, async (page) => {
    await shoot(page, "herd");
    assert.equal(await written(page), LINK);
    const counted = await module(
      page,
      ({ HerdSim }) =>
        ["poll", "all", "one"].map((wake) => {
          const sim = new HerdSim(3, wake, 100_000, 10_000, 1, 500);
          sim.advance(10_000);
          const [tasks, begun, wakes, useless, perTask, delay, overhead] = sim.summary();
          return {
            wake,
            awake: sim.awake(),
            figures: { tasks, begun, wakes, useless, perTask, delay, overhead },
          };
        }),
      "protection",
    );
    const shown = await summary(page);
    const drawn = await page.evaluate(() =>
      [...document.querySelectorAll(".field canvas")].map(({ dataset }) => Number(dataset.awake)),
    );
    counted.forEach(({ wake, awake, figures }, i) => {
      assert.deepEqual(shown[wake], figures, wake);
      assert.equal(drawn[i], awake, wake);
    });
    assert.deepEqual([shown.one.wakes, shown.one.useless, shown.one.perTask], [1, 0, 1]);
    assert.equal(shown.all.wakes, 10_000);
    assert.ok(shown.poll.wakes > 200);
    assert.equal((await ends(page)).all, counted[1].awake);
    // A dot that looks for a task is not drawn like one that sleeps.
    const colours = await page.evaluate(() => {
      const canvas = document.querySelector('[data-lane="all"] canvas');
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const seen = new Set();
      for (let i = 0; i < data.length; i += 4) seen.add(`${data[i]} ${data[i + 1]} ${data[i + 2]}`);
      return seen.size;
    });
    assert.ok(colours >= 2, String(colours));
  });
});

test("a herd: keys, knobs and the way back", async () => {
  await visit(LINK, async (page) => {
    const before = await summary(page);
    await page.locator("#picture").focus();
    await page.keyboard.press("End");
    assert.equal(await time(page), 30_000);
    assert.equal((await summary(page)).all.begun, 1);
    await page.locator("#time").fill("10000");
    assert.deepEqual(await summary(page), before);
    await page.locator("#tasks").fill("20");
    await page.keyboard.press("End");
    const { one, all } = await summary(page);
    assert.equal(one.useless, 0);
    assert.ok(all.useless > 100 * one.wakes, JSON.stringify({ one, all }));
  });
});

test("a herd fits a narrow screen, in the dark", async () => {
  await visitWith(
    { viewport: { width: 360, height: 780 }, colorScheme: "dark", reducedMotion: "reduce" },
    LINK,
    async (page) => {
      await shoot(page, "herd-360");
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
    },
  );
});

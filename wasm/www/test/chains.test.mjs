// The scenes with chains of services: a cascade, a retry storm.

import assert from "node:assert/strict";
import { test } from "node:test";
import { cells, ends, module, shoot, time, visit, visitWith, written } from "./page.mjs";

const summary = (page) => page.evaluate(() => JSON.parse(document.documentElement.dataset.summary));
const boxes = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll(".lane")].map((lane) =>
      [...lane.querySelectorAll(".box")].map(({ dataset }) => [
        Number(dataset.waiting),
        Number(dataset.working),
        dataset.breaker,
      ]),
    ),
  );

const CASCADE =
  "#cascade?guards=timeouts,bulkhead,breaker,fallback&seed=7&rate=500&factor=20&need=40&speed=4&t=30000";

test("a slow service takes the others along, unless they are protected", async () => {
  await visit(CASCADE, async (page) => {
    await shoot(page, "cascade");
    assert.equal(await written(page), CASCADE);
    const counted = await module(
      page,
      ({ ChainPlan, ChainSim }) =>
        [false, true].map((guarded) => {
          const plan = new ChainPlan(7, 500);
          plan.needD(40);
          plan.slowD(20, 10_000, 40_000);
          if (guarded) {
            plan.timeouts(150);
            plan.bulkhead(20);
            plan.breaker(true);
            plan.fallback(true);
          }
          const sim = new ChainSim(plan, 1000);
          sim.advance(30_000);
          const states = ["none", "closed", "open", "half-open"];
          const levels = [...sim.levels()];
          return {
            users: [...sim.summary()],
            boxes: [0, 1, 2, 3, 4].map((i) => [levels[5 * i], levels[5 * i + 1], states[levels[5 * i + 4]]]),
          };
        }),
      "protection",
    );
    const shown = await summary(page);
    const drawn = await boxes(page);
    ["without", "with"].forEach((key, lane) => {
      const [arrived, full, degraded, failed, p50, p99, p999] = counted[lane].users;
      assert.deepEqual(shown[key], { arrived, full, degraded, failed, p50, p99, p999 }, key);
      assert.deepEqual(drawn[lane], counted[lane].boxes, key);
    });
    assert.equal(shown.without.arrived, shown.with.arrived);
    const share = ({ full, degraded, failed }) => (full + degraded) / (full + degraded + failed);
    assert.ok(share(shown.with) > 0.98 && share(shown.without) < 0.8, JSON.stringify(shown));
    assert.equal((await cells(page, "#stats")).length, 10);
    const last = await ends(page);
    assert.ok(last.with > 0.98 || last.with > 1, JSON.stringify(last));
    assert.ok((await page.textContent("#say")).startsWith("D is slow."));
  });
});

test("a cascade: links, keys and the way back", async () => {
  await visit(CASCADE, async (page) => {
    const before = await summary(page);
    await page.locator("#picture").focus();
    await page.keyboard.press("End");
    assert.equal(await time(page), 60_000);
    assert.ok((await page.textContent("#say")).startsWith("D is well again."));
    await page.locator("#time").fill("30000");
    assert.deepEqual(await summary(page), before);
    await page.locator("#need").fill("0");
    const spared = await summary(page);
    assert.equal(spared.without.failed + spared.with.failed, 0);
  });
  await visit("#cascade?factor=1&guards=hope", async (page) => {
    const notes = await page.textContent("#notes");
    assert.ok(notes.includes("factor=1 is not a whole number from 2 to 50"), notes);
    assert.ok(notes.includes("guards=hope is not"), notes);
  });
});

const STORM = "#retry-storm?guards=budget&seed=7&rate=20&attempts=3&outage=10&speed=4&t=20000";

test("retries multiply, and a budget bounds them", async () => {
  await visit(STORM, async (page) => {
    await shoot(page, "retry-storm");
    assert.equal(await written(page), STORM);
    const counted = await module(
      page,
      ({ ChainPlan, ChainSim }) =>
        [false, true].map((budget) => {
          const plan = new ChainPlan(7, 20);
          plan.failD(10_000, 20_000);
          plan.timeouts(150);
          plan.attempts(3);
          plan.budget(budget);
          const sim = new ChainSim(plan, 1000);
          sim.advance(20_000);
          const [arrived, full, degraded] = sim.summary();
          return { arrived, answered: full + degraded, calls: sim.totals()[3 * 7 + 4] };
        }),
      "protection",
    );
    const shown = await summary(page);
    assert.deepEqual([shown.without, shown.with], counted);
    const during = await page.textContent("#say");
    const [without, guarded] = [...during.matchAll(/(\d+\.\d) (?:calls|with)/g)].map((match) =>
      Number(match[1]),
    );
    assert.ok(without > 10 && guarded < 3, during);
  });
});

test("both fit a narrow screen, in the dark", async () => {
  for (const [name, link] of [
    ["cascade-360", CASCADE],
    ["retry-storm-360", STORM],
  ]) {
    await visitWith(
      { viewport: { width: 360, height: 780 }, colorScheme: "dark", reducedMotion: "reduce" },
      link,
      async (page) => {
        await shoot(page, name);
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
      },
    );
  }
});

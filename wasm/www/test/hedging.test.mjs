// Hedging: the tail with and without a second attempt, against the library's numbers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { cells, ends, module, shoot, visit, visitWith, written } from "./page.mjs";

const LINK = "#hedging?percentile=950&stalls=10&budget=10&slower=no&seed=1&speed=1&t=20000";

const summary = (page) => page.evaluate(() => JSON.parse(document.documentElement.dataset.summary));

test("the percentiles and the extra load are the library's", async () => {
  await visit(LINK, async (page) => {
    await shoot(page, "hedging");
    assert.equal(await written(page), LINK);
    const counted = await module(
      page,
      ({ HedgingSim }) => {
        const sim = new HedgingSim(1, 10, 950, 10, false);
        // The page looks each tenth of a second; how often makes no difference.
        sim.advance(20_000);
        return { latencies: [...sim.latencies()], hedges: [...sim.hedges()] };
      },
      "protection",
    );
    const shown = await summary(page);
    ["alone", "hedged"].forEach((key, i) => {
      const [answered, p50, p99, p999, max] = counted.latencies.slice(5 * i, 5 * i + 5);
      assert.deepEqual(shown[key], { answered, p50, p99, p999, max }, key);
    });
    const [calls, sent, refused, balance, delay] = counted.hedges;
    const { share, at, alone, hedged, ...rest } = shown;
    assert.deepEqual(rest, { calls, sent, refused, balance, delay });
    assert.equal(at, 20_000);
    assert.ok(share > 0 && share < 0.15, `${share}`);
    assert.deepEqual(await ends(page), { alone: alone.p999, hedged: hedged.p999 });
    assert.ok(alone.p999 > 10 * hedged.p999, `${alone.p999} ${hedged.p999}`);
    assert.ok(sent / calls < 0.055);
    const costs = await cells(page, "#costs");
    assert.equal(costs[0][1], `${((100 * sent) / calls).toFixed(2)}\u00a0%`);
    assert.ok(Number(await page.locator(".hedged-bars").getAttribute("data-calls")) > 100);
  });
});

test("the budget holds when all servers become slow; knobs and wrong links", async () => {
  await visit(LINK.replace("slower=no", "slower=yes").replace("t=20000", "t=18000"), async (page) => {
    await shoot(page, "hedging-slower");
    const slow = await summary(page);
    assert.ok(slow.refused > 100 && slow.sent <= slow.calls / 10, JSON.stringify(slow));
    assert.match(await page.textContent("#say"), /The budget refused/);
    await page.locator("#budget").fill("0");
    assert.equal((await summary(page)).sent, 0);
    assert.match(await written(page), /budget=0&/);
    const none = await summary(page);
    assert.deepEqual(none.alone, none.hedged);
    await page.locator("#picture").focus();
    await page.keyboard.press("Home");
    assert.match(await page.textContent("#say"), /nothing has been answered yet/);
    await page.locator("#stalls").fill("0");
    assert.equal(
      await page.textContent("#scene-hedging h1"),
      "No call stalls. What does a second attempt cost?",
    );
  });
  await visit("#hedging?percentile=0&budget=101&slower=maybe&t=0", async (page) => {
    assert.equal(await page.locator("#notes .note").count(), 3);
  });
});

test("it fits narrow screens, and turns dark", async () => {
  const options = { viewport: { width: 360, height: 740 }, reducedMotion: "reduce", colorScheme: "dark" };
  await visitWith(options, "#hedging?t=12000", async (page) => {
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360);
    await shoot(page, "hedging-360-dark");
  });
});

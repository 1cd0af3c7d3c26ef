// The limiters: lanes, lines and tables against the library's numbers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { cells, ends, follow, module, shoot, visit, visitWith, written } from "./page.mjs";

const LINK = "#limiter?coming=bursts&load=100&cells=20&burst=5&then=100&seed=1&speed=1&t=7000";
const KEYS = ["gcra", "log", "fixed"];

const summary = (page) => page.evaluate(() => JSON.parse(document.documentElement.dataset.summary));

test("what went, what was refused and the worst second are the library's", async () => {
  await visit(LINK, async (page) => {
    await shoot(page, "limiter");
    assert.equal(await written(page), LINK);
    const counted = await module(
      page,
      ({ LimiterSim }) => {
        const sim = new LimiterSim(1, "bursts", 100, 20, 5, 100);
        sim.advance(7000);
        return [...sim.limiters()];
      },
      "protection",
    );
    const shown = await summary(page);
    const rows = await cells(page, "#limits");
    KEYS.forEach((key, i) => {
      const [free, recent, most, admitted, refused] = counted.slice(5 * i, 5 * i + 5);
      assert.deepEqual(shown[key], { free, recent, most, admitted, refused }, key);
      assert.deepEqual(rows[i].slice(3), [admitted, refused, free].map(String));
      assert.ok(most <= Number(rows[i][2]), `${key}: ${rows[i]}`);
    });
    // The straw man lets twice the quota go.
    assert.deepEqual([shown.log.most, shown.fixed.most], [20, 40]);
    assert.ok(shown.gcra.most <= 25);
    assert.deepEqual(await ends(page), Object.fromEntries(KEYS.map((key) => [key, shown[key].recent])));
    const marks = await page.evaluate(() =>
      [...document.querySelectorAll("[data-lane]")].map((lane) => [
        lane.querySelector(".went").getAttribute("d").split("M").length - 1,
        lane.querySelector(".told").getAttribute("d").split("M").length - 1,
      ]),
    );
    // All 200 cells of the ten seconds are drawn in each lane; the later ones are cut off.
    for (const [went, refused] of marks) assert.equal(went + refused, 200);
  });
});

test("the quota changes at half time; knobs, keys and wrong links", async () => {
  await visit(LINK.replace("coming=bursts", "coming=steady").replace("t=7000", "t=10000"), async (page) => {
    const before = await summary(page);
    await page.locator("#then").fill("0");
    const after = await summary(page);
    assert.match(await written(page), /then=10&/);
    assert.ok(after.gcra.admitted < before.gcra.admitted * 0.7);
    assert.equal((await page.locator("#plot text.bound", { hasText: "quota 2" }).count()) > 0, true);
    assert.match(await page.textContent("#say"), /the quota was 20 and is now 2\.$/);
    await page.locator("#picture").focus();
    await page.keyboard.press("Home");
    assert.match(await page.textContent("#say"), /nothing has come yet/);
    await page.locator("#coming input[value=poisson]").check();
    await follow(page, LINK.replace("coming=bursts", "coming=poisson").replace("load=100", "load=300"));
    const random = await summary(page);
    assert.ok(random.gcra.most <= 25 && random.log.most === 20 && random.fixed.most > 20);
    await shoot(page, "limiter-poisson");
  });
  await visit("#limiter?coming=never&cells=0&t=-1", async (page) => {
    assert.equal(await page.locator("#notes .note").count(), 3);
  });
});

test("it fits narrow screens, and turns dark", async () => {
  const options = { viewport: { width: 360, height: 740 }, reducedMotion: "reduce", colorScheme: "dark" };
  await visitWith(options, "#limiter?t=7000", async (page) => {
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360);
    await shoot(page, "limiter-360-dark");
  });
});

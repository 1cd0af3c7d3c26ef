// The scenes with fleets: balancers racing, stale news, slow start.

import assert from "node:assert/strict";
import { test } from "node:test";
import { cells, ends, follow, module, shoot, time, visit, visitWith, written } from "./page.mjs";

const summary = (page) => page.evaluate(() => JSON.parse(document.documentElement.dataset.summary));
const width = (page) => page.evaluate(() => document.documentElement.scrollWidth);

const RACE =
  "#race?policies=round-robin,p2c,least-loaded&seed=7&servers=6&load=85&slow=1&times=exponential&speed=1&t=12000";

test("each lane shows what the library makes of the same requests", async () => {
  await visit(RACE, async (page) => {
    await shoot(page, "race");
    const counted = await module(page, ({ DispatchSim, Traffic }) => {
      const traffic = new Traffic(7, 6, 85);
      traffic.runTimes("exponential");
      traffic.slow(1, 25);
      return ["round-robin", "p2c", "least-loaded"].map((policy) => {
        const sim = new DispatchSim(policy, traffic);
        sim.advance(12_000);
        const [arrived, succeeded, errors, mean, p50, p99, p999, max, skew] = sim.summary();
        const held = [...sim.servers()].filter((_, i) => i % 4 === 0);
        return { policy, held, figures: { arrived, succeeded, errors, mean, p50, p99, p999, max, skew } };
      });
    });
    const shown = await summary(page);
    const bars = await page.evaluate(() =>
      [...document.querySelectorAll(".lane")].map((lane) =>
        [...lane.querySelectorAll(".server")].map((bar) => Number(bar.dataset.held)),
      ),
    );
    const rows = await cells(page, "#stats");
    counted.forEach(({ policy, held, figures }, i) => {
      assert.deepEqual(shown[policy], figures, policy);
      assert.deepEqual(bars[i], held);
      assert.equal(rows[i][0], policy);
      assert.equal(Number(rows[i][1].replace(/\D/g, "")), figures.succeeded);
    });
    const arrived = counted.map(({ figures }) => figures.arrived);
    assert.ok(arrived[0] > 400 && arrived.every((count) => count === arrived[0]), `${arrived}`);
    // What sees that a server is slow beats what does not.
    assert.ok(shown["round-robin"].p99 > 2 * shown.p2c.p99);
    assert.ok((await page.textContent("#say")).includes("under least-loaded and"));
    assert.deepEqual(
      await ends(page),
      Object.fromEntries(counted.map(({ policy, figures }) => [policy, figures.p99])),
    );
    assert.equal(await page.locator(".server.slow").count(), 3);
  });
});

test("a race: links, keys, knobs, and the way back", async () => {
  await visit(RACE, async (page) => {
    const first = await summary(page);
    assert.equal(await written(page), RACE);
    await page.locator("#picture").focus();
    await page.keyboard.press("ArrowRight");
    assert.equal(await time(page), 12_500);
    await page.keyboard.press("End");
    assert.equal(await time(page), 30_000);
    assert.notDeepEqual(await summary(page), first);
    await page.keyboard.press("ArrowLeft");
    assert.equal(await time(page), 29_500);
    await page.keyboard.press("Home");
    assert.equal((await summary(page)).p2c.arrived, 0);
    await page.keyboard.press("Space");
    await page.waitForFunction(() => Number(document.documentElement.dataset.time) > 60);
    await page.keyboard.press("Space");
    assert.equal(await page.textContent("#play"), "Play");
    await follow(page, RACE);
    assert.deepEqual(await summary(page), first);
    // Another policy joins; the sixth is one too many.
    const boxes = page.locator("#policies input");
    await page.locator("#policies input[value=random]").check();
    assert.equal(await page.locator(".lane").count(), 4);
    assert.match(await written(page), /policies=.*random/);
    const unchecked = page.locator("#policies input:not(:checked)");
    await unchecked.first().check();
    assert.equal(await page.locator(".lane").count(), 5);
    await unchecked.first().click();
    assert.equal(await page.locator(".lane").count(), 5);
    assert.equal(await page.locator("#policies input:checked").count(), 5);
    assert.ok((await boxes.count()) >= 5);
  });
});

test("every policy of the library races", async () => {
  await visit("#race?t=5000", async (page) => {
    const names = await module(page, ({ policies }) => policies());
    for (let i = 0; i < names.length; i += 4) {
      const four = [...names.slice(i, i + 4), ...names.slice(0, 2)].slice(0, 4);
      const policies = [...new Set(four)].join();
      await follow(page, `#race?policies=${policies}&t=8000`);
      await page.waitForFunction((n) => document.querySelectorAll(".lane").length === n, new Set(four).size);
      for (const [policy, { succeeded }] of Object.entries(await summary(page))) {
        assert.ok(succeeded > 100, `${policy}: ${succeeded}`);
      }
      assert.equal(await page.locator("#notes .note").count(), 0);
    }
  });
});

test("old news herd, and local credit helps", async () => {
  const link = "#stale?age=1000&seed=1&servers=16&dispatchers=1&load=90&speed=4&t=30000";
  await visit(link, async (page) => {
    const shown = await summary(page);
    await shoot(page, "stale");
    assert.equal(await written(page), link);
    const counted = await module(page, ({ DispatchSim, Traffic }) => {
      const traffic = new Traffic(1, 16, 90);
      traffic.toldEvery(1000);
      return Object.fromEntries(
        ["told-all", "told-two", "p2c", "least-loaded", "random"].map((policy) => {
          const sim = new DispatchSim(policy, traffic);
          sim.advance(30_000);
          return [policy, sim.summary()[3]];
        }),
      );
    });
    for (const [policy, mean] of Object.entries(counted)) assert.equal(shown[policy].mean, mean, policy);
    assert.deepEqual(await ends(page), counted);
    assert.ok(counted["told-all"] > counted["told-two"] && counted["told-two"] > counted.p2c);
    // The table of all ages ends with the same means at this age.
    await page.waitForSelector("#ages [data-complete]");
    const rows = await cells(page, "#ages");
    assert.equal(rows.length, 5);
    assert.equal(new Set(rows.at(-1).slice(1)).size, 1, "chance needs no news");
    await page.click("#jump");
    const means = (await cells(page, "#stats")).map((row) => row[2]);
    const ages = await page.locator("#ages td.current").allTextContents();
    assert.deepEqual(ages, means);
    // The picture is not empty.
    const dark = await page.locator(".heat canvas").evaluateAll((all) =>
      all.map((canvas) => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return data.filter((value, i) => i % 4 === 3 && value > 0).length / (data.length / 4);
      }),
    );
    assert.ok(
      dark.every((part) => part > 0.3),
      `${dark}`,
    );
    // Knobs and the address.
    await page.locator("#age").fill("0");
    assert.match(await written(page), /age=10&/);
    assert.equal(
      await page.textContent("#scene-stale h1"),
      "Everybody knows who was idle 10\u00a0ms ago. Why does that make it worse?",
    );
  });
});

test("a cold server gets its share at once, or slowly", async () => {
  const link = "#slow?policy=round-robin&seed=2&servers=4&load=70&cold=10&warm=10&ramp=10&speed=1&t=15000";
  await visit(link, async (page) => {
    const shown = await summary(page);
    await shoot(page, "slow");
    assert.equal(await written(page), link);
    // The server joins at 21 s; the scene begins at 16.
    const picked = await module(page, ({ DispatchSim, Traffic }) => {
      const traffic = new Traffic(2, 4, 70);
      traffic.joins(21_000, 10_000, 10);
      const last = () => {
        const sim = new DispatchSim("round-robin", traffic);
        sim.advance(31_000);
        return sim.servers()[4 * 4 + 1];
      };
      const without = last();
      traffic.slowStart(10_000);
      return { without, with: last() };
    });
    assert.equal(shown.without.picked, picked.without);
    assert.equal(shown.with.picked, picked.with);
    assert.ok(shown.without.share > 0.18 && shown.without.share < 0.22, `${shown.without.share}`);
    assert.ok(shown.with.share < 0.75 * shown.without.share);
    assert.ok(shown.with.worst < shown.without.worst);
    assert.equal(await page.locator("#ramp .line").count(), 2);
    await page.locator("#policy").selectOption("p2c");
    assert.match(await written(page), /policy=p2c&.*t=15000$/);
    await page.locator("#picture").focus();
    await page.keyboard.press("Home");
    assert.ok((await page.textContent("#say")).includes("The cold server joins at 5.00\u00a0s"));
  });
});

test("what links get wrong is named in every scene", async () => {
  for (const [link, notes] of [
    ["#race?policies=best,p2c&servers=99&load=&times=long&t=never", 5],
    ["#race?policies=p2c", 1],
    ["#stale?age=0&dispatchers=x", 2],
    ["#slow?policy=slow&ramp=0", 2],
    ["#hot?workers=1&keys=1&t=-1", 3],
  ]) {
    await visit(link, async (page) => {
      assert.equal(await page.locator("#notes .note").count(), notes, link);
      assert.ok((await page.textContent("#say")).length > 10);
    });
  }
});

test("narrow screens show the picture first, without sideways scrolling; dark turns dark", async () => {
  const options = { viewport: { width: 320, height: 740 }, reducedMotion: "reduce", colorScheme: "dark" };
  for (const scene of ["race", "stale", "slow", "hot", "rings", "breaker", "limiter", "hedging"]) {
    await visitWith(options, `#${scene}?t=9000`, async (page) => {
      assert.ok((await width(page)) <= 320, scene);
      const top = (selector) =>
        page
          .locator(selector)
          .first()
          .evaluate((element) => element.getBoundingClientRect().top);
      const picture = await top("#drawing");
      assert.ok(picture < 740 / 2 && picture < (await top("#knobs")), `${scene}: ${picture}`);
      const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      assert.equal(background, "rgb(20, 23, 27)");
      const low = await page.evaluate(() =>
        [...document.querySelectorAll(".stage button, .stage select, .stage input[type=range]")]
          .filter((element) => element.getBoundingClientRect().height < 44)
          .map((element) => element.id),
      );
      assert.deepEqual(low, []);
      await shoot(page, `${scene}-320-dark`);
    });
  }
});

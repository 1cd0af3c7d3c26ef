// The breaker: what is clicked in is what the library's breaker sees.

import assert from "node:assert/strict";
import { test } from "node:test";
import { cells, follow, module, shoot, visit, visitWith, written } from "./page.mjs";

const LINK =
  "#breaker?window=8&threshold=50&minimum=8&sure=no&open=5&probes=2&speed=3&log=ssssffsffsdnnsdds&t=17000";

const summary = (page) => page.evaluate(() => JSON.parse(document.documentElement.dataset.summary));
const state = (page) => page.locator(".state-box[data-current=true]").getAttribute("data-state");
const shown = (page) =>
  page.evaluate(() => [...document.querySelectorAll("[data-cell]")].map((cell) => cell.dataset.cell));

test("the window, the state and its changes are the library's", async () => {
  await visit(LINK, async (page) => {
    await shoot(page, "breaker");
    assert.equal(await written(page), LINK);
    const counted = await module(
      page,
      ({ BreakerSim }) => {
        const sim = new BreakerSim(8, 50, 8, false, 5, 2);
        const deeds = { s: "succeed", f: "fail", l: "slow", n: "vanish", w: "wait", d: "skip" };
        for (const letter of "ssssffsffsdnnsdds") sim.act(deeds[letter]);
        const [now, state] = sim.summary();
        const [changes, causes] = [[...sim.changes()], sim.causes()];
        return { now, state, window: [...sim.window()], changes, causes };
      },
      "protection",
    );
    const now = await summary(page);
    assert.equal(now.now, counted.now);
    assert.equal(await state(page), ["closed", "open", "half-open"][counted.state]);
    const rows = await cells(page, "#changes");
    assert.equal(rows.length, counted.causes.length);
    rows.forEach(([at, to, why], i) => {
      assert.equal(at, `${(counted.changes[7 * i] / 1000).toFixed(2)}\u00a0s`);
      assert.equal(to, ["closed", "open", "half-open"][counted.changes[7 * i + 2]]);
      assert.equal(why, counted.causes[i]);
    });
    assert.deepEqual(
      rows.map((row) => row[1]),
      ["open", "half-open", "open", "half-open"],
    );
    assert.equal(rows[2][2], "a probe was lost");
    // Before it tripped the window held what was clicked in.
    await follow(page, LINK.replace("t=17000", "t=7000"));
    assert.deepEqual(await shown(page), ["00", "00", "00", "00", "10", "10", "00", "empty"]);
    assert.equal(await state(page), "closed");
  });
});

test("buttons, keys and the address do the same", async () => {
  await visit("#breaker?window=4&minimum=4&log=&t=0", async (page) => {
    assert.match(await page.textContent("#say"), /no call has counted yet/);
    await page.click("#do-f");
    assert.equal(await state(page), "closed");
    await page.locator("#picture").focus();
    await page.keyboard.press("f");
    assert.equal(await state(page), "open");
    await page.keyboard.press("S");
    assert.match(await page.textContent("#say"), /^The call was refused: try again at 5.20/);
    await page.click("#do-d");
    assert.equal(await state(page), "half-open");
    await page.click("#do-n");
    assert.match(await page.textContent("#say"), /1 of 2 probes is under way/);
    assert.match(await written(page), /log=ffsdn&t=5000$/);
    // Back, and on from there: what came after is forgotten.
    await page.locator("#picture").focus();
    await page.keyboard.press("ArrowLeft");
    await page.click("#do-s");
    await page.click("#do-s");
    assert.equal(await state(page), "closed");
    assert.match(await written(page), /log=ffsdss&t=6000$/);
    await page.click("#undo");
    assert.equal(await state(page), "half-open");
    await page.click("#clear");
    assert.match(await written(page), /log=&t=0$/);
    // It goes by the knobs.
    for (let i = 0; i < 3; i++) await page.click("#do-l");
    assert.equal(await state(page), "open");
    assert.match(await page.textContent("#changes"), /too many calls were slow/);
    await page.locator("#sure input[value=yes]").check();
    assert.equal(await state(page), "closed");
    // A window larger than the most that a knob asks for stays whole.
    await page.locator("#minimum").fill("9");
    assert.match(await written(page), /minimum=4/);
  });
});

test("whoever comes sees it trip, probe and close; wrong links are named", async () => {
  await visit("#breaker", async (page) => {
    const rows = await cells(page, "#changes");
    assert.equal(rows.at(-1)[1], "closed");
    for (const why of ["too many calls failed", "a probe failed", "a probe was lost", "the probes succeeded"])
      assert.ok(
        rows.some((row) => row[2] === why),
        why,
      );
  });
  await visit("#breaker?window=3&log=ssx&probes=9&t=x", async (page) => {
    assert.equal(await page.locator("#notes .note").count(), 4);
  });
});

test("the text tells the truth about being sure", async () => {
  await visit("#breaker?window=40&minimum=40&sure=yes&log=&t=0", async (page) => {
    const trips = (window) =>
      module(
        page,
        `({ BreakerSim }) => new BreakerSim(${window}, 50, ${window}, true, 5, 2).summary()[7]`,
        "protection",
      );
    const text = (await page.textContent("#scene-breaker .prose")).replace(/\s+/g, " ");
    const [few, many] = [await trips(10), await trips(40)];
    assert.ok(text.includes(`that takes ${few} of 10 calls, but ${many} of 40 are enough`), `${few} ${many}`);
    assert.equal(
      await page.textContent("#scene-breaker h1"),
      `${many} of 40 calls fail. Who should still call?`,
    );
  });
});

test("it fits narrow screens, and turns dark", async () => {
  const options = { viewport: { width: 360, height: 740 }, reducedMotion: "reduce", colorScheme: "dark" };
  await visitWith(options, "#breaker", async (page) => {
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360);
    await shoot(page, "breaker-360-dark");
  });
});

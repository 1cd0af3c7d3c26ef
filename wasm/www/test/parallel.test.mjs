// Real workers: what they did, and what is shown where there are none.

import assert from "node:assert/strict";
import { test } from "node:test";
import { launch, open } from "./browser.mjs";
import { cells, follow, module, shoot, visit, visitWith, written } from "./page.mjs";
import { serve } from "./server.mjs";

const LINK = "#parallel?seed=3&workers=4&share=70&take=half&speed=0.05";
const ran = (page, how = "true") => page.waitForSelector(`html[data-ran=${how}]`);
const summary = (page) => page.evaluate(() => JSON.parse(document.documentElement.dataset.summary));

/** What came of the run with these parameters. */
const shown = async (page, params) => {
  await page.waitForFunction((params) => {
    const { summary = "null", ran } = document.documentElement.dataset;
    const has = JSON.parse(summary)?.params ?? {};
    return ran === "true" && Object.entries(params).every(([name, value]) => has[name] === value);
  }, params);
  return summary(page);
};

/** Each task ran once, no worker ran two at a time, and the accounts say the same. */
function holds({ bars, steals, accounts, end }, workers) {
  assert.deepEqual(
    bars.map(({ task }) => task).sort((a, b) => a - b),
    Array.from({ length: 100 }, (_, task) => task),
  );
  assert.equal(accounts.length, workers);
  accounts.forEach(({ processed, stolen, attempts }, worker) => {
    const mine = bars.filter((bar) => bar.worker === worker).sort((a, b) => a.from - b.from);
    assert.equal(processed, mine.length);
    mine.slice(1).forEach(({ from }, i) => assert.ok(from >= mine[i].to, `worker ${worker} ran two at once`));
    const brought = steals.filter(({ thief }) => thief === worker);
    assert.equal(
      stolen,
      brought.reduce((sum, { count }) => sum + count, 0),
    );
    assert.ok(attempts >= brought.length);
  });
  assert.equal(end, Math.max(...bars.map(({ to }) => to)));
}

test("real workers run every task once, and the page shows what they did", async () => {
  await visit(LINK, async (page) => {
    await ran(page);
    const { run, alone, now } = await summary(page);
    assert.equal(run.real, true);
    assert.equal(now, run.end, "who asked for less motion sees the result");
    holds(run, 4);
    assert.ok(run.steals.length > 0 && alone > 0);
    const rows = await cells(page, "#crew");
    rows.forEach(([name, processed, stolen, attempts, slept], worker) => {
      const { sleeps, ...account } = run.accounts[worker];
      assert.equal(name, String(worker));
      assert.deepEqual([processed, stolen, attempts].map(Number), Object.values(account));
      assert.equal(Number(slept), sleeps);
    });
    assert.equal(await page.locator("#timeline .bar-of-row[data-state=done]").count(), 100);
    assert.equal(await page.locator("#timeline .sign.steal").count(), run.steals.length);
    assert.match(await page.textContent("#mode"), /^Real: each row is a Web Worker/);
    const say = await page.textContent("#say");
    assert.ok(say.startsWith("Four workers finished 100 tasks in "), say);
    assert.ok(say.includes(`${(alone / run.end).toFixed(2)} times as fast as one`), say);
    assert.equal((await cells(page, "#speedup")).length, 4);
    assert.equal(page.workers().length, 0, "the workers ended with the run");
    assert.equal(await written(page), `${LINK}&t=${Math.round(now * 1e6) / 1e6}`);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 1180);
    await shoot(page, "parallel");
  });
});

test("knobs run again, the picture goes back and forth, and the first page does not load the workers", async () => {
  await visit("?t=0", async (page) => {
    const asked = [];
    page.on("request", (request) => asked.push(request.url()));
    await follow(page, "#ring");
    assert.ok(!asked.some((address) => address.includes("threads")), asked.join());
    await follow(page, LINK);
    await ran(page);
    assert.ok(asked.some((address) => address.includes("threads_bg")));
    await page.locator("#workers").fill("2");
    const { run } = await shown(page, { workers: 2 });
    holds(run, 2);
    assert.equal((await cells(page, "#crew")).length, 2);
    await page.locator("#take input[value=one]").check();
    const { run: single } = await shown(page, { workers: 2, take: "one" });
    assert.ok(single.steals.every(({ count }) => count === 1));
    await page.focus("#picture");
    await page.keyboard.press("Home");
    assert.match(await page.textContent("#say"), /^At 0\.0\u00a0ms, 0 of 100 tasks are done/);
    await page.keyboard.press("ArrowRight");
    const { now } = await summary(page);
    assert.ok(now > 0 && now < single.end);
    await page.click("#again");
    await page.waitForFunction((end) => {
      const again = JSON.parse(document.documentElement.dataset.summary);
      return again !== null && again.run.end !== end;
    }, single.end);
  });
});

test("whoever leaves the scene leaves no worker behind", async () => {
  await visit("?t=0", async (page) => {
    const started = [];
    page.on("worker", (worker) => started.push(worker));
    await follow(page, LINK);
    await page.waitForEvent("worker");
    await follow(page, "#ring");
    await page.waitForFunction(() => document.documentElement.dataset.scene === "ring");
    for (let i = 0; i < 50 && page.workers().length > 0; i++) await page.waitForTimeout(50);
    assert.equal(page.workers().length, 0);
    assert.ok(started.length > 0);
    // The run that was left says nothing any more.
    assert.ok((await page.textContent("#say")).includes("node"));
  });
});

test("a worker that fails is said, and the next run may go well", async () => {
  const server = await serve();
  const own = await launch({ reducedMotion: "reduce" });
  try {
    const page = await own.context.newPage();
    for (const broken of [
      "throw new Error('out of order')",
      "onmessage = () => { throw new Error('out of order') }",
    ]) {
      await page.route(/\/worker-[^/]*\.js$/, (route) =>
        route.fulfill({
          contentType: "text/javascript",
          headers: { "cross-origin-embedder-policy": "require-corp" },
          body: broken,
        }),
      );
      await page.goto(`${server.url}${LINK}`);
      await page.reload();
      await ran(page, "false");
      const say = await page.textContent("#say");
      assert.ok(say.startsWith("The run failed: worker 0: "), say);
      assert.ok(say.includes("out of order"), say);
      assert.equal(page.workers().length, 0);
      await page.unroute(/\/worker-[^/]*\.js$/);
      await page.click("#again");
      await ran(page);
      assert.match(await page.textContent("#say"), /finished 100 tasks/);
    }
    await page.route(/threads_bg.*\.wasm$/, (route) => route.abort());
    await page.reload();
    await ran(page, "false");
    assert.match(await page.textContent("#say"), /^The run failed: /);
  } finally {
    await own.close();
    await server.close();
  }
});

test("a worker that never answers is given up, and the next run may go well", async () => {
  const server = await serve();
  const own = await launch({ reducedMotion: "reduce" });
  try {
    const page = await own.context.newPage();
    await page.route(/\/worker-[^/]*\.js$/, (route) =>
      route.fulfill({
        contentType: "text/javascript",
        headers: { "cross-origin-embedder-policy": "require-corp" },
        body: "onmessage = () => {}",
      }),
    );
    await page.clock.install();
    await page.goto(`${server.url}${LINK}`);
    while (page.workers().length === 0) await page.waitForTimeout(20);
    await page.clock.fastForward(20_000);
    assert.equal(await page.evaluate(() => document.documentElement.dataset.ran), undefined);
    await page.clock.fastForward(11_000);
    await ran(page, "false");
    assert.match(
      await page.textContent("#say"),
      /^The run failed: the workers did not finish within 30 seconds/,
    );
    assert.equal(page.workers().length, 0);
    await page.unroute(/\/worker-[^/]*\.js$/);
    await page.click("#again");
    await ran(page);
  } finally {
    await own.close();
    await server.close();
  }
});

test("without isolation the simulation is shown, and said to be one", async () => {
  const server = await serve(undefined, false);
  const own = await launch({ reducedMotion: "reduce" });
  try {
    const problems = [];
    const page = await open(own.context, `${server.url}${LINK}`, problems);
    const mode = await page.textContent("#mode");
    assert.ok(mode.startsWith("This is the simulation: the page is not cross-origin isolated"), mode);
    assert.equal(await page.locator("#mode").getAttribute("data-mode"), "simulation");
    const { run, alone } = await summary(page);
    assert.equal(run.real, false);
    assert.equal(await page.locator("#again").count(), 0);
    holds(run, 4);
    const simulated = await module(page, (library) => {
      const sim = new library.StealingSim(3, 4, 100, 70, "half", "random", 100);
      sim.advance(1e9);
      return { end: sim.makespan(), alone: sim.total() };
    });
    assert.ok(Math.abs(run.end * 20 - simulated.end) < 1e-6);
    assert.ok(Math.abs(alone * 20 - simulated.alone) < 1e-3);
    assert.match(await page.textContent("#say"), /^In the simulation, four workers finish 100 tasks/);
    await page.locator("#workers").fill("8");
    assert.equal((await cells(page, "#crew")).length, 8);
    assert.deepEqual(problems, []);
    await shoot(page, "parallel-simulated");
  } finally {
    await own.close();
    await server.close();
  }
});

test("what a link gets wrong is named; it fits a narrow screen, in the dark", async () => {
  await visitWith(
    { viewport: { width: 360, height: 740 }, colorScheme: "dark", reducedMotion: "reduce" },
    "#parallel?workers=9&take=none&share=80",
    async (page) => {
      await ran(page);
      const notes = await page.locator("#notes .note").allTextContents();
      assert.equal(notes.length, 2);
      assert.ok(notes[0].startsWith("workers=9 is not a whole number from 2 to 8"), notes[0]);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= 360, `${wide} px wide`);
      await shoot(page, "parallel-narrow-dark");
    },
  );
});

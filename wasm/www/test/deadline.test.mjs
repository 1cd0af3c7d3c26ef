// Deadlines: what the tests say beforehand, and what the picture shows.

import assert from "node:assert/strict";
import { test } from "node:test";
import { cells, follow, module, shoot, time, visit, visitWith, written } from "./page.mjs";

const LINK = "#deadline?tasks=2:5,4:7&order=rm&cores=1&place=global&speed=10";
const summary = (page) => page.evaluate(() => JSON.parse(document.documentElement.dataset.summary));
const verdict = (page) => page.textContent("#verdict");
const missedBy = ({ events }) => [
  ...new Set(events.filter(({ kind }) => kind === "miss").map(({ task }) => task)),
];

test("the verdict, the picture and the tables are the library's", async () => {
  await visit(LINK, async (page) => {
    assert.equal(
      await page.textContent("#scene-deadline h1"),
      "Two tasks ask for 97\u00a0% of a core. Will every task meet its deadline?",
    );
    assert.match(await verdict(page), /^Refused: .* B takes 8\u00a0ms and more, and has 7\u00a0ms\.$/);
    const state = await summary(page);
    const library = await module(
      page,
      (library) => {
        const sim = new library.DeadlineSim("rm", 1, false, Float64Array.from([2, 5, 5, 4, 7, 7]));
        const events = sim.advance(30);
        return {
          ...{ utilisation: sim.utilisation(), verdicts: [...sim.verdicts()], events: [...events] },
          ...{ segments: [...sim.segments()], stats: [...sim.stats()], cores: [...sim.coreStats()] },
        };
      },
      "deadlines",
    );
    assert.equal(state.end, 30);
    assert.equal(state.now, 30, "who asked for less motion sees the result");
    assert.equal(state.utilisation, library.utilisation);
    assert.deepEqual(
      state.segments.flatMap(({ core, task, number, from, to }) => [core, task, number, from, to]),
      library.segments.filter((_, i) => i % 6 < 5),
    );
    const kinds = ["release", "miss", "complete"];
    assert.deepEqual(
      state.events.flatMap(({ at, kind, task, number, extra }) => [
        at,
        kinds.indexOf(kind),
        task,
        number,
        extra,
      ]),
      library.events,
    );
    assert.deepEqual(missedBy(state), [1]);

    // The picture has a bar for each stretch, and no two on the core at once.
    const bars = await page.locator("#timeline .bar-of-row").evaluateAll((bars) =>
      bars.map((bar) => ({
        ...bar.dataset,
        from: Number(bar.getAttribute("x")),
        to: Number(bar.getAttribute("x")) + Number(bar.getAttribute("width")),
      })),
    );
    assert.equal(bars.length, state.segments.length);
    bars.sort((a, b) => a.from - b.from);
    bars.slice(1).forEach(({ from }, i) => assert.ok(from > bars[i].to - 0.5, "one core runs one job"));
    const count = (kind) => page.locator(`#timeline [data-mark=${kind}]`).count();
    const of = (kind) => state.events.filter((event) => event.kind === kind).length;
    assert.equal(await count("release"), of("release"));
    assert.equal(await count("deadline"), of("release"));
    assert.equal(await count("miss"), of("miss"));
    assert.equal(await count("preempted"), state.segments.filter(({ end }) => end === "preempted").length);

    // One row a task: arrived, done, missed, the slowest, what the analysis said, the deadline.
    const rows = await cells(page, "#jobs");
    rows.forEach(([name, arrived, done, missed, slowest], task) => {
      const [released, completed, late, , response] = library.stats.slice(6 * task);
      assert.equal(name, "AB"[task]);
      assert.deepEqual([arrived, done, missed].map(Number), [released, completed, late]);
      assert.equal(slowest, `${response}\u00a0ms`);
    });
    assert.deepEqual(
      rows.map((row) => row.slice(5)),
      [
        ["2\u00a0ms", "5\u00a0ms"],
        ["8\u00a0ms", "7\u00a0ms"],
      ],
    );
    const tests = await cells(page, "#tests");
    assert.deepEqual(
      tests.map(([, , says]) => says),
      ["one missed", "not proven", "not proven"],
    );
    assert.equal(await written(page), `${LINK}&t=30`);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 1180);
    await shoot(page, "deadline");
  });
});

test("what rate monotonic misses fits by deadlines, and an overload falls like dominoes", async () => {
  await visit(LINK, async (page) => {
    await page.click("#preset-met");
    assert.match(await verdict(page), /^Admitted: every task meets every deadline/);
    assert.deepEqual(missedBy(await summary(page)), []);
    assert.match(await written(page), /order=edf/);
    await page.click("#preset-domino");
    assert.match(await verdict(page), /^Refused/);
    const fell = await summary(page);
    assert.ok(fell.utilisation > 1.1);
    assert.deepEqual(missedBy(fell).sort(), [0, 1, 2]);
    await shoot(page, "deadline-domino");
    await page.selectOption("#order", "rm");
    assert.deepEqual(missedBy(await summary(page)), [2], "the last in the order pays");
  });
});

test("a heavy task among light ones misses on any core, and meets on its own", async () => {
  await visit(LINK, async (page) => {
    await page.click("#preset-heavy");
    assert.match(await verdict(page), /^Not proven/);
    assert.deepEqual(missedBy(await summary(page)), [2]);
    await shoot(page, "deadline-cores");
    await page.locator("#place input[value=partitioned]").check();
    assert.match(await verdict(page), /^Admitted/);
    const state = await summary(page);
    assert.deepEqual(missedBy(state), []);
    assert.ok(state.segments.every(({ core, task }) => core === state.known[task].core));
    // Another one as heavy fits nowhere.
    await page.click("#add-task");
    await page.locator("#period-D").fill("12");
    await page.locator("#wcet-D").fill("12");
    assert.match(await verdict(page), /^Refused: no core can take [A-D]/);
    assert.deepEqual(missedBy(await summary(page)), []);
    assert.ok((await page.textContent("#jobs")).includes("turned away"));
  });
});

test("knobs, keys and links do the same; time goes both ways", async () => {
  await visit(LINK, async (page) => {
    assert.ok(await page.locator("#place input").first().isDisabled(), "one core is one core");
    await page.locator("#wcet-A").fill("3");
    await page.locator("#deadline-B").fill("6");
    assert.match(await written(page), /tasks=3:5,4:7:6&/);
    await page.locator("#period-B").fill("5");
    assert.match(await written(page), /tasks=3:5,4:5&/, "a deadline is not beyond the period");
    assert.ok(await page.locator("#take-task").isDisabled());
    for (let i = 0; i < 3; i++) await page.click("#add-task");
    assert.ok(await page.locator("#add-task").isDisabled());
    assert.equal((await cells(page, "#jobs")).length, 5);
    await follow(page, `${LINK}&t=7`);
    assert.equal(await time(page), 7);
    const before = await summary(page);
    await page.focus("#picture");
    await page.keyboard.press("ArrowRight");
    assert.ok((await time(page)) > 7);
    await page.keyboard.press("ArrowLeft");
    assert.deepEqual(await summary(page), before);
    await page.keyboard.press("Home");
    assert.equal(await time(page), 0);
    assert.match(await page.textContent("#say"), /No deadline was missed/);
    await page.keyboard.press("End");
    assert.match(await page.textContent("#say"), /missed, the first by B at 7\u00a0ms/);
    await page.keyboard.press(" ");
    assert.equal(await page.textContent("#play"), "Pause");
    await page.keyboard.press(" ");
  });
  for (const tasks of ["9:5", "2:5,4:7:9", "2:5,x:7", "2:5,4:7,1:2:1:1", "0:5,1:5", "2:5"]) {
    await visit(`#deadline?tasks=${tasks}&cores=7`, async (page) => {
      const notes = await page.locator("#notes .note").allTextContents();
      assert.equal(notes.length, 2, tasks);
      assert.ok(notes[0].startsWith(`tasks=${tasks} is not 2 to 5 tasks like 2:5`), notes[0]);
    });
  }
});

test("it fits a narrow screen, in the dark", async () => {
  await visitWith(
    { viewport: { width: 360, height: 740 }, colorScheme: "dark", reducedMotion: "reduce" },
    "#deadline?tasks=2:10,2:10,11:12&order=edf&cores=2&place=global",
    async (page) => {
      await shoot(page, "deadline-narrow-dark");
      assert.ok(await page.locator("#timeline [data-mark=miss]").first().isVisible());
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
    },
  );
});

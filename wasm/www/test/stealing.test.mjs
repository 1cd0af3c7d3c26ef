// Work stealing: what the scene draws, says and links to.

import assert from "node:assert/strict";
import { test } from "node:test";
import { shoot, time, visit, visitWith, written } from "./page.mjs";

/** All that the page shows of the run. */
function drawn(page) {
  return page.evaluate(() => {
    const all = (selector, read) => [...document.querySelectorAll(selector)].map(read);
    const picture = document.querySelector("#lanes svg");
    return {
      question: document.querySelector("#scene-stealing h1").textContent,
      time: Number(picture.dataset.time),
      done: Number(picture.dataset.done),
      waiting: Number(picture.dataset.waiting),
      steals: all("#lanes .steal", ({ dataset }) => ({ ...dataset })),
      blocks: all("#lanes .block", (block) => ({
        ...block.dataset,
        x: block.getAttribute("x"),
        y: block.getAttribute("y"),
        width: block.getAttribute("width"),
      })),
      rows: all("#lanes .row", ({ dataset }) => ({ ...dataset })),
      lines: all("#plot .line", (line) => line.getAttribute("d")),
      say: document.querySelector("#say").textContent,
      stats: all("#stats tbody tr", (row) => [...row.cells].map((cell) => cell.textContent.trim())),
      compare: all("#compare tbody tr", (row) => [...row.cells].map((cell) => cell.textContent.trim())),
      play: document.querySelector("#play").textContent,
      notes: all("#notes .note", (note) => note.textContent),
    };
  });
}

test("the picture, the words and the tables agree on the run", async () => {
  await visit("?t=420", async (page) => {
    const state = await drawn(page);
    await shoot(page, "light");
    assert.equal(state.time, 420);
    assert.equal(state.blocks.length, 100);
    const at = (place) => state.blocks.filter((block) => block.place === place);
    assert.equal(at("done").length, state.done);
    assert.equal(at("queued").length, state.waiting);
    assert.ok(at("running").length <= 4);
    assert.equal(state.rows.length, 4);
    state.rows.forEach((row, worker) => {
      const [name, , waiting, done, stolen] = state.stats[worker];
      const mine = state.blocks.filter((block) => block.worker === String(worker));
      assert.equal(name, String(worker));
      assert.equal(row.queued, waiting);
      assert.equal(mine.filter((block) => block.place === "queued").length, Number(waiting));
      assert.equal(mine.filter((block) => block.place === "done").length, Number(done));
      const brought = state.steals.filter((steal) => steal.thief === String(worker));
      assert.equal(
        brought.reduce((sum, steal) => sum + Number(steal.count), 0),
        Number(stolen),
      );
    });
    assert.ok(state.say.startsWith(`At 0.42\u00a0s, ${state.done} of 100 tasks are done`), state.say);
    // The blocks of one row follow one another and do not overlap.
    for (const row of state.rows) {
      const mine = state.blocks.filter((block) => block.worker === row.worker);
      mine.sort((a, b) => a.x - b.x);
      mine
        .slice(1)
        .forEach((block, i) => assert.ok(block.x - mine[i].x - mine[i].width > -0.5, "blocks overlap"));
    }
  });
});

test("without stealing each task stays where it landed, and with it the end comes sooner", async () => {
  let alone;
  await visit("?policy=none", async (page) => {
    await page.click("#jump");
    const state = await drawn(page);
    assert.equal(state.done, 100);
    assert.ok(state.blocks.every((block) => block.worker === block.origin && block.place === "done"));
    assert.equal(state.steals.length, 0);
    assert.ok(await page.locator("input[name=victim]").first().isDisabled());
    alone = state.time;
  });
  await visit("", async (page) => {
    await page.click("#jump");
    const state = await drawn(page);
    assert.equal(state.done, 100);
    assert.ok(state.blocks.some((block) => block.worker !== block.origin));
    assert.ok(state.time < alone / 2, `${state.time} ms against ${alone} ms`);
    await shoot(page, "end");
    // The table of all policies says the same of this one.
    const [, end] = state.compare.find(([name]) => name === "half, from anyone");
    assert.ok(end.startsWith(`${(state.time / 1000).toFixed(2)}\u00a0s`), end);
    assert.equal(state.compare.length, 5);
  });
});

test("the text speaks of the figures that the library computes", async () => {
  await visit("?t=0", async (page) => {
    const figures = JSON.parse(await page.evaluate(() => document.documentElement.dataset.figures));
    for (const [name, value] of Object.entries(figures)) {
      const text = await page.locator(`[data-static=${name}]`).textContent();
      assert.equal(text, value, name);
    }
  });
});

test("the same link shows the same state", async () => {
  const state = "seed=77&workers=6&policy=one&victim=busiest&share=55&cost=5000&speed=0.05&t=333.125";
  const link = `#stealing?${state}`;
  let first;
  await visit(link, async (page) => {
    first = await drawn(page);
    assert.equal(first.question, "55 of 100 tasks land on one of six workers. Who helps?");
    assert.equal(first.time, 333.125);
    // The page writes its address a little later, or when it is left; and it is what was asked for.
    assert.equal(await written(page), link);
  });
  await visit(link, async (page) => assert.deepEqual(await drawn(page), first));
  // Links from when this was the only scene lead here still.
  for (const old of [`?scene=stealing&${state}`, `?${state}`]) {
    await visit(old, async (page) => {
      assert.deepEqual(await drawn(page), first);
      assert.equal(await written(page), link);
      assert.equal(new URL(page.url()).search, "");
    });
  }
  // Another seed is another run.
  await visit(link.replace("seed=77", "seed=78"), async (page) =>
    assert.notDeepEqual(await drawn(page), first),
  );
});

test("the link that the page copies leads back to what it shows", async () => {
  let state;
  let copied;
  await visit("", async (page) => {
    await page.locator("#workers").fill("5");
    await page.locator("#seed").fill("1234");
    await page.locator("input[value=busiest]").check();
    for (let i = 0; i < 40; i++) await page.click("#step");
    await page.click("#copy");
    await page.getByText("Copied").waitFor();
    copied = await page.evaluate(() => navigator.clipboard.readText());
    state = await drawn(page);
    assert.ok(state.time > 0);
  });
  await visit(new URL(copied).hash, async (page) => assert.deepEqual(await drawn(page), state));
});

test("the way back shows what the way there showed", async () => {
  await visit("?t=500", async (page) => {
    const before = await drawn(page);
    await page.click("#jump");
    assert.equal((await drawn(page)).done, 100);
    await page.locator("#time").evaluate((input) => {
      input.value = "500";
      input.dispatchEvent(new Event("input"));
    });
    assert.deepEqual(await drawn(page), before);
  });
});

test("the keyboard plays, pauses, steps and jumps", async () => {
  await visit("?t=0", async (page) => {
    await page.locator("#picture").focus();
    await page.keyboard.press("ArrowRight");
    const stepped = await time(page);
    assert.ok(stepped > 0);
    await page.keyboard.press("ArrowRight");
    assert.ok((await time(page)) > stepped);
    await page.keyboard.press("ArrowLeft");
    assert.ok((await time(page)) <= stepped);
    await page.keyboard.press("Space");
    assert.equal(await page.textContent("#play"), "Pause");
    await page.waitForFunction(() => Number(document.documentElement.dataset.time) > 50);
    await page.keyboard.press("Space");
    assert.equal(await page.textContent("#play"), "Play");
    const paused = await time(page);
    await page.keyboard.press("End");
    assert.equal((await drawn(page)).done, 100);
    assert.ok((await time(page)) > paused);
    await page.keyboard.press("Home");
    assert.equal(await time(page), 0);

    // And by the buttons, reached with Tab alone.
    await page.locator("#to-slow").focus();
    const order = [];
    for (let i = 0; i < 30; i++) {
      await page.keyboard.press("Tab");
      order.push(await page.evaluate(() => document.activeElement.id || document.activeElement.value));
    }
    const player = ["picture", "play", "step", "restart", "jump", "speed", "copy", "time"];
    const knobs = ["half", "random", "cost", "workers", "share", "seed", "reseed"];
    const expected = [...player, ...knobs];
    assert.deepEqual(order.filter((id) => expected.includes(id)).slice(0, expected.length), expected);
    await page.locator("#step").focus();
    await page.keyboard.press("Enter");
    assert.ok((await time(page)) > 0);
    const focus = await page.locator("#step").evaluate((button) => getComputedStyle(button).outlineStyle);
    assert.equal(focus, "solid", "the focus is visible");
  });
});

test("it plays by itself, unless less motion is wanted", async () => {
  await visit("", async (page) => {
    const state = await drawn(page);
    assert.equal(state.play, "Play");
    assert.equal(state.time, 0);
    await page.locator("#jump").click();
    assert.equal(await page.evaluate(() => document.getAnimations().length), 0);
  });
  await visitWith({ reducedMotion: "no-preference" }, "", async (page) => {
    assert.equal(await page.textContent("#play"), "Pause");
    await page.waitForFunction(() => Number(document.documentElement.dataset.time) > 20);
    await page.click("#play");
    const stopped = await time(page);
    await page.evaluate(
      () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
    );
    assert.equal(await time(page), stopped);
  });
});

test("stolen blocks travel, and playing to the end stops there", async () => {
  await visitWith({ reducedMotion: "no-preference" }, "?t=0&speed=1", async (page) => {
    await page.evaluate(() => {
      window.travelled = 0;
      const animate = Element.prototype.animate;
      Element.prototype.animate = function (...given) {
        window.travelled += 1;
        return animate.apply(this, given);
      };
    });
    await page.click("#play");
    await page.waitForFunction(() => document.querySelector("#play").textContent === "Play");
    const state = await drawn(page);
    assert.equal(state.done, 100);
    const moved = state.blocks.filter((block) => block.worker !== block.origin).length;
    assert.ok(moved > 0 && (await page.evaluate(() => window.travelled)) >= moved);
    // Playing on from the end begins again.
    await page.click("#play");
    assert.ok((await time(page)) < state.time);
  });
});

test("the table of policies leads to each of them", async () => {
  await visit("?t=300", async (page) => {
    await page.locator("[data-choice=one-busiest]").click();
    await page.waitForURL(/policy=one/);
    const search = new URLSearchParams(new URL(page.url()).hash.split("?")[1]);
    assert.deepEqual(
      [search.get("policy"), search.get("victim"), search.get("seed")],
      ["one", "busiest", "1"],
    );
    assert.ok(await page.locator("input[value=one]").isChecked());
    assert.equal(await page.locator("#compare [aria-current]").textContent(), "one, from the busiest");
  });
});

test("what a link gets wrong is named, and the default taken", async () => {
  const query = "?scene=nothing&seed=-1&workers=99&policy=most&victim=&share=7.5&cost=0&speed=2&t=soon";
  await visit(query, async (page) => {
    const { notes, question, blocks } = await drawn(page);
    assert.equal(notes.length, 9, notes.join("\n"));
    assert.ok(notes.includes("workers=99 is not a whole number from 2 to 8; the page takes 4."));
    assert.ok(notes.includes("policy=most is not one of none, one, half; the page takes half."));
    assert.equal(question, "70 of 100 tasks land on one of four workers. Who helps?");
    assert.equal(blocks.length, 100);
    await shoot(page, "notes");
  });
  await visit(`?seed=${encodeURIComponent("<img src=x onerror=alert(1)>")}`, async (page) => {
    assert.equal((await drawn(page)).notes.length, 1);
    assert.equal(await page.locator("#notes img").count(), 0);
  });
});

test("extreme parameters are drawn as well", async () => {
  for (const query of [
    "?workers=8&share=100&cost=100000&t=99999",
    "?workers=2&share=0&t=99999",
    "?cost=10000000&t=5000",
  ]) {
    await visit(query, async (page) => {
      const { blocks, waiting } = await drawn(page);
      assert.equal(blocks.length, 100);
      assert.equal(blocks.filter((block) => block.place === "queued").length, waiting);
      assert.ok(
        blocks.every((block) => [block.x, block.y, block.width].every((n) => Number.isFinite(Number(n)))),
      );
    });
  }
});

test("narrow screens need no sideways scrolling, and fingers find the buttons", async () => {
  for (const width of [320, 360, 768]) {
    await visitWith({ viewport: { width, height: 740 }, reducedMotion: "reduce" }, "?t=420", async (page) => {
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= width, `${wide} px on a screen of ${width}`);
      const low = await page.evaluate(() =>
        [
          ...document.querySelectorAll(
            ".player button, .stage select, #knobs input[type=range], .choice span",
          ),
        ]
          .filter((element) => element.getBoundingClientRect().height < 44)
          .map((element) => element.id || element.textContent),
      );
      assert.deepEqual(low, []);
      assert.equal((await drawn(page)).blocks.length, 100);
      // The picture comes before the knobs, and most of it is there without scrolling.
      const [picture, form] = await page.evaluate(() =>
        ["#lanes svg", "#knobs"].map(
          (selector) => document.querySelector(selector).getBoundingClientRect().top,
        ),
      );
      assert.ok(picture < 740 / 2 && picture < form, `${picture} ${form}`);
      await shoot(page, `narrow-${width}`);
    });
  }
});

// The built page in Chromium: what it draws, says and links to. `npm run build` comes first.
//
// Prints the digests that the page computed, one line each, and writes them to the file that DIVVY_DIGESTS names.
// With SHOTS set, pictures of the page go to that folder.

import assert from "node:assert/strict";
import { appendFile, mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { launch, open } from "./browser.mjs";
import { DIST, serve } from "./server.mjs";

let server;
let browser;

before(async () => {
  server = await serve();
  browser = await launch({ reducedMotion: "reduce", permissions: ["clipboard-read", "clipboard-write"] });
});

after(async () => {
  await browser?.close();
  await server?.close();
});

/** Runs `body` with the page at `query`, and fails if the page complained about anything. */
async function visit(query, body, context = browser.context) {
  const problems = [];
  const page = await open(context, server.url + query, problems);
  try {
    await body(page);
    assert.deepEqual(problems, []);
  } finally {
    await page.close();
  }
}

/** Runs `body` with the page at `query` in a browser of its own with `options`. */
async function visitWith(options, query, body) {
  const own = await launch(options);
  try {
    await visit(query, body, own.context);
  } finally {
    await own.close();
  }
}

/** All that the page shows of the run. */
function drawn(page) {
  return page.evaluate(() => {
    const all = (selector, read) => [...document.querySelectorAll(selector)].map(read);
    const picture = document.querySelector("#lanes svg");
    return {
      question: document.querySelector("#question").textContent,
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

const time = (page) => page.evaluate(() => Number(document.documentElement.dataset.time));

const shots = process.env.SHOTS;

async function shoot(page, name) {
  if (!shots) return;
  await mkdir(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
}

test("every scenario comes to its committed digest", async () => {
  await visit("?t=0", async (page) => {
    const text = await page.locator("#conformance table").getAttribute("data-digests");
    const lines = text.trim().split("\n");
    assert.ok(lines.length >= 4, `only ${lines.length} scenarios ran`);
    for (const line of lines) {
      assert.match(line, /^digest wasm32 0 [a-z0-9-]+ [0-9a-f]{16}$/);
    }
    // The module knows what it was compiled for, only this test knows which browser runs it.
    const named = lines.map((line) => line.replace("wasm32", "chromium"));
    console.log(named.join("\n"));
    if (process.env.DIVVY_DIGESTS) await appendFile(process.env.DIVVY_DIGESTS, `${named.join("\n")}\n`);
    const verdict = page.locator("#conformance .verdict");
    assert.equal(await verdict.getAttribute("data-good"), String(lines.length), await verdict.textContent());
    // The page shows what was committed, not what it computed twice.
    const golden = await readFile(new URL("../../../tests/golden/digests.txt", import.meta.url), "utf8");
    for (const line of lines) assert.ok(golden.includes(`\n${line.split(" ").slice(3).join(" ")}`), line);
    assert.equal(await page.locator("#conformance .same").count(), lines.length);
  });
});

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
    assert.ok(state.say.startsWith(`At 0.42 s, ${state.done} of 100 tasks are done`), state.say);
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
    assert.ok(end.startsWith(`${(state.time / 1000).toFixed(2)} s`), end);
    assert.equal(state.compare.length, 5);
  });
});

test("the text speaks of the figures that the library computes", async () => {
  await visit("?t=0", async (page) => {
    const figures = JSON.parse(await page.evaluate(() => document.documentElement.dataset.figures));
    for (const [name, value] of Object.entries(figures)) {
      const text = await page.locator(`[data-static=${name}]`).textContent();
      assert.equal(text, (value / 1000).toFixed(2), name);
    }
  });
});

test("the same link shows the same state", async () => {
  const link =
    "?scene=stealing&seed=77&workers=6&policy=one&victim=busiest&share=55&cost=5000&speed=0.05&t=333.125";
  let first;
  await visit(link, async (page) => {
    first = await drawn(page);
    assert.equal(first.question, "55 of 100 tasks land on one of six workers. Who helps?");
    assert.equal(first.time, 333.125);
    // The page writes its address a little later, or when it is left; and it is what was asked for.
    await page.evaluate(() => {
      history.replaceState(null, "", "/");
      dispatchEvent(new Event("pagehide"));
    });
    assert.equal(new URL(page.url()).search, link);
  });
  await visit(link, async (page) => assert.deepEqual(await drawn(page), first));
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
  await visit(new URL(copied).search, async (page) => assert.deepEqual(await drawn(page), state));
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
    await page.evaluate(() => document.activeElement.blur());
    const order = [];
    for (let i = 0; i < 30; i++) {
      await page.keyboard.press("Tab");
      order.push(await page.evaluate(() => document.activeElement.id || document.activeElement.value));
    }
    const knobs = ["half", "random", "cost", "workers", "share", "seed", "reseed"];
    const player = ["play", "step", "restart", "jump", "speed", "copy", "time", "picture"];
    const expected = [...knobs, ...player];
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
    const search = new URL(page.url()).searchParams;
    assert.deepEqual(
      [search.get("policy"), search.get("victim"), search.get("seed")],
      ["one", "busiest", "1"],
    );
    assert.ok(await page.locator("input[value=one]").isChecked());
    assert.equal(await page.locator("[aria-current]").textContent(), "one, from the busiest");
  });
});

test("what a link gets wrong is named, and the default taken", async () => {
  const query = "?scene=ring&seed=-1&workers=99&policy=most&victim=&share=7.5&cost=0&speed=2&t=soon";
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
            "#scene .player button, #scene select, #knobs input[type=range], .choice span",
          ),
        ]
          .filter((element) => element.getBoundingClientRect().height < 44)
          .map((element) => element.id || element.textContent),
      );
      assert.deepEqual(low, []);
      assert.equal((await drawn(page)).blocks.length, 100);
      await shoot(page, `narrow-${width}`);
    });
  }
});

test("it turns dark with the reader's system", async () => {
  const background = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  let light;
  await visit("?t=420", async (page) => (light = await background(page)));
  await visitWith(
    { colorScheme: "dark", reducedMotion: "reduce" },
    "?t=620&workers=6&seed=9",
    async (page) => {
      assert.notEqual(await background(page), light);
      await shoot(page, "dark");
    },
  );
});

test("the text is there without JavaScript", async () => {
  const own = await launch({ javaScriptEnabled: false });
  try {
    const page = await own.context.newPage();
    await page.goto(server.url);
    assert.ok(await page.locator("noscript .note").isVisible());
    assert.ok(await page.getByText("Thieves take the oldest tasks").isVisible());
    assert.ok(!(await page.locator("#knobs").isVisible()));
  } finally {
    await own.close();
  }
});

test("a module that does not come is said", async () => {
  const page = await browser.context.newPage();
  try {
    await page.route("**/*.wasm", (route) => route.abort());
    await page.goto(server.url);
    await page.getByText("The simulation could not start").waitFor();
    assert.ok(await page.getByText("Thieves take the oldest tasks").isVisible());
    assert.ok(!(await page.locator("#knobs").isVisible()));
  } finally {
    await page.close();
  }
});

test("the code is small enough to send", async () => {
  const assets = join(DIST, "assets");
  let bytes = 0;
  for (const name of await readdir(assets)) {
    if (/\.(js|wasm)$/.test(name)) bytes += gzipSync(await readFile(join(assets, name)), { level: 9 }).length;
  }
  console.log(`playground: ${bytes} bytes of code, compressed`);
  assert.ok(bytes > 0 && bytes < 60_000, `${bytes} bytes`);
});

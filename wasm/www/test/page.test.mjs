// The page around the scenes. `npm run build` comes first.
//
// Prints the digests that the page computed, one line each, and writes them to the file that DIVVY_DIGESTS names.

import assert from "node:assert/strict";
import { appendFile, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { launch } from "./browser.mjs";
import { blank, shoot, time, url, visit, visitWith } from "./page.mjs";
import { DIST } from "./server.mjs";

test("every scenario comes to its committed digest", async () => {
  await visit("?t=0", async (page) => {
    assert.equal(await page.locator("#conformance table").count(), 0, "nobody waits for them");
    await page.locator("#same-title").scrollIntoViewIfNeeded();
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

test("the links lead to every scene, and each keeps its state", async () => {
  await visit("?t=420", async (page) => {
    const names = await page
      .locator("#scenes a")
      .evaluateAll((links) => links.map((link) => link.id.slice(3)));
    assert.deepEqual(names, [
      "stealing",
      "parallel",
      "ring",
      "rings",
      "race",
      "hot",
      "stale",
      "slow",
      "deadline",
      "breaker",
      "limiter",
      "hedging",
      "cascade",
      "retry-storm",
      "herd",
    ]);
    for (const name of names.slice(1)) {
      await page.locator(`#to-${name}`).focus();
      await page.keyboard.press("Enter");
      await page.waitForSelector(`html[data-scene=${name}]`);
      assert.equal(await page.locator("article:visible").count(), 1);
      assert.equal(await page.locator("#scenes [aria-current=page]").getAttribute("id"), `to-${name}`);
      assert.ok((await page.textContent("#say")).length > 20, name);
      assert.match(await page.title(), /[Bb]y divvy$/);
    }
    await page.click("#to-stealing");
    await page.waitForSelector("html[data-scene=stealing]");
    assert.equal(await time(page), 420);
    // The way back through the browser's history.
    await page.goBack();
    await page.waitForSelector(`html[data-scene=${names.at(-1)}]`);
  });
  await visit("#nowhere", async (page) => {
    const note = await page.textContent("#notes .note");
    assert.ok(note.startsWith("There is no scene nowhere; this is the scene stealing."), note);
  });
});

test("a scene with something left to write does not take the reader back from the link that was followed", async () => {
  await visit("?t=0", async (page) => {
    await page.evaluate(async () => {
      const followed = new Promise((resolve) => addEventListener("hashchange", resolve, { once: true }));
      location.hash = "#ring";
      await followed;
      // The ring has not written its state yet, and is made to before it learns of the next link.
      location.hash = "#race?seed=5";
      dispatchEvent(new Event("pagehide"));
    });
    await page.waitForSelector("html[data-scene=race]");
    assert.match(page.url(), /#race\?.*seed=5/);
  });
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
    await page.goto(url());
    assert.ok(await page.locator("noscript .note").isVisible());
    assert.ok(await page.getByText("Thieves take the oldest tasks").isVisible());
    assert.ok(!(await page.locator("#knobs").isVisible()));
  } finally {
    await own.close();
  }
});

test("a module that does not come is said", async () => {
  const page = await blank();
  try {
    await page.route("**/*.wasm", (route) => route.abort());
    await page.goto(url());
    await page.getByText("The simulation could not start").waitFor();
    assert.ok(await page.getByText("Thieves take the oldest tasks").isVisible());
    assert.ok(!(await page.locator("#knobs").isVisible()));
  } finally {
    await page.close();
  }
});

test("the code is small enough to send", async () => {
  const assets = join(DIST, "assets");
  const compressed = async (names) => {
    const files = await Promise.all(names.map((name) => readFile(join(assets, name))));
    return files.reduce((sum, file) => sum + gzipSync(file, { level: 9 }).length, 0);
  };
  const first = new Set();
  const page = await blank();
  page.on("request", (request) => first.add(request.url().split("/").at(-1)));
  await page.goto(url());
  await page.waitForSelector("html[data-ready]");
  await page.close();
  const names = (await readdir(assets)).filter((name) => /\.(js|wasm)$/.test(name));
  const bytes = { first: await compressed(names.filter((name) => first.has(name))) };
  // These come when the reader comes to them.
  const most = {
    first: 200_000,
    protection: 200_000,
    threads: 40_000,
    deadlines: 60_000,
    conformance: 450_000,
  };
  for (const name of Object.keys(most).slice(1)) {
    const files = names.filter((file) => file.startsWith(name));
    assert.ok(!files.some((file) => first.has(file)), `${name} comes with the first page`);
    bytes[name] = await compressed(files);
  }
  console.log(`playground: bytes of code, compressed: ${JSON.stringify(bytes)}`);
  for (const [name, limit] of Object.entries(most)) {
    assert.ok(bytes[name] > 0 && bytes[name] < limit, `${name}: ${bytes[name]} bytes`);
  }
});

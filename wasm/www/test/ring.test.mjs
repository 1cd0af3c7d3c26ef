// The ring: what the scene draws, says and links to.

import assert from "node:assert/strict";
import { test } from "node:test";
import { cells, follow, module, shoot, visit, visitWith, written } from "./page.mjs";

const CHANGED = "#ring?algorithm=karger&points=150&nodes=a:1,b:1,c:2,d:1,e:1&done=weight:a:3,remove:c";

/** All that the page shows. */
function drawn(page) {
  return page.evaluate(() => {
    const all = (selector, read) => [...document.querySelectorAll(selector)].map(read);
    return {
      question: document.querySelector("#scene-ring h1").textContent,
      summary: JSON.parse(document.documentElement.dataset.summary),
      flows: all(".flow", ({ dataset }) => ({ ...dataset })),
      places: all("path.owned", ({ dataset }) => dataset.owner),
      was: all("path.was", ({ dataset }) => dataset.owner),
      nodes: all(".node", (node) => [node.id, node.getAttribute("aria-valuenow"), node.classList[1]]),
      say: document.querySelector("#say").textContent,
      notes: all("#notes .note", (note) => note.textContent),
    };
  });
}

const number = (text) => Number(text.replace(/[^\d−-]/g, "").replace("−", "-"));

test("what moves is what the library counts, in the picture, the words and the tables", async () => {
  await visit(CHANGED, async (page) => {
    const state = await drawn(page);
    await shoot(page, "ring");
    // The same changes, asked of the library directly.
    const counted = await module(page, ({ RingPlan }) => {
      const ring = new RingPlan("karger", 8, 64, 10_000, 150);
      [1, 1, 2, 1, 1].forEach((weight, id) => ring.insert(id, weight));
      ring.setWeight(0, 3);
      ring.mark();
      ring.remove(2);
      return { nodes: [...ring.nodes()], moves: [...ring.moves()], summary: [...ring.summary()] };
    });
    const [keys, moved, ideal, needless, peak, least] = counted.summary;
    assert.deepEqual(state.summary, { moved, ideal, needless, peak, least });
    assert.equal(keys, 10_000);
    assert.ok(moved > 1500 && needless === 0, `${moved} moved, ${needless} needlessly`);
    assert.equal(state.flows.length, counted.moves.length / 3);
    state.flows.forEach(({ from, to, count }, i) => {
      assert.deepEqual([from, to, count].map(Number), counted.moves.slice(3 * i, 3 * i + 3));
      assert.equal(from, "2");
    });
    const rows = await cells(page, "#shares");
    rows.forEach(([, weight, held, fair, change], i) => {
      const [, member, heavy, , now, before, due] = counted.nodes.slice(7 * i, 7 * i + 7);
      assert.equal(weight, member ? String(heavy) : "–");
      assert.deepEqual([number(held), number(fair)], [now, Math.round(due)]);
      assert.equal(change === "–" ? 0 : number(change), now - before);
    });
    assert.equal(
      rows.reduce((sum, row) => sum + number(row[2]), 0),
      10_000,
    );
    // The picture: c owns nothing any more, and whatever changed hands was its.
    assert.deepEqual(state.places.sort(), ["0", "1", "3", "4"]);
    assert.deepEqual(state.was, ["2"]);
    assert.equal(state.question, "Node c leaves. Which keys must move?");
    assert.ok(state.say.includes("none of them needlessly"), state.say);
    assert.ok(state.say.includes(peak.toFixed(2)), state.say);
  });
});

test("the same link shows the same state, and the page writes that link", async () => {
  let first;
  await visit(CHANGED, async (page) => {
    first = await drawn(page);
    assert.deepEqual(first.notes, []);
    assert.equal(await written(page), CHANGED);
  });
  await visit("#ring", async (page) => {
    // The same state by hand.
    await page.locator("#weight-c").fill("2");
    assert.equal(await page.textContent("#scene-ring h1"), "Node c now has weight 2. Which keys follow?");
    await page.click("#restart");
    assert.equal((await drawn(page)).summary.moved, 0);
    await follow(page, CHANGED);
    assert.deepEqual(await drawn(page), first);
    await page.click("#undo");
    await page.click("#remove-c");
    assert.deepEqual(await drawn(page), first);
  });
});

test("the keyboard weighs, drains and removes nodes", async () => {
  await visit("#ring", async (page) => {
    await page.locator("#node-b").focus();
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("ArrowDown");
    assert.equal(await page.locator("#node-b").getAttribute("aria-valuenow"), "2");
    assert.equal(await page.evaluate(() => document.activeElement.id), "node-b", "the focus stays");
    assert.match(await written(page), /done=weight:b:2$/);
    await page.keyboard.press("d");
    let state = await drawn(page);
    assert.deepEqual(state.nodes[1], ["node-b", "2", "draining"]);
    const gave = state.summary.moved;
    assert.ok(gave > 2000);
    await page.keyboard.press("d");
    state = await drawn(page);
    assert.equal(state.summary.moved, gave, "it gets its own keys back");
    await page.keyboard.press("Delete");
    state = await drawn(page);
    assert.deepEqual(state.nodes[1], ["node-b", null, "gone"]);
    assert.equal(await page.locator("#weight-b").count(), 0);
    await page.locator("#add").focus();
    await page.keyboard.press("Enter");
    // The first free name is b's.
    assert.equal(await page.textContent("#scene-ring h1"), "Node b comes. Which keys does it get?");
  });
});

test("a drag weighs a node, and one drag is one change", async () => {
  await visit("#ring", async (page) => {
    const box = await page.locator("#node-b .disc").boundingBox();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    await page.mouse.move(x, y);
    await page.mouse.down();
    for (const up of [10, 20, 40, 48]) await page.mouse.move(x, y - up);
    await page.mouse.up();
    await page.mouse.move(x, y - 200);
    assert.equal(await page.locator("#node-b").getAttribute("aria-valuenow"), "4");
    assert.match(await written(page), /done=weight:b:4$/);
  });
});

test("every algorithm is there, and what one of them refuses is said", async () => {
  await visit("#ring?done=remove:b", async (page) => {
    const algorithms = await module(page, ({ ringAlgorithms }) => ringAlgorithms());
    assert.ok(algorithms.length >= 7);
    for (const algorithm of algorithms) {
      await page.locator("#algorithm").selectOption(algorithm);
      const { summary, say } = await drawn(page);
      if (algorithm === "jump-back") {
        assert.ok(say.startsWith("jump-back refuses to remove node b:"), say);
        assert.equal(summary.moved, 0);
      } else {
        assert.ok(summary.moved > 1000 && summary.peak < 1.4, `${algorithm}: ${JSON.stringify(summary)}`);
      }
      assert.equal(await page.locator("#points").isDisabled(), algorithm !== "karger");
    }
    // Few points share badly.
    await page.locator("#algorithm").selectOption("karger");
    await page.locator("#points").fill("0");
    assert.ok((await drawn(page)).summary.peak > 1.4);
  });
});

test("what a link gets wrong is named", async () => {
  await visit("#ring?algorithm=chord&points=0&nodes=a:1,a:2&done=explode:b", async (page) => {
    const { notes, summary } = await drawn(page);
    assert.equal(notes.length, 4, notes.join("\n"));
    assert.ok(notes[0].startsWith("algorithm=chord is not one of karger"), notes[0]);
    assert.equal(summary.moved, 0);
  });
  // All taken out, weight 0 and too many changes: an answer, not an exception.
  await visit("#ring?nodes=a:0,b:1&done=remove:b,remove:b", async (page) => {
    const { say } = await drawn(page);
    assert.ok(say.includes("refuses to remove node b") && say.includes("no key has an owner"), say);
  });
});

test("narrow and dark", async () => {
  await visitWith(
    { viewport: { width: 320, height: 740 }, reducedMotion: "reduce", colorScheme: "dark" },
    CHANGED,
    async (page) => {
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 320);
      const top = (selector) =>
        page.locator(selector).evaluate((element) => element.getBoundingClientRect().top);
      assert.ok((await top(".circle")) < 740 / 2 && (await top(".circle")) < (await top("#knobs")));
      await shoot(page, "ring-320-dark");
    },
  );
});

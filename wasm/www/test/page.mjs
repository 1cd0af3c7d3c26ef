// The page in Chromium, for every file of tests: started once, and each page held to complain about nothing.
//
// With SHOTS set, pictures of the page go to that folder.

import assert from "node:assert/strict";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before } from "node:test";
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

export const url = () => server.url;

/** A page without a name for what it complains about. */
export const blank = () => browser.context.newPage();

/** Runs `body` with the page at `address`, and fails if the page complained about anything. */
export async function visit(address, body, context = browser.context) {
  const problems = [];
  const page = await open(context, server.url + address, problems);
  try {
    await body(page);
    assert.deepEqual(problems, []);
  } finally {
    await page.close();
  }
}

/** Runs `body` with the page at `address` in a browser of its own with `options`. */
export async function visitWith(options, address, body) {
  const own = await launch(options);
  try {
    await visit(address, body, own.context);
  } finally {
    await own.close();
  }
}

export const time = (page) => page.evaluate(() => Number(document.documentElement.dataset.time));

/** The link that the page gives to what it shows: what comes after the `#`. */
export async function written(page) {
  // The focus stays where it is.
  await page.evaluate(() => document.querySelector("#copy").click());
  return new URL(page.url()).hash;
}

/** Follows a link within the page. */
export async function follow(page, link) {
  await page.evaluate(
    (link) =>
      new Promise((resolve) => {
        // A link to where the page is already would change nothing.
        history.replaceState(null, "", location.pathname);
        addEventListener("hashchange", resolve, { once: true });
        location.hash = link;
      }).then(() => undefined),
    link,
  );
  // A scene whose module is still to come is not shown at once.
  await page.waitForSelector("html[data-scene]");
}

/** The cells of each row of a table, trimmed. */
export function cells(page, selector) {
  return page.evaluate(
    (selector) =>
      [...document.querySelectorAll(`${selector} tbody tr`)].map((row) =>
        [...row.cells].map((cell) => cell.textContent.trim()),
      ),
    selector,
  );
}

/** The value at the end of each line of the plot. */
export function ends(page) {
  return page.evaluate(() =>
    Object.fromEntries(
      [...document.querySelectorAll("#plot .line")].map((line) => [
        line.dataset.line,
        Number(line.dataset.last),
      ]),
    ),
  );
}

/** What `ask` answers, given the library as the page loads it. */
export async function module(page, ask, which = "divvy") {
  const name = (await readdir(join(DIST, "assets"))).find(
    (name) => name.startsWith(`${which}_bg`) && name.endsWith(".wasm"),
  );
  const glue = await readFile(new URL(`../src/pkg/${which}.js`, import.meta.url), "utf8");
  return page.evaluate(
    async ([glue, wasm, ask, which]) => {
      const address = URL.createObjectURL(new Blob([glue], { type: "text/javascript" }));
      window.libraries ??= {};
      window.libraries[which] ??= import(address).then(async (library) => {
        await library.default({ module_or_path: new URL(wasm, location.href) });
        return library;
      });
      return (0, eval)(ask)(await window.libraries[which]);
    },
    [glue, `assets/${name}`, ask.toString(), which],
  );
}

const shots = process.env.SHOTS;

export async function shoot(page, name) {
  if (!shots) return;
  await mkdir(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
}

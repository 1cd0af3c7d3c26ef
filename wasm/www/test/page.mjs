// The page in Chromium, for every file of tests: started once, and each page held to complain about nothing.
//
// With SHOTS set, pictures of the page go to that folder.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before } from "node:test";
import { launch, open } from "./browser.mjs";
import { serve } from "./server.mjs";

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

/** The address as the page writes it when it is left: what comes after the `#`. */
export async function written(page) {
  await page.evaluate(() => dispatchEvent(new Event("pagehide")));
  return new URL(page.url()).hash;
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

const shots = process.env.SHOTS;

export async function shoot(page, name) {
  if (!shots) return;
  await mkdir(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
}
